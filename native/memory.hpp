// Memory for panels: aligned, zeroed, owned by one object.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace deltarule {

inline constexpr std::size_t cache_line = 64, huge_page = std::size_t(1) << 21;

// Bytes at an address of that alignment; from one huge page on, a wish for huge pages.
inline std::shared_ptr<char> aligned_bytes(std::size_t bytes, std::size_t alignment) {
  const auto free = [alignment](char* p) { ::operator delete(p, std::align_val_t(alignment)); };
  std::shared_ptr<char> found(
      static_cast<char*>(::operator new(bytes, std::align_val_t(alignment))), free);
#if defined(__linux__)
  if (bytes >= huge_page) madvise(found.get(), bytes, MADV_HUGEPAGE);  // failing is no error
#endif
  return found;
}

// Bytes for the numbers of one buffer. The matrices of a middling network are read in full many
// times a step, by strides longer than a small page: on small pages a step looks addresses up and,
// by where its pages happen to lie, loses parts of its cache. So those a thread asks for one after
// the other share huge pages. A page lives as long as any buffer on it.
inline std::shared_ptr<char> shared_bytes(std::size_t bytes) {
  constexpr std::size_t middling = std::size_t(1) << 15;
  if (bytes < middling) return aligned_bytes(bytes, cache_line);
  if (bytes >= huge_page) return aligned_bytes(bytes, huge_page);
  thread_local std::weak_ptr<char> last;
  thread_local std::size_t used = 0;
  const std::size_t rounded = (bytes + cache_line - 1) / cache_line * cache_line;
  std::shared_ptr<char> page = last.lock();
  if (page == nullptr || used + rounded > huge_page) {
    page = aligned_bytes(huge_page, huge_page);
    last = page;
    used = 0;
  }
  char* own = page.get() + std::exchange(used, used + rounded);
  return std::shared_ptr<char>(std::move(page), own);
}

// A fixed number of zeros of type T, aligned to a cache line.
template <class T> class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    bytes_ = shared_bytes(size * sizeof(T));
    std::memset(bytes_.get(), 0, size * sizeof(T));
  }
  Buffer(Buffer&& other) noexcept = default;
  Buffer& operator=(Buffer&& other) noexcept = default;

  T* data() { return reinterpret_cast<T*>(bytes_.get()); }
  const T* data() const { return reinterpret_cast<const T*>(bytes_.get()); }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data()[i]; }
  const T& operator[](std::size_t i) const { return data()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }

 private:
  std::shared_ptr<char> bytes_;
  std::size_t size_ = 0;
};

}  // namespace deltarule
