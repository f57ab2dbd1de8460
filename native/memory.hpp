// Memory for panels: aligned, zeroed, owned by one object.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace deltarule {

// A fixed number of zeros of type T, aligned to a cache line, or to a huge page where there are
// enough of them: a large layer would otherwise spend its time looking addresses up.
template <class T> class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : size_(size) {
    if (size == 0) return;
    constexpr std::size_t huge = std::size_t(1) << 21;
    const std::size_t bytes = size * sizeof(T);
    const std::size_t alignment = bytes >= huge ? huge : 64;
    data_ = Owned(static_cast<T*>(::operator new(bytes, std::align_val_t(alignment))),
                  Free{alignment});
#if defined(__linux__)
    if (bytes >= huge) madvise(data_.get(), bytes, MADV_HUGEPAGE);  // a wish: failing is no error
#endif
    std::memset(static_cast<void*>(data_.get()), 0, bytes);
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data_.get()[i]; }
  const T& operator[](std::size_t i) const { return data_.get()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }

 private:
  struct Free {
    std::size_t alignment = 64;
    void operator()(T* p) const { ::operator delete(p, std::align_val_t(alignment)); }
  };
  using Owned = std::unique_ptr<T, Free>;
  Owned data_;
  std::size_t size_ = 0;
};

}  // namespace deltarule
