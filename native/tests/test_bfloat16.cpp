// Rounding to bfloat16 against its scalar meaning: the nearer of the two neighbors, in double.
#include "bfloat16.hpp"
#include "check.hpp"

namespace deltarule {
namespace {

float of_bits(std::uint32_t word) {
  float number;
  std::memcpy(&number, &word, sizeof number);
  return number;
}
std::uint32_t bits_of(float number) {
  std::uint32_t word;
  std::memcpy(&word, &number, sizeof word);
  return word;
}

// The magnitude of an upper half; infinity stands where the next number would, at 2^128.
double magnitude(std::uint32_t upper) {
  return upper >= 0x7F80 ? std::ldexp(1.0, 128) : double(of_bits(upper << 16));
}

std::uint32_t scalar(std::uint32_t word) {
  const std::uint32_t sign = word & 0x80000000u, size = word & 0x7FFFFFFFu, below = size >> 16;
  if (size > 0x7F800000u) return (word | 0x00400000u) & 0xFFFF0000u;  // NaN, made quiet
  if (size == 0x7F800000u) return word;
  const double to_below = double(of_bits(size)) - magnitude(below);
  const double to_above = magnitude(below + 1) - double(of_bits(size));
  const bool up = to_above < to_below || (to_above == to_below && below % 2 == 1);
  return sign | (below + (up ? 1u : 0u)) << 16;
}

}  // namespace

// Every upper half, with lower halves below, at and above the middle.
void test_bfloat16() {
  constexpr std::uint32_t lower[] = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xC000, 0xFFFE, 0xFFFF};
  constexpr std::size_t width = Vec<float>::width;
  float numbers[16 * width], found[16 * width];
  std::size_t count = 0;
  std::uint32_t words[16 * width];
  const auto compare = [&] {
    round_numbers(numbers, found, 16 * width);
    for (std::size_t i = 0; i < count; ++i)
      expect(bits_of(found[i]) == scalar(words[i]), "bfloat16 of " + std::to_string(words[i]));
    count = 0;
  };
  for (std::uint32_t upper = 0; upper <= 0xFFFF; ++upper) {
    for (const std::uint32_t low : lower) {
      words[count] = upper << 16 | low;
      std::memcpy(&numbers[count], &words[count], sizeof(float));  // a signaling NaN as it is
      if (++count == 16 * width) compare();
    }
  }
  expect(count == 0, "all compared");
}

}  // namespace deltarule
