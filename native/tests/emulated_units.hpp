// The macros of matrix_units.hpp in plain C++, by the processor's manual: before any other header.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#define DELTARULE_TILES 1
#define DELTARULE_DOTS 1
#define DELTARULE_UNITS_EMULATED 1
#define DELTARULE_TILE_CONFIGURE(settings) emulated_units::configure(settings)
#define DELTARULE_TILE_RELEASE() emulated_units::release()
#define DELTARULE_TILE_LOAD(tile, from) emulated_units::load(tile, from)
#define DELTARULE_TILE_STORE(tile, to) emulated_units::store(tile, to)
#define DELTARULE_TILE_ADD_PRODUCT(sum, a, b) emulated_units::add_product(sum, a, b)
#define DELTARULE_ADD_DOT(sums, a, b) emulated_units::add_dot(sums, a, b)

namespace deltarule {
enum class MatrixUnits;
}

namespace emulated_units {

struct Tile {
  std::uint8_t bytes[16][64];
};
inline thread_local Tile tiles[8];
inline thread_local bool configured = false;
inline deltarule::MatrixUnits used{};
inline std::atomic<bool> misused{false};

// Palette 1 with all tiles as large as they can be is all that the kernels use.
inline void configure(const void* settings) {
  std::uint8_t bytes[64];
  std::memcpy(bytes, settings, sizeof bytes);
  configured = bytes[0] == 1 && bytes[1] == 0;
  for (int tile = 0; tile < 8; ++tile)
    configured = configured && bytes[16 + 2 * tile] == 64 && bytes[17 + 2 * tile] == 0 &&
                 bytes[48 + tile] == 16;
  std::memset(tiles, 0, sizeof tiles);
}
inline void release() { configured = false; }
inline void load(int tile, const void* from) {
  if (!configured) misused = true;
  std::memcpy(&tiles[tile], from, sizeof(Tile));
}
inline void store(int tile, void* to) {
  if (!configured) misused = true;
  std::memcpy(to, &tiles[tile], sizeof(Tile));
}

inline float of_half(std::uint16_t half) {
  const std::uint32_t word = std::uint32_t(half) << 16;
  float number;
  std::memcpy(&number, &word, sizeof number);
  return number;
}

// TDPBF16PS: sums of even and of odd places apart, then both to what the tile holds.
inline void add_product(int sum, int a, int b) {
  if (!configured) misused = true;
  float sums[16][16];
  std::uint16_t left[16][32], right[16][32];
  std::memcpy(sums, &tiles[sum], sizeof sums);
  std::memcpy(left, &tiles[a], sizeof left), std::memcpy(right, &tiles[b], sizeof right);
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 16; ++n) {
      float even = 0, odd = 0;
      for (int k = 0; k < 16; ++k) {
        even += of_half(left[m][2 * k]) * of_half(right[k][2 * n]);
        odd += of_half(left[m][2 * k + 1]) * of_half(right[k][2 * n + 1]);
      }
      sums[m][n] += even + odd;
    }
  }
  std::memcpy(&tiles[sum], sums, sizeof sums);
}

// VDPBF16PS: of each lane, the second numbers' product first.
template <class Sums, class Words> void add_dot(Sums& sums, std::uint32_t a, const Words& b) {
  for (int lane = 0; lane < 16; ++lane)
    for (const int shift : {16, 0})
      sums[lane] += of_half(std::uint16_t(a >> shift)) * of_half(std::uint16_t(b[lane] >> shift));
}

}  // namespace emulated_units
