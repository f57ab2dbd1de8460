// Every matrix of a step by its name in the notation: "dW[2]", and of a layer within a parallel one
// by its place there: "dW[1.3.2]" of layer 2 in part 3 of layer 1, whose input is "A[1.3.0]".
"use strict";
const Notation = (() => {
  // One layer: where it stands, its passes, and the step's parameters, whose names begin with a prefix.
  function collectLayer(V, plan, layer, { path, prefix, step, l }, cache, back) {
    const put = (name, M) => { if (M) V[`${name}[${path}]`] = M; };
    Object.entries({ Z: cache.Z, A: cache.A, gPrime: back.gPrime, delta: back.delta }).forEach(([name, M]) => put(name, M));
    if (layer.kind === "parallel") {
      layer.parts.forEach(({ layers }, k) => {
        const inner = cache.kept[k], own = back.parts[k], at = (d) => `${path}.${k + 1}.${d}`;
        V[`A[${at(0)}]`] = inner.start;
        V[`dA[${at(0)}]`] = own.dA;
        layers.forEach((each, d) => {
          V[`dA[${at(d + 1)}]`] = own.layers[d].dA;
          const place = { path: at(d + 1), prefix: `${prefix}${k + 1}.${d + 1}.`, step, l };
          collectLayer(V, plan, each, place, inner.caches[d], own.layers[d]);
        });
      });
      return;
    }
    for (const name of layer.parameters) {
      const full = prefix + name, { done } = step;
      put(name, done.before[l - 1][full]);
      put(`${name}_new`, done.after[l - 1][full]);
      if (layer.running.includes(name)) continue;
      put(`d${name}`, done.gradients[l - 1][full]);
      plan.optimizer.slots.forEach((slot, k) => put(`${name}.${slot}`, done.stateAfter[l - 1][full][k]));
    }
  }

  function collect(plan, now) {
    const { done } = now, V = {};
    done.A.forEach((A, l) => {
      V[`A[${l}]`] = A;
      if (now.masks[l]) { V[`D[${l}]`] = now.masks[l]; V[`Am[${l}]`] = Algebra.masked(A, now.masks[l]); }
      V[`dA[${l}]`] = done.dA[l];
    });
    plan.layers.forEach((layer, k) =>
      collectLayer(V, plan, layer, { path: `${k + 1}`, prefix: "", step: now, l: k + 1 }, done.caches[k], done.backs[k + 1]));
    V.loss = done.loss;
    V.C = Algebra.matrix(1, 1, Float64Array.of(done.cost));
    V.Y = now.Y;
    V.target = Engine.smoothed(plan, now.Y);
    V["α"] = Algebra.matrix(1, 1, Float64Array.of(now.alpha));
    if (now.weights) V.s = now.weights;
    return V;
  }

  // The name of a recorded array: "1.2.dW[3]" is of layer 2 in part 1 of layer 3.
  function nameOf(recorded) {
    const prime = recorded.replace(/^g'\(Z\[(\d+)\]\)$/, "gPrime[$1]");
    return prime.replace(/^(d?)((?:\d+\.)+)(.+)\[(\d+)\]$/, (_, d, place, name, l) => `${d}${name}[${l}.${place.slice(0, -1)}]`);
  }

  // The layer at a place: 2, or "1.3.2", within others.
  function layerAt(plan, place) {
    const [l, ...within] = String(place).split(".").map(Number);
    let layer = plan.layers[l - 1];
    for (let k = 0; k < within.length; k += 2) layer = layer.parts[within[k] - 1].layers[within[k + 1] - 1];
    return layer;
  }
  // The place before or after in the same chain, whose A enters a layer or is what it makes.
  const moved = (place, by) => (typeof place === "number" ? place + by
    : place.replace(/\d+$/, (depth) => Number(depth) + by));
  const before = (place) => moved(place, -1), after = (place) => moved(place, 1);
  // The chain a place belongs to: its layers, and the place of the parallel layer around it, or null.
  function chainOf(plan, place) {
    if (typeof place === "number") return { layers: plan.layers, around: null };
    const [, outer, part] = /^(.+)\.(\d+)\.\d+$/.exec(place), around = /\./.test(outer) ? outer : Number(outer);
    return { layers: layerAt(plan, outer).parts[part - 1].layers, around, part: part - 1 };
  }
  const depthOf = (place) => Number(/\d+$/.exec(place)[0]);
  // Where a parameter is kept: the index of the outer layer, and its name there.
  const parameterAt = (place, name) => {
    const [l, ...within] = String(place).split(".");
    return { k: l - 1, name: [...within, name].join(".") };
  };
  // The keys of all parameters.
  const parameterKeys = (parameters) => parameters.flatMap((own, k) => Object.keys(own).map((name) => nameOf(`${name}[${k + 1}]`)));
  return { collect, nameOf, layerAt, before, after, chainOf, depthOf, parameterAt, parameterKeys };
})();
