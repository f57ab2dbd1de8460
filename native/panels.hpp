// Panels: the one layout of activations, deltas and weights.
//
// A matrix of `rows` × `lanes` is cut into panels of P lanes, one vector of AVX-512 or two of any
// other set; each panel holds its rows one after another:
//
//     element (row, lane)  at  (lane / P · stride + row) · P + lane % P,   stride ≥ rows
//
// so that P lanes of a row are one contiguous load, and consecutive rows follow each other. A row
// is an example of A, δ and Z (lanes: units). Of weights, lanes are either a layer's units (rows:
// inputs) or its inputs (rows: units), whichever wastes less on padding.
//
// Lanes beyond the last are zero in A, δ and W, always: the products need no masks.
#pragma once

#include <cstddef>
#include <type_traits>

#include "memory.hpp"
#include "simd.hpp"

namespace deltarule {

inline constexpr int panel_vectors = vector_bytes == 64 ? 1 : 2;
template <class T>
inline constexpr std::size_t P = panel_vectors * Vec<std::remove_const_t<T>>::width;

template <class T> constexpr std::size_t panel_count(std::size_t lanes) {
  return (lanes + P<T> - 1) / P<T>;
}

// A view of a matrix in panels.
template <class T> struct Panels {
  T* data = nullptr;
  std::size_t stride = 0;  // rows from one panel to the next

  T* row(std::size_t panel, std::size_t row) const { return data + (panel * stride + row) * P<T>; }
  T& at(std::size_t row, std::size_t lane) const {
    return data[(lane / P<T> * stride + row) * P<T> + lane % P<T>];
  }
  Panels from_row(std::size_t row) const { return {data + row * P<T>, stride}; }
  Panels from_panel(std::size_t panel) const { return {row(panel, 0), stride}; }
};

// A matrix in panels that owns its memory.
template <class T> class Matrix {
 public:
  Matrix() = default;
  Matrix(std::size_t rows, std::size_t lanes)
      : buffer_(padded(rows) * panel_count<T>(lanes) * P<T>), stride_(padded(rows)) {}
  Panels<T> view() { return {buffer_.data(), stride_}; }
  std::size_t rows() const { return stride_; }
  Buffer<T>& buffer() { return buffer_; }

 private:
  // Panels whose distance is a multiple of 4096 bytes would fight for the same cache sets.
  static std::size_t padded(std::size_t rows) { return rows % 64 == 0 && rows ? rows + 9 : rows; }

  Buffer<T> buffer_;
  std::size_t stride_ = 0;
};

// Zero the lanes beyond the last unit, where a row leaves other numbers.
template <class T> void clear_padding(Panels<T> A, std::size_t n, std::size_t first, std::size_t last) {
  const std::size_t used = n % P<T>;
  if (used == 0) return;
  for (std::size_t row = first; row < last; ++row) {
    T* lanes = A.row(n / P<T>, row);
    for (std::size_t lane = used; lane < P<T>; ++lane) lanes[lane] = T(0);
  }
}

// The first `used` lanes of a vector: all ones; the others: zero.
template <class T>
DELTARULE_INLINE typename Vec<T>::Mask lanes_below(std::size_t used, std::size_t first) {
  typename Vec<T>::Mask lanes;
  for (std::size_t i = 0; i < Vec<T>::width; ++i) lanes[i] = typename Lane<T>::Int(i);
  const std::size_t left = used > first ? used - first : 0;
  return lanes < typename Lane<T>::Int(left < Vec<T>::width ? left : Vec<T>::width);
}

// Call use(std::integral_constant<int, n>) for an n from 1 to Most: a kernel's height is part of it.
template <int Most, class Use> DELTARULE_INLINE void with_height(std::size_t n, const Use& use) {
  if constexpr (Most > 1) {
    if (n < Most) return with_height<Most - 1>(n, use);
  }
  use(std::integral_constant<int, Most>{});
}

// Call use(first, height) for `rows` rows in as few pieces of at most `most` as there can be, of
// nearly equal height.
template <class Use>
DELTARULE_INLINE void in_tiles(std::size_t rows, std::size_t most, const Use& use) {
  const std::size_t tiles = (rows + most - 1) / most;
  for (std::size_t tile = 0, row = 0; tile < tiles; ++tile) {
    const std::size_t height = (rows - row) / (tiles - tile);
    use(row, height);
    row += height;
  }
}

}  // namespace deltarule
