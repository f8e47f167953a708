#pragma once
// A workload of requests written down.
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/request.hpp"

namespace stowage {

class Rows final : public Workload {
 public:
  explicit Rows(std::vector<Request> rows) : rows_(std::move(rows)) {}
  std::unique_ptr<RequestStream> open() const override {
    struct Stream final : RequestStream {
      explicit Stream(const std::vector<Request>& all) : rows(all) {}
      std::size_t read(std::span<Request> out) override {
        std::size_t n = 0;
        while (n < out.size() && at < rows.size()) out[n++] = rows[at++];
        return n;
      }
      /// Of content 0: begins with 4 tokens of text 7.
      [[nodiscard]] PromptContent content(const Request& r) const override {
        static constexpr std::uint64_t hashes[] = {7};
        return r.content == 0 ? PromptContent{hashes, 4, 0, {}} : PromptContent{};
      }
      const std::vector<Request>& rows;
      std::size_t at = 0;
    };
    return std::make_unique<Stream>(rows_);
  }

 private:
  std::vector<Request> rows_;
};
}  // namespace stowage
