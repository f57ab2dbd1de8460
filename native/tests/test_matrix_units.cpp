// The products of kernels/packed.hpp, on instructions emulated in plain C++: each against the sum
// of rounded operands that defines it. Sizes leave parts of tiles, of pairs and of panels.
#include "emulated_units.hpp"

#include <cstdio>

#include "check.hpp"
#include "runner_float.cpp"  // with emulated units

namespace deltarule {
namespace {

Matrix<float> rounded(Numbers& numbers, std::size_t rows, std::size_t lanes) {
  Matrix<float> m = numbers.matrix<float>(rows, lanes);
  round_numbers(m.buffer().data(), m.buffer().data(), m.buffer().size());
  return m;
}

// Padding beyond an operand's rows may hold anything: it belongs to another group.
void spoil_rows_behind(Matrix<float>& m, std::size_t rows, std::size_t lanes) {
  for (std::size_t panel = 0; panel < panel_count<float>(lanes); ++panel)
    for (std::size_t row = rows; row < m.rows(); ++row)
      std::fill_n(m.view().row(panel, row), P<float>, std::numeric_limits<float>::quiet_NaN());
}

template <class Exact>
void compare(Matrix<float>& out, std::size_t rows, std::size_t lanes, const std::string& what,
             const Exact& exact) {
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t n = 0; n < panel_count<float>(lanes) * P<float>; ++n)
      expect_close(double(out.view().at(r, n)), n < lanes ? exact(r, n) : 0.0, 1e-5, what);
}

template <class Units>
void test_two_products(std::size_t rows, std::size_t k, std::size_t n) {
  Numbers numbers;
  Matrix<float> a = rounded(numbers, rows, k), w = rounded(numbers, k + 3, n), wt(n + 3, k);
  Matrix<float> out(rows, n), dots(rows, n);
  Buffer<float> start(panel_count<float>(n) * P<float>);
  for (std::size_t j = 0; j < n; ++j) start[j] = float(j);
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j < n; ++j) wt.view().at(j, i) = w.view().at(i, j);
  spoil_rows_behind(w, k, n), spoil_rows_behind(wt, n, k);
  const auto exact = [&](std::size_t r, std::size_t j) {
    double sum = 0;
    for (std::size_t i = 0; i < k; ++i) sum += double(a.view().at(r, i)) * double(w.view().at(i, j));
    return sum;
  };
  const auto a_seen = readable(a.view());
  packed_columns(UnitsOf<Units>{}, a_seen, k, readable(w.view()), panel_count<float>(n), start.data(),
                 out.view(), rows);
  packed_dots(UnitsOf<Units>{}, a_seen, k, readable(wt.view()), n, dots.view(), rows);
  compare(dots, rows, n, "dots", exact);
  compare(out, rows, n, "columns",
          [&](std::size_t r, std::size_t j) { return exact(r, j) + double(start[j]); });
}

// Rows [first, first + count) as threads part them, in one piece or added to what is there.
template <class Units>
void test_outer(std::size_t m, std::size_t first, std::size_t count, bool begin) {
  constexpr std::size_t rows = 150, lanes = 37;
  Numbers numbers;
  Matrix<float> a = rounded(numbers, m, rows), d = rounded(numbers, m, lanes);
  packed_rows().of = nullptr;
  for (std::size_t panel = 0; panel < panel_count<float>(lanes); ++panel) {
    Buffer<float> strip(count * P<float>);
    for (float& number : strip) number = begin ? 99.f : 2.f;
    packed_outer(UnitsOf<Units>{}, readable(a.view()), readable(d.view()), m, first, count, panel,
                 strip.data(), begin);
    for (std::size_t row = 0; row < count; ++row) {
      for (std::size_t lane = 0; lane < P<float> && panel * P<float> + lane < lanes; ++lane) {
        double sum = begin ? 0 : 2;
        for (std::size_t ex = 0; ex < m; ++ex)
          sum += double(a.view().at(ex, first + row)) * double(d.view().at(ex, panel * P<float> + lane));
        expect_close(double(strip[row * P<float> + lane]), sum, 1e-4, "outer");
      }
    }
  }
}

// A row's bits are the same whichever rows stand beside it, and a strip's wherever it is cut.
template <class Units>
void test_bits() {
  Numbers numbers;
  const std::size_t rows = 70, k = 300, n = 35;
  Matrix<float> a = rounded(numbers, rows, k), w = rounded(numbers, k, n), out(rows, n), one(1, n);
  const Buffer<float> zeros(panel_count<float>(n) * P<float>);
  const auto product = [&](std::size_t first, std::size_t count, Panels<float> to) {
    packed_columns(UnitsOf<Units>{}, readable(a.view().from_row(first)), k, readable(w.view()),
                   panel_count<float>(n), zeros.data(), to, count);
  };
  product(0, rows, out.view());
  for (std::size_t row = 0; row < rows; row += 7) {
    product(row, 1, one.view());
    for (std::size_t j = 0; j < n; ++j)
      expect(one.view().at(0, j) == out.view().at(row, j), "a row alone has the same bits");
  }
  Buffer<float> whole(96 * P<float>), part(96 * P<float>);
  const auto strip = [&](std::size_t first, std::size_t count, float* to) {
    packed_outer(UnitsOf<Units>{}, readable(a.view()), readable(a.view()), rows, first, count, 1, to,
                 true);
  };
  strip(96, 96, whole.data());
  for (const std::size_t cut : {6, 18, 48, 90}) {
    strip(96, cut, part.data());
    strip(96 + cut, 96 - cut, part.data() + cut * P<float>);
    expect(std::equal(whole.begin(), whole.end(), part.begin()), "a strip in parts: the same bits");
  }
}

// A step's derivatives on such units and on vectors; the same bits on any number of threads.
void test_steps(MatrixUnits units) {
  constexpr std::size_t inputs = 40, m = 37;
  const auto layer = [](Kind kind, std::size_t units, std::size_t size) {
    LayerPlan own;
    own.kind = kind, own.units = units, own.size = size, own.activation = ActivationName::tanh;
    return own;
  };
  Plan plan;
  plan.inputs = inputs, plan.mixed = true;
  plan.layers = {layer(Kind::dense, 96, 0), layer(Kind::grouped, 24, 8), layer(Kind::shared, 33, 8),
                 layer(Kind::shared, 96, 11), layer(Kind::dense, 35, 0), layer(Kind::dense, 3, 0)};
  plan.optimizer = {OptimizerName::adam, 0, 0, 0.9, 0.99, 1e-8, false, false};
  const auto found = [&](MatrixUnits used, std::size_t threads, bool update) {
    emulated_units::used = used;
    Runner<float> runner(plan);
    Numbers numbers;
    const auto X = numbers.vector<float>(m * inputs), Y = numbers.vector<float>(m * 3);
    for (std::size_t l = 0; l < plan.layers.size(); ++l) {
      const std::size_t rows = plan.layers[l].rows_of_W(plan.units_before(l));
      const std::size_t width = plan.layers[l].columns_of_W(plan.units_before(l));
      runner.set(Array::parameter, l, 0, rows_of(numbers.vector<float>(rows * width), width));
    }
    const std::vector<double> rates(m, 1e-2);
    std::vector<double> costs(m);
    Job<float> job;
    job.X = rows_of(X, inputs), job.Y = rows_of(Y, 3), job.entries = m, job.batch_size = update ? 9 : m;
    job.rates = rates.data(), job.costs = costs.data();
    if (update) runner.train(job, threads);
    else runner.gradients(job, threads);
    std::vector<float> all;
    for (std::size_t l = 0; l < plan.layers.size(); ++l) {
      std::vector<float> W(plan.layers[l].rows_of_W(plan.units_before(l)) *
                           plan.layers[l].columns_of_W(plan.units_before(l)));
      runner.get(update ? Array::parameter : Array::derivative, l, 0, W.data());
      all.insert(all.end(), W.begin(), W.end());
    }
    return all;
  };
  const auto own = found(units, 1, false), vectors = found(MatrixUnits::none, 1, false);
  double apart = 0, size = 0;
  for (std::size_t i = 0; i < own.size(); ++i) {
    apart += std::pow(double(own[i]) - double(vectors[i]), 2), size += std::pow(vectors[i], 2);
  }
  expect(size > 0 && apart < 1e-6 * size, "derivatives are those on vectors");
  expect(own != vectors, "and are summed in another order");
  const auto one = found(units, 1, true);
  for (const std::size_t threads : {2, 3})
    expect(found(units, threads, true) == one, "the same bits on several threads");
}

template <class Units>
void test_units(MatrixUnits units) {
  for (const std::size_t rows : {1, 15, 16, 17, 33, 96, 270})
    for (const std::size_t k : {1, 16, 17, 32, 47, 270})
      for (const std::size_t n : {1, 16, 35}) test_two_products<Units>(rows, k, n);
  for (const std::size_t m : {1, 2, 31, 32, 33, 300})
    for (const bool begin : {true, false}) {
      test_outer<Units>(m, 0, 96, begin), test_outer<Units>(m, 96, 54, begin);
      test_outer<Units>(m, 6, 84, begin), test_outer<Units>(m, 102, 6, begin);
    }
  test_bits<Units>();
  test_steps(units);
}

void test_all() {
  test_units<DotProducts>(MatrixUnits::dots);
  test_units<Tiles>(MatrixUnits::amx);
  expect(!emulated_units::misused, "tiles are configured wherever they are used");
  expect(!emulated_units::configured, "tiles are released");
}

}  // namespace
}  // namespace deltarule

int main() {
  try {
    deltarule::test_all();
  } catch (const std::exception& error) {
    std::printf("failed: %s\n", error.what());
    return 1;
  }
  std::puts("products on matrix units passed");
}
