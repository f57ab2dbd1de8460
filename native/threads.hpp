// A team of threads that lives for one call, and its barrier.
//
// Threads are made when a call begins and joined before it returns: nothing outlives a call, so a
// process may fork between calls, and two runners never wait for each other.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

#include "intrinsics.hpp"

namespace deltarule {

// Cores that this process may use: fewer than the machine has, where it is bound to some of them.
inline std::size_t usable_cores() {
#if defined(__linux__)
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    return std::max<std::size_t>(1, std::size_t(CPU_COUNT(&allowed)));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

// Waits until all have arrived: spins for a millisecond, and then sleeps, so that a thread the
// system took off its core costs nobody theirs. Threads that sleep at once look idle to the system,
// which then may leave two of them on one core, taking turns. A `crowded` team, of more threads
// than cores, gives way early.
class Barrier {
 public:
  Barrier(std::size_t count, bool crowded)
      : count_(count), longest_(std::chrono::microseconds(crowded ? 20 : 1000)) {}

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
    const auto is_over = [&] { return round_.load(std::memory_order_acquire) != round; };
    if (spun(is_over)) return;
    std::unique_lock<std::mutex> hold(mutex_);
    asleep_.fetch_add(1, std::memory_order_acq_rel);
    wake_.wait(hold, is_over);
    asleep_.fetch_sub(1, std::memory_order_acq_rel);
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Whether the wait was over within the time for spinning. How long a pause is depends on the
  // processor, so the clock is asked, though not at once: most waits are shorter than that takes.
  template <class Over> bool spun(const Over& is_over) const {
    constexpr int pauses_per_look = 64;
    Clock::time_point begun{};
    for (int pauses = 1;; ++pauses) {
      if (is_over()) return true;
      pause();
      if (pauses % pauses_per_look != 0) continue;
      const auto now = Clock::now();
      if (begun == Clock::time_point()) begun = now;
      else if (now - begun > longest_) return false;
    }
  }

  static void pause() {
#if defined(__SSE2__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  const std::size_t count_;
  const std::chrono::microseconds longest_;
  alignas(64) std::atomic<std::size_t> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
  std::atomic<int> asleep_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

// Where a team's threads begin: each on a core of its own, counted from its caller's among those
// the process may use. A new thread often begins on its maker's core, where it waits for the
// system's next tick, some milliseconds; and a team that spins at barriers leaves the system little
// reason to part its threads. Only the beginning is set: a thread may move thereafter, so teams
// that run side by side do not hold on to the same cores.
class Placement {
 public:
#if defined(__linux__)
  Placement() : callers_(sched_getcpu()) {
    known_ = callers_ >= 0 && sched_getaffinity(0, sizeof allowed_, &allowed_) == 0;
  }

  // Called by the team's maker: the core `place` places after its own.
  void put(std::thread& thread, std::size_t place) const {
    if (!known_) return;
    int core = callers_;
    for (std::size_t left = place % std::size_t(CPU_COUNT(&allowed_)); left > 0;) {
      core = (core + 1) % CPU_SETSIZE;
      if (CPU_ISSET(core, &allowed_)) --left;
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    pthread_setaffinity_np(thread.native_handle(), sizeof one, &one);  // refused: as it was
  }

  // Called by the thread itself, once it runs where it was put.
  void release() const {
    if (known_) sched_setaffinity(0, sizeof allowed_, &allowed_);
  }

 private:
  cpu_set_t allowed_;
  const int callers_;
  bool known_;
#else
  void put(std::thread&, std::size_t) const {}
  void release() const {}
#endif
};

// Run work(thread) on `count` threads, the caller's own being 0. `work` must not throw: an
// exception in one thread would leave the others at a barrier. Where the system refuses a thread,
// those that exist leave before they begin, and the error is the caller's.
template <class Work> void run_team(std::size_t count, const Work& work) {
  enum Gate { closed, open, called_off };
  std::atomic<int> gate{closed};
  const Placement placement;
  std::vector<std::thread> others;
  const auto close = [&](Gate how) {
    gate.store(how, std::memory_order_release);
    if (how == open) work(0);
    for (std::thread& other : others) other.join();
  };
  try {
    others.reserve(count - 1);
    for (std::size_t thread = 1; thread < count; ++thread) {
      others.emplace_back([&work, &gate, &placement, thread]() noexcept {
        while (gate.load(std::memory_order_acquire) == closed) std::this_thread::yield();
        placement.release();
        if (gate.load(std::memory_order_acquire) == open) work(thread);
      });
      placement.put(others.back(), thread);
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
