// What the core's own tests share: a claim, numbers to try, and the groups of tests that main runs.
#pragma once

#include <cmath>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "panels.hpp"
#include "rows.hpp"

namespace deltarule {

inline void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

// |found − exact| ≤ tolerance · (1 + |exact|)
inline void expect_close(double found, double exact, double tolerance, const std::string& what) {
  expect(std::abs(found - exact) <= tolerance * (1 + std::abs(exact)),
         what + ": expected " + std::to_string(exact) + ", got " + std::to_string(found));
}

struct Numbers {
  std::mt19937 engine{7};
  double next() { return std::uniform_real_distribution<double>(-0.5, 0.5)(engine); }
  template <class T> std::vector<T> vector(std::size_t size) {
    std::vector<T> values(size);
    for (T& value : values) value = static_cast<T>(next());
    return values;
  }
  template <class T> Matrix<T> matrix(std::size_t rows, std::size_t lanes) {
    Matrix<T> m(rows, lanes);
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t lane = 0; lane < lanes; ++lane)
        m.view().at(row, lane) = static_cast<T>(next());
    return m;
  }
};

template <class T> Rows<T> rows_of(const std::vector<T>& values, std::size_t width) {
  return {reinterpret_cast<const char*>(values.data()),
          static_cast<std::ptrdiff_t>(width * sizeof(T)), sizeof(T), values.size() / width, width, {}};
}

void test_math();  // test_math.cpp: vectors, exp, log, tanh, erf
void test_rows();  // test_rows.cpp: each row of each table against its scalar meaning
void test_programs();  // test_programs.cpp: programs, operation by operation
void test_layers();  // test_layers.cpp: the kinds of layers beyond Dense
void test_bfloat16();  // test_bfloat16.cpp: rounding to it
void test_pace();  // test_pace.cpp: the choice between one thread and a team

}  // namespace deltarule
