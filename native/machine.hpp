// What this machine can run, among the instruction sets of its architecture.
#pragma once

#include <string>

#if defined(_WIN32) && defined(__x86_64__)
#include <intrin.h>
#include <windows.h>
#endif

namespace deltarule {

#if defined(__x86_64__)
// AVX2 and FMA, and a system that saves their registers.
inline bool has_avx2() {
#if defined(_WIN32)  // where the library behind __builtin_cpu_supports is not linked
  int leaf[4];
  __cpuid(leaf, 1);
  const bool has_fma = (leaf[2] >> 12 & 1) != 0;
  return has_fma && IsProcessorFeaturePresent(PF_AVX2_INSTRUCTIONS_AVAILABLE);
#else
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
}

// Its foundation, and what a compiler uses beside it.
inline bool has_avx512() {
#if defined(_WIN32)
  int leaf[4];
  __cpuidex(leaf, 7, 0);
  const int dq = leaf[1] >> 17 & 1, bw = leaf[1] >> 30 & 1, vl = leaf[1] >> 31 & 1;
  return has_avx2() && (dq & bw & vl) != 0 &&
         IsProcessorFeaturePresent(PF_AVX512F_INSTRUCTIONS_AVAILABLE);
#else
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
}
#endif

inline bool supports(const std::string& isa) {
#if defined(__x86_64__)
  return isa == "baseline" || (isa == "avx2" && has_avx2()) || (isa == "avx512" && has_avx512());
#elif defined(__aarch64__)
  return isa == "neon";  // part of the architecture
#else
  return isa == "baseline";
#endif
}

}  // namespace deltarule
