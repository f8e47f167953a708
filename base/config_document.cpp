// Parsing. yaml-cpp's event interface is used rather than its nodes: events carry the mark of
// every key and value, duplicate keys and aliases can be seen and refused, and nothing is resolved behind our back.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "base/config.hpp"
#include "base/config_data.hpp"
#include "base/read_file.hpp"
#include "base/read_log.hpp"

namespace stowage {
namespace {
using Data = ConfigNode::Data;
using DataPtr = std::shared_ptr<Data>;
using Kind = ConfigNode::Kind;

constexpr std::size_t key_bytes_max = 1024;
/// Of the tree, which holds the path of every value: a short file can spell out many long ones.
constexpr std::size_t tree_bytes_max = std::size_t{512} << 20;
constexpr std::size_t node_bytes = 512;  // about, beside its texts

/// Builds the tree from yaml-cpp's events. `fixed` replaces every position (for --set).
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, std::string file, Problems& problems, bool positions)
      : text_(text), file_(std::move(file)), problems_(problems), positions_(positions) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);  // marks do not count it
  }

  DataPtr take_root() { return std::move(root_); }
  [[nodiscard]] const SourcePos& start() const { return start_; }

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = pos(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_anchor(mark, anchor);
    if (expects_key()) return fail(mark, "a key is missing before ':'");
    // yaml-cpp marks an absent value where the next token starts, often a line below: the key says it better.
    const bool in_map = !stack_.empty() && stack_.back().data->kind == Kind::map;
    const SourcePos at = in_map ? stack_.back().key_at : pos(mark);
    add(make(Kind::null, at));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems_.add(pos(mark), "aliases (*name) are not supported; write the value out");
    OnNull(mark, 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    check_anchor(mark, anchor);
    if (expects_key()) return on_key(mark, value);
    auto data = make(Kind::scalar, pos(mark));
    data->text = value;
    add(std::move(data));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_anchor(mark, anchor);
    open(mark, tag, Kind::list);
  }
  void OnSequenceEnd() override { stack_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_anchor(mark, anchor);
    open(mark, tag, Kind::map);
  }
  void OnMapEnd() override {
    Data& map = *stack_.back().data;
    map.index();
    for (const auto& [first, again] : map.given_twice())
      problems_.add(again->key_at, fmt::format("'{}' is given twice (first on line {}); keep one",
                                               shown(map.child_path(again->key)), first->key_at.line));
    stack_.pop_back();
  }

  [[nodiscard]] SourcePos pos(const YAML::Mark& mark) const {
    if (!positions_ || mark.is_null()) return {file_, 0, 0};
    return {file_, mark.line + 1, mark.column + 1};
  }

 private:
  struct Frame {
    DataPtr data;
    bool has_key = false;
    std::string key;
    SourcePos key_at;
  };

  [[nodiscard]] bool expects_key() const {
    return !stack_.empty() && stack_.back().data->kind == Kind::map && !stack_.back().has_key;
  }
  [[noreturn]] void fail(const YAML::Mark& mark, std::string message) {
    problems_.add(pos(mark), std::move(message));
    problems_.throw_if_any();
    STOWAGE_ASSERT(false);
  }
  static DataPtr make(Kind kind, SourcePos at) {
    auto data = std::make_shared<Data>();
    data->kind = kind;
    data->at = std::move(at);
    return data;
  }
  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    // Quoted texts have the tag "!" too; then the mark is at the quote.
    const auto at = static_cast<std::size_t>(mark.pos);
    const bool typed = tag == "!" && at < text_.size() && text_[at] == '!';
    if (typed || (!tag.empty() && tag != "?" && tag != "!"))
      problems_.add(pos(mark), fmt::format("tags ({}) are not supported; leave it out", shown(tag)));
  }
  void check_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) problems_.add(pos(mark), "anchors (&name) are not supported; leave it out, or quote the text");
  }
  void on_key(const YAML::Mark& mark, const std::string& key) {
    Frame& top = stack_.back();
    if (key == "<<") problems_.add(pos(mark), "merge keys (<<) are not supported; write the keys out");
    if (key.size() > key_bytes_max)
      fail(mark, fmt::format("a key of {} characters; {} at most", key.size(), key_bytes_max));
    top.key = key;
    top.key_at = pos(mark);
    top.has_key = true;
  }
  void open(const YAML::Mark& mark, const std::string& tag, Kind kind) {
    check_tag(mark, tag);
    if (expects_key())
      fail(mark, "a list or map where a key should be; close the bracket before it, or quote what is meant as text");
    if (stack_.size() >= config_depth_max) fail(mark, fmt::format("nested deeper than {} levels", config_depth_max));
    auto data = make(kind, pos(mark));
    add(data);
    stack_.push_back({std::move(data), false, {}, {}});
  }
  void add(DataPtr data) {
    if (stack_.empty()) {
      root_ = std::move(data);
      return;
    }
    Frame& top = stack_.back();
    const bool in_list = top.data->kind == Kind::list;
    data->path = in_list ? top.data->child_path(top.data->items.size()) : top.data->child_path(top.key);
    tree_bytes_ += node_bytes + data->path.size() + data->text.size() + top.key.size();
    if (tree_bytes_ > tree_bytes_max) {
      problems_.add(data->at, "too much from here on: its keys and values would fill more than 512 MiB of memory");
      problems_.throw_if_any();
    }
    if (in_list) {
      top.data->items.push_back(std::move(data));
    } else {
      top.data->entries.push_back({std::move(top.key), std::move(top.key_at), std::move(data)});
      top.has_key = false;
    }
  }

  std::string_view text_;
  std::string file_;
  Problems& problems_;
  bool positions_;
  DataPtr root_;
  std::vector<Frame> stack_;
  SourcePos start_;
  std::size_t tree_bytes_ = 0;
};

/// yaml-cpp's words, with a hint where they are known to mislead.
std::string mend_syntax_message(std::string_view text, int line, const std::string& said) {
  std::string_view rest = text;
  for (int i = 0; i < line && !rest.empty(); ++i) {
    const auto end = rest.find('\n');
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  }
  const std::string_view row = rest.substr(0, rest.find('\n'));
  const auto first = row.find_first_not_of(' ');
  if (first != std::string_view::npos && row[first] == '\t') return "a tab in the indentation; YAML wants spaces";
  return "not valid YAML: " + said;
}

}  // namespace

std::shared_ptr<ConfigNode::Data> parse_config_tree(std::string_view text, const std::string& file, bool positions) {
  if (text.size() > config_bytes_max)
    throw InputError({file, 0, 0}, fmt::format("larger than {} MiB; is this the right file?", config_bytes_max >> 20));
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
    throw InputError({file, positions ? static_cast<int>(line) : 0, 0}, "not a text file: it holds a zero byte");
  }
  Problems problems;
  TreeBuilder builder(text, file, problems, positions);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    if (parser.HandleNextDocument(builder)) {
      DataPtr root = builder.take_root();
      TreeBuilder second(text, file, problems, positions);
      if (parser.HandleNextDocument(second))
        problems.add(second.start(), "a second document begins here; keep one and remove the lines '---'");
      problems.throw_if_any();
      if (root) return root;
    }
  } catch (const YAML::Exception& e) {
    problems.add(builder.pos(e.mark), mend_syntax_message(text, e.mark.line, e.msg));
  } catch (const InputError&) {
    throw;
  } catch (const std::exception& e) {  // yaml-cpp's scanner lets a few standard exceptions out on garbage
    problems.add({file, 0, 0}, fmt::format("not valid YAML: {}", e.what()));
  }
  problems.throw_if_any();
  auto root = std::make_shared<Data>();
  root->kind = Kind::null;
  root->at = positions ? SourcePos{file, 1, 1} : SourcePos{file, 0, 0};
  return root;
}

ConfigDocument ConfigDocument::parse(std::string_view text, std::string file) {
  ConfigDocument doc;
  doc.root_ = parse_config_tree(text, file, true);
  doc.file_ = std::move(file);
  return doc;
}

ConfigDocument ConfigDocument::load(const std::string& path) {
  ReadLog::note(path);
  return parse(read_file(path, config_bytes_max), path);
}

ConfigNode ConfigDocument::root() const { return ConfigNode(root_); }
const std::string& ConfigDocument::file() const { return file_; }

}  // namespace stowage
