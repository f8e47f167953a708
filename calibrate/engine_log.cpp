#include "calibrate/engine_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/json_reader.hpp"
#include "base/ranges.hpp"
#include "base/read_file.hpp"
#include "calibrate/fit.hpp"

namespace stowage {
namespace {
constexpr std::size_t requests_min = 20;
constexpr std::size_t samples = 4096;  // of the log's whole time, for what ran beside a request

struct Logged {
  double prompt = 0, output = 0, scheduled_s = 0, first_s = 0, last_s = 0;
};

std::vector<Logged> read(LineReader& lines) {
  constexpr std::array<std::string_view, 4> prompts = {"input_toks", "prompt_tokens", "input_tokens",
                                                       "num_prompt_tokens"};
  constexpr std::array<std::string_view, 4> outputs = {"output_toks", "completion_tokens", "output_tokens",
                                                       "num_generation_tokens"};
  constexpr std::array<std::string_view, 2> scheduled = {"scheduled_ts", "first_scheduled_time"};
  constexpr std::array<std::string_view, 2> firsts = {"first_token_ts", "first_token_time"};
  constexpr std::array<std::string_view, 2> lasts = {"last_token_ts", "last_token_time"};
  std::vector<Logged> out;
  std::unordered_set<std::string> ids;
  Problems problems;
  for (std::string_view text; problems.list().size() < 10 && lines.next(text);) {
    if (text.find_first_not_of(" \t") == std::string_view::npos) continue;
    const auto row = parse_json(text, lines.path(), "a log with one JSON object a request and line", lines.number());
    const JsonReader in(row, lines.path(), problems, lines.number());
    const std::size_t faults = problems.list().size();
    const auto tokens = [&](std::span<const std::string_view> names) {
      return static_cast<double>(in.first_of(names).integer(0, tokens_max));
    };
    const auto seconds = [&](std::span<const std::string_view> names) {
      return in.first_of(names).number(0, unix_s_max);
    };
    const Logged r{tokens(prompts), tokens(outputs), seconds(scheduled), seconds(firsts), seconds(lasts)};
    if (const JsonReader id = in.find("request_id"); id && !ids.insert(id.raw().dump()).second)
      id.problem("an earlier line has this request too; keep one");
    if (problems.list().size() > faults) continue;
    if (r.first_s < r.scheduled_s || r.last_s < r.first_s || r.last_s - r.scheduled_s > time_s_max)
      in.problem("its times are out of order, or too far apart (scheduled, first token, last token)");
    out.push_back(r);
  }
  problems.throw_if_any();
  if (out.empty()) return out;
  const auto [least, most] = std::ranges::minmax(out, {}, &Logged::scheduled_s);
  if (most.scheduled_s - least.scheduled_s > time_s_max)
    throw InputError({lines.path(), 0, 0}, "its requests are more than 31 years apart; are the times in seconds?");
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

namespace {
EngineLogFit fit_lines(LineReader& lines) {
  const auto log = read(lines);
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
    throw InputError({lines.path(), 0, 0},
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

}  // namespace

EngineLogFit fit_engine_log(std::string_view text, const std::string& path) {
  LineReader lines(text, path);
  return fit_lines(lines);
}

EngineLogFit load_engine_log(const std::string& path) {
  LineReader lines(path);
  return fit_lines(lines);
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
      visible(path), error(fit.fitted), error(fit.held_back), four_digits(fit.linear.base_ns),
      four_digits(fit.linear.per_prefill_token_ns), four_digits(fit.linear.per_decode_seq_ns),
      four_digits(fit.linear.per_kv_token_ns));
}
}  // namespace stowage
