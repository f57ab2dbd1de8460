// Dropout masks, bit for bit as rng.py draws them: Threefry-2×32, 20 rounds, on 32-bit words.
#pragma once

#include <cstddef>
#include <cstdint>

#include "panels.hpp"

namespace deltarule {

// Two random words from a key of two words and a counter of two; W is a word or a vector of them.
template <class W> DELTARULE_INLINE void threefry(std::uint32_t k0, std::uint32_t k1, W& x0, W& x1) {
  constexpr int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const std::uint32_t keys[3] = {k0, k1, k0 ^ k1 ^ 0x1BD11BDAu};
  x0 += k0;
  x1 += k1;
  for (std::uint32_t block = 0; block < 5; ++block) {
    for (const int rotation : rotations[block % 2]) {
      x0 += x1;
      x1 = (x1 << rotation) | (x1 >> (32 - rotation));
      x1 ^= x0;
    }
    x0 += keys[(block + 1) % 3];
    x1 += keys[(block + 2) % 3] + (block + 1);
  }
}

// Which units of a layer stay in a step: keyed by the seed, counted by step, layer, position in
// the batch and unit.
struct Dropout {
  std::uint32_t threshold = 0;  // a unit stays where its word is below
  double scale = 1;             // 1 / (1 − rate)
  std::uint32_t key_0 = 0, key_1 = 0;

  void key(std::uint64_t seed, std::uint64_t step, std::uint32_t layer) {
    key_0 = static_cast<std::uint32_t>(step);
    key_1 = layer;
    threefry(static_cast<std::uint32_t>(seed >> 32), static_cast<std::uint32_t>(seed), key_0, key_1);
  }
};

// Of 2 · words units from a multiple of these on, vectors that are all ones where a unit stays: the
// words of a counter are those of two units.
template <class T>
DELTARULE_INLINE void masks_from(const Dropout& dropout, std::size_t position, std::size_t first,
                                 Words (&masks)[2 * words / Vec<T>::width]) {
  Words even = Words{} + static_cast<std::uint32_t>(position), odd;
  for (std::size_t i = 0; i < words; ++i) odd[i] = static_cast<std::uint32_t>(first / 2 + i);
  threefry(dropout.key_0, dropout.key_1, even, odd);
  even = Words(even < dropout.threshold), odd = Words(odd < dropout.threshold);
  if constexpr (sizeof(T) == 4) {
    interleave(even, odd, masks[0], masks[1]);
  } else {
    Words low, high;
    interleave(even, odd, low, high);
    interleave(low, low, masks[0], masks[1]);
    interleave(high, high, masks[2], masks[3]);
  }
}

// Multiply an example's units by its mask, in A and, unless that has no memory, in `slope`.
template <class T>
inline void apply_mask(const Dropout& dropout, Panels<T> A, Panels<T> slope, std::size_t row,
                       std::size_t n, std::size_t position) {
  using V = Vec<T>;
  const V scale = V(T(dropout.scale)), zero = V(T(0));
  for (std::size_t unit = 0; unit < n;) {
    Words masks[2 * words / V::width];
    masks_from<T>(dropout, position, unit, masks);
    for (std::size_t i = 0; i < 2 * words / V::width && unit < n; ++i, unit += V::width) {
      const V factor = select<T>(typename V::Mask(masks[i]), scale, zero);
      T* a = &A.at(row, unit);
      (V::load(a) * factor).store(a);
      if (slope.data == nullptr) continue;
      T* s = &slope.at(row, unit);
      (V::load(s) * factor).store(s);
    }
  }
}

}  // namespace deltarule
