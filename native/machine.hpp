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
#endif

inline bool supports(const std::string& isa) {
#if defined(__x86_64__)
  return isa == "baseline" || (isa == "avx2" && has_avx2());
#elif defined(__aarch64__)
  return isa == "neon";  // part of the architecture
#else
  return isa == "baseline";
#endif
}

}  // namespace deltarule
