// The arithmetic of one entry of any matrix: in symbols, as an expression with numbers, and which
// entries it is made of. An expression is code: what it evaluates to is the entry.
"use strict";
const Arithmetic = (() => {
  const { at } = Engine;
  const SHOWN = 12;  // terms of a sum, before the rest is added up

  const subscript = (...indices) => {
    const digits = "₀₁₂₃₄₅₆₇₈₉";
    const each = indices.map((i) => String(i + 1).replace(/\d/g, (d) => digits[d]));
    return each.join(indices.some((i) => i >= 9) ? "," : "");
  };
  // A number as code: exact, or to six digits (more near 1, where 1 − a would lose them); never
  // with a sign that could bind wrongly.
  const number = (x, digits) => {
    const near = Math.max(0, Math.floor(-Math.log10(Math.abs(1 - Math.abs(x)) || 1)));
    const text = digits ? String(Number(x.toPrecision(Math.min(17, digits + near)))) : String(x);
    return x < 0 || Object.is(x, -0) || /e/.test(text) ? `(${text})` : text;
  };

  // ------------------------------------------- g, g', loss and dA of one entry, as expressions
  const sigma = (z) => `1 / (1 + exp(-${z}))`;
  const softplus = (z) => `log(1 + exp(${z}))`;
  const elu = (scale, alpha) => ({
    g: (z, x) => (x > 0 ? `${scale} * ${z}` : `${scale} * ${alpha} * (exp(${z}) - 1)`),
    gPrime: (z, x) => (x > 0 ? `${scale}` : `${scale} * ${alpha} * exp(${z})`),
  });
  const G = {
    identity: () => ({ g: (z) => z, gPrime: () => "1" }),
    sigmoid: () => ({ g: sigma, gPrime: (z) => `(${sigma(z)}) * (1 - ${sigma(z)})` }),
    tanh: () => ({ g: (z) => `tanh(${z})`, gPrime: (z) => `1 - tanh(${z}) ** 2` }),
    relu: () => ({ g: (z) => `max(0, ${z})`, gPrime: (z) => `1 * (${z} > 0)` }),
    leaky_relu: (s) => ({
      g: (z, x) => (x > 0 ? z : `${s} * ${z}`),
      gPrime: (z, x) => (x > 0 ? "1" : x < 0 ? `${s}` : "0"),
    }),
    elu: (alpha) => elu(1, alpha),
    selu: () => elu(1.0507009873554805, 1.6732632423543772),
    softplus: () => ({ g: softplus, gPrime: sigma }),
    silu: () => ({
      g: (z) => `${z} / (1 + exp(-${z}))`,
      gPrime: (z) => `(${sigma(z)}) * (1 + ${z} * (1 - ${sigma(z)}))`,
    }),
    mish: () => ({
      g: (z) => `${z} * tanh(${softplus(z)})`,
      gPrime: (z) => `tanh(${softplus(z)}) + ${z} * (1 - tanh(${softplus(z)}) ** 2) * (${sigma(z)})`,
    }),
    exp: () => ({ g: (z) => `exp(${z})`, gPrime: (z) => `exp(${z})` }),
  };
  const log = (y, a, Y) => (Y === 0 ? "0" : `${y} * log(${a})`);
  const COSTS = {
    mse: () => ({ loss: (a, y) => `(${y} - ${a}) ** 2`, dA: (a, y) => `2 * (${a} - ${y})` }),
    mae: () => ({ loss: (a, y) => `abs(${y} - ${a})`, dA: (a, y) => `sign(${a} - ${y})` }),
    half_squared_error: () => ({
      loss: (a, y) => `0.5 * (${y} - ${a}) ** 2`, dA: (a, y) => `(${a} - ${y})`,
    }),
    binary_cross_entropy: () => ({
      loss: (a, y, A, Y) => `-(${log(y, a, Y)} + ${log(`(1 - ${y})`, `1 - ${a}`, 1 - Y)})`,
      dA: (a, y, A, Y) => `(${Y === 0 ? "0" : `-${y} / ${a}`} + ${Y === 1 ? "0" : `(1 - ${y}) / (1 - ${a})`})`,
    }),
    categorical_cross_entropy: () => ({
      loss: (a, y, A, Y) => `-(${log(y, a, Y)})`,
      dA: (a, y, A, Y) => (Y === 0 ? "0" : `(-${y} / ${a})`),
    }),
    poisson: () => ({
      loss: (a, y, A, Y) => `(${a} - ${log(y, a, Y)})`,
      dA: (a, y, A, Y) => (Y === 0 ? "1" : `(1 - ${y} / ${a})`),
    }),
    huber: (d) => ({
      loss: (a, y) => `min(abs(${y} - ${a}), ${d}) * (abs(${y} - ${a}) - 0.5 * min(abs(${y} - ${a}), ${d}))`,
      dA: (a, y) => `min(max(${a} - ${y}, -${d}), ${d})`,
    }),
    quantile: (t) => ({
      loss: (a, y) => `max(${t} * (${y} - ${a}), (${t} - 1) * (${y} - ${a}))`,
      dA: (a, y, A, Y) => (A > Y ? `(1 - ${t})` : A < Y ? `(-${t})` : "0"),
    }),
  };

  // --------------------------- optimizers: named lines, the last is the new parameter; in them
  // w, d, a (the rate) and the state's slots as code, t a number, o the settings
  const unbiased = (beta, t) => (beta === 0 ? "1" : `(1 - ${beta} ** ${t})`);
  const moments = (o, d, M, V) => [
    ["M", `${o.beta_1} * ${M} + (1 - ${o.beta_1}) * ${d}`],
    ["V", `${o.beta_2} * ${V} + (1 - ${o.beta_2}) * ${d} ** 2`],
  ];
  const adamStep = (o, M, V, t) => (o.epsilon_inside
    ? `${M} * sqrt${unbiased(o.beta_2, t)} / (sqrt(${V}) + ${o.epsilon})`
    : `${M} / (sqrt(${V} / ${unbiased(o.beta_2, t)}) + ${o.epsilon})`);
  const adam = (ahead) => ({
    state: (o, d, [M, V]) => moments(o, d, M, V),
    last: (o, w, d, a, [M, V], t) => {
      const mean = ahead
        ? `(${o.beta_1} * ${M} / ${unbiased(o.beta_1, t + 1)} + (1 - ${o.beta_1}) * ${d} / ${unbiased(o.beta_1, t)})`
        : `(${M} / ${unbiased(o.beta_1, t)})`;
      return `${w} - ${a} * ${adamStep(o, mean, V, t)}`;
    },
  });
  const UPDATES = {
    gradient_descent: { state: () => [], last: (o, w, d, a) => `${w} - ${a} * ${d}` },
    sgd: {
      state: (o, d, [V], a) => [["V", `${o.momentum} * ${V} - ${a} * ${d}`]],
      last: (o, w, d, a, [V]) => (o.nesterov ? `${w} + ${o.momentum} * ${V} - ${a} * ${d}` : `${w} + ${V}`),
    },
    adagrad: {
      state: (o, d, [G]) => [["G", `${G} + ${d} ** 2`]],
      last: (o, w, d, a, [G0]) => `${w} - ${a} * ${d} / (sqrt(${G0}) + ${o.epsilon})`,
    },
    adadelta: {
      state: (o, d, [G0, D], a, [G1]) => [
        ["G", `${o.rho} * ${G0} + (1 - ${o.rho}) * ${d} ** 2`],
        ["D", `${o.rho} * ${D} + (1 - ${o.rho}) * ${d} ** 2 * (${D} + ${o.epsilon}) / (${G1} + ${o.epsilon})`],
      ],
      last: (o, w, d, a, [G0], t, [, D]) =>
        `${w} - ${a} * ${d} * sqrt(${D} + ${o.epsilon}) / sqrt(${G0} + ${o.epsilon})`,
    },
    rmsprop: {
      state: (o, d, [G0]) => [["G", `${o.rho} * ${G0} + (1 - ${o.rho}) * ${d} ** 2`]],
      last: (o, w, d, a, [G0]) => `${w} - ${a} * ${d} / (sqrt(${G0}) + ${o.epsilon})`,
    },
    adam: adam(false), adamw: adam(false), nadam: adam(true),
    adamax: {
      state: (o, d, [M, U]) => [
        ["M", `${o.beta_1} * ${M} + (1 - ${o.beta_1}) * ${d}`],
        ["U", `max(${o.beta_2} * ${U}, abs(${d}))`],
      ],
      last: (o, w, d, a, [M, U], t) => `${w} - ${a} * (${M} / ${unbiased(o.beta_1, t)}) / (${U} + ${o.epsilon})`,
    },
    lion: {
      state: (o, d, [M]) => [["M", `${o.beta_2} * ${M} + (1 - ${o.beta_2}) * ${d}`]],
      last: (o, w, d, a, after, t, [M]) => `${w} - ${a} * sign(${o.beta_1} * ${M} + (1 - ${o.beta_1}) * ${d})`,
    },
  };

  // ------------------------------------------------------------------------------- of a sum
  function sum(terms, f, whole) {
    if (terms.length <= SHOWN) return terms.map((t) => t.code(f)).join(" + ");
    const head = terms.slice(0, SHOWN - 2), last = terms[terms.length - 1];
    const rest = terms.slice(SHOWN - 2, -1).reduce((s, t) => s + t.value, 0);
    return [...head.map((t) => t.code(f)), f(rest), last.code(f)].join(" + ");
  }
  function symbols(terms) {
    if (terms.length <= SHOWN) return terms.map((t) => t.text).join(" + ");
    const head = terms.slice(0, SHOWN - 2).map((t) => t.text).join(" + ");
    return `${head} + [${terms.length - SHOWN + 1} more] + ${terms[terms.length - 1].text}`;
  }
  // Σ_k P[p_k] Q[q_k] of matrices of the step, and the entries it takes.
  function products(V, P, Q, pairs, letterP, letterQ) {
    const terms = pairs.map(([p, q]) => {
      const x = at(V[P], ...p), y = at(V[Q], ...q);
      return {
        text: `${letterP}${subscript(...p)}·${letterQ}${subscript(...q)}`,
        code: (f) => `${f(x)} * ${f(y)}`, value: x * y,
      };
    });
    return { terms, operands: { [P]: pairs.map(([p]) => p), [Q]: pairs.map(([, q]) => q) } };
  }
  const range = (n) => Array.from({ length: n }, (_, k) => k);

  const MAKERS = {
    Z(V, l, i, j) {
      const A = V[`Am[${l - 1}]`] ? `Am[${l - 1}]` : `A[${l - 1}]`;
      const made = products(V, `W[${l}]`, A, range(V[A].n).map((k) => [[i, k], [k, j]]), "W", "a");
      const b = at(V[`b[${l}]`], i, 0);
      return {
        symbolic: `${symbols(made.terms)} + b${subscript(i)}`,
        code: (f) => `${sum(made.terms, f)} + ${f(b)}`,
        operands: { ...made.operands, [`b[${l}]`]: [[i, 0]] },
      };
    },
    A(V, l, i, j) {
      if (l === 0) return null;
      const row = Page.plan.layers[l - 1].activation, Z = `Z[${l}]`, z = at(V[Z], i, j);
      if (Engine.activation(row).mixed) {
        const all = range(V[Z].n), most = Math.max(...all.map((k) => at(V[Z], k, j)));
        const shift = Math.abs(most) > 300 ? most : 0;  // else the exponentials overflow
        const terms = all.map((k) => ({
          text: `exp(z${subscript(k, j)})`, code: (f) => `exp(${f(at(V[Z], k, j) - shift)})`,
          value: Math.exp(at(V[Z], k, j) - shift),
        }));
        return {
          symbolic: `exp(z${subscript(i, j)}) / (${symbols(terms)})`,
          code: (f) => `exp(${f(z - shift)}) / (${sum(terms, f)})`,
          operands: { [Z]: all.map((k) => [k, j]) },
        };
      }
      return {
        symbolic: `g(z${subscript(i, j)})`,
        code: (f) => G[row.base](...row.numbers).g(f(z), z), operands: { [Z]: [[i, j]] },
      };
    },
    Am: (V, l, i, j) => times(V, `A[${l}]`, `D[${l}]`, i, j, "a", "D"),
    gPrime(V, l, i, j) {
      const row = Page.plan.layers[l - 1].activation, z = at(V[`Z[${l}]`], i, j);
      return {
        symbolic: `g′(z${subscript(i, j)})`,
        code: (f) => G[row.base](...row.numbers).gPrime(f(z), z),
        operands: { [`Z[${l}]`]: [[i, j]] },
      };
    },
    loss(V, _, i, j) {
      const row = Page.plan.cost, A = `A[${Page.plan.layers.length}]`;
      const terms = range(V[A].n).map((k) => {
        const a = at(V[A], k, j), y = at(V.target, k, j);
        return {
          text: `ℓ(a${subscript(k, j)}, y${subscript(k, j)})`,
          code: (f) => COSTS[row.base](...row.numbers).loss(f(a), f(y), a, y),
          value: Engine.cost(row).loss(a, y),
        };
      });
      const used = range(V[A].n).map((k) => [k, j]);
      return { symbolic: symbols(terms), code: (f) => sum(terms, f), operands: { [A]: used, Y: used } };
    },
    C(V) {
      const all = range(V.loss.m), s = V.s, m = Page.now.done.m;
      const terms = all.map((j) => ({
        text: s ? `s${subscript(j)}·ℓ${subscript(j)}` : `ℓ${subscript(j)}`,
        code: (f) => (s ? `${f(s.v[j])} * ` : "") + f(V.loss.v[j]),
        value: V.loss.v[j] * (s ? s.v[j] : 1),
      }));
      const penalty = V.C.v[0] - terms.reduce((x, t) => x + t.value, 0) / m;
      const penalised = Page.plan.rules.l1 || Page.plan.rules.l2;
      return {
        symbolic: `(${symbols(terms)}) / ${s ? "Σs" : "m"}${penalised ? " + penalty" : ""}`,
        code: (f) => `(${sum(terms, f)}) / ${f(m)}${penalised ? ` + ${f(penalty)}` : ""}`,
        operands: { loss: all.map((j) => [0, j]), ...(s ? { s: all.map((j) => [0, j]) } : {}) },
      };
    },
    dA(V, l, i, j) {
      if (l === Page.plan.layers.length) {
        const row = Page.plan.cost, a = at(V[`A[${l}]`], i, j), y = at(V.target, i, j);
        const s = V.s ? V.s.v[j] : null;
        return {
          symbolic: `∂ℓ/∂a${subscript(i, j)}${s === null ? "" : ` · s${subscript(j)}`}`,
          code: (f) => COSTS[row.base](...row.numbers).dA(f(a), f(y), a, y) + (s === null ? "" : ` * ${f(s)}`),
          operands: { [`A[${l}]`]: [[i, j]], Y: [[i, j]], ...(V.s ? { s: [[0, j]] } : {}) },
        };
      }
      const delta = `delta[${l + 1}]`, W = `W[${l + 1}]`;
      const made = products(V, W, delta, range(V[W].n).map((k) => [[k, i], [k, j]]), "W", "δ");
      const mask = V[`D[${l}]`];
      return {
        symbolic: mask ? `(${symbols(made.terms)})·D${subscript(i, j)}` : symbols(made.terms),
        code: (f) => (mask ? `(${sum(made.terms, f)}) * ${f(at(mask, i, j))}` : sum(made.terms, f)),
        operands: mask ? { ...made.operands, [`D[${l}]`]: [[i, j]] } : made.operands,
      };
    },
    delta(V, l, i, j) {
      const L = Page.plan.layers.length, g = Engine.activation(Page.plan.layers[l - 1].activation);
      if (l === L && Page.plan.cost.fused) {
        const a = at(V[`A[${l}]`], i, j), y = at(V.target, i, j), s = V.s ? V.s.v[j] : null;
        return {
          symbolic: `(a${subscript(i, j)} − y${subscript(i, j)})${s === null ? "" : `·s${subscript(j)}`}`,
          code: (f) => `(${f(a)} - ${f(y)})${s === null ? "" : ` * ${f(s)}`}`,
          operands: { [`A[${l}]`]: [[i, j]], Y: [[i, j]], ...(V.s ? { s: [[0, j]] } : {}) },
        };
      }
      if (!g.mixed) return times(V, `dA[${l}]`, `gPrime[${l}]`, i, j, "dA", "g′");
      const A = `A[${l}]`, dA = `dA[${l}]`, all = range(V[A].n);
      const made = products(V, A, dA, all.map((k) => [[k, j], [k, j]]), "a", "dA");
      return {
        symbolic: `a${subscript(i, j)}·(dA${subscript(i, j)} − (${symbols(made.terms)}))`,
        code: (f) => `${f(at(V[A], i, j))} * (${f(at(V[dA], i, j))} - (${sum(made.terms, f)}))`,
        operands: made.operands,
      };
    },
    dW(V, l, i, j) {
      const delta = `delta[${l}]`, A = V[`Am[${l - 1}]`] ? `Am[${l - 1}]` : `A[${l - 1}]`;
      const made = products(V, delta, A, range(V[A].m).map((k) => [[i, k], [j, k]]), "δ", "a");
      const penalty = penaltyPart(at(V[`W[${l}]`], i, j));
      return {
        symbolic: `(${symbols(made.terms)}) / ${V.s ? "Σs" : "m"}${penalty ? " + penalty" : ""}`,
        code: (f) => `(${sum(made.terms, f)}) / ${f(Page.now.done.m)}${penalty ? penalty(f) : ""}`,
        operands: { ...made.operands, ...(penalty ? { [`W[${l}]`]: [[i, j]] } : {}) },
      };
    },
    db(V, l, i) {
      const delta = `delta[${l}]`, all = range(V[delta].m);
      const terms = all.map((k) => ({
        text: `δ${subscript(i, k)}`, code: (f) => f(at(V[delta], i, k)), value: at(V[delta], i, k),
      }));
      return {
        symbolic: `(${symbols(terms)}) / ${V.s ? "Σs" : "m"}`,
        code: (f) => `(${sum(terms, f)}) / ${f(Page.now.done.m)}`,
        operands: { [delta]: all.map((k) => [i, k]) },
      };
    },
    W_new: (V, l, i, j) => update(V, "W", l, i, j),
    b_new: (V, l, i, j) => update(V, "b", l, i, j),
  };

  function times(V, P, Q, i, j, letterP, letterQ) {
    const made = products(V, P, Q, [[[i, j], [i, j]]], letterP, letterQ);
    return { symbolic: symbols(made.terms), code: (f) => sum(made.terms, f), operands: made.operands };
  }
  function penaltyPart(w) {
    const { l1, l2, over_batch } = Page.plan.rules;
    if (!l1 && !l2) return null;
    return (f) => ` + (${f(l1)} * sign(${f(w)}) + ${f(l2)} * ${f(w)})${over_batch ? ` / ${f(Page.now.done.m)}` : ""}`;
  }
  function update(V, name, l, i, j) {
    const { optimizer, rules, layers } = Page.plan, layer = layers[l - 1], now = Page.now;
    const w0 = at(V[`${name}[${l}]`], i, j), d = at(now.done.clipped[l - 1][name], i, j);
    const alpha = now.alpha * layer.rate * (name === "b" ? layer.bias_rate : 1);
    const decay = name === "W" ? rules.decay + optimizer.decay : 0;
    const slots = (state) => state[l - 1][name].map((slot) => at(slot, i, j));
    const before = slots(now.state), after = slots(now.done.stateAfter), row = UPDATES[optimizer.base];
    const o = optimizer.settings;
    const start = (f) => (decay ? `(${f(w0)} - ${f(now.alpha)} * ${decay} * ${f(w0)})` : f(w0));
    const last = (f) =>
      row.last(o, start(f), f(d), f(alpha), after.map(f), now.t, before.map(f));
    const plain = (f) => (name === "W" && rules.max_norm
      ? `(${last(f)}) * ${f(now.done.factors[l - 1][i])}` : last(f));
    return {
      symbolic: optimizer.base === "gradient_descent"
        ? `${name}${subscript(i, j)} − α·d${name}${subscript(i, j)}`
        : `${optimizer.name}'s update of ${name}${subscript(i, j)}`,
      lines: (f) => row.state(o, f(d), before.map(f), f(alpha), after.map(f)).map(([slot, code], k) => [slot, code, after[k]]),
      code: plain,
      operands: { [`${name}[${l}]`]: [[i, j]], [`d${name}[${l}]`]: [[i, j]] },
    };
  }

  // An optimizer's slot: the line of the update that makes it.
  function slot(name, V, l, i, j) {
    const [part, letter] = name.split("_"), made = update(V, part, l, i, j);
    const place = Page.plan.optimizer.slots.indexOf(letter);
    return {
      symbolic: `${letter} of ${part}${subscript(i, j)}, from its value before this step`,
      code: (f) => made.lines(f)[place][1], operands: made.operands,
    };
  }
  // What a click shows: null for what is given.
  function of(key, i, j) {
    const { name, l } = Formulas.split(key);
    if (Page.data.uncovered.length) return null;
    const maker = MAKERS[name] || (/^[Wb]_[A-Z]$/.test(name) ? slot.bind(null, name) : null);
    const made = maker && maker(Page.now.V, l, i, j);
    if (!made) return null;
    const short = (x) => number(x, 6), exact = (x) => number(x);
    return {
      operands: made.operands, symbolic: made.symbolic,
      shown: pretty(made.code(short)), exact: made.code(exact), value: at(Page.now.V[key], i, j),
      lines: made.lines ? made.lines(short).map(([slot, code, x]) => [slot, pretty(code), x]) : [],
    };
  }
  const pretty = (code) => code
    .replace(/ \*\* (?=\d)/g, "^").replace(/ \* /g, " · ").replace(/-/g, "−").replace(/e−/g, "e−");

  return { of, subscript };
})();
