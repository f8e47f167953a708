#pragma once
// Files that lie. Every value of a JSON document is made wrong in every way, and its text is damaged at random; a
// reader must refuse with the file's name (InputError) or take it, and nothing else may come out of it.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace stowage::test {
using Json = nlohmann::ordered_json;
/// Throws InputError when it refuses the text.
using Reader = std::function<void(const std::string& text)>;

struct Lies {
  std::set<std::string> ignored;    // "/runs/*/name": whatever stands there is taken
  std::set<std::string> unbounded;  // numbers that may be negative, or as large as a double can be
  std::size_t tried = 0;
};

/// "", or what the refusal said. Anything but an InputError of this file fails the test.
inline std::string refusal(const Reader& read, const std::string& text, const std::string& file,
                           const std::string& what) {
  try {
    read(text);
    return "";
  } catch (const InputError& error) {
    const std::string said = error.what();
    EXPECT_NE(said.find(file), std::string::npos) << what << ": the file is not named: " << said;
    for (const Problem& problem : error.problems())
      for (const char c : problem.str()) EXPECT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f) << what;
    return said.empty() ? "?" : said;
  } catch (const std::exception& error) {
    ADD_FAILURE() << what << ": " << error.what() << "\n" << text.substr(0, 2000);
  }
  return "?";
}

class Liar {
 public:
  Liar(Json document, std::string file, Reader read)
      : document_(std::move(document)), file_(std::move(file)), read_(std::move(read)) {}

  Lies lies() {
    EXPECT_EQ(refusal(read_, document_.dump(), file_, "as it is"), "");
    walk(document_, "", "");
    return found_;
  }

 private:
  /// The document with `text` where `value` stood.
  std::string with(Json& value, const std::string& text) {
    const Json kept = std::exchange(value, "@@here@@");
    std::string out = document_.dump();
    value = kept;
    const std::string mark = "\"@@here@@\"";
    return out.replace(out.find(mark), mark.size(), text);
  }
  bool taken(Json& value, const std::string& text, const std::string& pointer) {
    ++found_.tried;
    return refusal(read_, with(value, text), file_, pointer + " = " + text).empty();
  }
  static std::string kind(const std::string& text) {
    const Json value = Json::parse(text);
    return value.is_number() ? "number" : value.type_name();
  }

  void walk(Json& value, const std::string& pointer, const std::string& general) {
    const std::string own = value.is_number() ? "number" : value.type_name();
    if (!pointer.empty()) {
      bool all = true;
      for (const char* text : {"null", "true", "-1", "\"x\"", "\"\\u001b[2J\\n\"", "[]", "{}", "[1,\"a\",null]"})
        if (kind(text) != own) all = taken(value, text, pointer) && all;
      const bool endless = taken(value, "1e309", pointer) | taken(value, "NaN", pointer);
      EXPECT_TRUE(all || !endless) << pointer << ": no number, and taken";
      if (all) {
        found_.ignored.insert(general);
        return;
      }
      if (value.is_number()) {
        bool any = false;
        for (const char* text : {"-1", "1e300", "-1e300"}) any = taken(value, text, pointer) || any;
        for (const char* text :
             {"0", "0.5", "1e18", "9223372036854775808", "1000000000000000000", "9223372036854775807", "2147483648"})
          (void)taken(value, text, pointer);
        if (any) found_.unbounded.insert(general);
      }
      if (value.is_string())
        for (const char* text : {"\"\"", "\"../../../../dev/zero\"", "\"{}%s\\\\\"", "\"\\u0000\""})
          (void)taken(value, text, pointer);
    }
    if (value.is_object()) {
      std::vector<std::string> keys;
      for (const auto& [key, ignored] : value.items()) keys.push_back(key);
      for (const std::string& key : keys) {
        Json kept = value;
        value.erase(key);
        ++found_.tried;
        (void)refusal(read_, document_.dump(), file_, pointer + " without " + key);
        value = std::move(kept);
        walk(value[key], pointer + "/" + key, general + "/" + key);
      }
    } else if (value.is_array()) {
      const std::size_t n = value.size();
      for (const std::size_t i : std::set<std::size_t>{0, n / 2, n == 0 ? 0 : n - 1})
        if (i < n) walk(value[i], pointer + "/" + std::to_string(i), general + "/*");
      if (n == 0) return;
      Json kept = value;
      value.erase(n - 1);
      (void)refusal(read_, document_.dump(), file_, pointer + " one short");
      value = kept;
      value.push_back(kept[0]);
      (void)refusal(read_, document_.dump(), file_, pointer + " one more");
      value = std::move(kept);
    }
  }

  Json document_;
  std::string file_;
  Reader read_;
  Lies found_;
};

/// Bytes flipped, cut out, doubled and put in, the same ones every time.
inline void damage(const std::string& good, const std::string& file, std::size_t runs, const Reader& read) {
  static constexpr std::array<const char*, 16> pieces = {
      "\"", "{", "}", "[", "]", ",", ":", "\\", "-", "1e309", "null", "\x00", "\x1b", "\xff", "999999999999999999999",
      "\n"};
  std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): a failure can be run again
  for (std::size_t i = 0; i < runs; ++i) {
    std::string text = good;
    for (std::size_t n = 1 + random() % 3; n > 0 && !text.empty(); --n) {
      const std::size_t at = random() % text.size();
      const std::size_t length = std::min<std::size_t>(1 + random() % 12, text.size() - at);
      switch (random() % 6) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, text.substr(at, length));
          break;
        case 3:
          text.insert(at, pieces[random() % pieces.size()]);
          break;
        case 4:
          text.resize(at);
          break;
        default:
          text.replace(at, 1, std::to_string(random() % 10));
          break;
      }
    }
    (void)refusal(read, text, file, "damage " + std::to_string(i));
  }
}
}  // namespace stowage::test
