// The vectorised functions by name, for the tests that state their error bounds.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>

#include "vector_math.hpp"

namespace deltarule {

template <class T>
bool apply_math(const std::string& name, const T* values, T* out, std::size_t count) {
  const auto each = [&](auto f) {
    for (std::size_t i = 0; i < count; i += Vec<T>::width) {
      T lanes[Vec<T>::width] = {};
      const std::size_t used = count - i < Vec<T>::width ? count - i : Vec<T>::width;
      std::memcpy(lanes, values + i, used * sizeof(T));
      f(Vec<T>::load(lanes)).store(lanes);
      std::memcpy(out + i, lanes, used * sizeof(T));
    }
    return true;
  };
  using V = Vec<T>;
  if (name == "exp") return each([](V x) { return exp(x); });
  if (name == "expm1") return each([](V x) { return expm1(x); });
  if (name == "log") return each([](V x) { return log(x); });
  if (name == "log1p") return each([](V x) { return log1p(x); });
  if (name == "tanh") return each([](V x) { return tanh(x); });
  if (name == "sigmoid") return each([](V x) { return sigmoid(x); });
  if (name == "erf") return each([](V x) { return erf(x); });
  if (name == "sin") return each([](V x) { return sin(x); });
  if (name == "cos") return each([](V x) { return cos(x); });
  return false;
}

}  // namespace deltarule
