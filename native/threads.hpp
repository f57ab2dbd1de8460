// A team of threads that lives for one call, and its barrier.
//
// Threads are made when a call begins and joined before it returns: nothing outlives a call, so a
// process may fork between calls, and two runners never wait for each other.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace deltarule {

// Waits until all have arrived: spins for about a millisecond, and then sleeps, so that a thread
// the system took off its core costs nobody theirs. Threads that sleep at once look idle to the
// system, which then may leave two of them on one core, taking turns. A `crowded` team, of more
// threads than cores, gives way early.
class Barrier {
 public:
  Barrier(std::size_t count, bool crowded) : count_(count), spins_(crowded ? 1000 : 200000) {}

  void wait() {
    if (count_ == 1) return;
    const unsigned round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
      arrived_.store(0, std::memory_order_relaxed);
      {
        const std::lock_guard<std::mutex> hold(mutex_);
        round_.store(round + 1, std::memory_order_release);
      }
      if (asleep_.load(std::memory_order_acquire) > 0) wake_.notify_all();
      return;
    }
    for (int spin = 0; spin < spins_; ++spin) {
      if (round_.load(std::memory_order_acquire) != round) return;
      pause();
    }
    std::unique_lock<std::mutex> hold(mutex_);
    asleep_.fetch_add(1, std::memory_order_acq_rel);
    wake_.wait(hold, [&] { return round_.load(std::memory_order_acquire) != round; });
    asleep_.fetch_sub(1, std::memory_order_acq_rel);
  }

 private:
  static void pause() {
#if defined(__SSE2__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  const std::size_t count_;
  const int spins_;
  alignas(64) std::atomic<std::size_t> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
  std::atomic<int> asleep_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

// Run work(thread) on `count` threads, the caller's own being 0. `work` must not throw: an
// exception in one thread would leave the others at a barrier. Where the system refuses a thread,
// those that exist leave before they begin, and the error is the caller's.
template <class Work> void run_team(std::size_t count, const Work& work) {
  enum Gate { closed, open, called_off };
  std::atomic<int> gate{closed};
  std::vector<std::thread> others;
  const auto close = [&](Gate how) {
    gate.store(how, std::memory_order_release);
    if (how == open) work(0);
    for (std::thread& other : others) other.join();
  };
  try {
    others.reserve(count - 1);
    for (std::size_t thread = 1; thread < count; ++thread) {
      others.emplace_back([&work, &gate, thread]() noexcept {
        while (gate.load(std::memory_order_acquire) == closed) std::this_thread::yield();
        if (gate.load(std::memory_order_acquire) == open) work(thread);
      });
    }
  } catch (...) {
    close(called_off);
    throw;
  }
  close(open);
}

// The share of `total` that falls to a thread: [first, last).
struct Share {
  std::size_t first, last;
};
inline Share share_of(std::size_t total, std::size_t thread, std::size_t threads) {
  return {total * thread / threads, total * (thread + 1) / threads};
}

}  // namespace deltarule
