// AMX: eight tiles of 16 rows × 64 bytes, and permission to use them. Linux hands out their state to
// processes that ask; where it refuses, products of bfloat16 run on the vectors.
//
// The words below are the only ones that kernels/tiles.hpp speaks, so that its tests can give them
// another meaning in plain C++ (tests/emulated_tiles.hpp) on a processor without tiles.
#pragma once

#include <cstdint>

#include "intrinsics.hpp"

#if !defined(DELTARULE_TILES) && defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__linux__)
#define DELTARULE_TILES 1
#include <cpuid.h>
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

namespace deltarule {

enum class MatrixUnits { none, refused, amx };

#if defined(DELTARULE_TILES_EMULATED)
inline MatrixUnits matrix_units() {
  return emulated_tiles::used ? MatrixUnits::amx : MatrixUnits::none;
}
#elif defined(DELTARULE_TILES)
// Asked once a process.
inline MatrixUnits matrix_units() {
  static const MatrixUnits found = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    const bool known = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0;
    if (!known || (d >> 22 & 1u) == 0 || (d >> 24 & 1u) == 0) return MatrixUnits::none;
    constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM
    const bool granted = syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
    return granted ? MatrixUnits::amx : MatrixUnits::refused;
  }();
  return found;
}
#else
inline MatrixUnits matrix_units() { return MatrixUnits::none; }
#endif

}  // namespace deltarule
