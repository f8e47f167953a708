#pragma once
// The driver's virtual-memory calls, looked up at run time (cudaGetDriverEntryPointByVersion), so that the binary
// starts where there is no driver. Owners unmap and free; before they unmap they wait for the device, so that no
// kernel can still touch what goes (cuMemUnmap itself does not wait for running kernels).
#include <cuda.h>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "gpu_probe/cuda.hpp"

namespace stowage::probe {

struct Driver {
  decltype(&::cuMemGetAllocationGranularity) granularity = nullptr;
  decltype(&::cuMemAddressReserve) address_reserve = nullptr;
  decltype(&::cuMemAddressFree) address_free = nullptr;
  decltype(&::cuMemCreate) create = nullptr;
  decltype(&::cuMemRelease) release = nullptr;
  decltype(&::cuMemMap) map = nullptr;
  decltype(&::cuMemUnmap) unmap = nullptr;
  decltype(&::cuMemSetAccess) set_access = nullptr;
  decltype(&::cuGetErrorName) error_name = nullptr;
};
/// Throws EnvironmentError when the driver lacks a call. A CUDA device must be current.
[[nodiscard]] const Driver& driver();

[[noreturn]] void throw_driver(CUresult status, const char* call, const char* file, int line);
void log_driver(CUresult status, const char* call) noexcept;

#define DRIVER_CHECK(call)                                                                        \
  do {                                                                                            \
    const CUresult status_ = (call);                                                              \
    if (status_ != CUDA_SUCCESS) ::stowage::probe::throw_driver(status_, #call, __FILE__, __LINE__); \
  } while (false)

[[nodiscard]] CUmemAllocationProp device_memory(int device);
[[nodiscard]] CUmemAccessDesc device_access(int device);

/// Physical memory. Released on destruction; memory still mapped lives until it is unmapped.
class VmmHandle {
 public:
  VmmHandle() = default;
  VmmHandle(int device, std::size_t bytes);
  VmmHandle(VmmHandle&& o) noexcept : handle_(std::exchange(o.handle_, 0)), bytes_(o.bytes_) {}
  VmmHandle& operator=(VmmHandle&& o) noexcept {
    std::swap(handle_, o.handle_);
    std::swap(bytes_, o.bytes_);
    return *this;
  }
  ~VmmHandle() { release(); }
  void release() noexcept;
  [[nodiscard]] CUmemGenericAllocationHandle get() const { return handle_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  CUmemGenericAllocationHandle handle_ = 0;
  std::size_t bytes_ = 0;
};

/// A range of addresses, and which of its pages are mapped. All pages have one size; a page is mapped whole.
class VmmRange {
 public:
  VmmRange() = default;
  VmmRange(int device, std::size_t bytes, std::size_t page_bytes);
  VmmRange(const VmmRange&) = delete;
  VmmRange& operator=(const VmmRange&) = delete;
  VmmRange(VmmRange&& o) noexcept { swap(o); }
  VmmRange& operator=(VmmRange&& o) noexcept {
    swap(o);
    return *this;
  }
  /// Waits for the device, unmaps what is mapped, frees the addresses.
  ~VmmRange();

  void map(std::size_t page, const VmmHandle& handle);
  /// Lets the device read and write pages [first, first + count), which must be mapped.
  void set_access(std::size_t first, std::size_t count);
  /// The caller answers for it that no kernel touches these pages any more.
  void unmap(std::size_t first, std::size_t count);

  [[nodiscard]] CUdeviceptr address(std::size_t page = 0) const { return base_ + page * page_bytes_; }
  template <class T = void>
  [[nodiscard]] T* as(std::size_t page = 0) const {
    return reinterpret_cast<T*>(address(page));
  }
  [[nodiscard]] std::size_t page_bytes() const { return page_bytes_; }
  [[nodiscard]] std::size_t pages() const { return mapped_.size(); }

 private:
  void swap(VmmRange& o) noexcept {
    std::swap(base_, o.base_);
    std::swap(page_bytes_, o.page_bytes_);
    std::swap(access_, o.access_);
    mapped_.swap(o.mapped_);
  }
  CUdeviceptr base_ = 0;
  std::size_t page_bytes_ = 0;
  CUmemAccessDesc access_ = {};
  std::vector<std::uint8_t> mapped_;
};

}  // namespace stowage::probe
