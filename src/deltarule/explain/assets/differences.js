// The gradient check, in the page: central differences of the cost, from forward passes alone.
"use strict";
const Differences = (() => {
  const STEP = 3e-4, MOST = 6;  // h, times 1 or the entry's size; entries of a large array

  // The cost as one entry of a parameter moves, with the step's masks and batch.
  function costAt(plan, now, { k, name }, entry, x) {
    const changed = Algebra.copy(now.parameters[k][name]);
    changed.v[entry] = x;
    const parameters = now.parameters.map((own, each) => (each === k ? { ...own, [name]: changed } : own));
    return Engine.costOf(plan, parameters, now.X, now.Y, now.weights, now.masks, { s: now.weights });
  }
  function of(plan, now, key) {
    const { name, l } = Formulas.split(key), place = Notation.parameterAt(l, name.slice(1));
    const W = now.parameters[place.k][place.name], exact = now.V[key].v;
    const count = Math.min(MOST, W.v.length), entries = Array.from({ length: count }, (_, e) => Math.floor((e * W.v.length) / count));
    const numeric = entries.map((entry) => {
      const w = W.v[entry], step = STEP * Math.max(1, Math.abs(w));
      const slope = (h) => (costAt(plan, now, place, entry, w + h) - costAt(plan, now, place, entry, w - h)) / (2 * h);
      return (4 * slope(step) - slope(2 * step)) / 3;  // the error falls with h⁴
    });
    const norm = (values) => Math.hypot(...values);
    const error = norm(entries.map((entry, e) => exact[entry] - numeric[e])) / (norm(numeric) || 1);
    return { entries, numeric, error, complete: count === W.v.length };
  }
  return { of };
})();
