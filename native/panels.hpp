// Panels: the one layout of activations, deltas and weights.
//
// A matrix of `rows` × `lanes` is cut into panels of P = 2 vectors of lanes; each panel holds its
// rows one after another:
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

template <class T> inline constexpr std::size_t P = 2 * Vec<std::remove_const_t<T>>::width;

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

// The first `used` lanes of a vector: all ones; the others: zero.
template <class T>
DELTARULE_INLINE typename Vec<T>::Mask lanes_below(std::size_t used, std::size_t first) {
  typename Vec<T>::Mask mask;
  for (std::size_t i = 0; i < Vec<T>::width; ++i) mask[i] = first + i < used ? -1 : 0;
  return mask;
}

}  // namespace deltarule
