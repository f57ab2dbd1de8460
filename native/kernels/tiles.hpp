// The product of packed operands on AMX: sums of 2 × 2 tiles stay in tiles.
#pragma once

#include <algorithm>

#include "kernels/packing.hpp"

#if defined(DELTARULE_TILES)
namespace deltarule {

// Palette 1: eight tiles, each of 16 rows of 64 bytes.
struct alignas(64) TileSettings {
  std::uint8_t palette = 1, start = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
inline constexpr TileSettings tile_settings{};

// While it lives, this thread has tiles.
class Tiles {
 public:
  Tiles() { DELTARULE_TILE_CONFIGURE(&tile_settings); }
  ~Tiles() { DELTARULE_TILE_RELEASE(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

// R × N tiles of sums, of so many chunks; `a` and `b` are those of the first tile of each, the next
// behind `pitch` words.
template <int R, int N>
void add_tiles(const Word* a, const Word* b, std::size_t pitch, std::size_t chunks,
               float* const (&sums)[2][2]) {
  DELTARULE_TILE_LOAD(0, sums[0][0]);
  if constexpr (N == 2) DELTARULE_TILE_LOAD(1, sums[0][1]);
  if constexpr (R == 2) DELTARULE_TILE_LOAD(2, sums[1][0]);
  if constexpr (R == 2 && N == 2) DELTARULE_TILE_LOAD(3, sums[1][1]);
  for (std::size_t chunk = 0; chunk < chunks; ++chunk, a += tile_words, b += tile_words) {
    DELTARULE_TILE_LOAD(4, a);
    DELTARULE_TILE_LOAD(6, b);
    DELTARULE_TILE_ADD_PRODUCT(0, 4, 6);
    if constexpr (N == 2) DELTARULE_TILE_LOAD(7, b + pitch);
    if constexpr (N == 2) DELTARULE_TILE_ADD_PRODUCT(1, 4, 7);
    if constexpr (R == 2) DELTARULE_TILE_LOAD(5, a + pitch);
    if constexpr (R == 2) DELTARULE_TILE_ADD_PRODUCT(2, 5, 6);
    if constexpr (R == 2 && N == 2) DELTARULE_TILE_ADD_PRODUCT(3, 5, 7);
  }
  DELTARULE_TILE_STORE(0, sums[0][0]);
  if constexpr (N == 2) DELTARULE_TILE_STORE(1, sums[0][1]);
  if constexpr (R == 2) DELTARULE_TILE_STORE(2, sums[1][0]);
  if constexpr (R == 2 && N == 2) DELTARULE_TILE_STORE(3, sums[1][1]);
}

// The same for one or two of each, of rows from `row` and panels from `panel` of `out`. Tiles that
// hold more rows than there are stand beside it meanwhile.
inline void add_product(const Tiles&, Panels<float> out, std::size_t row, std::size_t rows,
                        std::size_t panel, std::size_t panels, const Word* a, const Word* b,
                        std::size_t pitch, std::size_t numbers) {
  const std::size_t chunks = chunks_of(numbers);
  alignas(64) float beside[2][2][tile_words];
  float* sums[2][2] = {};
  const auto height = [&](std::size_t r) { return std::min(tile_side, rows - r * tile_side); };
  const auto place = [&](std::size_t r, std::size_t n) { return out.row(panel + n, row + r * tile_side); };
  const auto each = [&](const auto& use) {
    for (std::size_t r = 0; r * tile_side < rows; ++r)
      for (std::size_t n = 0; n < panels; ++n) use(r, n, height(r) < tile_side);
  };
  each([&](std::size_t r, std::size_t n, bool part) {
    sums[r][n] = part ? beside[r][n] : place(r, n);
    if (!part) return;
    std::memset(beside[r][n], 0, sizeof beside[r][n]);
    std::memcpy(beside[r][n], place(r, n), height(r) * 64);
  });
  const bool two = rows > tile_side;
  if (two && panels == 2) add_tiles<2, 2>(a, b, pitch, chunks, sums);
  else if (two) add_tiles<2, 1>(a, b, pitch, chunks, sums);
  else if (panels == 2) add_tiles<1, 2>(a, b, pitch, chunks, sums);
  else add_tiles<1, 1>(a, b, pitch, chunks, sums);
  each([&](std::size_t r, std::size_t n, bool part) {
    if (part) std::memcpy(place(r, n), beside[r][n], height(r) * 64);
  });
}

}  // namespace deltarule
#endif
