#include "calibrate/engine_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/config.hpp"
#include "calibrate/fit.hpp"

namespace stowage {
namespace {
constexpr std::size_t requests_min = 20;
constexpr std::size_t samples = 4096;  // of the log's whole time, for what ran beside a request

struct Logged {
  double prompt = 0, output = 0, scheduled_s = 0, first_s = 0, last_s = 0;
};

/// Number under the first of these keys that is there.
double number(const nlohmann::json& row, std::span<const std::string_view> names, const SourcePos& at,
              Problems& problems) {
  for (const auto name : names) {
    const auto it = row.find(name);
    if (it == row.end()) continue;
    if (it->is_number() && std::isfinite(it->get<double>())) return it->get<double>();
    problems.add(at, fmt::format("'{}' is not a number", name));
    return 0;
  }
  problems.add(at, fmt::format("no '{}'", names.front()));
  return 0;
}

std::vector<Logged> read(std::string_view text, const std::string& path) {
  constexpr std::array<std::string_view, 4> prompts = {"input_toks", "prompt_tokens", "input_tokens",
                                                       "num_prompt_tokens"};
  constexpr std::array<std::string_view, 4> outputs = {"output_toks", "completion_tokens", "output_tokens",
                                                       "num_generation_tokens"};
  constexpr std::array<std::string_view, 2> scheduled = {"scheduled_ts", "first_scheduled_time"};
  constexpr std::array<std::string_view, 2> firsts = {"first_token_ts", "first_token_time"};
  constexpr std::array<std::string_view, 2> lasts = {"last_token_ts", "last_token_time"};
  std::vector<Logged> out;
  Problems problems;
  int line = 0;
  for (std::size_t at = 0; at < text.size() && problems.list().size() < 10;) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view row_text = text.substr(at, end - at);
    at = end + 1;
    const SourcePos place{path, ++line, 1};
    if (row_text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto row = nlohmann::json::parse(row_text, nullptr, false);
    if (!row.is_object()) {
      problems.add(place, "not a JSON object; an engine's log has one request a line");
      continue;
    }
    const Logged r{number(row, prompts, place, problems), number(row, outputs, place, problems),
                   number(row, scheduled, place, problems), number(row, firsts, place, problems),
                   number(row, lasts, place, problems)};
    if (r.prompt < 0 || r.output < 0 || r.first_s < r.scheduled_s || r.last_s < r.first_s)
      problems.add(place, "negative tokens, or times out of order (scheduled, first token, last token)");
    out.push_back(r);
  }
  problems.throw_if_any();
  return out;
}

/// Decoding requests, their tokens and prompt tokens a second over the log's time.
class Beside {
 public:
  explicit Beside(const std::vector<Logged>& log) {
    start_ = log.front().scheduled_s;
    double end = start_;
    for (const auto& r : log) {
      start_ = std::min(start_, r.scheduled_s);
      end = std::max(end, r.last_s);
    }
    step_ = std::max(1e-9, (end - start_) / static_cast<double>(samples));
    batch_.resize(samples);
    tokens_.resize(samples);
    prompt_.resize(samples);
    for (const auto& r : log) {
      for (std::size_t i = index(r.first_s); i < samples && at_s(i) < r.last_s; ++i) {
        if (at_s(i) < r.first_s) continue;
        batch_[i] += 1;
        tokens_[i] += r.prompt + r.output * (at_s(i) - r.first_s) / std::max(1e-9, r.last_s - r.first_s);
      }
      const std::size_t from = index(r.scheduled_s), to = std::max(from, index(r.first_s));
      for (std::size_t i = from; i <= to && i < samples; ++i)
        prompt_[i] += r.prompt / static_cast<double>(to - from + 1);
    }
  }
  struct Mean {
    double batch = 0, tokens = 0, prompt_sum = 0;
  };
  [[nodiscard]] Mean over(double from_s, double to_s) const {
    Mean m;
    const std::size_t from = index(from_s), to = std::max(from, index(to_s));
    double count = 0;
    for (std::size_t i = from; i <= to && i < samples; ++i, count += 1) {
      m.batch += batch_[i];
      m.tokens += tokens_[i];
      m.prompt_sum += prompt_[i];
    }
    m.batch = std::max(1.0, m.batch / count);
    m.tokens /= count;
    return m;
  }

 private:
  [[nodiscard]] std::size_t index(double s) const {
    return std::min(samples - 1, static_cast<std::size_t>(std::max(0.0, (s - start_) / step_)));
  }
  [[nodiscard]] double at_s(std::size_t i) const { return start_ + (static_cast<double>(i) + 0.5) * step_; }
  double start_ = 0, step_ = 1;
  std::vector<double> batch_, tokens_, prompt_;
};
}  // namespace

EngineLogFit fit_engine_log(std::string_view text, const std::string& path) {
  const auto log = read(text, path);
  std::vector<Equation> all;
  if (!log.empty()) {
    const Beside beside(log);
    for (const auto& r : log) {
      if (r.output < 2 || r.last_s <= r.first_s) continue;  // one token takes no step of its own
      const auto mean = beside.over(r.first_s, r.last_s);
      const double steps = r.output - 1;
      all.push_back({{steps, mean.prompt_sum, steps * mean.batch, steps * mean.tokens}, (r.last_s - r.first_s) * 1e9});
    }
  }
  if (all.size() < requests_min)
    throw InputError({path, 0, 0},
                     fmt::format("{} requests with two tokens and more; {} at least are needed, better some "
                                 "hundred under changing load",
                                 all.size(), requests_min));
  std::vector<Equation> half;
  for (std::size_t i = 0; i < all.size(); i += 2) half.push_back(all[i]);
  const auto c = fit_nonnegative(half, 0.05);
  EngineLogFit fit;
  fit.linear = {c[0], c[1], c[2], c[3]};
  std::array<std::vector<double>, 2> residuals;
  for (std::size_t i = 0; i < all.size(); ++i) {
    double predicted = 0;
    for (std::size_t t = 0; t < c.size(); ++t) predicted += c[t] * all[i].terms[t];
    residuals[i % 2].push_back(predicted / all[i].value - 1);
  }
  const std::string how = "time from a request's first to its last token, ";
  fit.fitted = error_of("requests_fitted", residuals[0], how + "the half that was fitted");
  fit.held_back = error_of("requests_held_back", residuals[1], how + "the half that was held back");
  return fit;
}

EngineLogFit load_engine_log(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw InputError({path, 0, 0}, "cannot be read; give an engine's log of requests, one JSON object a line");
  return fit_engine_log(std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>()), path);
}

std::string engine_log_yaml(const EngineLogFit& fit, const std::string& path) {
  const auto error = [](const PartError& e) {
    return fmt::format("{:.1f} % off, bias {:+.1f} %, p95 {:.1f} %, {} requests", 100 * e.mape, 100 * e.bias,
                       100 * e.p95, e.points);
  };
  const auto four_digits = [](double ns) { return format_duration(*parse_number(fmt::format("{:.4g}", ns))); };
  return fmt::format(
      "# Fitted by `stowage calibrate --engine-log` to {}. Coarse: good for that engine, model and GPU only.\n"
      "# Time from first to last token: {} (fitted);\n#   {} (held back).\n"
      "cost: {{source: linear, base: {}, per_prefill_token: {}, per_decode_seq: {}, per_kv_token: {}}}\n",
      path, error(fit.fitted), error(fit.held_back), four_digits(fit.linear.base_ns),
      four_digits(fit.linear.per_prefill_token_ns), four_digits(fit.linear.per_decode_seq_ns),
      four_digits(fit.linear.per_kv_token_ns));
}
}  // namespace stowage
