// Operands rounded to bfloat16 and packed for what multiplies two pairs of numbers at once: AMX's
// tiles and AVX512-BF16's dot products.
//
// A tile is 16 rows × 16 words of two numbers. Of A a word is two neighbors in a row; of B two rows
// at one lane. Along the sum, tiles follow each other in chunks of 32 numbers.
#pragma once

#include <cstdint>
#include <cstring>

#include "bfloat16.hpp"
#include "kernels/transposed.hpp"
#include "matrix_units.hpp"

#if defined(DELTARULE_DOTS)
static_assert(deltarule::P<float> == 16, "a row of a panel is a row of a tile");

namespace deltarule {

using Word = std::uint32_t;  // two numbers in bfloat16, the first in the lower half

inline constexpr std::size_t tile_side = 16, tile_sum = 32, tile_words = 256;
alignas(64) inline constexpr float no_numbers[tile_side] = {};

// Of 32 lanes of a row, in two panels: rounded, neighbors in a word.
inline void pack_neighbors(const float* low, const float* high, Word* out) {
#if defined(DELTARULE_ROUNDS_PAIRS)
  const __m512bh numbers = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(high), _mm512_loadu_ps(low));
  std::memcpy(out, &numbers, sizeof numbers);
#else
  alignas(64) float rounded[tile_sum];
  round_numbers(low, rounded, tile_side), round_numbers(high, rounded + tile_side, tile_side);
  std::uint64_t pairs[tile_side];
  std::memcpy(pairs, rounded, sizeof pairs);
  for (std::size_t i = 0; i < tile_side; ++i)
    out[i] = Word(pairs[i] >> 16 & 0xFFFFu) | Word(pairs[i] >> 32 & 0xFFFF0000u);
#endif
}

// Of one panel of two rows: rounded, each lane's two numbers in a word.
inline void pack_rows(const float* first, const float* second, Word* out) {
#if defined(DELTARULE_ROUNDS_PAIRS)
  alignas(64) static constexpr std::uint16_t by_turns[tile_sum] = {
      0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512bh numbers = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(second), _mm512_loadu_ps(first));
  const __m512i places = _mm512_load_si512(by_turns);
  _mm512_storeu_si512(out, _mm512_permutexvar_epi16(places, (__m512i)numbers));
#else
  alignas(64) float rounded[tile_sum];
  round_numbers(first, rounded, tile_side), round_numbers(second, rounded + tile_side, tile_side);
  Word words[tile_sum];
  std::memcpy(words, rounded, sizeof words);
  for (std::size_t i = 0; i < tile_side; ++i)
    out[i] = words[i] >> 16 | (words[tile_side + i] & 0xFFFF0000u);
#endif
}

// A tile of `rows` × `lanes` numbers: rows from 16 · tile, lanes from `k`, which are summed over.
struct SummedLanes {
  Panels<const float> in;
  std::size_t rows, lanes;

  void operator()(std::size_t tile, std::size_t k, Word* out) const {
    const std::size_t panel = k / tile_side, panels = panel_count<float>(lanes);
    for (std::size_t i = 0; i < tile_side; ++i, out += tile_side) {
      const std::size_t row = tile * tile_side + i;
      const bool there = row < rows;
      pack_neighbors(there ? in.row(panel, row) : no_numbers,
                     there && panel + 1 < panels ? in.row(panel + 1, row) : no_numbers, out);
    }
  }
};

// The same of the panel `tile`, and rows from `k`, which are summed over.
struct SummedRows {
  Panels<const float> in;
  std::size_t rows;

  void operator()(std::size_t tile, std::size_t k, Word* out) const {
    const auto row = [&](std::size_t i) { return i < rows ? in.row(tile, i) : no_numbers; };
    for (std::size_t i = k; i < k + tile_sum; i += 2, out += tile_side)
      pack_rows(row(i), row(i + 1), out);
  }
};

// A's words as B wants them, and the other way round.
template <class Pack> struct Transposed {
  Pack pack;

  void operator()(std::size_t tile, std::size_t k, Word* out) const {
    alignas(64) Word block[tile_words];
    alignas(64) float from[tile_words], to[tile_words];
    pack(tile, k, block);
    std::memcpy(from, block, sizeof from);
    transpose_block(from, to);
    std::memcpy(out, to, sizeof to);
  }
};
template <class Pack> Transposed(Pack) -> Transposed<Pack>;

// Tiles along a sum of so many numbers.
inline std::size_t chunks_of(std::size_t numbers) { return (numbers + tile_sum - 1) / tile_sum; }

}  // namespace deltarule
#endif
