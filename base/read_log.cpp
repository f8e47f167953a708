#include "base/read_log.hpp"

#include <algorithm>

namespace stowage {
namespace {
thread_local ReadLog* innermost = nullptr;
}  // namespace

ReadLog::ReadLog() : outer_(innermost) { innermost = this; }

ReadLog::~ReadLog() {
  innermost = outer_;
  if (outer_ != nullptr)
    for (const auto& path : paths_) outer_->add(path);
}

void ReadLog::note(const std::string& path) {
  if (innermost != nullptr) innermost->add(path);
}

void ReadLog::add(const std::string& path) {
  if (std::find(paths_.begin(), paths_.end(), path) == paths_.end()) paths_.push_back(path);
}
}  // namespace stowage
