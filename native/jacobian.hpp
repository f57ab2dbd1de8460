// ∂A[L]/∂A[0] of one example: its outputs go backward together, as if each were an example.
#pragma once

#include "network.hpp"
#include "rows.hpp"

namespace deltarule {

template <class T> class Jacobian {
 public:
  Jacobian() = default;
  explicit Jacobian(const std::vector<Layer<T>>& layers)
      : cache_(layers, false, layers.back().n, true), dA_(layers.size() + 1) {
    for (std::size_t l = 0; l <= layers.size(); ++l)
      dA_[l] = Matrix<T>(layers.back().n, l == 0 ? layers.front().n_prev : layers[l - 1].n);
  }
  bool empty() const { return dA_.empty(); }

  // Row `i` of X; out: outputs × inputs numbers.
  void of(std::vector<Layer<T>>& layers, const Rows<T>& X, std::size_t i, T* out) {
    const std::size_t L = layers.size(), outputs = layers.back().n;
    X.copy(i, cache_.A[0].view(), 0);
    feed_forward(layers, cache_, {}, Dropping{}, 0, 1);
    const Panels<T> last = dA_[L].view();  // the identity: row o is ∂A[L][o]/∂A[L]
    std::fill(dA_[L].buffer().begin(), dA_[L].buffer().end(), T(0));
    for (std::size_t o = 0; o < outputs; ++o) last.at(o, o) = T(1);
    for (std::size_t l = L; l > 0; --l) {
      const auto only = [](std::size_t) { return std::size_t(0); };
      apply_slope(layers[l - 1], cache_, l, dA_[l].view(), 0, outputs, false, only);
      send_back(layers, cache_, dA_, l, 0, outputs, false, static_cast<const Whole<T>*>(nullptr),
                only);
    }
    const WritableRows<T> rows{reinterpret_cast<char*>(out),
                               static_cast<std::ptrdiff_t>(layers.front().n_prev * sizeof(T)),
                               sizeof(T), outputs, layers.front().n_prev};
    for (std::size_t o = 0; o < outputs; ++o) rows.copy(dA_[0].view(), o, o);
  }

 private:
  Batch<T> cache_;  // of one example, and room for as many δ as there are outputs
  std::vector<Matrix<T>> dA_;
};

}  // namespace deltarule
