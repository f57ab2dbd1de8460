// The products of columns.hpp, dots.hpp and outer.hpp of operands in bfloat16, packed 256 numbers of
// the sum at a time: once for all rows, or lanes, that they meet.
//
// `Units` is what multiplies them: Tiles of tiles.hpp, or DotProducts of pairs.hpp. An element is the
// same chain of sums wherever its tile begins, so results do not depend on threads.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/outer.hpp"
#include "kernels/pairs.hpp"
#include "kernels/tiles.hpp"

#if defined(DELTARULE_DOTS)
namespace deltarule {

inline constexpr std::size_t tiles_a_block = 16, chunks_a_block = 8;  // 256 rows, 256 numbers of a sum

// Room for packed operands, of a thread.
inline Word* packing_room(std::size_t tiles) {
  struct alignas(64) Tile { Word words[tile_words]; };
  thread_local std::vector<Tile> room;
  if (room.size() < tiles) room.resize(tiles);
  return room.data()->words;
}

template <class Units> struct UnitsOf {};  // names a kind without making one

// out[row][lane] += Σ_k a[row][k] b[k][lane] of `rows` rows and so many panels of lanes.
template <class Units, class A, class B>
void packed_product(const A& pack_a, const B& pack_b, std::size_t k, Panels<float> out,
                    std::size_t rows, std::size_t panels) {
  constexpr std::size_t pitch = chunks_a_block * tile_words, block = tiles_a_block * tile_side;
  Word* const a = packing_room((tiles_a_block + 2) * chunks_a_block);
  Word* const b = a + tiles_a_block * pitch;
  const Units units;
  for (std::size_t first = 0; first < rows; first += block) {
    const std::size_t height = std::min(block, rows - first);
    for (std::size_t from = 0; from < k; from += chunks_a_block * tile_sum) {
      const std::size_t numbers = std::min(chunks_a_block * tile_sum, k - from);
      const std::size_t chunks = chunks_of(numbers);
      const auto pack = [&](const auto& side, std::size_t tile, Word* to) {
        for (std::size_t c = 0; c < chunks; ++c) side(tile, from + c * tile_sum, to + c * tile_words);
      };
      for (std::size_t t = 0; t * tile_side < height; ++t)
        pack(pack_a, first / tile_side + t, a + t * pitch);
      for (std::size_t panel = 0; panel < panels; panel += 2) {
        const std::size_t width = std::min<std::size_t>(2, panels - panel);
        for (std::size_t n = 0; n < width; ++n) pack(pack_b, panel + n, b + n * pitch);
        for (std::size_t row = 0; row < height; row += 2 * tile_side)
          add_product(units, out, first + row, std::min(2 * tile_side, height - row), panel, width,
                      a + row / tile_side * pitch, b, pitch, numbers);
      }
    }
  }
}

// ------------------------------------------------------------------ as the other kernels

// columns_product of columns.hpp.
template <class Units>
void packed_columns(UnitsOf<Units>, Panels<const float> a, std::size_t k, Panels<const float> w,
                    std::size_t panels, const float* start, Panels<float> out, std::size_t rows) {
  for (std::size_t panel = 0; panel < panels; ++panel)
    for (std::size_t row = 0; row < rows; ++row)
      std::memcpy(out.row(panel, row), start + panel * tile_side, 64);
  packed_product<Units>(SummedLanes{a, rows, k}, SummedRows{w, k}, k, out, rows, panels);
}

// dots_product of dots.hpp, and transposed_product of transposed.hpp.
template <class Units>
void packed_dots(UnitsOf<Units>, Panels<const float> d, std::size_t lanes, Panels<const float> w,
                 std::size_t columns, Panels<float> out, std::size_t rows) {
  const std::size_t panels = panel_count<float>(columns);
  for (std::size_t panel = 0; panel < panels; ++panel) std::memset(out.row(panel, 0), 0, rows * 64);
  packed_product<Units>(SummedLanes{d, rows, lanes}, Transposed{SummedLanes{w, columns, lanes}}, lanes,
                        out, rows, panels);
}

// Rows of an outer product as they were packed last: strips of the same rows follow each other, panel
// by panel, and each thread has its own.
struct PackedRows {
  const float* of = nullptr;  // null: of an earlier step
  std::size_t tiles = 0, chunks = 0;
  std::vector<Word> words;

  void pack(Panels<const float> rows, std::size_t examples, std::size_t height) {
    const std::size_t needed = (height + tile_side - 1) / tile_side;
    if (of == rows.data && tiles == needed && chunks == chunks_of(examples)) return;
    of = rows.data, tiles = needed, chunks = chunks_of(examples);
    if (words.size() < tiles * chunks * tile_words) words.resize(tiles * chunks * tile_words);
    const Transposed side{SummedRows{rows, examples}};
    for (std::size_t tile = 0; tile < tiles; ++tile)
      for (std::size_t c = 0; c < chunks; ++c)
        side(tile, c * tile_sum, &words[(tile * chunks + c) * tile_words]);
  }
};
inline PackedRows& packed_rows() {
  thread_local PackedRows packed;
  return packed;
}

// outer_strip of outer.hpp.
template <class Units>
void packed_outer(UnitsOf<Units>, Panels<const float> rows, Panels<const float> lanes,
                  std::size_t examples, std::size_t first, std::size_t count, std::size_t panel,
                  float* out, bool begin) {
  alignas(64) float whole[(strip_rows + tile_side) * tile_side];
  const std::size_t before = first % tile_side, height = before + count;
  float* const own = whole + before * tile_side;
  std::memset(whole, 0, (begin ? height : before) * 64);
  if (!begin) std::memcpy(own, out, count * 64);
  PackedRows& packed = packed_rows();
  packed.pack(rows.from_panel(first / tile_side), examples, height);
  const std::size_t pitch = packed.chunks * tile_words;
  const SummedRows pack_b{lanes.from_panel(panel), examples};
  Word* const b = packing_room(chunks_a_block);
  const Units units;
  for (std::size_t c = 0; c < packed.chunks; c += chunks_a_block) {
    const std::size_t chunks = std::min(chunks_a_block, packed.chunks - c);
    for (std::size_t i = 0; i < chunks; ++i) pack_b(0, (c + i) * tile_sum, b + i * tile_words);
    const std::size_t numbers = std::min(chunks * tile_sum, examples - c * tile_sum);
    for (std::size_t row = 0; row < height; row += 2 * tile_side)
      add_product(units, {whole, height}, row, std::min(2 * tile_side, height - row), 0, 1,
                  &packed.words[row / tile_side * pitch + c * tile_words], b, pitch, numbers);
  }
  std::memcpy(out, own, count * 64);
}

}  // namespace deltarule
#endif
