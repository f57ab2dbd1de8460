// Contributions of columns to the prediction of a row: the network's derivative along the straight
// line in encoded space from the reference row (integrated gradients), as Python computes them.
"use strict";
const Why = (() => {
  const { matrix, at, made, rows, stacked } = Algebra;

  // The units of a group at some points from X0 to X: (units, points). Where they go straight, or
  // between knots, they are computed at the ends alone.
  function along(own, X0, X, points, knots) {
    const ends = own.straight ? [0, 1] : knots, places = ends || points;
    const path = made(X.n, places.length, (i, j) => (places[j] === 1 ? X.v[i] : X0.v[i] + places[j] * (X.v[i] - X0.v[i])));
    const { A } = Predicting.chained(own, path);
    if (!ends) return A;
    const pieces = points.map((t) => Math.min(Math.max(ends.findLastIndex((end) => end <= t), 0), ends.length - 2));
    return made(A.n, points.length, (u, j) => {
      const k = pieces[j], share = (points[j] - ends[k]) / (ends[k + 1] - ends[k]);
      return at(A, u, k) + share * (at(A, u, k + 1) - at(A, u, k));
    });
  }

  // What the units of a group contribute, as what its inputs do: an oblique column is linear in
  // its inputs, and each has the share that it moves the column by.
  function ofInputs(own, contributions, change) {
    const bySource = Array(Math.max(...own.sources) + 1).fill(0);
    own.sources.forEach((source, u) => { bySource[source] += contributions[u]; });
    if (!own.across) return bySource;
    const found = Array(own.last - own.first).fill(0);
    own.across.forEach((weights, s) => {
      const moved = weights.reduce((sum, w, i) => sum + w * change[i], 0);
      if (moved) weights.forEach((w, i) => { found[i] += (bySource[s] / moved) * w * change[i]; });
    });
    return found;
  }

  // By one rule: of each output what each input contributes, and of each unit how far it moves and
  // what it contributes.
  function parts(model, X0, X, rule) {
    const [from, to] = [X0, X].map((own) => Predicting.ordered(model, own));
    const groups = model.units.map((own) => ({ own, from: rows(from, own.first, own.last), to: rows(to, own.first, own.last) }));
    const paths = groups.map(({ own, from, to }) => along(own, from, to, rule.at, rule.knots));
    const ends = groups.map(({ own, from, to }) => along(own, from, to, rule.ends, rule.knots));
    const through = Engine.forward(model.rest, model.rest.parameters, stacked(paths)), moves = stacked(ends);
    return Array.from({ length: through.A.at(-1).n }, (_, c) => {
      const slopes = Engine.inputGradient(model.rest, model.rest.parameters, through, c);
      const units = Array.from({ length: slopes.n }, (_, u) => {
        let sum = 0;
        for (let j = 0; j < slopes.m; j++) sum += at(slopes, u, j) * (at(moves, u, j + 1) - at(moves, u, j));
        return sum;
      });
      const inputs = Array(model.order.length).fill(0);
      let place = 0;
      for (const { own, from, to } of groups) {
        const some = units.slice(place, (place += own.sources.length));
        const change = Array.from(to.v, (x, i) => x - from.v[i]);
        ofInputs(own, some, change).forEach((value, i) => { inputs[model.order[own.first + i]] += value; });
      }
      const last = moves.m - 1, moved = units.map((_, u) => [at(moves, u, 0), at(moves, u, last)]);
      return { inputs, units, moved };
    });
  }

  const outputsAt = (model, X) => Array.from(Predicting.passed(model, X).outputs.v);
  const sumOf = (values) => values.reduce((s, x) => s + x, 0);

  // What each column contributes to each output: values[output][column], in the unit of the facts.
  function contributions(model, cells) {
    const { reference, rules, tolerance } = model.facts, X = Predicting.inputsOf([cells]);
    const X0 = matrix(X.n, 1, Float64Array.from(reference.encoded));
    const after = outputsAt(model, X), before = outputsAt(model, X0);
    const residual = (found) => Math.max(...found.map(({ inputs }, c) => Math.abs(after[c] - before[c] - sumOf(inputs))));
    let best = null, points = 0;
    for (const rule of rules) {
      const found = parts(model, X0, X, rule);
      if (!best || residual(found) < residual(best)) [best, points] = [found, rule.at.length];
      if (residual(best) <= tolerance) break;
    }
    return inUnits(model, best, after, before, points);
  }

  // From the network's outputs to the targets' units, log-odds, or logits less their mean.
  function inUnits(model, found, after, before, points) {
    const { means, stds, classes, names } = model.targets, count = after.length, centered = model.isClasses && count > 1;
    const mean = (values) => (centered ? sumOf(values) / count : 0);
    const scale = (k) => (model.isClasses ? 1 : stds[k]), shift = (k) => (model.isClasses ? 0 : means[k]);
    const inEach = (part) => {
      const length = found[0][part].length, means_ = Array.from({ length }, (_, i) => mean(found.map((own) => own[part][i])));
      return found.map((own, k) => own[part].map((x, i) => (x - means_[i]) * scale(k)));
    };
    const inputs = inEach("inputs"), units = inEach("units"), labels = model.isClasses ? classes : names;
    const widths = model.columns.map((column) => column.outputs.length), [end, start] = [mean(after), mean(before)];
    return inputs.map((own, k) => {
      let first = 0;
      const values = widths.map((width) => sumOf(own.slice(first, (first += width))));
      const prediction = (after[k] - end) * scale(k) + shift(k), base = (before[k] - start) * scale(k) + shift(k);
      return {
        output: String(labels.at(k - count)), values, prediction, reference: base, points,
        residual: prediction - base - sumOf(values), inputs: own, units: units[k], moved: found[k].moved,
      };
    });
  }

  return { contributions };
})();
