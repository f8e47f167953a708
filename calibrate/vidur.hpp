#pragma once
// Profiles from Vidur's published profiling tables (Agrawal et al., MLSys 2024; github.com/microsoft/vidur,
// data/profiling, MIT licence): `stowage calibrate --vidur DIR`.
//
// Its times are kernel times in milliseconds, of one layer on one GPU of a tensor-parallel replica. What they do not
// hold (gaps between kernels, the host's share of a step, driver calls, sampling; for some GPUs attention and
// all-reduce) is left out, or taken from the nearest thing there is, and named in Profile::gaps.
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/calibrate.hpp"

namespace stowage {

/// Every CSV below `folder` that has Vidur's columns and whose path names the GPU counts; path parts may be folders or
/// be joined by "__" (compute/a100/…/mlp.csv, mlp__a100__….csv). options.hardware: a100-80gb, a40 or h100-sxm-80gb;
/// "" = the only one of these found. Errors are over all points; PartFit::points are some of them, to be plotted.
/// Throws InputError with file:line: not a folder, nothing of that GPU, a missing column, a torn row, a cell that is no
/// number.
[[nodiscard]] Calibration calibrate_vidur(const std::string& folder, const CalibrateOptions& options);

namespace detail {
/// The wanted columns of a table, in their order; an empty cell is NaN, True and False are 1 and 0.
struct VidurTable {
  std::string path;
  std::vector<std::vector<double>> rows;
};
[[nodiscard]] VidurTable read_vidur(std::string_view text, const std::string& path,
                                    std::span<const std::string_view> columns);

/// All tables of one GPU.
struct VidurFiles {
  std::vector<VidurTable> dense, attention, all_reduce;
};
/// Columns of VidurFiles' tables by place.
enum DenseColumn : std::uint8_t {
  c_norm,
  c_pre,
  c_rope,
  c_post,
  c_up,
  c_act,
  c_down,
  c_add,
  c_heads,
  c_kv_heads,
  c_hidden,
  c_mlp,
  c_gated,
  c_tokens,
  c_tensor
};
enum AttentionColumn : std::uint8_t {
  c_decode,
  c_prefill,
  c_embd,
  c_q,
  c_kv,
  c_block,
  c_tp,
  c_batch,
  c_chunk,
  c_cache,
  c_is_prefill
};
enum ReduceColumn : std::uint8_t { c_time, c_gpus, c_size, c_node };
/// `gpu` as Vidur calls it: a100, a40, h100.
[[nodiscard]] VidurFiles load_vidur(const std::string& folder, std::string_view gpu);
/// Whether any CSV below `folder` is of a layer's kernels on this GPU.
[[nodiscard]] bool has_dense_table(const std::string& folder, std::string_view gpu);

/// Decode and prefill of the shape with most points, with their errors.
void fit_vidur_attention(const std::vector<VidurTable>& tables, Calibration& out);
/// Attention of a GPU nobody timed it on, at the share of the data sheet's rates that another one reached.
void scale_attention(const Profile& from, const HardwareSpec& from_gpu, const HardwareSpec& to_gpu, Profile& to);

/// By every second point in bins of a factor of 1.4, the medians of each; the other points are judged against it.
[[nodiscard]] PriceTable binned_table(const std::map<double, std::vector<double>>& points, const std::string& series,
                                      PartFit& fit);
}  // namespace detail
}  // namespace stowage
