// Counts what a program allocates: every operator new of the process comes here.
//
// A file of its own: where the compiler sees both sides of a pair at once, it takes the free of one
// for a mistake beside the new of the other.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> made{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++made;
  const std::size_t whole = (size + alignment - 1) / alignment * alignment;
  void* found = std::aligned_alloc(alignment, whole);
  if (found == nullptr) throw std::bad_alloc();
  return found;
}

}  // namespace

long allocations() { return made; }

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
