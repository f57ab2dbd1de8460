// Vectors and their functions: the operations that stand on intrinsics against their meaning, and
// exp, log, tanh, erf against the standard library over the whole range of their arguments.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "check.hpp"
#include "math_check.hpp"

namespace deltarule {
namespace {

template <class T> std::vector<T> map_lanes(Vec<T> v) {
  std::vector<T> lanes(Vec<T>::width);
  v.store(lanes.data());
  return lanes;
}

template <class T> void test_vectors() {
  using V = Vec<T>;
  constexpr std::size_t W = V::width;
  Numbers numbers;
  const T nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
  for (int round = 0; round < 100; ++round) {
    std::vector<std::vector<T>> x;
    for (int i = 0; i < 4; ++i) x.push_back(numbers.vector<T>(W));
    if (round == 0) x[0][0] = 0, x[1][0] = 0, x[2][0] = infinity, x[2][W - 1] = -infinity;
    const V a = V::load(x[0].data()), b = V::load(x[1].data()), c = V::load(x[2].data());
    const V d = V::load(x[3].data());
    const auto larger = map_lanes(max(a, b)), smaller = map_lanes(min(a, b));
    const auto root = map_lanes(sqrt(a * a)), size = map_lanes(abs(a)), signs = map_lanes(sign(a));
    const auto sized = map_lanes(copysign(a, b)), joined = map_lanes(fma(a, b, d));
    T sums[4], total = 0;
    sum_four(a, b, c, d, sums);
    for (std::size_t i = 0; i < W; ++i) {
      const T p = x[0][i], q = x[1][i];
      total += x[1][i];
      expect(larger[i] == std::max(p, q) && smaller[i] == std::min(p, q), "max, min");
      expect(root[i] == std::sqrt(p * p) && size[i] == std::abs(p), "sqrt, abs");
      expect(signs[i] == T((p > 0) - (p < 0)) && sized[i] == std::copysign(p, q), "signs");
      expect_close(double(joined[i]), double(p) * double(q) + double(x[3][i]), 1e-6, "fma");
    }
    expect_close(double(sums[1]), double(total), 1e-6, "sum_four");
    expect_close(double(sum(b)), double(total), 1e-6, "sum");
    T others[4];  // the order of a sum does not depend on the other three
    sum_four(d, b, b, a, others);
    expect(others[1] == sums[1] && others[2] == sums[1] && others[0] == sums[3], "sum_four");
    expect(largest(b) == *std::max_element(x[1].begin(), x[1].end()), "largest");
    expect(any<T>(b == b) && !any<T>(b < b), "any");
  }
  const V broken(nan), one(T(1));
  for (const T lane : map_lanes(max(one, broken))) expect(std::isnan(lane), "max keeps a NaN");
  for (const T lane : map_lanes(min(one, broken))) expect(std::isnan(lane), "min keeps a NaN");
}

// Numbers below the normal range are 0 while a FlushTiny lives, and themselves again after it.
template <class T> void test_flush() {
  volatile T small = std::numeric_limits<T>::min();  // volatile: computed here, not by the compiler
  const auto half = [&] { return small * T(0.5); };
#if defined(__SSE2__) || defined(__aarch64__)
  {
    const FlushTiny flush;
    expect(half() == 0, "tiny numbers are flushed");
    {
      const KeepTiny keep;
      expect(half() > 0, "tiny numbers are kept within");
    }
    expect(half() == 0, "tiny numbers are flushed again");
  }
#endif
  expect(half() > 0, "tiny numbers are back");
}

struct Function {
  const char* name;
  long double (*exact)(long double);
  double low, high;  // arguments
  double bound;      // in units of the last place, as tests/test_native_math.py has it
};

long double logistic(long double x) { return 1 / (1 + std::exp(-x)); }

constexpr double all = std::numeric_limits<double>::infinity();

const Function functions[] = {
    {"exp", std::exp, -all, all, 2},      {"expm1", std::expm1, -all, 88, 3},
    {"log", std::log, 0, all, 2},         {"log1p", std::log1p, 0, 1e300, 4},
    {"tanh", std::tanh, -all, all, 4},    {"sigmoid", logistic, -all, all, 4},
    {"erf", std::erf, -all, all, 4},
};

// Numbers of every exponent and both signs, some of each, with 0, infinity and the ends.
template <class T> std::vector<T> arguments() {
  Numbers numbers;
  std::vector<T> x = {T(0), -T(0), std::numeric_limits<T>::infinity(),
                      -std::numeric_limits<T>::infinity()};
  for (int e = std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits;
       e <= std::numeric_limits<T>::max_exponent; ++e) {
    for (int i = 0; i < (sizeof(T) == 4 ? 64 : 8); ++i) {
      const T size = std::ldexp(T(0.75 + 0.5 * numbers.next()), e);
      x.push_back(size), x.push_back(-size);
    }
  }
  for (int i = 0; i < 2000; ++i) {  // where most of life takes place
    x.push_back(T(20 * numbers.next())), x.push_back(T(200 * numbers.next()));
  }
  return x;
}

template <class T> void test_function(const Function& f) {
  std::vector<T> x;
  for (const T value : arguments<T>())
    if (double(value) >= f.low && double(value) <= f.high) x.push_back(value);
  std::vector<T> found(x.size());
  expect(apply_math(f.name, x.data(), found.data(), x.size()), f.name);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double exact = f.exact(x[i]);
    const T rounded = T(exact);
    const std::string what = std::string(f.name) + " of " + std::to_string(x[i]);
    if (!std::isfinite(rounded)) {
      expect(found[i] == rounded, what);
      continue;
    }
    const T next = std::nextafter(std::abs(rounded), std::numeric_limits<T>::infinity());
    const long double ulp = next - std::abs(rounded);
    // the largest number may round up to infinity
    if (std::isinf(found[i])) expect(std::isinf(next), what);
    else expect(std::abs((long double)(found[i]) - exact) <= f.bound * ulp, what);
  }
  const T nan = std::numeric_limits<T>::quiet_NaN();
  T broken = 0;
  apply_math(f.name, &nan, &broken, 1);
  expect(std::isnan(broken), std::string(f.name) + " of NaN");
}

}  // namespace

void test_math() {
  test_vectors<float>(), test_vectors<double>();
  test_flush<float>(), test_flush<double>();
  for (const Function& f : functions) test_function<float>(f), test_function<double>(f);
  float x = 1;
  expect(!apply_math("cosh", &x, &x, 1), "an unknown function");
}

}  // namespace deltarule
