// exp, expm1, log, log1p, tanh, erf, sin and cos of vectors, the core's own: the same bits on every machine
// of an instruction set, and no call per number. tests/test_native_math.py states their bounds.
#pragma once

#include <cmath>
#include <utility>

#include "simd.hpp"

namespace deltarule {

// c[0] + c[1] x + … + c[N−1] x^(N−1), by Horner.
template <class T, std::size_t N>
DELTARULE_INLINE Vec<T> polynomial(Vec<T> x, const double (&c)[N]) {
  Vec<T> sum{T(c[N - 1])};
  for (std::size_t i = N - 1; i-- > 0;) sum = fma(sum, x, Vec<T>(T(c[i])));
  return sum;
}

template <class T> struct Format;
template <> struct Format<float> {
  static constexpr int mantissa = 23, bias = 127;
  static constexpr float round_magic = 12582912.0f;  // 1.5 · 2^23: adding it rounds to a whole
  static constexpr float exp_low = -104.0f, exp_high = 89.0f;
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
};
template <> struct Format<double> {
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double round_magic = 6755399441055744.0;  // 1.5 · 2^52
  static constexpr double exp_low = -746.0, exp_high = 710.0;
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
};

// 2^n as a number, for whole n within the exponent's range.
template <class T> DELTARULE_INLINE Vec<T> power_of_two(typename Vec<T>::Mask n) {
  return from_bits<T>((n + Format<T>::bias) << Format<T>::mantissa);
}

// x = n ln 2 + r with |r| ≤ ½ ln 2: eˣ = 2ⁿ (1 + p), p = eʳ − 1.
template <class T> struct Reduced {
  Vec<T> p;
  typename Vec<T>::Mask n;
};
template <class T> DELTARULE_INLINE Reduced<T> reduced(Vec<T> x) {
  using F = Format<T>;
  const Vec<T> magic(F::round_magic);
  const Vec<T> shifted = fma(x, Vec<T>(T(1.4426950408889634)), magic);
  const Vec<T> n = shifted - magic;
  const auto whole = bits(shifted) - bits(magic);
  Vec<T> r = fma(n, Vec<T>(-F::ln2_high), x);
  r = fma(n, Vec<T>(-F::ln2_low), r);
  Vec<T> q;
  if constexpr (sizeof(T) == 4) {
    q = polynomial<T>(r, {1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040});
  } else {
    q = polynomial<T>(r, {1. / 2, 1. / 6, 1. / 24, 1. / 120, 1. / 720, 1. / 5040, 1. / 40320,
                          1. / 362880, 1. / 3628800, 1. / 39916800, 1. / 479001600,
                          1. / 6227020800});
  }
  return {fma(r * r, q, r), whole};
}

// eˣ. 2ⁿ comes as two factors, so that neither leaves the exponent's range where eˣ does not.
template <class T> DELTARULE_INLINE Vec<T> exp(Vec<T> x) {
  using F = Format<T>;
  const auto [p, n] = reduced(max(Vec<T>(F::exp_low), min(Vec<T>(F::exp_high), x)));
  const auto half = n >> 1;
  const Vec<T> first = power_of_two<T>(half);
  return fma(p, first, first) * power_of_two<T>(n - half);
}

// eˣ − 1 for x ≤ 0, precise also near 0; below −64 it is −1 to the last bit
template <class T> DELTARULE_INLINE Vec<T> expm1_below(Vec<T> x) {
  const auto [p, n] = reduced(max(Vec<T>(T(-64)), x));
  const Vec<T> scale = power_of_two<T>(n);
  return fma(p, scale, scale - Vec<T>(T(1)));
}

// The same for x ≤ 88: 2ⁿ may overflow a little before eˣ does
template <class T> DELTARULE_INLINE Vec<T> expm1(Vec<T> x) {
  return expm1_below(min(Vec<T>(Format<T>::exp_high), x));
}

// log x; −∞ at 0, NaN below
template <class T> DELTARULE_INLINE Vec<T> log(Vec<T> x) {
  using F = Format<T>;
  constexpr T tiny = std::numeric_limits<T>::min(), infinity = std::numeric_limits<T>::infinity();
  const Vec<T> lift(T(std::int64_t(1) << (F::mantissa + 2)));
  const auto small = x < Vec<T>(tiny);  // denormal numbers are lifted into the normal range
  const Vec<T> lifted = select<T>(small, x * lift, x);
  // m in [√½, √2) and e with |x| = m 2^e
  const auto raw = bits(abs(lifted));
  const auto root = bits(Vec<T>(T(0.70710678118654752)));
  const auto e = (raw - root) >> F::mantissa;
  const Vec<T> m = from_bits<T>(raw - (e << F::mantissa));
  Vec<T> exponent;
  for (std::size_t i = 0; i < Vec<T>::width; ++i) exponent.v[i] = T(e[i]);
  exponent = exponent - select<T>(small, Vec<T>(T(F::mantissa + 2)), Vec<T>(T(0)));
  // log m = 2 atanh f, f = (m − 1)/(m + 1)
  const Vec<T> f = (m - Vec<T>(T(1))) / (m + Vec<T>(T(1)));
  const Vec<T> s = f * f;
  Vec<T> series;
  if constexpr (sizeof(T) == 4) {
    series = polynomial<T>(s, {2. / 3, 2. / 5, 2. / 7, 2. / 9});
  } else {
    series = polynomial<T>(s, {2. / 3, 2. / 5, 2. / 7, 2. / 9, 2. / 11, 2. / 13, 2. / 15, 2. / 17,
                               2. / 19, 2. / 21});
  }
  const Vec<T> log_m = fma(f * s, series, f + f);
  Vec<T> found = fma(exponent, Vec<T>(F::ln2_high), fma(exponent, Vec<T>(F::ln2_low), log_m));
  found = select<T>(x < Vec<T>(infinity), found, x);  // infinity and NaN stay as they are
  found = select<T>(x == Vec<T>(T(0)), Vec<T>(-infinity), found);
  return select<T>(x < Vec<T>(T(0)), Vec<T>(std::numeric_limits<T>::quiet_NaN()), found);
}

// log(1 + x) for 0 ≤ x < ∞: log u, u = 1 + x, corrected for what rounding u lost
template <class T> DELTARULE_INLINE Vec<T> log1p(Vec<T> x) {
  const Vec<T> one(T(1)), u = one + x;
  return log(u) + (x - (u - one)) / u;
}

// tanh x and tanh' x, both from e^(−2|x|); 1 − tanh² would cancel
template <class T> struct TanhParts {
  Vec<T> value, slope;
};
template <class T> DELTARULE_INLINE TanhParts<T> tanh_parts(Vec<T> x) {
  const Vec<T> one(T(1)), two(T(2));
  const Vec<T> t = expm1_below(-two * abs(x));  // e − 1, so the numerator is exact near 0
  const Vec<T> reciprocal = one / (t + two);
  const Vec<T> e = t + one;
  return {copysign(t * reciprocal, x), Vec<T>(T(4)) * e * reciprocal * reciprocal};
}
template <class T> DELTARULE_INLINE Vec<T> tanh(Vec<T> x) { return tanh_parts(x).value; }

// σ(x) and σ'(x), both from e^(−|x|)
template <class T> DELTARULE_INLINE TanhParts<T> sigmoid_parts(Vec<T> x) {
  const Vec<T> one(T(1)), e = exp(-abs(x));
  const Vec<T> reciprocal = one / (one + e);
  return {select<T>(x < Vec<T>(T(0)), e * reciprocal, reciprocal), e * reciprocal * reciprocal};
}
template <class T> DELTARULE_INLINE Vec<T> sigmoid(Vec<T> x) { return sigmoid_parts(x).value; }

// log σ(x) = min(x, 0) − log(1 + e^(−|x|))
template <class T> DELTARULE_INLINE Vec<T> log_sigmoid(Vec<T> x) {
  return min(Vec<T>(T(0)), x) - log1p(exp(-abs(x)));
}

// erf x: its Taylor series for |x| < 1, else 1 − e^(−x²) q(t), t = (|x| − 3.75)/(|x| + 3.75),
// q a Chebyshev fit of e^(x²) erfc x over [1, ∞), made by native/tests/fit_erf.py
#include "erf_coefficients.inc"

template <class T> DELTARULE_INLINE Vec<T> erf(Vec<T> x) {
  const Vec<T> size = abs(x), one(T(1)), square = x * x;
  Vec<T> near, q;
  const Vec<T> shift(T(3.75));
  const Vec<T> t = (size - shift) / (size + shift);
  if constexpr (sizeof(T) == 4) {
    near = x * polynomial<T>(square, erf_near_float);
    q = polynomial<T>(t, erf_far_float);
  } else {
    near = x * polynomial<T>(square, erf_near_double);
    q = polynomial<T>(t, erf_far_double);
  }
  const Vec<T> far = copysign(one - exp(-square) * q, x);
  // beyond 10, also at infinity where t is no number, erf is 1 to the last bit
  const Vec<T> settled = select<T>(size > Vec<T>(T(10)), copysign(one, x), far);
  return select<T>(size < one, near, settled);
}

// ½π in three parts, of which the first two times a whole number below 2^13 (2^29 in double) are
// exact; so far x = n ½π + r is as precise as r.
template <class T> struct Quarter;
template <> struct Quarter<float> {
  static constexpr float high = 1.5703125f, middle = 4.837512969970703125e-4f,
                         low = 7.54978995489188216e-8f, farthest = 12000.0f;
};
template <> struct Quarter<double> {
  static constexpr double high = 1.57079625129699707031, middle = 7.54978941586159635336e-8,
                          low = 5.39030285815811905290e-15, farthest = 8e8;
};

// sin x and cos x. Beyond `farthest` the standard library's, number by number.
template <class T> struct SinCos {
  Vec<T> sin, cos;
};
template <class T> DELTARULE_INLINE SinCos<T> sin_cos(Vec<T> x) {
  using Q = Quarter<T>;
  if (any<T>(abs(x) > Vec<T>(Q::farthest))) {
    T angles[Vec<T>::width], sines[Vec<T>::width], cosines[Vec<T>::width];
    x.store(angles);
    for (std::size_t i = 0; i < Vec<T>::width; ++i)
      sines[i] = std::sin(angles[i]), cosines[i] = std::cos(angles[i]);
    return {Vec<T>::load(sines), Vec<T>::load(cosines)};
  }
  const Vec<T> magic(Format<T>::round_magic), one(T(1));
  const Vec<T> shifted = fma(x, Vec<T>(T(0.63661977236758134)), magic);
  const Vec<T> n = shifted - magic;
  const auto quadrant = bits(shifted) - bits(magic);
  Vec<T> r = fma(n, Vec<T>(-Q::high), x);
  r = fma(n, Vec<T>(-Q::middle), r);
  r = fma(n, Vec<T>(-Q::low), r);
  const Vec<T> s = r * r;
  Vec<T> odd, even;  // (sin r − r)/r³ and (cos r − 1 + r²/2)/r⁴
  if constexpr (sizeof(T) == 4) {
    odd = polynomial<T>(s, {-1. / 6, 1. / 120, -1. / 5040, 1. / 362880});
    even = polynomial<T>(s, {1. / 24, -1. / 720, 1. / 40320, -1. / 3628800});
  } else {
    odd = polynomial<T>(s, {-1. / 6, 1. / 120, -1. / 5040, 1. / 362880, -1. / 39916800,
                            1. / 6227020800, -1. / 1307674368000, 1. / 355687428096000});
    even = polynomial<T>(s, {1. / 24, -1. / 720, 1. / 40320, -1. / 3628800, 1. / 479001600,
                             -1. / 87178291200, 1. / 20922789888000, -1. / 6402373705728000});
  }
  const Vec<T> sine = fma(r * s, odd, r);
  const Vec<T> cosine = fma(s * s, even, fma(Vec<T>(T(-0.5)), s, one));
  const auto swapped = -(quadrant & 1);  // all ones in odd quadrants
  const auto sign_of = [](auto turned) {
    return (turned & 2) << (8 * sizeof(T) - 2);  // the sign's bit where bit 1 is set
  };
  return {from_bits<T>(bits(select<T>(swapped, cosine, sine)) ^ sign_of(quadrant)),
          from_bits<T>(bits(select<T>(swapped, sine, cosine)) ^ sign_of(quadrant + 1))};
}
template <class T> DELTARULE_INLINE Vec<T> sin(Vec<T> x) { return sin_cos(x).sin; }
template <class T> DELTARULE_INLINE Vec<T> cos(Vec<T> x) { return sin_cos(x).cos; }

}  // namespace deltarule
