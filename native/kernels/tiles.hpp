// The products of columns.hpp, dots.hpp and outer.hpp on matrix units, of operands in bfloat16.
//
// A tile of sums is 16 rows × 16 lanes of float, a panel's own layout; 2 × 2 of them stay in tiles.
// Their operands hold 32 numbers of the sum a row, as 16 words of two. Of A a word is two
// neighbors in a row; of B two rows at one lane. What a product reads is packed so, 256 numbers
// of the sum at a time: once for all rows, or lanes, that it meets. An element is the same chain of
// sums wherever its tile begins, so results do not depend on threads.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/outer.hpp"
#include "kernels/transposed.hpp"
#include "matrix_units.hpp"

#if defined(DELTARULE_TILES)
static_assert(deltarule::P<float> == 16, "a row of a panel is a row of a tile");

namespace deltarule {

using Word = std::uint32_t;  // two numbers in bfloat16, the first in the lower half

inline constexpr std::size_t tile_side = 16, tile_sum = 32, tile_words = 256;
inline constexpr std::size_t tiles_a_block = 16, chunks_a_block = 8;  // 256 rows, 256 numbers of a sum
alignas(64) inline constexpr float no_numbers[tile_side] = {};

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

// ------------------------------------------------------------------------------- packing

// Of 32 lanes of a row, in two panels: neighbors in a word.
inline void pack_neighbors(const float* low, const float* high, Word* out) {
  std::uint64_t pairs[tile_side];
  std::memcpy(pairs, low, 64), std::memcpy(pairs + 8, high, 64);
  for (std::size_t i = 0; i < tile_side; ++i)
    out[i] = Word(pairs[i] >> 16 & 0xFFFFu) | Word(pairs[i] >> 32 & 0xFFFF0000u);
}

// Of one panel of two rows: each lane's two numbers in a word.
inline void pack_rows(const float* first, const float* second, Word* out) {
  Word lower[tile_side], upper[tile_side];
  std::memcpy(lower, first, 64), std::memcpy(upper, second, 64);
  for (std::size_t i = 0; i < tile_side; ++i) out[i] = lower[i] >> 16 | (upper[i] & 0xFFFF0000u);
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

inline std::size_t chunks_of(std::size_t k) { return (k + tile_sum - 1) / tile_sum; }

// ------------------------------------------------------------------------------ the product

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
inline void add_to(Panels<float> out, std::size_t row, std::size_t rows, std::size_t panel,
                   std::size_t panels, const Word* a, const Word* b, std::size_t pitch,
                   std::size_t chunks) {
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

// Room for packed operands, of a thread.
inline Word* packing_room(std::size_t tiles) {
  struct alignas(64) Tile { Word words[tile_words]; };
  thread_local std::vector<Tile> room;
  if (room.size() < tiles) room.resize(tiles);
  return room.data()->words;
}

// out[row][lane] += Σ_k a[row][k] b[k][lane] of `rows` rows and so many panels of lanes.
template <class A, class B>
void tile_product(const A& pack_a, const B& pack_b, std::size_t k, Panels<float> out,
                  std::size_t rows, std::size_t panels) {
  constexpr std::size_t pitch = chunks_a_block * tile_words, block = tiles_a_block * tile_side;
  Word* const a = packing_room((tiles_a_block + 2) * chunks_a_block);
  Word* const b = a + tiles_a_block * pitch;
  const Tiles tiles;
  for (std::size_t first = 0; first < rows; first += block) {
    const std::size_t height = std::min(block, rows - first);
    for (std::size_t from = 0; from < k; from += chunks_a_block * tile_sum) {
      const std::size_t chunks = std::min(chunks_a_block, chunks_of(k - from));
      const auto pack = [&](const auto& side, std::size_t tile, Word* to) {
        for (std::size_t c = 0; c < chunks; ++c) side(tile, from + c * tile_sum, to + c * tile_words);
      };
      for (std::size_t t = 0; t * tile_side < height; ++t)
        pack(pack_a, first / tile_side + t, a + t * pitch);
      for (std::size_t panel = 0; panel < panels; panel += 2) {
        const std::size_t width = std::min<std::size_t>(2, panels - panel);
        for (std::size_t n = 0; n < width; ++n) pack(pack_b, panel + n, b + n * pitch);
        for (std::size_t row = 0; row < height; row += 2 * tile_side)
          add_to(out, first + row, std::min(2 * tile_side, height - row), panel, width,
                 a + row / tile_side * pitch, b, pitch, chunks);
      }
    }
  }
}

// ------------------------------------------------------------------ as the other kernels

// columns_product of columns.hpp.
inline void tile_columns(Panels<const float> a, std::size_t k, Panels<const float> w,
                         std::size_t panels, const float* start, Panels<float> out,
                         std::size_t rows) {
  for (std::size_t panel = 0; panel < panels; ++panel)
    for (std::size_t row = 0; row < rows; ++row)
      std::memcpy(out.row(panel, row), start + panel * tile_side, 64);
  tile_product(SummedLanes{a, rows, k}, SummedRows{w, k}, k, out, rows, panels);
}

// dots_product of dots.hpp, and transposed_product of transposed.hpp.
inline void tile_dots(Panels<const float> d, std::size_t lanes, Panels<const float> w,
                      std::size_t columns, Panels<float> out, std::size_t rows) {
  const std::size_t panels = panel_count<float>(columns);
  for (std::size_t panel = 0; panel < panels; ++panel) std::memset(out.row(panel, 0), 0, rows * 64);
  tile_product(SummedLanes{d, rows, lanes}, Transposed{SummedLanes{w, columns, lanes}}, lanes, out,
               rows, panels);
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
inline void tile_outer(Panels<const float> rows, Panels<const float> lanes, std::size_t examples,
                       std::size_t first, std::size_t count, std::size_t panel, float* out,
                       bool begin) {
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
  const Tiles tiles;
  for (std::size_t c = 0; c < packed.chunks; c += chunks_a_block) {
    const std::size_t chunks = std::min(chunks_a_block, packed.chunks - c);
    for (std::size_t i = 0; i < chunks; ++i) pack_b(0, (c + i) * tile_sum, b + i * tile_words);
    for (std::size_t row = 0; row < height; row += 2 * tile_side)
      add_to({whole, height}, row, std::min(2 * tile_side, height - row), 0, 1,
             &packed.words[row / tile_side * pitch + c * tile_words], b, pitch, chunks);
  }
  std::memcpy(out, own, count * 64);
}

}  // namespace deltarule
#endif
