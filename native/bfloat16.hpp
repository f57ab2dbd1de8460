// bfloat16: the upper half of a float, kept as a float whose lower half is 0. A product of two such
// numbers is exact in float, so kernels that multiply rounded operands accumulate as in float32.
#pragma once

#include <type_traits>

#include "simd.hpp"

namespace deltarule {

// Rounded to the nearest, ties to even. What lies beyond the largest number becomes infinite, as
// the format has it, and a NaN stays one, with its quiet bit set as processors set it.
DELTARULE_INLINE Vec<float> bfloat16(Vec<float> a) {
  const Words word = reinterpret_cast<Words>(a.v), upper = Words{} + 0xFFFF0000u;
  const Words nearest = word + (0x7FFFu + (word >> 16 & 1u)), quiet = word | 0x00400000u;
  const auto as_vector = [&](Words found) {
    return Vec<float>(reinterpret_cast<Lane<float>::Vector>(found & upper));
  };
  return select<float>(a == a, as_vector(nearest), as_vector(quiet));
}

// `count` numbers, whole vectors, rounded; `to` may be `from`. There are none in double.
template <class T> inline void round_numbers(const T* from, T* to, std::size_t count) {
  if constexpr (std::is_same_v<T, float>)
    for (std::size_t i = 0; i < count; i += Vec<T>::width)
      bfloat16(Vec<T>::load(from + i)).store(to + i);
}

}  // namespace deltarule
