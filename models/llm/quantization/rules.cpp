#include "models/llm/quantization/rules.hpp"

#include <fmt/format.h>

#include <array>

namespace stowage {
namespace {
using Kind = ConfigNode::Kind;

std::string text_of(const ConfigNode& node) { return node.kind() == Kind::scalar ? node.text() : std::string{}; }
bool is_true(const ConfigNode& node) { return text_of(node) == "true" || text_of(node) == "True"; }
std::int64_t number_of(const ConfigNode& node, std::int64_t otherwise) {
  const auto n = parse_integer(text_of(node));
  return n ? *n : otherwise;
}

class RulesReader {
 public:
  RulesReader(const ConfigNode& config, Problems& problems) : config_(config), problems_(problems) {}

  QuantRules read() {
    const std::string method = text_of(config_.get("quant_method"));
    read_cache();
    const bool listed = config_.get("quantized_layers").kind() == Kind::map;
    if (listed) read_listed();
    if (method == "fp8" || method == "fbgemm_fp8") {
      read_fp8(method);
      if (listed) return std::move(out_);  // `ignore` then says what is not of `quantized_layers`, but fp8
    } else if (method == "mxfp4") {
      out_.rest = *storage_of("mxfp4");
      out_.experts_only = true;
    } else if (method == "bitsandbytes") {
      out_.rest = *storage_of(is_true(config_.get("load_in_8bit")) ? "int8-bitsandbytes" : "nf4");
    } else if (method == "quark") {
      read_quark();
    } else if (const auto algorithm = text_of(config_.get("quant_algo")); !algorithm.empty()) {
      if (!listed) read_algorithm(algorithm);
    } else if (config_.get("config_groups").kind() == Kind::map) {
      read_groups();
    } else if (method == "awq" || method == "gptq" || method == "gptq_marlin" || method == "awq_marlin" ||
               method == "auto-round" || method == "intel/auto-round" || method == "auto-gptq" || method == "hqq") {
      read_integers();
    } else {
      const std::string bits = text_of(config_.get("bits"));
      problems_.add(config_.at(),
                    fmt::format("quantized weights by '{}'{} are not known; read are fp8, compressed-tensors, "
                                "modelopt, gptq, awq, bitsandbytes, auto-round, quark, hqq and mxfp4; else say "
                                "quantization: in a YAML description that has 'huggingface: FILE'",
                                shown(method), bits.empty() ? "" : " with " + bits + " bits"));
    }
    for (const auto key :
         {"ignore", "exclude_modules", "modules_to_not_convert", "ignored_layers", "exclude", "llm_int8_skip_modules"})
      ignore(config_.get(key));
    return std::move(out_);
  }

 private:
  void read_cache() {
    const std::string algorithm = text_of(config_.get("kv_cache_quant_algo"));
    const ConfigNode scheme = config_.get("kv_cache_scheme");
    const bool eight_bits = scheme.kind() == Kind::map && number_of(scheme.get("num_bits"), 16) == 8;
    out_.fp8_cache = algorithm == "FP8" || text_of(scheme) == "FP8" || eight_bits;
  }

  void ignore(const ConfigNode& list) {
    if (list.kind() != Kind::list) return;
    for (std::size_t i = 0; i < list.size(); ++i) add(out_.ignored, list[i], text_of(list[i]), 0);
  }
  void add(ModulePatterns& to, const ConfigNode& where, const std::string& pattern, std::size_t value) {
    if (pattern.empty()) return;
    if (!to.add(pattern, value))
      problems_.add(where.at(), fmt::format("'{}' is no pattern that can be read; write a module's name, one with *, "
                                            "or re: and a regular expression of at most 256 characters",
                                            shown(pattern)));
  }
  std::size_t scheme(const Storage& storage) {
    out_.schemes.push_back(storage);
    return out_.schemes.size() - 1;
  }

  void read_fp8(const std::string& method) {
    if (method == "fbgemm_fp8") {
      out_.rest = *storage_of(method);
      return;
    }
    const ConfigNode block = config_.get("weight_block_size");
    const bool blocks = block.kind() == Kind::list && block.size() == 2;
    out_.rest = *storage_of(blocks ? "fp8-block" : "fp8");
    if (!blocks) return;
    out_.rest.block_rows = number_of(block[0], 128);
    out_.rest.group = number_of(block[1], 128);
    if (text_of(config_.get("scale_fmt")) == "ue8m0") out_.rest.scale_bits = 8;
    if (out_.rest.block_rows < 1 || out_.rest.group < 1)
      problems_.add(block.at(), "weight_block_size must be two numbers of at least 1");
  }

  void read_algorithm(const std::string& algorithm) {
    const auto storage = storage_of(algorithm);
    if (!storage) {
      problems_.add(config_.get("quant_algo").at(),
                    fmt::format("quant_algo '{}' is not known; FP8, NVFP4, W4A16_AWQ, INT4_AWQ, W8A8_SQ_PER_CHANNEL "
                                "and MIXED_PRECISION with quantized_layers are",
                                shown(algorithm)));
      return;
    }
    out_.rest = grouped(*storage, config_);
  }
  /// With the file's own group_size.
  static Storage grouped(Storage storage, const ConfigNode& config) {
    const std::int64_t group = number_of(config.get("group_size"), 0);
    if (storage.group > 0 && group > 0) storage.group = group;
    return storage;
  }

  /// ModelOpt's MIXED_PRECISION: each module by name.
  void read_listed() {
    for (const auto& [name, how] : config_.get("quantized_layers").entries()) {
      const std::string algorithm = how.kind() == Kind::map ? text_of(how.get("quant_algo")) : text_of(how);
      const auto storage = storage_of(algorithm);
      if (!storage) {
        problems_.add(how.at(), fmt::format("quant_algo '{}' is not known", shown(algorithm)));
        return;
      }
      add(out_.assigned, how, name, scheme(how.kind() == Kind::map ? grouped(*storage, how) : *storage));
    }
  }

  /// compressed-tensors: groups of modules, each with its weights' scheme.
  void read_groups() {
    const std::string format = text_of(config_.get("format"));
    for (const auto& [name, group] : config_.get("config_groups").entries()) {
      if (group.kind() != Kind::map || group.get("weights").kind() != Kind::map) continue;
      const std::string own = text_of(group.get("format"));
      const Storage storage = weights(group.get("weights"), own.empty() ? format : own);
      const ConfigNode targets = group.get("targets");
      if (targets.kind() != Kind::list) out_.rest = storage;
      for (std::size_t i = 0; targets.kind() == Kind::list && i < targets.size(); ++i) {
        const std::string target = text_of(targets[i]);
        if (target == "Linear")
          out_.rest = storage;
        else
          add(out_.assigned, targets[i], target, scheme(storage));
      }
    }
  }
  Storage weights(const ConfigNode& w, const std::string& format) {
    Storage s;
    s.bits = number_of(w.get("num_bits"), 0);
    if (s.bits != 2 && s.bits != 3 && s.bits != 4 && s.bits != 6 && s.bits != 8) {
      problems_.add(w.at(), "weights need num_bits of 2, 3, 4, 6 or 8");
      return {};
    }
    s.integer = text_of(w.get("type")) == "int";
    const std::string strategy = text_of(w.get("strategy"));
    const std::int64_t group = number_of(w.get("group_size"), 0);
    const ConfigNode block = w.get("block_structure");
    if (strategy == "block" && block.kind() == Kind::list && block.size() == 2) {
      s.block_rows = std::max<std::int64_t>(1, number_of(block[0], 128));
      s.group = std::max<std::int64_t>(1, number_of(block[1], 128));
      s.scale_bits = 16;
    } else if (group > 0) {
      const bool eight = format.starts_with("nvfp4") || format.starts_with("mxfp4") ||
                         text_of(w.get("scale_dtype")).find("int8") != std::string::npos || (!s.integer && s.bits == 4);
      s.group = group;
      s.scale_bits = eight ? 8 : 16;
      if (s.integer && text_of(w.get("symmetric")) == "false") s.scale_bits += s.bits;
      if (!s.integer && group == 16) s.matrix_bytes = 8;
    } else if (strategy == "channel") {
      s.row_bytes = 2;
    } else {
      s.matrix_bytes = 8;
    }
    return s;
  }

  void read_quark() {
    const ConfigNode weight = config_.get("global_quant_config").get("weight");
    const std::string dtype = text_of(weight.get("dtype"));
    const auto storage = storage_of(dtype.starts_with("fp8") ? "fp8" : dtype.starts_with("fp4") ? "mxfp4" : dtype);
    if (!storage)
      problems_.add(config_.at(),
                    fmt::format("quark weights of '{}' are not known; fp8, fp4, int8 and int4 are", shown(dtype)));
    else
      out_.rest = grouped(*storage, weight);
  }

  /// Integers with a 16-bit scale, and a zero point as wide as a value, a group: GPTQ, AWQ, auto-round, HQQ.
  void read_integers() {
    Storage s;
    const ConfigNode inner = config_.get("quant_config").get("weight_quant_params");  // HQQ
    const ConfigNode& from = inner.kind() == Kind::map ? inner : config_;
    s.bits = number_of(from.get(inner.kind() == Kind::map ? "nbits" : "bits"), 0);
    if (s.bits != 2 && s.bits != 3 && s.bits != 4 && s.bits != 8) {
      problems_.add(config_.at(),
                    fmt::format("'{}' needs 'bits' of 2, 3, 4 or 8", shown(text_of(config_.get("quant_method")))));
      return;
    }
    const std::int64_t group = number_of(from.get("group_size"), 128);
    s.integer = true;
    s.group = std::max<std::int64_t>(0, group);
    s.scale_bits = 16 + s.bits;
    if (group <= 0) s.row_bytes = 2;
    out_.rest = s;
    for (const auto key : {"extra_config", "dynamic"}) {
      const ConfigNode exceptions = config_.get(key);
      if (exceptions.kind() != Kind::map) continue;
      for (const auto& [name, how] : exceptions.entries()) except(name, how, s);
    }
  }
  /// auto-round's extra_config {module: {bits: 16}}; GPTQModel's dynamic {"-:regex": {}, "+:regex": {bits: 8}}.
  void except(const std::string& name, const ConfigNode& how, Storage storage) {
    const bool left_out = name.starts_with("-:");
    const bool pattern = left_out || name.starts_with("+:");
    const std::string as = pattern ? "re:" + name.substr(2) : name;
    const std::int64_t bits = how.kind() == Kind::map ? number_of(how.get("bits"), storage.bits) : storage.bits;
    if (left_out || bits >= 16) {
      add(out_.ignored, how, as, 0);
      return;
    }
    storage.scale_bits += bits - storage.bits;
    storage.bits = bits;
    add(out_.assigned, how, as, scheme(grouped(storage, how)));
  }

  ConfigNode config_;
  Problems& problems_;
  QuantRules out_;
};
}  // namespace

Storage QuantRules::of(std::int64_t layer, const std::string& name, bool expert) const {
  if (const auto own = assigned.empty() ? std::nullopt : assigned.find(layer, name)) return schemes[*own];
  if (rest.plain() || (experts_only && !expert)) return {};
  if (!ignored.empty() && ignored.find(layer, name)) return {};
  return rest;
}

QuantRules read_quant_rules(const ConfigNode& config, Problems& problems) {
  if (config.kind() != ConfigNode::Kind::map) return {};
  return RulesReader(config, problems).read();
}
}  // namespace stowage
