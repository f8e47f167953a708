#pragma once
// What the pages of `calibrate` and `validate` share: a head that lets no request leave the page, light and dark,
// narrow and wide. Their plots are SVG, drawn here: no script, nothing to load.
#include <string>
#include <string_view>

namespace stowage::html {

/// For element content and double-quoted attributes.
[[nodiscard]] std::string escaped(std::string_view text);
/// Everything up to the page's own content; `title` is escaped here, and is the first heading.
[[nodiscard]] std::string begin(std::string_view title);
[[nodiscard]] std::string end();
/// A table that scrolls by itself where it is wider than the page; `rows` are <tr> elements, the first the head.
[[nodiscard]] std::string table(std::string_view label, std::string_view rows);
/// A plot with one sentence above it (escaped here) and its numbers below.
[[nodiscard]] std::string figure(std::string_view sentence, std::string_view svg, std::string_view numbers);
}  // namespace stowage::html
