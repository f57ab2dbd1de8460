// How many fmas this machine does at most, for a share of it to be told: nothing touches memory.
#pragma once

#include <chrono>
#include <vector>

#include "simd.hpp"
#include "threads.hpp"

namespace deltarule {

// Independent sums: more than the latency of an fma times the fmas a cycle, and together with two
// operands no more than the sixteen registers of AVX2.
inline constexpr int peak_sums = 12;

// s = s·a + b, over and over: `rounds` fmas a sum. Returns a number that depends on all of them.
template <class T> T fma_chains(T a, T b, int rounds) {
  const Vec<T> factor(a), summand(b);
  Vec<T> sums[peak_sums];
  for (int i = 0; i < peak_sums; ++i) sums[i] = Vec<T>(T(i));
  for (int round = 0; round < rounds; ++round)
#pragma GCC unroll 12
    for (int i = 0; i < peak_sums; ++i) sums[i] = fma(sums[i], factor, summand);
  Vec<T> all(T(0));
  for (int i = 0; i < peak_sums; ++i) all += sums[i];
  return sum(all);
}

// Floating-point operations a second, of all threads together: an fma of one lane is two.
template <class T> double fma_peak(std::size_t threads, double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr int rounds = 20000;
  std::vector<double> rates(threads);
  std::vector<T> found(threads);
  run_team(threads, [&](std::size_t thread) {
    // sums stay near b / (1 − a) = 1: neither tiny nor infinite
    volatile T a = T(0.75), b = T(0.25);
    double fmas = 0, took = 0;
    T all = 0;
    const auto begun = Clock::now();
    do {
      all += fma_chains<T>(a, b, rounds);
      fmas += double(rounds) * peak_sums * double(Vec<T>::width);
      took = std::chrono::duration<double>(Clock::now() - begun).count();
    } while (took < seconds);
    rates[thread] = 2 * fmas / took, found[thread] = all;
  });
  double sum = 0;
  for (std::size_t thread = 0; thread < threads; ++thread)
    if (found[thread] > T(0)) sum += rates[thread];
  return sum;
}

}  // namespace deltarule
