// The hot loop in C++: a model of a pendulum learned while it swings, and a controller that learns
// through the model's Jacobian. No Python; and no allocation once the first steps are made, which
// this program counts. It fails where either does not hold.
#include "hot_loop.hpp"

#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

long allocations();  // allocations.cpp: how many there have been

namespace {

using namespace deltarule;

// One hidden layer of tanh, squared error, Adam, with weights drawn as Glorot has them.
HotLoop<float> network(std::size_t inputs, std::size_t hidden, std::size_t outputs,
                       ActivationName output, std::mt19937& random) {
  Plan plan;
  plan.inputs = inputs;
  plan.layers.resize(2);
  plan.layers[0].units = hidden, plan.layers[0].activation = ActivationName::tanh;
  plan.layers[1].units = outputs, plan.layers[1].activation = output;
  plan.optimizer = {OptimizerName::adam, 0, 0, 0.9, 0.999, 1e-8};
  HotLoop<float> made(plan);
  std::size_t n_prev = inputs;
  for (std::size_t l = 0; l < 2; ++l) {
    const std::size_t n = made.units(l);
    const float limit = std::sqrt(6.0f / float(n + n_prev));
    std::vector<float> W(n * n_prev), b(n);
    for (float& w : W) w = std::uniform_real_distribution<float>(-limit, limit)(random);
    made.set(l, W.data(), b.data());
    n_prev = n;
  }
  return made;
}

// Upright is angle 0; gravity pulls away from it, a torque of −1 to 1 holds against it.
struct Pendulum {
  float angle, speed;
  void move(float torque) {
    speed += 0.05f * (9.81f * std::sin(angle) - 0.1f * speed + 15.0f * torque);
    angle += 0.05f * speed;
  }
};

constexpr float scale[2] = {0.1f, 1.0f};  // of what the model predicts: the change of a state

// Holds the pendulum for `steps` steps; learns from each where `learns`. Returns the last angle.
float hold(HotLoop<float>& model, HotLoop<float>& controller, Pendulum state, int steps,
           bool learns, std::mt19937& random) {
  float jacobian[2 * 3];
  for (int i = 0; i < steps; ++i) {
    const float seen[2] = {state.angle, state.speed};
    float torque;
    controller.predict_into(seen, 1, &torque);
    if (learns) torque += std::normal_distribution<float>(0, 0.3f)(random);
    torque = std::fmin(1.0f, std::fmax(-1.0f, torque));
    const float x[3] = {seen[0], seen[1], torque};
    state.move(torque);
    if (!learns) continue;
    const float change[2] = {(state.angle - seen[0]) / scale[0],
                             (state.speed - seen[1]) / scale[1]};
    model.step(x, change, 1, 3e-3);
    // loss = s², s = speed + 3 angle afterwards: 0 on a path that falls to rest upright
    model.jacobian_into(x, 1, jacobian);
    const float s = state.speed + 3 * state.angle;
    const float ds = jacobian[1 * 3 + 2] * scale[1] + 3 * jacobian[0 * 3 + 2] * scale[0];
    const float dA = 2 * s * ds;
    controller.step_from(seen, &dA, 1, 1e-3);
  }
  return state.angle;
}

}  // namespace

int main() {
  std::mt19937 random(1);
  auto model = network(3, 32, 2, ActivationName::identity, random);
  auto controller = network(2, 16, 1, ActivationName::tanh, random);
  std::uniform_real_distribution<float> anywhere(-1.0f, 1.0f);
  const auto swing = [&](bool learns) {
    return hold(model, controller, {anywhere(random), anywhere(random)}, 100, learns, random);
  };
  swing(true);  // memory for one row is made here
  const long before = allocations();
  for (int episode = 0; episode < 80; ++episode) swing(true);
  float worst = 0;
  for (int trial = 0; trial < 10; ++trial) worst = std::fmax(worst, std::fabs(swing(false)));
  const long made = allocations() - before;
  std::printf("after %llu steps: at most %.3f rad from upright, %ld allocations\n",
              static_cast<unsigned long long>(model.steps()), double(worst), made);
  try {
    HotLoop<float> none{Plan{}};
    std::puts("failed: a plan without layers was taken");
    return 1;
  } catch (const std::invalid_argument&) {
  }
  return worst < 0.1f && made == 0 ? 0 : 1;
}
