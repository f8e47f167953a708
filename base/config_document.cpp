// Parsing, --set and the tree. yaml-cpp's event interface is used rather than its nodes: events carry the mark of
// every key and value, duplicate keys and aliases can be seen and refused, and nothing is resolved behind our back.
#include <fmt/format.h>
#include <sys/stat.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/config.hpp"
#include "base/config_data.hpp"

namespace stowage {
namespace {
using Data = ConfigNode::Data;
using DataPtr = std::shared_ptr<Data>;
using Kind = ConfigNode::Kind;

constexpr std::size_t config_bytes_max = std::size_t{16} << 20;

/// Builds the tree from yaml-cpp's events. `fixed` replaces every position (for --set).
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string file, Problems& problems, bool positions)
      : file_(std::move(file)), problems_(problems), positions_(positions) {}

  DataPtr take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
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
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    check_tag(mark, tag);
    if (expects_key()) return on_key(mark, value);
    auto data = make(Kind::scalar, pos(mark));
    data->text = value;
    add(std::move(data));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, Kind::list);
  }
  void OnSequenceEnd() override { stack_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(mark, tag, Kind::map);
  }
  void OnMapEnd() override { stack_.pop_back(); }

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
    if (!tag.empty() && tag != "?" && tag != "!")
      problems_.add(pos(mark), fmt::format("tags ({}) are not supported; leave it out", shown(tag)));
  }
  void on_key(const YAML::Mark& mark, const std::string& key) {
    Frame& top = stack_.back();
    if (key == "<<") problems_.add(pos(mark), "merge keys (<<) are not supported; write the keys out");
    if (const auto* earlier = top.data->find(key))
      problems_.add(pos(mark), fmt::format("'{}' is given twice (first on line {}); keep one",
                                           shown(top.data->child_path(key)), earlier->key_at.line));
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
    if (top.data->kind == Kind::list) {
      data->path = top.data->child_path(top.data->items.size());
      top.data->items.push_back(std::move(data));
    } else {
      data->path = top.data->child_path(top.key);
      top.data->entries.push_back({std::move(top.key), std::move(top.key_at), std::move(data)});
      top.has_key = false;
    }
  }

  std::string file_;
  Problems& problems_;
  bool positions_;
  DataPtr root_;
  std::vector<Frame> stack_;
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

DataPtr parse_tree(std::string_view text, const std::string& file, bool positions) {
  if (text.size() > config_bytes_max)
    throw InputError({file, 0, 0}, fmt::format("larger than {} MiB; is this the right file?", config_bytes_max >> 20));
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
    throw InputError({file, positions ? static_cast<int>(line) : 0, 0}, "not a text file: it holds a zero byte");
  }
  Problems problems;
  TreeBuilder builder(file, problems, positions);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    if (parser.HandleNextDocument(builder)) {
      DataPtr root = builder.take_root();
      TreeBuilder second(file, problems, positions);
      if (parser.HandleNextDocument(second))
        problems.add({file, 0, 0}, "more than one YAML document; keep one and remove the lines '---'");
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

std::string read_file(const std::string& path) {
  const auto refuse = [&](const std::string& why) { throw InputError({path, 0, 0}, why + "; check the path"); };
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) refuse(fmt::format("cannot be opened: {}", std::strerror(errno)));
  if (S_ISDIR(info.st_mode)) refuse("is a folder, a file was expected");
  std::ifstream in(path, std::ios::binary);
  if (!in) refuse(fmt::format("cannot be opened: {}", std::strerror(errno)));
  // In pieces, and no further than the limit: the "file" may be an endless device.
  std::string text;
  std::array<char, 65536> piece;
  do {
    in.read(piece.data(), piece.size());
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
  } while (in && text.size() <= config_bytes_max);
  if (in.bad()) refuse("cannot be read");
  return text;
}

/// One step of a --set path: a key, or an index in a list.
struct Step {
  std::string key;
  std::size_t index = 0;
  bool is_index = false;
};

std::vector<Step> parse_path(std::string_view path, const SourcePos& at) {
  const auto refuse = [&] {
    throw InputError(at,
                     fmt::format("'{}' is not a path; write it as memory.kv_pool or managers[0].page", shown(path)));
  };
  std::vector<Step> steps;
  std::size_t i = 0;
  while (i < path.size()) {
    if (path[i] == '[') {
      const char* const begin = path.data() + i + 1;
      const char* const end = path.data() + path.size();
      Step step{{}, 0, true};
      const auto [stop, ec] = std::from_chars(begin, end, step.index);
      if (ec != std::errc{} || stop == end || *stop != ']') refuse();
      steps.push_back(std::move(step));
      i = static_cast<std::size_t>(stop - path.data()) + 1;
      if (i < path.size() && path[i] != '.' && path[i] != '[') refuse();
    } else {
      if (path[i] == '.' && steps.empty()) refuse();
      if (path[i] == '.') ++i;
      const std::size_t end = std::min(path.find_first_of(".[", i), path.size());
      if (end == i) refuse();
      steps.push_back({std::string(path.substr(i, end - i)), 0, false});
      i = end;
    }
  }
  if (steps.empty() || steps.front().is_index || steps.size() >= config_depth_max || path.back() == '.') refuse();
  return steps;
}

/// A copy of `node` with `value` at `steps` (nullptr removes). Nodes off the path are shared: documents never change
/// a node that somebody may hold.
DataPtr with_value(const DataPtr& node, std::span<const Step> steps, const DataPtr& value, const SourcePos& at) {
  if (steps.empty()) return value;
  auto copy = node ? std::make_shared<Data>(*node) : std::make_shared<Data>();
  const Step& step = steps.front();
  const auto rest = steps.subspan(1);
  if (copy->kind == Kind::missing || copy->kind == Kind::null) {
    copy->kind = step.is_index ? Kind::list : Kind::map;
    copy->at = at;
  }
  const std::string where = copy->path.empty() ? "the file" : fmt::format("'{}'", shown(copy->path));
  if (step.is_index) {
    if (copy->kind != Kind::list) throw InputError(at, fmt::format("{} is not a list; leave out the [...]", where));
    if (step.index > copy->items.size())
      throw InputError(
          at, fmt::format("{} has {} entries; [{}] would append", where, copy->items.size(), copy->items.size()));
    if (step.index == copy->items.size()) {
      if (!value) return copy;
      copy->items.push_back(nullptr);
    }
    auto& slot = copy->items[step.index];
    slot = with_value(slot, rest, value, at);
    if (!slot) copy->items.erase(copy->items.begin() + static_cast<std::ptrdiff_t>(step.index));
    copy->set_path(copy->path);
    return copy;
  }
  if (copy->kind != Kind::map)
    throw InputError(at, fmt::format("{} is not a map; it has no key '{}'", where, shown(step.key)));
  auto found =
      std::find_if(copy->entries.begin(), copy->entries.end(), [&](const auto& e) { return e.key == step.key; });
  if (found == copy->entries.end()) {
    if (!value) return copy;
    found = copy->entries.insert(found, {step.key, at, nullptr});
  }
  if (auto child = with_value(found->value, rest, value, at)) {
    found->value = std::move(child);
    if (rest.empty()) found->key_at = at;
    found->value->set_path(copy->child_path(step.key));
  } else {
    copy->entries.erase(found);
  }
  return copy;
}
}  // namespace

const Data::Entry* Data::find(std::string_view key) const {
  const auto it = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  return it == entries.end() ? nullptr : &*it;
}

std::string Data::child_path(std::string_view key) const {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

std::string Data::child_path(std::size_t index) const { return fmt::format("{}[{}]", path, index); }

void Data::set_path(std::string new_path) {
  path = std::move(new_path);
  // Children may be shared with an older tree: copy one before its path changes.
  const auto move_to = [](DataPtr& child, std::string to) {
    if (!child || child->path == to) return;
    child = std::make_shared<Data>(*child);
    child->set_path(std::move(to));
  };
  for (std::size_t i = 0; i < items.size(); ++i) move_to(items[i], child_path(i));
  for (auto& e : entries) move_to(e.value, child_path(e.key));
}

ConfigDocument ConfigDocument::parse(std::string_view text, std::string file) {
  ConfigDocument doc;
  doc.root_ = parse_tree(text, file, true);
  doc.file_ = std::move(file);
  return doc;
}

ConfigDocument ConfigDocument::load(const std::string& path) { return parse(read_file(path), path); }

void ConfigDocument::set(std::string_view assignment, int ordinal) {
  const SourcePos at{fmt::format("--set #{}", ordinal), 0, 0};
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos)
    throw InputError(at, fmt::format("'{}' has no '='; write it as key=value", shown(assignment)));
  const auto steps = parse_path(assignment.substr(0, equals), at);
  auto value = parse_tree(assignment.substr(equals + 1), at.file, false);
  if (value->kind == Kind::null) value = nullptr;
  root_ = with_value(root_, steps, value, at);
}

ConfigNode ConfigDocument::root() const { return ConfigNode(root_); }
const std::string& ConfigDocument::file() const { return file_; }

Kind ConfigNode::kind() const { return data_ ? data_->kind : Kind::missing; }

const std::string& ConfigNode::text() const {
  STOWAGE_ASSERT(kind() == Kind::scalar);
  return data_->text;
}

SourcePos ConfigNode::at() const { return data_ ? data_->at : SourcePos{}; }

const std::string& ConfigNode::path() const {
  static const std::string none;
  return data_ ? data_->path : none;
}

std::size_t ConfigNode::size() const {
  if (kind() == Kind::list) return data_->items.size();
  return kind() == Kind::map ? data_->entries.size() : 0;
}

ConfigNode ConfigNode::operator[](std::size_t i) const {
  STOWAGE_ASSERT(kind() == Kind::list && i < data_->items.size());
  return ConfigNode(data_->items[i]);
}

ConfigNode ConfigNode::get(std::string_view key) const {
  if (!data_) return {};
  if (const auto* e = data_->find(key)) return ConfigNode(e->value);
  auto absent = std::make_shared<Data>();  // knows where it would be, for messages
  absent->at = data_->at;
  absent->path = data_->child_path(key);
  return ConfigNode(std::move(absent));
}

std::vector<std::pair<std::string, ConfigNode>> ConfigNode::entries() const {
  std::vector<std::pair<std::string, ConfigNode>> out;
  if (kind() != Kind::map) return out;
  for (const auto& e : data_->entries) out.emplace_back(e.key, ConfigNode(e.value));
  return out;
}

std::vector<std::pair<std::string, SourcePos>> ConfigNode::keys() const {
  std::vector<std::pair<std::string, SourcePos>> out;
  if (kind() != Kind::map) return out;
  for (const auto& e : data_->entries) out.emplace_back(e.key, e.key_at);
  return out;
}
}  // namespace stowage
