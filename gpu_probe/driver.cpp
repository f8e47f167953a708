#include "gpu_probe/driver.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstring>

namespace stowage::probe {
namespace {
template <class F>
void look_up(F& function, const char* name) {
  // The calls are in every driver since 11.2; the version says whose signature is meant.
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result = {};
  const cudaError_t status = cudaGetDriverEntryPointByVersion(name, &found, 12000, cudaEnableDefault, &result);
  if (status != cudaSuccess || result != cudaDriverEntryPointSuccess || found == nullptr)
    throw EnvironmentError(fmt::format("the NVIDIA driver has no {}; update the driver", name));
  function = reinterpret_cast<F>(found);
}

Driver load() {
  Driver d;
  look_up(d.granularity, "cuMemGetAllocationGranularity");
  look_up(d.address_reserve, "cuMemAddressReserve");
  look_up(d.address_free, "cuMemAddressFree");
  look_up(d.create, "cuMemCreate");
  look_up(d.release, "cuMemRelease");
  look_up(d.map, "cuMemMap");
  look_up(d.unmap, "cuMemUnmap");
  look_up(d.set_access, "cuMemSetAccess");
  look_up(d.error_name, "cuGetErrorName");
  return d;
}

const char* name_of(CUresult status) {
  const char* name = nullptr;
  if (driver().error_name(status, &name) != CUDA_SUCCESS || name == nullptr) return "unknown error";
  return name;
}
}  // namespace

const Driver& driver() {
  static const Driver loaded = load();
  return loaded;
}

void throw_driver(CUresult status, const char* call, const char* file, int line) {
  const char* slash = std::strrchr(file, '/');
  throw CudaError(
      fmt::format("CUDA driver: {} in {} at {}:{}", name_of(status), call, slash != nullptr ? slash + 1 : file, line));
}

void log_driver(CUresult status, const char* call) noexcept {
  if (status == CUDA_SUCCESS || status == CUDA_ERROR_DEINITIALIZED) return;
  std::fprintf(stderr, "gpu_probe: warning: %s: %s\n", call, name_of(status));
}

CUmemAllocationProp device_memory(int device) {
  CUmemAllocationProp prop = {};
  prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  prop.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  prop.location.id = device;
  return prop;
}

CUmemAccessDesc device_access(int device) {
  CUmemAccessDesc access = {};
  access.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  access.location.id = device;
  access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
  return access;
}

VmmHandle::VmmHandle(int device, std::size_t bytes) : bytes_(bytes) {
  const CUmemAllocationProp prop = device_memory(device);
  DRIVER_CHECK(driver().create(&handle_, bytes, &prop, 0));
}

void VmmHandle::release() noexcept {
  if (handle_ != 0) log_driver(driver().release(handle_), "cuMemRelease");
  handle_ = 0;
}

VmmRange::VmmRange(int device, std::size_t bytes, std::size_t page_bytes)
    : page_bytes_(page_bytes), access_(device_access(device)), mapped_(bytes / page_bytes, 0) {
  STOWAGE_ASSERT(bytes % page_bytes == 0);
  DRIVER_CHECK(driver().address_reserve(&base_, bytes, page_bytes, 0, 0));
}

VmmRange::~VmmRange() {
  if (base_ == 0) return;
  bool waited = false;
  for (std::size_t page = 0; page < mapped_.size(); ++page) {
    if (mapped_[page] == 0) continue;
    if (!waited) log_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    waited = true;
    log_driver(driver().unmap(address(page), page_bytes_), "cuMemUnmap");
  }
  log_driver(driver().address_free(base_, mapped_.size() * page_bytes_), "cuMemAddressFree");
}

void VmmRange::map(std::size_t page, const VmmHandle& handle) {
  STOWAGE_ASSERT(page < mapped_.size() && mapped_[page] == 0 && handle.bytes() == page_bytes_);
  DRIVER_CHECK(driver().map(address(page), page_bytes_, 0, handle.get(), 0));
  mapped_[page] = 1;
}

void VmmRange::set_access(std::size_t first, std::size_t count) {
  DRIVER_CHECK(driver().set_access(address(first), count * page_bytes_, &access_, 1));
}

void VmmRange::unmap(std::size_t first, std::size_t count) {
  DRIVER_CHECK(driver().unmap(address(first), count * page_bytes_));
  for (std::size_t page = first; page < first + count; ++page) mapped_[page] = 0;
}

}  // namespace stowage::probe
