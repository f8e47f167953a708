#include "models/llm/layers/layer_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace stowage {
namespace {
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// One GPU's part of `whole` that is dealt out in `units`: a unit is never split, and copied where there are too few.
std::int64_t dealt(std::int64_t whole, std::int64_t units, std::int64_t tensor) {
  return units == 0 || tensor == 1 ? whole : whole / units * ceil_div(units, tensor);
}

std::int64_t matrix_bytes(const Matrix& m, std::int64_t element, std::int64_t tensor, std::int64_t expert) {
  const bool spread = m.expert && expert > 1;
  const std::int64_t copies = spread ? m.copies / expert : m.copies;
  const std::int64_t one = m.storage.bytes(m.rows, m.columns, element) + m.biases * element;
  return dealt(copies * one, spread ? 0 : m.units, tensor);
}

template <class Count>
std::int64_t sum(const LayerTable& table, std::int64_t from, std::int64_t to, const Count& count) {
  std::vector<std::int64_t> layers(table.kinds.size());
  for (std::int64_t i = from; i < to; ++i) ++layers[table.order[static_cast<std::size_t>(i)]];
  std::int64_t total = 0;
  for (std::size_t k = 0; k < layers.size(); ++k)
    if (layers[k] > 0) total += layers[k] * count(table.kinds[k]);
  return total;
}
std::int64_t layers(const LayerTable& table) { return static_cast<std::int64_t>(table.order.size()); }

std::int64_t parameters_of(const std::vector<Matrix>& matrices) {
  std::int64_t n = 0;
  for (const Matrix& m : matrices) n += m.parameters();
  return n;
}
}  // namespace

std::int64_t cache_bytes(const Cache& cache, std::int64_t element, std::int64_t tensor) {
  const std::int64_t row = dealt(cache.elements, cache.units, tensor) * element + cache.fixed_bytes;
  return ceil_div(row, cache.every);
}

std::vector<std::int64_t> LayerTable::layers_of_kinds() const {
  std::vector<std::int64_t> out(kinds.size());
  for (const auto kind : order) ++out[kind];
  return out;
}

std::int64_t LayerTable::text_parameters() const {
  return parameters_of(first) + parameters_of(last) + last_vectors +
         sum(*this, 0, layers(*this), [](const LayerKind& k) { return parameters_of(k.matrices) + k.vectors; });
}

std::int64_t LayerTable::tower_parameters() const { return parameters_of(towers) + tower_vectors; }

std::int64_t LayerTable::idle_parameters() const {
  return sum(*this, 0, layers(*this), [&](const LayerKind& k) {
    std::int64_t n = 0;
    for (const Matrix& m : k.matrices)
      if (m.expert) n += m.parameters() / m.copies * (m.copies - experts_per_token);
    return n;
  });
}

std::int64_t LayerTable::stored_bytes(std::int64_t element, std::int64_t from, std::int64_t to, std::int64_t tensor,
                                      std::int64_t expert) const {
  const auto bytes_of = [&](const std::vector<Matrix>& matrices) {
    std::int64_t n = 0;
    for (const Matrix& m : matrices) n += matrix_bytes(m, element, tensor, expert);
    return n;
  };
  std::int64_t n = sum(*this, from, to, [&](const LayerKind& k) { return bytes_of(k.matrices) + k.vectors * element; });
  if (from == 0) n += bytes_of(first) + bytes_of(towers) + tower_vectors * element;
  if (to == layers(*this)) n += bytes_of(last) + last_vectors * element;
  return n;
}

std::int64_t LayerTable::token_bytes(std::int64_t element, std::int64_t from, std::int64_t to, std::int64_t tensor,
                                     bool window_only) const {
  return sum(*this, from, to, [&](const LayerKind& k) {
    std::int64_t n = 0;
    for (const Cache& c : k.caches)
      if (!window_only || c.window > 0) n += cache_bytes(c, element, tensor);
    return n;
  });
}

std::int64_t LayerTable::request_bytes(std::int64_t element, std::int64_t tokens) const {
  return sum(*this, 0, layers(*this), [&](const LayerKind& k) {
    std::int64_t n = 0;
    for (const Cache& c : k.caches) n += cache_bytes(c, element) * (c.window > 0 ? std::min(tokens, c.window) : tokens);
    for (const State& s : k.states) n += s.bytes;
    return n;
  });
}

std::string LayerTable::cache_text(std::int64_t element) const {
  std::vector<std::pair<std::string, std::int64_t>> parts;  // what and a layer, with how many layers
  const auto count = layers_of_kinds();
  for (std::size_t k = 0; k < kinds.size(); ++k)
    for (const Cache& c : kinds[k].caches) {
      const std::string what = fmt::format("{} B ({})", cache_bytes(c, element), c.kind);
      const auto it = std::ranges::find(parts, what, &std::pair<std::string, std::int64_t>::first);
      if (it == parts.end())
        parts.emplace_back(what, count[k]);
      else
        it->second += count[k];
    }
  std::string out;
  for (const auto& [what, n] : parts) out += fmt::format("{}{} layers x {}", out.empty() ? "" : " + ", n, what);
  return out;
}

Quant LayerTable::quant() const {
  std::optional<Quant> one;
  bool others = false, plain_experts = false, plain = false;
  for (const LayerKind& kind : kinds)
    for (const Matrix& m : kind.matrices) {
      if (!m.linear) continue;
      const Quant q = quant_of(m.storage);
      if (q == Quant::none) {
        (m.expert ? plain_experts : plain) = true;
        continue;
      }
      others = others || (one && *one != q);
      one = q;
    }
  if (!one) return Quant::none;
  const bool but_experts = *one == Quant::mxfp4 && !plain_experts;
  return others || plain_experts || (plain && !but_experts) ? Quant::mixed : *one;
}

void LayerTable::quantize(Quant scheme) {
  for (LayerKind& kind : kinds)
    for (Matrix& m : kind.matrices)
      if (m.linear) m.storage = scheme == Quant::mxfp4 && !m.expert ? Storage{} : storage_of(scheme);
}

double LayerTable::bytes_per_weight(bool experts, std::int64_t element) const {
  double bytes = 0, weights = 0;
  const auto layers = layers_of_kinds();
  for (std::size_t k = 0; k < kinds.size(); ++k)
    for (const Matrix& m : kinds[k].matrices) {
      if (!m.linear || m.expert != experts) continue;
      const auto times = static_cast<double>(layers[k]) * static_cast<double>(m.copies);
      bytes += times * static_cast<double>(m.storage.bytes(m.rows, m.columns, element));
      weights += times * static_cast<double>(m.rows) * static_cast<double>(m.columns);
    }
  return weights > 0 ? bytes / weights : static_cast<double>(element);
}

std::int64_t LayerTable::state_bytes(std::int64_t from, std::int64_t to, std::int64_t tensor) const {
  return sum(*this, from, to, [&](const LayerKind& k) {
    std::int64_t n = 0;
    for (const State& s : k.states) n += dealt(s.bytes, s.units, tensor);
    return n;
  });
}
}  // namespace stowage
