// Vectors of one instruction set: the only file that knows one.
//
// A Vec<T> holds `width` numbers of type T. Each extension module is compiled for exactly one
// instruction set, so the width is a constant of the build: 64 bytes for AVX-512, 32 for AVX2, 16 for NEON and
// the baseline (SSE2 on x86-64; elsewhere whatever the compiler makes of 16 bytes). Arithmetic is the
// vector extension that GCC and Clang share (clang-cl on Windows); intrinsics stand only where it
// has no word for an operation.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "intrinsics.hpp"

#define DELTARULE_INLINE inline __attribute__((always_inline))

namespace deltarule {

#if defined(__AVX512F__)
inline constexpr std::size_t vector_bytes = 64;
#elif defined(__AVX2__)
inline constexpr std::size_t vector_bytes = 32;
#else
inline constexpr std::size_t vector_bytes = 16;
#endif

template <class T> struct Lane;
template <> struct Lane<float> {
  using Int = std::int32_t;
  typedef float Vector __attribute__((vector_size(vector_bytes)));
  typedef Int IntVector __attribute__((vector_size(vector_bytes)));
};
template <> struct Lane<double> {
  using Int = std::int64_t;
  typedef double Vector __attribute__((vector_size(vector_bytes)));
  typedef Int IntVector __attribute__((vector_size(vector_bytes)));
};

template <class T> struct Vec {
  using Raw = typename Lane<T>::Vector;
  using Mask = typename Lane<T>::IntVector;  // a lane is all ones or all zeros
  static constexpr std::size_t width = vector_bytes / sizeof(T);

  Raw v;

  Vec() = default;
  DELTARULE_INLINE Vec(Raw raw) : v(raw) {}
  DELTARULE_INLINE Vec(T x) : v(x - Raw{}) {}  // the same number in every lane

  static DELTARULE_INLINE Vec load(const T* p) {
    Raw raw;
    std::memcpy(&raw, p, sizeof raw);
    return raw;
  }
  DELTARULE_INLINE void store(T* p) const { std::memcpy(p, &v, sizeof v); }

  friend DELTARULE_INLINE Vec operator+(Vec a, Vec b) { return a.v + b.v; }
  friend DELTARULE_INLINE Vec operator-(Vec a, Vec b) { return a.v - b.v; }
  friend DELTARULE_INLINE Vec operator*(Vec a, Vec b) { return a.v * b.v; }
  friend DELTARULE_INLINE Vec operator/(Vec a, Vec b) { return a.v / b.v; }
  friend DELTARULE_INLINE Vec operator-(Vec a) { return -a.v; }
  friend DELTARULE_INLINE Mask operator<(Vec a, Vec b) { return a.v < b.v; }
  friend DELTARULE_INLINE Mask operator>(Vec a, Vec b) { return a.v > b.v; }
  friend DELTARULE_INLINE Mask operator>=(Vec a, Vec b) { return a.v >= b.v; }
  friend DELTARULE_INLINE Mask operator==(Vec a, Vec b) { return a.v == b.v; }
  DELTARULE_INLINE Vec& operator+=(Vec b) { return *this = *this + b; }
  DELTARULE_INLINE Vec& operator*=(Vec b) { return *this = *this * b; }
};

// c + a·b; one rounding where the instruction set has it (the build asks for contraction).
template <class T> DELTARULE_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
#if defined(__aarch64__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(vfmaq_f32(c.v, a.v, b.v));
  else return typename Vec<T>::Raw(vfmaq_f64(c.v, a.v, b.v));
#else
  return c.v + a.v * b.v;
#endif
}

template <class T>
DELTARULE_INLINE Vec<T> select(typename Vec<T>::Mask m, Vec<T> yes, Vec<T> no) {
  return m ? yes.v : no.v;
}

// Larger and smaller; a NaN in `b` stays, so that clamping never hides one.
template <class T> DELTARULE_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(_mm512_max_ps(a.v, b.v));
  else return typename Vec<T>::Raw(_mm512_max_pd(a.v, b.v));
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(_mm256_max_ps(a.v, b.v));
  else return typename Vec<T>::Raw(_mm256_max_pd(a.v, b.v));
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(_mm_max_ps(a.v, b.v));
  else return typename Vec<T>::Raw(_mm_max_pd(a.v, b.v));
#elif defined(__aarch64__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(vmaxq_f32(a.v, b.v));
  else return typename Vec<T>::Raw(vmaxq_f64(a.v, b.v));
#else
  return select<T>(a > b, a, b);
#endif
}
template <class T> DELTARULE_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(_mm512_min_ps(a.v, b.v));
  else return typename Vec<T>::Raw(_mm512_min_pd(a.v, b.v));
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(_mm256_min_ps(a.v, b.v));
  else return typename Vec<T>::Raw(_mm256_min_pd(a.v, b.v));
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(_mm_min_ps(a.v, b.v));
  else return typename Vec<T>::Raw(_mm_min_pd(a.v, b.v));
#elif defined(__aarch64__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(vminq_f32(a.v, b.v));
  else return typename Vec<T>::Raw(vminq_f64(a.v, b.v));
#else
  return select<T>(a < b, a, b);
#endif
}

template <class T> DELTARULE_INLINE Vec<T> sqrt(Vec<T> a) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(_mm512_sqrt_ps(a.v));
  else return typename Vec<T>::Raw(_mm512_sqrt_pd(a.v));
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(_mm256_sqrt_ps(a.v));
  else return typename Vec<T>::Raw(_mm256_sqrt_pd(a.v));
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(_mm_sqrt_ps(a.v));
  else return typename Vec<T>::Raw(_mm_sqrt_pd(a.v));
#elif defined(__aarch64__)
  if constexpr (sizeof(T) == 4) return typename Vec<T>::Raw(vsqrtq_f32(a.v));
  else return typename Vec<T>::Raw(vsqrtq_f64(a.v));
#else
  for (std::size_t i = 0; i < Vec<T>::width; ++i) a.v[i] = std::sqrt(a.v[i]);
  return a;
#endif
}

template <class T> DELTARULE_INLINE typename Vec<T>::Mask bits(Vec<T> a) {
  return reinterpret_cast<typename Vec<T>::Mask>(a.v);
}
template <class T> DELTARULE_INLINE Vec<T> from_bits(typename Vec<T>::Mask m) {
  return reinterpret_cast<typename Vec<T>::Raw>(m);
}

template <class T> DELTARULE_INLINE Vec<T> abs(Vec<T> a) {
  return from_bits<T>(bits(a) & std::numeric_limits<typename Lane<T>::Int>::max());
}
template <class T> DELTARULE_INLINE Vec<T> copysign(Vec<T> size, Vec<T> sign) {
  constexpr auto low = std::numeric_limits<typename Lane<T>::Int>::max();
  return from_bits<T>((bits(size) & low) | (bits(sign) & ~low));
}
// −1, 0 or 1, and 0 at 0.
template <class T> DELTARULE_INLINE Vec<T> sign(Vec<T> a) {
  const Vec<T> zero(T(0)), one(T(1));
  return select<T>(a > zero, one, select<T>(a < zero, -one, zero));
}

// Is any lane set?
template <class T> DELTARULE_INLINE bool any(typename Vec<T>::Mask m) {
#if defined(__AVX512F__)
  return _mm512_test_epi32_mask(__m512i(m), __m512i(m)) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_epi8(__m256i(m)) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_epi8(__m128i(m)) != 0;
#else
  typename Lane<T>::Int found = 0;
  for (std::size_t i = 0; i < Vec<T>::width; ++i) found |= m[i];
  return found != 0;
#endif
}

// A number of all lanes: lane i is joined with lane i + half of them, until one is left.
#if defined(__AVX512F__)
DELTARULE_INLINE __m256 lower(__m512 a) { return _mm512_castps512_ps256(a); }
DELTARULE_INLINE __m256d lower(__m512d a) { return _mm512_castpd512_pd256(a); }
DELTARULE_INLINE __m256d upper(__m512d a) { return _mm512_extractf64x4_pd(a, 1); }
DELTARULE_INLINE __m256 upper(__m512 a) { return _mm256_castpd_ps(upper(_mm512_castps_pd(a))); }
#endif
#if defined(__AVX2__)
DELTARULE_INLINE __m128 lower(__m256 a) { return _mm256_castps256_ps128(a); }
DELTARULE_INLINE __m128d lower(__m256d a) { return _mm256_castpd256_pd128(a); }
DELTARULE_INLINE __m128 upper(__m256 a) { return _mm256_extractf128_ps(a, 1); }
DELTARULE_INLINE __m128d upper(__m256d a) { return _mm256_extractf128_pd(a, 1); }
#endif
template <class T, class V, class Join> DELTARULE_INLINE T joined(V v, const Join& join) {
  if constexpr (sizeof(V) > 16) {
    return joined<T>(join(lower(v), upper(v)), join);
  } else {
    T lanes[sizeof(V) / sizeof(T)];
    std::memcpy(lanes, &v, sizeof v);
    if constexpr (sizeof(T) == 8) return join(lanes[0], lanes[1]);
    else return join(join(lanes[0], lanes[2]), join(lanes[1], lanes[3]));
  }
}

// The sum of all lanes.
template <class T> DELTARULE_INLINE T sum(Vec<T> a) {
  return joined<T>(a.v, [](auto low, auto high) { return low + high; });
}

// The largest lane.
template <class T> DELTARULE_INLINE T largest(Vec<T> a) {
  return joined<T>(a.v, [](auto low, auto high) { return low > high ? low : high; });
}

#if defined(__AVX2__)
// out[i] = the sum of the lanes of the i-th of four vectors of 32 bytes.
DELTARULE_INLINE void sum_four(__m256 a, __m256 b, __m256 c, __m256 d, float* out) {
  const __m256 ab = _mm256_unpacklo_ps(a, b) + _mm256_unpackhi_ps(a, b);
  const __m256 cd = _mm256_unpacklo_ps(c, d) + _mm256_unpackhi_ps(c, d);
  const __m256 low = _mm256_shuffle_ps(ab, cd, 0x44), high = _mm256_shuffle_ps(ab, cd, 0xEE);
  const __m256 both = low + high;
  _mm_storeu_ps(out, _mm256_castps256_ps128(both) + _mm256_extractf128_ps(both, 1));
}
DELTARULE_INLINE void sum_four(__m256d a, __m256d b, __m256d c, __m256d d, double* out) {
  const __m256d ab = _mm256_unpacklo_pd(a, b) + _mm256_unpackhi_pd(a, b);
  const __m256d cd = _mm256_unpacklo_pd(c, d) + _mm256_unpackhi_pd(c, d);
  const __m256d crossed = _mm256_permute2f128_pd(ab, cd, 0x21);
  _mm256_storeu_pd(out, _mm256_blend_pd(ab, cd, 0xC) + crossed);
}
#endif

// out[i] = the sum of the lanes of the i-th of four vectors. Each sum is formed in the same order
// whatever the other three hold, so a result does not depend on how products are tiled.
template <class T>
DELTARULE_INLINE void sum_four(Vec<T> a, Vec<T> b, Vec<T> c, Vec<T> d, T* out) {
#if defined(__AVX512F__)
  sum_four(lower(a.v) + upper(a.v), lower(b.v) + upper(b.v), lower(c.v) + upper(c.v),
           lower(d.v) + upper(d.v), out);
#elif defined(__AVX2__)
  sum_four(a.v, b.v, c.v, d.v, out);
#elif defined(__aarch64__)
  if constexpr (sizeof(T) == 4) {
    vst1q_f32(out, vpaddq_f32(vpaddq_f32(a.v, b.v), vpaddq_f32(c.v, d.v)));
  } else {
    vst1q_f64(out, vpaddq_f64(a.v, b.v));
    vst1q_f64(out + 2, vpaddq_f64(c.v, d.v));
  }
#else
  out[0] = sum(a), out[1] = sum(b), out[2] = sum(c), out[3] = sum(d);
#endif
}

// Words of 32 bits, and masks of them.
inline constexpr std::size_t words = vector_bytes / sizeof(std::uint32_t);
typedef std::uint32_t Words __attribute__((vector_size(vector_bytes)));

// a[0] b[0] a[1] b[1] … in two vectors.
DELTARULE_INLINE void interleave(Words a, Words b, Words& low, Words& high) {
#if defined(__AVX512F__)
  const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
  low = Words(_mm512_permutex2var_epi32(__m512i(a), first, __m512i(b)));
  high = Words(_mm512_permutex2var_epi32(__m512i(a), second, __m512i(b)));
#elif defined(__AVX2__)
  const __m256i even = _mm256_unpacklo_epi32(__m256i(a), __m256i(b));
  const __m256i odd = _mm256_unpackhi_epi32(__m256i(a), __m256i(b));
  low = Words(_mm256_permute2x128_si256(even, odd, 0x20));
  high = Words(_mm256_permute2x128_si256(even, odd, 0x31));
#elif defined(__SSE2__)
  low = Words(_mm_unpacklo_epi32(__m128i(a), __m128i(b)));
  high = Words(_mm_unpackhi_epi32(__m128i(a), __m128i(b)));
#elif defined(__aarch64__)
  low = Words(vzip1q_u32(uint32x4_t(a), uint32x4_t(b)));
  high = Words(vzip2q_u32(uint32x4_t(a), uint32x4_t(b)));
#else
  for (std::size_t i = 0; i < words / 2; ++i) {
    low[2 * i] = a[i], low[2 * i + 1] = b[i];
    high[2 * i] = a[words / 2 + i], high[2 * i + 1] = b[words / 2 + i];
  }
#endif
}

// While it lives, this thread takes numbers too small for the normal format as 0, or as they are.
// The moments of a unit that died decay into them and stay, and arithmetic on them is many times
// slower.
template <bool as_zero> class TinyNumbers {
 public:
  TinyNumbers() : before_(mode()) { set_mode(as_zero ? before_ | flush : before_ & ~flush); }
  ~TinyNumbers() { set_mode(before_); }
  TinyNumbers(const TinyNumbers&) = delete;
  TinyNumbers& operator=(const TinyNumbers&) = delete;

 private:
#if defined(__SSE2__)
  using Mode = unsigned;
  static constexpr Mode flush = 0x8040;  // of results and of arguments
  static Mode mode() { return _mm_getcsr(); }
  static void set_mode(Mode mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
  using Mode = std::uint64_t;
  static constexpr Mode flush = Mode(1) << 24;  // of both
  static Mode mode() {
    Mode mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void set_mode(Mode mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
  using Mode = unsigned;
  static constexpr Mode flush = 0;
  static Mode mode() { return 0; }
  static void set_mode(Mode) {}
#endif

  Mode before_;
};
using FlushTiny = TinyNumbers<true>;
using KeepTiny = TinyNumbers<false>;

// Ask for a line of memory that will be needed soon: into the second-level cache, or the first.
template <bool first_level = false> DELTARULE_INLINE void prefetch(const void* p) {
  __builtin_prefetch(p, 0, first_level ? 3 : 2);
  asm volatile("");  // GCC drops calls of a function that only prefetches: it has no effect to see
}

}  // namespace deltarule
