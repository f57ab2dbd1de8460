// What multiplies bfloat16 faster than vectors multiply float32, and whether it may be used.
//
// AMX: eight tiles of 16 rows × 64 bytes. Linux hands out their state to processes that ask; where it
// refuses, products run on the vectors. AVX512-BF16: a dot product of two pairs a lane, at the rate of
// fmas on AMD's processors, and so twice as fast; at half their rate on Intel's, where it is not used.
//
// The macros below are all that kernels/tiles.hpp and kernels/pairs.hpp know of either, so that their
// tests can define them in plain C++ (tests/emulated_units.hpp) on a processor without.
#pragma once

#include <cstdint>

#include "intrinsics.hpp"

#if !defined(DELTARULE_DOTS) && defined(__AVX512BF16__)
#define DELTARULE_DOTS 1
#define DELTARULE_ROUNDS_PAIRS 1
#include <cpuid.h>

#define DELTARULE_ADD_DOT(sums, a, b) \
  sums = DotSums(_mm512_dpbf16_ps(__m512(sums), (__m512bh)_mm512_set1_epi32(int(a)), (__m512bh)(b)))

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__linux__)
#define DELTARULE_TILES 1
#include <sys/syscall.h>
#include <unistd.h>

// Numbers of tiles are part of an instruction. A row of a tile is 64 bytes, and so is the distance of
// rows in memory. Compilers do not know what these read, so what they read is written before.
#define DELTARULE_TILE_CONFIGURE(settings) \
  do { asm volatile("" ::: "memory"); _tile_loadconfig(settings); } while (false)
#define DELTARULE_TILE_RELEASE() _tile_release()
#define DELTARULE_TILE_LOAD(tile, from) \
  do { asm volatile("" ::: "memory"); _tile_loadd(tile, from, 64); } while (false)
#define DELTARULE_TILE_STORE(tile, to) \
  do { _tile_stored(tile, to, 64); asm volatile("" ::: "memory"); } while (false)
#define DELTARULE_TILE_ADD_PRODUCT(sum, a, b) _tile_dpbf16ps(sum, a, b)
#endif
#endif

namespace deltarule {

enum class MatrixUnits { none, refused, dots, amx };

#if defined(DELTARULE_DOTS)
typedef float DotSums __attribute__((vector_size(64)));
typedef std::uint32_t DotWords __attribute__((vector_size(64)));
#endif

#if defined(DELTARULE_UNITS_EMULATED)
inline MatrixUnits matrix_units() { return emulated_units::used; }
#elif defined(DELTARULE_DOTS)
inline MatrixUnits find_matrix_units() {
  unsigned a = 0, b = 0, c = 0, d = 0, amd = 0;
  __get_cpuid(0, &a, &amd, &c, &d);
  const bool has_bf16 = __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 5 & 1u) != 0;
  if (!has_bf16) return MatrixUnits::none;
#if defined(DELTARULE_TILES)
  __get_cpuid_count(7, 0, &a, &b, &c, &d);
  if ((d >> 22 & 1u) != 0 && (d >> 24 & 1u) != 0) {
    constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM
    const bool granted = syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
    return granted ? MatrixUnits::amx : MatrixUnits::refused;
  }
#endif
  return amd == signature_AMD_ebx ? MatrixUnits::dots : MatrixUnits::none;
}

// Asked once a process.
inline MatrixUnits matrix_units() {
  static const MatrixUnits found = find_matrix_units();
  return found;
}
#else
inline MatrixUnits matrix_units() { return MatrixUnits::none; }
#endif

}  // namespace deltarule
