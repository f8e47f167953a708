// The real memory managers: one row each, by the name of the simulated one.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

#include "gpu_probe/replay/kv_store.hpp"

namespace stowage::replay {
namespace {
struct StoreRow {
  std::string_view kind;
  std::unique_ptr<KvStore> (*make)(const StoreSetup&);
};
constexpr std::array rows = {StoreRow{"reserve", make_reserved}, StoreRow{"paged", make_paged},
                             StoreRow{"vattention", make_mapped}};
}  // namespace

std::unique_ptr<KvStore> make_store(const StoreSetup& setup) {
  const std::string& kind = setup.config->manager.kind;
  const auto row = std::ranges::find(rows, std::string_view(kind), &StoreRow::kind);
  if (row == rows.end()) throw std::logic_error("replay: no store for manager " + kind);
  return row->make(setup);
}
}  // namespace stowage::replay
