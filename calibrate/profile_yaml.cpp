// Profiles as YAML: readable, small, and read back to the same prices.
#include <fmt/format.h>

#include <cmath>

#include "base/config.hpp"
#include "calibrate/calibrate.hpp"

namespace stowage {
namespace {
/// Five digits: a hundredth of what repeats of a measurement differ by.
std::string time_text(double ns) {
  if (!(ns > 0)) return "0ns";
  const std::string us = fmt::format("{:.5g}", ns / 1e3);
  return us.find('e') == std::string::npos ? us + "us" : fmt::format("{:.0f}ns", ns);
}
std::string share(double value) { return fmt::format("{:.4f}", value); }

/// Quoted where YAML could take it for something else.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

/// "[a, b, …]", broken at 110 columns.
template <class Text>
std::string list(const std::vector<double>& values, std::size_t indent, Text text) {
  std::string out = "[", line;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string item = text(values[i]) + (i + 1 < values.size() ? ", " : "]");
    if (indent + line.size() + item.size() > 110) {
      while (!line.empty() && line.back() == ' ') line.pop_back();
      out += line + "\n" + std::string(indent, ' ');
      line.clear();
    }
    line += item;
  }
  return out + line;
}
std::string counts(const std::vector<double>& values, std::size_t indent) {
  return list(values, indent, [](double v) { return fmt::format("{:.0f}", v); });
}
std::string sizes(const std::vector<double>& values, std::size_t indent) {
  return list(values, indent, [](double v) { return format_bytes(Bytes{static_cast<std::int64_t>(v)}); });
}
std::string times(const std::vector<double>& values, std::size_t indent) { return list(values, indent, time_text); }
std::string ratios(const std::vector<double>& values, std::size_t indent) { return list(values, indent, share); }

std::string grid(const std::vector<double>& values, std::size_t columns, bool time, std::size_t indent = 6) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); i += columns) {
    const std::vector<double> row(values.begin() + static_cast<std::ptrdiff_t>(i),
                                  values.begin() + static_cast<std::ptrdiff_t>(i + columns));
    out += fmt::format("{:{}}- {}\n", "", indent, time ? times(row, indent + 3) : ratios(row, indent + 3));
  }
  return out;
}

std::string prefill_yaml(const Profile& p) {
  std::string out = fmt::format(
      "prefill:  # one layer: tiles of query rows against 128-token tiles of context\n"
      "  query_rows: {}\n  unfilled: {}\n  loaders:\n",
      p.prefill_query_rows, share(p.prefill_unfilled));
  for (const auto& l : p.prefill) {
    out += fmt::format("    - loader: {}\n      block_tokens: {}\n      fixed: {}\n      tile: {}\n      item: {}\n",
                       l.loader, l.block_tokens, time_text(l.fixed_ns), time_text(l.tile_ns), time_text(l.item_ns));
    out += fmt::format("      new_tokens: {}\n      kv_tokens: {}\n      correction:\n", counts(l.new_tokens, 18),
                       counts(l.kv_tokens, 17));
    out += grid(l.correction, l.kv_tokens.size(), false);
  }
  return out;
}

std::string vmm_yaml(const Profile& p) {
  std::string out;
  const auto add = [&](std::string_view name, const std::optional<VmmPrice>& price) {
    if (price)
      out += fmt::format("  {}: {{call: {}, handle: {}, spread: {}}}\n", name, time_text(price->call_ns),
                         time_text(price->handle_ns), share(price->spread));
  };
  add("create", p.vmm_create);
  add("map", p.vmm_map);
  add("set_access", p.vmm_set_access);
  add("unmap", p.vmm_unmap);
  return out.empty() ? "" : "vmm:  # one call, each further handle in it; spread between machines and runs\n" + out;
}
}  // namespace

std::string profile_yaml(const Profile& p) {
  std::string out;
  if (!p.command.empty()) out += fmt::format("# Written by: {}\n", p.command);
  out += fmt::format("# Prices are {}; docs/accuracy.md says how they are fitted and how far they err.\n",
                     p.evidence == ProfileEvidence::published ? "times of single kernels, as others published them"
                                                              : "GPU time of kernels in a CUDA graph");
  out += fmt::format("schema: stowage.profile/1\nname: {}\ngpu: {}\nevidence: {}\ndate: {}\n", p.name, quoted(p.gpu),
                     profile_evidence_name(p.evidence), quoted(p.date));
  if (!p.source.empty()) out += fmt::format("source: {}\n", quoted(p.source));
  if (!p.command.empty()) out += fmt::format("command: {}\n", quoted(p.command));
  out += fmt::format("sms: {}\n", p.sms);
  if (p.eager_kernel_ns > 0)
    out += fmt::format("launch: {{graph_kernel: {}, eager_kernel: {}}}\n", time_text(p.graph_kernel_ns),
                       time_text(p.eager_kernel_ns));
  if (!p.gaps.empty()) {
    out += "gaps:  # not measured\n";
    for (const auto& gap : p.gaps) out += fmt::format("  - {}\n", quoted(gap));
  }
  out += "elementwise:  # kernels that only move bytes, by bytes read and written\n";
  for (const auto& [name, kernel] :
       {std::pair{"norm", &p.norm}, {"rotate", &p.rotate}, {"activate", &p.activate}, {"sample", &p.sample}})
    out += fmt::format("  {}:\n    bytes: {}\n    time: {}\n", name, sizes(kernel->x, 11), times(kernel->ns, 10));
  if (!p.chain_graph.rows.empty() || !p.chain_eager.rows.empty())
    out += "chain:  # a step without attention over the sum of its kernels, by rows\n";
  for (const auto& [name, chain] : {std::pair{"graph", &p.chain_graph}, {"eager", &p.chain_eager}})
    if (!chain->rows.empty())
      out +=
          fmt::format("  {}:\n    rows: {}\n    ratio: {}\n", name, counts(chain->rows, 11), ratios(chain->ratio, 12));
  if (!p.slowdown.empty())
    out += fmt::format(
        "power:  # prefill attention under the power limit, by rows of the step\n  rows: {}\n  slowdown: {}\n",
        counts(p.slowdown_rows, 9), ratios(p.slowdown, 13));
  if (const auto& r = p.rested; !r.rows.empty()) {
    if (p.slowdown.empty()) out += "power:\n";
    out += fmt::format(
        "  rested:  # full clock after a rest: price over that under load, by rows; how long, by decoding requests\n"
        "    rows: {}\n    ratio: {}\n    batch: {}\n    capacity: {}\n    recharge: {}\n",
        counts(r.rows, 11), ratios(r.ratio, 12), counts(r.batch, 12), times(r.capacity_ns, 15), ratios(r.recharge, 15));
    if (!r.drawn_recharge.empty())
      out += fmt::format(
          "    draws:  # what capacity and recharge may be as well, a row for each batch: what explains the rests\n"
          "      capacity:\n{}      recharge:\n{}",
          grid(r.drawn_capacity_ns, p.draw_count(), true, 8), grid(r.drawn_recharge, p.draw_count(), false, 8));
  }
  if (p.host_graph_ns > 0 || p.host_eager_ns > 0)
    out += fmt::format("host: {{graph_step: {}, eager_step: {}}}\n", time_text(p.host_graph_ns),
                       time_text(p.host_eager_ns));
  if (p.canary.whole())
    out += fmt::format(
        "canary: {{read: {}, product_rested: {}, product_loaded: {}}}  # the same work on every machine of this kind\n",
        time_text(p.canary.read_ns), time_text(p.canary.rested_ns), time_text(p.canary.loaded_ns));
  if (!p.errors.empty()) {
    out += "errors:  # relative\n";
    for (const auto& e : p.errors)
      out += fmt::format("  {}: {{mape: {}, bias: {}, p95: {}, points: {}, how: {}}}\n", e.part, share(e.mape),
                         share(e.bias), share(e.p95), e.points, quoted(e.how));
  }
  out += "gemm:  # rows x k by k x n, bf16\n";
  for (const auto& g : p.gemm) {
    out += fmt::format("  - n: {}\n    k: {}\n    rows: {}\n    time: {}\n", g.n, g.k, counts(g.rows.x, 11),
                       times(g.rows.ns, 11));
    if (!g.jump_rows.empty())
      out += fmt::format(
          "    jumps:  # rows at which the library's choice leaves the table\n      rows: {}\n      time: {}\n",
          counts(g.jump_rows, 13), times(g.jump_ns, 13));
  }
  const auto& d = p.decode;
  out += fmt::format(
      "decode:  # one layer's attention, by requests and their tokens\n"
      "  heads: {}\n  kv_heads: {}\n  head_dim: {}\n  batch: {}\n  kv_tokens: {}\n  time:\n{}",
      d.heads, d.kv_heads, d.head_dim, counts(d.batch, 10), counts(d.kv_tokens, 14),
      grid(d.ns, d.kv_tokens.size(), true));
  out += fmt::format("  ragged_ratio: {}\n  ragged_spread: {}\n", share(d.ragged_ratio), share(d.ragged_spread));
  if (!d.layouts.empty()) {
    out += "  layouts:  # time over that of contiguous memory; block_tokens 0: over mapped pages\n";
    for (const auto& l : d.layouts)
      out += fmt::format("    - block_tokens: {}\n      kv_tokens: {}\n      ratio: {}\n", l.block_tokens,
                         counts(l.kv_tokens, 18), ratios(l.ratio, 14));
  }
  out += prefill_yaml(p);
  if (!p.all_reduce.empty()) {
    out += "all_reduce:\n";
    for (const auto& a : p.all_reduce)
      out += fmt::format("  - gpus: {}\n    bytes: {}\n    time: {}\n", a.gpus, sizes(a.bytes.x, 12),
                         times(a.bytes.ns, 11));
  }
  out += vmm_yaml(p);
  if (!p.draws.empty()) {
    out += "draws:  # factors a part, for intervals: resampled residuals and the spread between machines\n";
    for (const auto& draw : p.draws)
      out += fmt::format("  {}: {}\n", draw.part, ratios(draw.factor, draw.part.size() + 5));
  }
  return out;
}

std::string usable_profile_yaml(const Profile& profile, const std::string& made_from) {
  std::string yaml = profile_yaml(profile);
  try {
    (void)parse_profile(yaml, "profile");
  } catch (const InputError& error) {
    throw InputError({made_from, 0, 0}, fmt::format("its figures make no profile: {}; was it edited by hand?",
                                                    error.problems().front().message));
  }
  return yaml;
}
}  // namespace stowage
