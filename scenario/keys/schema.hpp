#pragma once
// JSON Schema (2020-12) of the maps of a table, for editors and for programs that write scenarios. It says the names of
// keys and the form of their values; of numbers also the range. Ranges of quantities with units, and what several keys
// must satisfy together, only the readers know.
#include <string>
#include <string_view>

#include "scenario/keys/key.hpp"

namespace stowage::keys {
[[nodiscard]] std::string schema_document(std::string_view title, const Table& table);
}  // namespace stowage::keys
