// Vidur's CSV files: which of a folder are of a GPU, and their columns.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/config.hpp"
#include "base/read_file.hpp"
#include "calibrate/vidur.hpp"

namespace stowage::detail {
namespace {
namespace fs = std::filesystem;

constexpr std::string_view dense_mark = "time_stats.mlp_";
constexpr double cell_max = 1e12;  // larger is no time in ms, size or count
constexpr std::size_t problems_max = 10;

constexpr std::array<std::string_view, 15> dense_columns = {"time_stats.input_layernorm.median",
                                                            "time_stats.attn_pre_proj.median",
                                                            "time_stats.attn_rope.median",
                                                            "time_stats.attn_post_proj.median",
                                                            "time_stats.mlp_up_proj.median",
                                                            "time_stats.mlp_act.median",
                                                            "time_stats.mlp_down_proj.median",
                                                            "time_stats.add.median",
                                                            "n_head",
                                                            "n_kv_head",
                                                            "n_embd",
                                                            "n_expanded_embd",
                                                            "use_gated_mlp",
                                                            "num_tokens",
                                                            "num_tensor_parallel_workers"};
constexpr std::array<std::string_view, 11> attention_columns = {"time_stats.attn_decode.median",
                                                                "time_stats.attn_prefill.median",
                                                                "n_embd",
                                                                "n_q_head",
                                                                "n_kv_head",
                                                                "block_size",
                                                                "num_tensor_parallel_workers",
                                                                "batch_size",
                                                                "prefill_chunk_size",
                                                                "kv_cache_size",
                                                                "is_prefill"};
constexpr std::array<std::string_view, 4> reduce_columns = {"time_stats.all_reduce.median", "num_workers", "size",
                                                            "devices_per_node"};

std::vector<std::string_view> split(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  std::vector<std::string_view> cells;
  for (std::size_t at = 0;;) {
    const std::size_t end = line.find(',', at);
    cells.push_back(line.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return cells;
    at = end + 1;
  }
}

std::optional<double> cell_value(std::string_view cell) {
  if (cell.empty()) return std::numeric_limits<double>::quiet_NaN();
  if (cell == "True") return 1.0;
  if (cell == "False") return 0.0;
  const auto value = parse_number(cell);
  return value && *value >= 0 && *value <= cell_max ? value : std::nullopt;
}

/// A path's parts below the folder, "__" taken for a separator too.
std::vector<std::string> parts_of(const fs::path& below) {
  std::string flat = below.generic_string();
  for (std::size_t at = 0; (at = flat.find("__", at)) != std::string::npos;) flat.replace(at, 2, "/");
  std::vector<std::string> parts;
  for (const auto& part : fs::path(flat)) parts.push_back(part.string());
  return parts;
}
bool has_part(const std::vector<std::string>& parts, std::string_view name) {
  return std::find(parts.begin(), parts.end(), name) != parts.end();
}

/// The CSVs below a folder, in order of their names.
std::vector<fs::path> csv_files(const std::string& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error))
    throw InputError({folder, 0, 0}, "not a folder; give the one with Vidur's profiling CSVs (its data/profiling)");
  std::vector<fs::path> files;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->is_regular_file(error) && it->path().extension() == ".csv") files.push_back(it->path());
  if (error) throw InputError({folder, 0, 0}, fmt::format("cannot be listed: {}", error.message()));
  std::sort(files.begin(), files.end());
  return files;
}
}  // namespace

VidurTable read_vidur(std::string_view text, const std::string& path, std::span<const std::string_view> columns) {
  Problems problems;
  VidurTable table{path, {}};
  const std::size_t header_end = std::min(text.find('\n'), text.size());
  const auto header = split(text.substr(0, header_end));
  std::vector<std::size_t> at;
  for (const auto name : columns) {
    const auto found = std::find(header.begin(), header.end(), name);
    if (found == header.end()) problems.add({path, 1, 1}, fmt::format("no column '{}', which Vidur's table has", name));
    at.push_back(static_cast<std::size_t>(found - header.begin()));
  }
  problems.throw_if_any();
  int line = 1;
  for (std::size_t begin = header_end + 1; begin < text.size() && problems.list().size() < problems_max;) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view row_text = text.substr(begin, end - begin);
    begin = end + 1;
    ++line;
    if (row_text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto cells = split(row_text);
    if (cells.size() != header.size()) {
      problems.add({path, line, 1},
                   fmt::format("{} cells, the header has {}: a torn row", cells.size(), header.size()));
      continue;
    }
    std::vector<double> row;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto value = cell_value(cells[at[i]]);
      if (!value)
        problems.add({path, line, static_cast<int>(cells[at[i]].data() - row_text.data()) + 1},
                     fmt::format("{}: '{}' is not a number from 0 to 1e12", columns[i], shown(cells[at[i]])));
      row.push_back(value.value_or(0));
    }
    table.rows.push_back(std::move(row));
  }
  problems.throw_if_any();
  return table;
}

bool has_dense_table(const std::string& folder, std::string_view gpu) {
  const auto files = csv_files(folder);
  return std::any_of(files.begin(), files.end(), [&](const fs::path& file) {
    if (!has_part(parts_of(file.lexically_relative(folder)), gpu)) return false;
    LineReader lines(file.string());
    std::string_view header;
    return lines.next(header) && header.find(dense_mark) != std::string_view::npos;
  });
}

VidurFiles load_vidur(const std::string& folder, std::string_view gpu) {
  VidurFiles out;
  const std::string host = std::string(gpu) + "_dgx";  // GPUs of one host, all joined by NVLink switches
  for (const auto& file : csv_files(folder)) {
    const auto parts = parts_of(file.lexically_relative(folder));
    const bool compute = has_part(parts, gpu), network = has_part(parts, host);
    if (!compute && !network) continue;
    const std::string text = read_file(file.string(), whole_bytes_max);
    const std::string_view header = std::string_view(text).substr(0, text.find('\n'));
    const auto has = [&](std::string_view start) { return header.find(start) != std::string_view::npos; };
    if (compute && has(dense_mark))
      out.dense.push_back(read_vidur(text, file.string(), dense_columns));
    else if (compute && (has("time_stats.attn_decode.") || has("time_stats.attn_prefill.")))
      out.attention.push_back(read_vidur(text, file.string(), attention_columns));
    else if (network && has("time_stats.all_reduce."))
      out.all_reduce.push_back(read_vidur(text, file.string(), reduce_columns));
  }
  return out;
}
}  // namespace stowage::detail
