// The YAML reader of profiles: everything wrong in one go, each with its place.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/config.hpp"
#include "models/cost/profile.hpp"
#include "models/cost/profile_lists.hpp"

namespace stowage {
namespace {
constexpr std::int64_t count_max = std::int64_t{1} << 40;
constexpr double factor_max = 100;

using detail::Lists;
using Values = std::vector<double>;

class Reader {
 public:
  explicit Reader(Problems& problems) : problems_(problems), lists_(problems) {}

  Profile read(const ConfigNode& root) {
    MapReader in(root, problems_);
    Profile p;
    const std::string schema = in.text("schema");
    if (in.has("schema") && schema != "stowage.profile/1")
      in.problem("schema",
                 fmt::format("'{}' is not known to this version, which reads stowage.profile/1", shown(schema)));
    p.name = in.text("name");
    p.gpu = in.text("gpu");
    p.date = in.text("date");
    p.source = in.text("source", "");
    p.command = in.text("command", "");
    constexpr std::array<std::string_view, 3> evidences = {"measured", "published", "engine-log"};
    p.evidence = static_cast<ProfileEvidence>(in.choice("evidence", evidences));
    p.sms = in.integer("sms", 1, 100'000);
    const bool whole = p.evidence == ProfileEvidence::measured;  // others' tables may lack it, and say so in `gaps`
    read_launch(in.node("launch", whole), p);
    read_elementwise(in.node("elementwise", true), p);
    read_chain(in.node("chain"), p);
    read_power(in.node("power"), p);
    read_canary(in.node("canary"), p);
    read_host(in.node("host", whole), p);
    for (const auto& entry : items(in.node("gemm", true))) add_gemm(entry, p);
    p.decode = read_decode(in.node("decode", true));
    read_prefill(in.node("prefill", true), p);
    for (const auto& entry : items(in.node("all_reduce"))) p.all_reduce.push_back(read_all_reduce(entry));
    read_vmm(in.node("vmm"), p);
    read_errors(in.node("errors"), p);
    read_draws(in.node("draws"), p);
    read_rested_draws(p);
    read_gaps(in.node("gaps"), p);
    in.finish();
    return p;
  }

 private:
  std::vector<ConfigNode> items(const ConfigNode& list) {
    std::vector<ConfigNode> out;
    if (!list) return out;
    if (list.kind() != ConfigNode::Kind::list || list.size() == 0) {
      problems_.add(list.at(), fmt::format("'{}' must be a list of maps", list.path()));
      return out;
    }
    for (std::size_t i = 0; i < list.size(); ++i) out.push_back(list[i]);
    return out;
  }
  void positive(MapReader& in, std::string_view key, double value) {
    if (in.has(key) && !(value > 0)) in.problem(key, fmt::format("'{}' must be greater than zero", in.path_of(key)));
  }

  void read_launch(const ConfigNode& map, Profile& p) {
    if (!map) return;
    MapReader in(map, problems_);
    p.graph_kernel_ns = in.duration_ns("graph_kernel");
    p.eager_kernel_ns = in.duration_ns("eager_kernel");
    in.finish();
  }
  void read_elementwise(const ConfigNode& map, Profile& p) {
    if (!map) return;
    MapReader in(map, problems_);
    const auto kernel = [&](std::string_view name, PriceTable& table) {
      const ConfigNode node = in.node(name, true);
      if (!node) return;
      MapReader one(node, problems_);
      table = read_table(one, "bytes", true);
      one.finish();
    };
    kernel("norm", p.norm);
    kernel("rotate", p.rotate);
    kernel("activate", p.activate);
    kernel("sample", p.sample);
    in.finish();
  }
  void read_chain(const ConfigNode& map, Profile& p) {
    if (!map) return;
    MapReader in(map, problems_);
    const auto chain = [&](std::string_view name, Profile::Chain& c) {
      const ConfigNode node = in.node(name);
      if (!node) return;
      MapReader one(node, problems_);
      read_ratios(one, "rows", "ratio", c.rows, c.ratio);
      one.finish();
    };
    chain("graph", p.chain_graph);
    chain("eager", p.chain_eager);
    in.finish();
  }
  /// A grid of counts and a ratio at each.
  void read_ratios(MapReader& in, std::string_view x, std::string_view y, Values& grid, Values& ratios) {
    const ConfigNode counts = in.node(x, true), values = in.node(y, true);
    grid = lists_.counts(counts);
    ratios = lists_.ratios(values);
    lists_.ascending(counts, grid, 1);
    lists_.positive(values, ratios, factor_max);
    lists_.same_length(values, ratios.size(), grid.size());
  }
  void read_power(const ConfigNode& map, Profile& p) {
    if (!map) return;
    MapReader in(map, problems_);
    read_ratios(in, "rows", "slowdown", p.slowdown_rows, p.slowdown);
    if (const ConfigNode node = in.node("rested")) {
      MapReader one(node, problems_);
      auto& r = p.rested;
      read_ratios(one, "rows", "ratio", r.rows, r.ratio);
      lists_.positive(one.node("ratio"), r.ratio, 1);
      if (!r.ratio.empty() && *std::min_element(r.ratio.begin(), r.ratio.end()) < 0.1)
        one.problem("ratio", fmt::format("'{}': no rest makes a step ten times as fast", one.path_of("ratio")));
      const ConfigNode batch = one.node("batch", true), capacity = one.node("capacity", true);
      r.batch = lists_.counts(batch);
      r.capacity_ns = lists_.durations(capacity);
      r.recharge = lists_.ratios(one.node("recharge", true));
      lists_.ascending(batch, r.batch);
      lists_.same_length(capacity, r.capacity_ns.size(), r.batch.size());
      lists_.same_length(one.node("recharge"), r.recharge.size(), r.batch.size());
      rested_draws_ = one.node("draws");
      one.finish();
    }
    in.finish();
  }
  void read_canary(const ConfigNode& map, Profile& p) {
    if (!map) return;
    MapReader in(map, problems_);
    p.canary = {in.duration_ns("read"), in.duration_ns("product_rested"), in.duration_ns("product_loaded")};
    in.finish();
  }
  void read_host(const ConfigNode& map, Profile& p) {
    if (!map) return;
    MapReader in(map, problems_);
    p.host_graph_ns = in.duration_ns("graph_step");
    p.host_eager_ns = in.duration_ns("eager_step");
    in.finish();
  }

  PriceTable read_table(MapReader& in, std::string_view x, bool bytes) {
    PriceTable table;
    const ConfigNode grid = in.node(x, true), times = in.node("time", true);
    table.x = bytes ? lists_.sizes(grid) : lists_.counts(grid);
    table.ns = lists_.durations(times);
    lists_.ascending(grid, table.x, 1);
    lists_.never_falling(times, table.ns);
    lists_.same_length(times, table.ns.size(), table.x.size());
    return table;
  }
  GemmTable read_gemm(const ConfigNode& map) {
    MapReader in(map, problems_);
    GemmTable g;
    g.n = in.integer("n", 1, count_max);
    g.k = in.integer("k", 1, count_max);
    g.rows = read_table(in, "rows", false);
    if (problems_.empty() && !g.rows.ns.empty() && !(g.rows.ns.front() > 0))
      in.problem("time", fmt::format("'{}': a product takes more than nothing", in.path_of("time")));
    if (const ConfigNode node = in.node("jumps")) {
      MapReader one(node, problems_);
      const ConfigNode rows = one.node("rows", true), times = one.node("time", true);
      g.jump_rows = lists_.counts(rows);
      g.jump_ns = lists_.durations(times);
      lists_.ascending(rows, g.jump_rows, 1);
      lists_.same_length(times, g.jump_ns.size(), g.jump_rows.size());
      one.finish();
    }
    in.finish();
    return g;
  }
  void add_gemm(const ConfigNode& map, Profile& p) {
    GemmTable g = read_gemm(map);
    const auto same = std::find_if(p.gemm.begin(), p.gemm.end(),
                                   [&](const GemmTable& other) { return other.n == g.n && other.k == g.k; });
    if (same != p.gemm.end() && g.n > 0)
      problems_.add(map.at(), fmt::format("'{}': n {} by k {} is 'gemm[{}]' already; a product has one table, remove "
                                          "one of them",
                                          map.path(), g.n, g.k, same - p.gemm.begin()));
    p.gemm.push_back(std::move(g));
  }
  AllReducePrices read_all_reduce(const ConfigNode& map) {
    MapReader in(map, problems_);
    AllReducePrices a;
    a.gpus = in.integer("gpus", 2, 100'000);
    a.bytes = read_table(in, "bytes", true);
    in.finish();
    return a;
  }

  DecodePrices read_decode(const ConfigNode& map) {
    DecodePrices d;
    if (!map) return d;
    MapReader in(map, problems_);
    d.heads = in.integer("heads", 1, 100'000);
    d.kv_heads = in.integer("kv_heads", 1, 100'000);
    d.head_dim = in.integer("head_dim", 1, 100'000);
    const ConfigNode batch = in.node("batch", true), kv = in.node("kv_tokens", true);
    d.batch = lists_.counts(batch);
    d.kv_tokens = lists_.counts(kv);
    lists_.ascending(batch, d.batch, 1);
    lists_.ascending(kv, d.kv_tokens, 1);
    if (d.kv_tokens.size() == 1) problems_.add(kv.at(), "'decode.kv_tokens' needs two sizes at least");
    d.ns = read_grid(in.node("time", true), d.batch.size(), d.kv_tokens.size(), true);
    for (const auto& entry : items(in.node("layouts"))) d.layouts.push_back(read_layout(entry));
    d.ragged_ratio = in.number("ragged_ratio", 0, factor_max, 1.0);
    d.ragged_spread = in.number("ragged_spread", 0, factor_max, 0.0);
    in.finish();
    return d;
  }
  DecodePrices::Layout read_layout(const ConfigNode& map) {
    MapReader in(map, problems_);
    DecodePrices::Layout layout;
    layout.block_tokens = in.integer("block_tokens", 0, count_max);
    read_ratios(in, "kv_tokens", "ratio", layout.kv_tokens, layout.ratio);
    in.finish();
    return layout;
  }
  Values read_grid(const ConfigNode& list, std::size_t rows, std::size_t columns, bool prices) {
    Values out;
    const auto entries = items(list);
    if (list && entries.size() != rows)
      problems_.add(list.at(), fmt::format("'{}' has {} rows, its grid has {}", list.path(), entries.size(), rows));
    for (const auto& row : entries) {
      const Values values = prices ? lists_.durations(row) : lists_.ratios(row);
      lists_.same_length(row, values.size(), columns);
      if (prices)
        lists_.never_falling(row, values);
      else
        lists_.positive(row, values, factor_max);
      out.insert(out.end(), values.begin(), values.end());
    }
    return out;
  }

  void read_prefill(const ConfigNode& map, Profile& p) {
    if (!map) return;
    MapReader in(map, problems_);
    p.prefill_query_rows = in.integer("query_rows", 1, 100'000, 128);
    if (p.prefill_query_rows % 8 != 0)  // up to eight heads share a tile
      in.problem("query_rows", fmt::format("'{}' must be a multiple of 8", in.path_of("query_rows")));
    p.prefill_unfilled = in.number("unfilled", 0, 1, 0.5);
    for (const auto& entry : items(in.node("loaders", true))) {
      MapReader loader(entry, problems_);
      PrefillPrices l;
      constexpr std::array<std::string_view, 2> loaders = {"tensor", "gather"};
      l.loader = loaders.at(loader.choice("loader", loaders));
      l.block_tokens = loader.integer("block_tokens", 0, count_max);
      l.fixed_ns = loader.duration_ns("fixed");
      l.tile_ns = loader.duration_ns("tile");
      l.item_ns = loader.duration_ns("item");
      positive(loader, "tile", l.tile_ns);
      const ConfigNode q = loader.node("new_tokens", true), kv = loader.node("kv_tokens", true);
      l.new_tokens = lists_.counts(q);
      l.kv_tokens = lists_.counts(kv);
      lists_.ascending(q, l.new_tokens, 1);
      lists_.ascending(kv, l.kv_tokens, 1);
      l.correction = read_grid(loader.node("correction", true), l.new_tokens.size(), l.kv_tokens.size(), false);
      loader.finish();
      p.prefill.push_back(std::move(l));
    }
    in.finish();
  }

  void read_vmm(const ConfigNode& map, Profile& p) {
    if (!map) return;
    MapReader in(map, problems_);
    const auto call = [&](std::string_view key) -> std::optional<VmmPrice> {
      const ConfigNode node = in.node(key);
      if (!node) return std::nullopt;
      MapReader one(node, problems_);
      VmmPrice price;
      price.call_ns = one.duration_ns("call");
      price.handle_ns = one.duration_ns("handle", 0.0);
      price.spread = one.number("spread", 0, factor_max, 0.0);
      one.finish();
      return price;
    };
    p.vmm_create = call("create");
    p.vmm_map = call("map");
    p.vmm_set_access = call("set_access");
    p.vmm_unmap = call("unmap");
    in.finish();
  }

  void read_errors(const ConfigNode& map, Profile& p) {
    if (!map) return;
    MapReader in(map, problems_);
    if (map.kind() != ConfigNode::Kind::map) return;
    for (const auto& [part, node] : map.entries()) {
      MapReader one(in.node(part), problems_);
      PartError e;
      e.part = part;
      e.mape = one.number("mape", 0, factor_max);
      e.bias = one.number("bias", -factor_max, factor_max);
      e.p95 = one.number("p95", 0, factor_max);
      e.points = one.integer("points", 0, count_max);
      e.how = one.text("how", "");
      one.finish();
      p.errors.push_back(std::move(e));
    }
    in.finish();
  }
  void read_gaps(const ConfigNode& list, Profile& p) {
    for (const auto& item : items(list)) {
      if (item.kind() == ConfigNode::Kind::scalar)
        p.gaps.emplace_back(item.text());
      else
        problems_.add(item.at(), fmt::format("'{}' must be a sentence", item.path()));
    }
  }
  void read_draws(const ConfigNode& map, Profile& p) {
    if (!map) return;
    MapReader in(map, problems_);
    if (map.kind() != ConfigNode::Kind::map) return;
    for (const auto& [part, node] : map.entries()) {
      const ConfigNode list = in.node(part);
      Profile::Draws d{part, lists_.ratios(list)};
      lists_.positive(list, d.factor, factor_max);
      if (!p.draws.empty()) lists_.same_length(list, d.factor.size(), p.draws.front().factor.size());
      p.draws.push_back(std::move(d));
    }
    in.finish();
  }

  /// Of power.rested: a row for each number of decoding requests, a column a draw.
  void read_rested_draws(Profile& p) {
    if (!rested_draws_) return;
    MapReader in(rested_draws_, problems_);
    if (p.draws.empty()) problems_.add(rested_draws_.at(), "'power.rested.draws' are of a profile with 'draws' only");
    const auto rows = [&](std::string_view key, const auto& read) {
      Values out;
      const ConfigNode list = in.node(key, true);
      const auto entries = items(list);
      if (list && entries.size() != p.rested.batch.size())
        problems_.add(list.at(), fmt::format("'{}' has {} rows, 'power.rested.batch' has {}", list.path(),
                                             entries.size(), p.rested.batch.size()));
      for (const auto& row : entries) {
        const Values values = read(row);
        lists_.same_length(row, values.size(), p.draw_count());
        out.insert(out.end(), values.begin(), values.end());
      }
      return out;
    };
    p.rested.drawn_capacity_ns = rows("capacity", [&](const ConfigNode& row) { return lists_.durations(row); });
    p.rested.drawn_recharge = rows("recharge", [&](const ConfigNode& row) { return lists_.ratios(row); });
    in.finish();
  }

  Problems& problems_;
  Lists lists_;
  ConfigNode rested_draws_;
};

Profile from_document(const ConfigDocument& document) {
  Problems problems;
  Profile profile = Reader(problems).read(document.root());
  problems.throw_if_any();
  return profile;
}
}  // namespace

Profile parse_profile(std::string_view text, const std::string& file) {
  return from_document(ConfigDocument::parse(text, file));
}

Profile load_profile(const std::string& path, const SourcePos& at) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    throw InputError(at, fmt::format("the profile '{}' does not exist; `stowage calibrate` writes one", shown(path)));
  return from_document(ConfigDocument::load(path));
}
}  // namespace stowage
