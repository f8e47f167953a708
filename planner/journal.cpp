#include "planner/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/error.hpp"
#include "base/read_file.hpp"

namespace stowage {
namespace {
namespace fs = std::filesystem;
constexpr std::string_view schema = "stowage.journal/2";
constexpr std::size_t checksum_digits = 8;
constexpr std::uint64_t sync_every = 256;  // points: a power cut loses at most these

[[noreturn]] void fail(std::string_view what, const std::string& path) {
  const int code = errno;
  throw EnvironmentError(fmt::format("cannot {} '{}': {}", what, path, std::generic_category().message(code)));
}

std::string checksum(std::string_view payload) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(payload.data(), payload.size());
  return fmt::format("{:08x}", crc.checksum());
}

std::string file_name(Shard shard) { return fmt::format("journal-{}-of-{}", shard.index, shard.count); }

using Json = nlohmann::ordered_json;

/// The scenario first, where the study names a file.
std::vector<InputFile> files_of(const Sweep& sweep) {
  std::vector<InputFile> out = sweep.inputs();
  if (sweep.scenario_file()) out.insert(out.begin(), *sweep.scenario_file());
  return out;
}

std::string header_of(const Sweep& sweep, Shard shard) {
  Json files = Json::array();
  for (const auto& file : files_of(sweep)) files.push_back({{"path", file.path}, {"digest", file.digest}});
  return Json{{"schema", schema},
              {"sweep", sweep.digest()},
              {"points", sweep.space().size()},
              {"shard", fmt::format("{}/{}", shard.index, shard.count)},
              {"files", std::move(files)}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string field(const std::string& header, const char* key) {
  const auto json = nlohmann::json::parse(header, nullptr, false);
  return json.is_object() && json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : "";
}

/// The files whose bytes are not those of the journal. By name and place: the same sweep may go on from another folder.
std::vector<std::string> changed_files(const std::string& header, const Sweep& sweep) {
  std::vector<std::string> out;
  const Json files = Json::parse(header, nullptr, false).value("files", Json::array());
  const auto now = files_of(sweep);
  for (std::size_t i = 0; i < std::min(now.size(), files.size()); ++i) {
    const auto name = [](const std::string& path) { return fs::path(path).filename(); };
    if (!files[i].is_object() || name(files[i].value("path", "")) != name(now[i].path)) break;
    if (files[i].value("digest", "") != now[i].digest) out.push_back(now[i].path);
  }
  return out;
}

void check_same_sweep(const std::string& header, const std::string& path, const Sweep& sweep) {
  if (header.empty()) return;
  if (field(header, "schema") != schema)
    throw InputError({path, 1, 1}, "not a journal of this version; use another folder");
  if (field(header, "sweep") == sweep.digest()) return;
  Problems problems;
  for (const auto& file : changed_files(header, sweep))
    problems.add({file}, fmt::format("changed since the sweep in '{}' began: its points are of the bytes it had then; "
                                     "put those back, or sweep into a new folder",
                                     fs::path(path).parent_path().string()));
  problems.throw_if_any();
  throw InputError({path, 1, 1},
                   fmt::format("this folder holds another sweep ({}; this one is {}): its scenario, space, seed, files "
                               "or program differ; use another folder",
                               field(header, "sweep"), sweep.digest()));
}

std::vector<fs::path> journals_in(const std::string& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().filename().string().starts_with("journal-")) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

[[noreturn]] void refuse_headless(const std::string& path) {
  throw InputError({path, 1, 1},
                   "the first line of the journal is damaged: it does not say what it is of; move it away "
                   "and sweep again");
}

/// The point of each record; what is no record is said with its line.
std::vector<std::uint64_t> points_of(const JournalContent& content, const std::string& path) {
  std::vector<std::uint64_t> out;
  for (std::size_t i = 0; i < content.records.size(); ++i) {
    try {
      out.push_back(record_point(content.records[i]));
    } catch (const InputError& error) {
      throw InputError({path, content.lines[i], 0}, error.problems().front().message);
    }
  }
  return out;
}

/// A file, or so much of it that its first line is whole; "" when it is not there.
std::string read_whole(const std::string& path, bool first_line = false) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return {};
  if (fd < 0) fail("read", path);
  struct stat facts {};
  if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    ::close(fd);
    throw EnvironmentError(fmt::format("'{}' is not a file that can hold a journal", path));
  }
  std::string out;
  std::vector<char> block(std::size_t{1} << 20);
  for (;;) {
    const ssize_t n = ::read(fd, block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      ::close(fd);
      fail("read", path);
    }
    if (n == 0) break;
    out.append(block.data(), static_cast<std::size_t>(n));
    if (first_line && out.find('\n', out.size() - static_cast<std::size_t>(n)) != std::string::npos) break;
    if (out.size() > table_bytes_max) {
      ::close(fd);
      throw InputError({path, 0, 0}, "holds more than 4 GiB, the most that is read of a journal");
    }
  }
  ::close(fd);
  return first_line ? out.substr(0, out.find('\n') + 1) : out;  // nothing where there is no whole line
}

JournalContent parse_lines(const std::string& text) {
  JournalContent out;
  std::size_t begin = 0;
  for (int number = 1; begin < text.size(); ++number) {
    const auto end = text.find('\n', begin);
    if (end == std::string::npos) break;  // torn
    const std::string_view line(text.data() + begin, end - begin);
    const bool good = line.size() > checksum_digits + 1 && line[checksum_digits] == ' ' &&
                      line.substr(0, checksum_digits) == checksum(line.substr(checksum_digits + 1));
    if (!good)
      ++out.bad_lines;
    else if (begin == 0)
      out.header = line.substr(checksum_digits + 1);
    else
      out.records.emplace_back(line.substr(checksum_digits + 1)), out.lines.push_back(number);
    begin = end + 1;
  }
  out.good_bytes = begin;
  out.torn_bytes = text.size() - begin;
  return out;
}
}  // namespace

std::string journal_line(std::string_view payload) { return fmt::format("{} {}\n", checksum(payload), payload); }

JournalContent read_journal(const std::string& path) {
  return parse_lines(read_whole(path));
}

std::optional<std::string> journal_in_order(const std::string& path) {
  const JournalContent content = read_journal(path);
  std::map<std::uint64_t, std::string_view> by_point;
  bool in_order = content.bad_lines == 0;
  for (const auto& record : content.records) {
    const std::uint64_t point = record_point(record);
    in_order = in_order && (by_point.empty() || by_point.rbegin()->first < point);
    if (!by_point.try_emplace(point, record).second) return {};
  }
  if (in_order || content.header.empty()) return {};
  std::string out = journal_line(content.header);
  for (const auto& [point, record] : by_point) out += journal_line(record);
  return out;
}

Journal::Journal(const std::string& folder, const Sweep& sweep, Shard shard) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw EnvironmentError(fmt::format("cannot make the folder '{}': {}", folder, error.message()));
  // Another sweep in the folder is refused whatever its shard; a merge would have to tell them apart.
  for (const auto& other : journals_in(folder))
    check_same_sweep(parse_lines(read_whole(other.string(), true)).header, other.string(), sweep);

  path_ = (fs::path(folder) / file_name(shard)).string();
  fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) fail("write", path_);
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd_);
    throw InputError({path_}, "another process is writing this part of the sweep; wait for it, or stop it");
  }
  const JournalContent content = read_journal(path_);
  size_ = content.good_bytes;
  if (content.torn_bytes > 0 && ::ftruncate(fd_, static_cast<off_t>(content.good_bytes)) != 0) fail("mend", path_);
  if (content.header.empty() && content.good_bytes > 0) {
    ::close(fd_);
    refuse_headless(path_);
  }
  if (content.torn_bytes > 0) mended_ = fmt::format("{}: {} torn bytes cut off", path_, content.torn_bytes);
  if (content.bad_lines > 0)
    mended_ += fmt::format("{}{}: {} damaged line{} passed over", mended_.empty() ? "" : "; ", path_, content.bad_lines,
                           content.bad_lines == 1 ? "" : "s");
  done_ = points_of(content, path_);
  std::sort(done_.begin(), done_.end());
  done_.erase(std::unique(done_.begin(), done_.end()), done_.end());
  if (content.header.empty()) append(header_of(sweep, shard));
}

Journal::~Journal() {
  if (fd_ < 0) return;
  ::fdatasync(fd_);
  ::close(fd_);
}

void Journal::append(std::string_view record) {
  const std::string line = journal_line(record);
  const std::lock_guard lock(mutex_);
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t n = ::write(fd_, line.data() + written, line.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int code = n == 0 ? ENOSPC : errno;
      (void)!::ftruncate(fd_, static_cast<off_t>(size_));  // where that fails too, the next process mends it
      errno = code;
      fail("write", path_);
    }
    written += static_cast<std::size_t>(n);
  }
  size_ += line.size();
  if (++unsynced_ >= sync_every) {
    unsynced_ = 0;
    if (::fdatasync(fd_) != 0) fail("write", path_);
  }
}

void Journal::sync() {
  const std::lock_guard lock(mutex_);
  unsynced_ = 0;
  if (::fdatasync(fd_) != 0) fail("write", path_);
}

Merged merge_journals(const std::string& folder, const Sweep& sweep) {
  Merged out;
  out.records.resize(sweep.space().size());
  for (const auto& path : journals_in(folder)) {
    JournalContent content = read_journal(path.string());
    check_same_sweep(content.header, path.string(), sweep);
    if (content.header.empty() && !content.records.empty()) refuse_headless(path.string());
    ++out.journals;
    if (content.torn_bytes > 0)
      out.notes.push_back(fmt::format("{}: {} bytes of a torn last line left out", path.string(), content.torn_bytes));
    if (content.bad_lines > 0)
      out.notes.push_back(fmt::format("{}: {} damaged line{} left out", path.string(), content.bad_lines,
                                      content.bad_lines == 1 ? "" : "s"));
    const auto points = points_of(content, path.string());
    for (std::size_t i = 0; i < points.size(); ++i) {
      auto& record = content.records[i];
      const std::uint64_t point = points[i];
      if (point >= out.records.size())
        throw InputError({path.string(), content.lines[i], 0},
                         fmt::format("it has point {} of a space of {}", point, out.records.size()));
      sweep.check_record(record, path.string(), content.lines[i]);
      auto& slot = out.records[point];
      if (slot.empty())
        slot = std::move(record);
      else if (slot != record)
        out.contradictions.push_back(fmt::format("point {}: {} and an earlier record differ", point, path.string()));
    }
  }
  if (out.journals == 0) throw InputError({folder}, "there is no journal in this folder; sweep into it first, with -o");
  for (std::uint64_t p = 0; p < out.records.size(); ++p)
    if (out.records[p].empty()) out.holes.push_back(p);
  return out;
}

std::vector<std::uint64_t> done_elsewhere(const std::string& folder, const Sweep& sweep, Shard shard) {
  std::vector<std::uint64_t> out;
  const std::string same_cut = fmt::format("-of-{}", shard.count);
  for (const auto& path : journals_in(folder)) {
    if (path.string().ends_with(same_cut)) continue;
    const JournalContent content = read_journal(path.string());
    check_same_sweep(content.header, path.string(), sweep);
    if (content.header.empty()) continue;
    for (const std::uint64_t point : points_of(content, path.string())) out.push_back(point);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string ranges_text(const std::vector<std::uint64_t>& points) {
  constexpr std::size_t shown_max = 6;
  std::string out;
  std::size_t ranges = 0, i = 0;
  while (i < points.size() && ranges < shown_max) {
    std::size_t j = i;
    while (j + 1 < points.size() && points[j + 1] == points[j] + 1) ++j;
    out += ranges++ == 0 ? "" : ", ";
    out += j == i ? fmt::format("{}", points[i]) : fmt::format("{} to {}", points[i], points[j]);
    i = j + 1;
  }
  if (i < points.size()) out += fmt::format(" and {} more", points.size() - i);
  return out;
}
}  // namespace stowage
