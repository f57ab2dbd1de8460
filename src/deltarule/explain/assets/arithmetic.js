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
  const close = (x, value) => Object.is(x, value) || Math.abs(x - value) <= 1e-9 * Math.abs(value) + 1e-13;
  const mapped = (table, f) => Object.fromEntries(Object.entries(table).map(([name, x]) => [name, f(x)]));

  // What a row computes of entries, given by the names of its inputs as [key, i, j]: the first of
  // its expressions that gives the value. (A textbook's overflows or cancels where the row's own
  // does not.)
  function applied(V, expressions, value, places) {
    const inputs = mapped(places, ([key, i, j]) => at(V[key === "Y" ? "target" : key], i, j));
    const given = expressions.filter(Boolean);
    const own = given.find((each) => close(Expressions.value(each, inputs), value)) || given.at(-1);
    const used = own.nodes.filter(([kind]) => kind === "entry").map(([, name]) => places[name]);
    return {
      code: (f, least = 0) => Expressions.printed(own, inputs, f.digits, { least }),
      operands: together(used.map(([key, i, j]) => ({ [key]: [[i, j]] }))),
    };
  }
  const together = (all) => {
    const found = {};
    for (const operands of all)
      for (const [key, places] of Object.entries(operands)) found[key] = [...(found[key] || []), ...places];
    return found;
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

  // ------------------------------------------- by hand, as in the engine: what mixes the units
  const column = (V, key, j) => range(V[key].n).map((k) => at(V[key], k, j));
  // Σ exp(z), every z less the largest: the exponentials of large ones overflow.
  function exponentials(zs, letter) {
    const most = Math.max(...zs), shift = Math.abs(most) > 300 ? most : 0;
    const terms = zs.map((z, k) => ({
      text: `exp(${letter(k)})`, code: (f) => `exp(${f(z - shift, 0)})`, value: Math.exp(z - shift),
    }));
    return { terms, of: (i, f) => `${terms[i].code(f)} / (${sum(terms, f)})`,
      log: (i, f) => `(${f(zs[i] - shift)} - log(${sum(terms, f)}))` };
  }
  const focalPart = (gamma, a, y, f) => (y === 0 ? "0" : `${f(y)} * (${gamma && a > 0
    ? `${gamma} * ${f(a)} * ${power(`(1 - ${f(a)})`, gamma - 1)} * log(${f(a)})` : "0"} - ${power(`(1 - ${f(a)})`, gamma)})`);
  const power = (base, exponent) => (exponent === 1 ? base : `${base} ** ${exponent}`);
  // By name: a unit's share of the loss from the log of its softmax, and δ or dA.
  const BY_HAND = {
    "softmax with categorical_cross_entropy": { share: (log, a, y) => `-${y} * ${log}` },
    "softmax with focal": {
      share: (log, a, y, gamma) => `-${y} * ${power(`(1 - ${a})`, gamma)} * ${log}`,
      delta: (V, A, i, j, gamma) => (f) => {
        const ys = column(V, "target", j), terms = column(V, A, j).map((a, k) => focalPart(gamma, a, ys[k], f));
        return `${terms[i]} - ${f(at(V[A], i, j))} * (${terms.filter((term) => term !== "0").join(" + ") || "0"})`;
      },
    },
    softmax_cross_entropy: {
      share: (log, a, y) => `-${y} * ${log}`,
      dA: (V, A, i, j, classes) => (f) => {
        const first = i - (i % classes), ys = column(V, "target", j).slice(first, first + classes);
        const made = exponentials(column(V, A, j).slice(first, first + classes), String);
        return `${made.of(i - first, f)} * ${f(ys.reduce((s, y) => s + y, 0))} - ${f(ys[i - first])}`;
      },
    },
  };

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
      const row = Page.plan.layers[l - 1].activation, Z = `Z[${l}]`;
      if (!row.mixes)
        return {
          symbolic: `g(z${subscript(i, j)})`,
          ...applied(V, [row.textbook.g, row.g], at(V[`A[${l}]`], i, j), { z: [Z, i, j] }),
        };
      const made = exponentials(column(V, Z, j), (k) => `z${subscript(k, j)}`);
      return {
        symbolic: `exp(z${subscript(i, j)}) / (${symbols(made.terms)})`,
        code: (f) => made.of(i, f), operands: { [Z]: range(V[Z].n).map((k) => [k, j]) },
      };
    },
    Am: (V, l, i, j) => times(V, `A[${l}]`, `D[${l}]`, i, j, "a", "D"),
    gPrime(V, l, i, j) {
      const row = Page.plan.layers[l - 1].activation;
      return {
        symbolic: `g′(z${subscript(i, j)})`,
        ...applied(V, [row.textbook.g_prime, row.g_prime], at(V[`gPrime[${l}]`], i, j), { z: [`Z[${l}]`, i, j] }),
      };
    },
    loss(V, _, i, j) {
      const units = range(Page.now.done.shares.n).map((k) => share(V, k, j)), only = units.length === 1;
      const terms = units.map((unit, k) => ({
        text: `ℓ(a${subscript(k, j)}, y${subscript(k, j)})`,
        code: (f) => unit.code(f, only ? 0 : 3), value: unit.value,
      }));
      return {
        symbolic: symbols(terms), code: (f) => sum(terms, f), operands: together(units.map((unit) => unit.operands)),
      };
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
        const row = Page.plan.cost, A = `A[${l}]`, dA = at(V[`dA[${l}]`], i, j) / (V.s ? V.s.v[j] : 1);
        const made = row.dA ? applied(V, [row.textbook.dA, row.dA], dA, { a: [A, i, j], y: ["Y", i, j] })
          : mixed(V, BY_HAND[row.by_hand].dA, A, i, j);
        return weighted(V, `∂ℓ/∂a${subscript(i, j)}`, made, j);
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
      const L = Page.plan.layers.length, A = `A[${l}]`, row = Page.plan.cost;
      if (l === L && row.fused) {
        const places = { z: [`Z[${l}]`, i, j], a: [A, i, j], y: ["Y", i, j] };
        const value = at(V[`delta[${l}]`], i, j) / (V.s ? V.s.v[j] : 1);
        const made = row.output_error ? difference(V, A, i, j)
          : row.pair ? applied(V, [row.pair.delta], value, places)
            : mixed(V, BY_HAND[row.by_hand].delta, A, i, j);
        const name = row.output_error ? `(a${subscript(i, j)} − y${subscript(i, j)})` : `δ(z${subscript(i, j)}, a${subscript(i, j)}, y${subscript(i, j)})`;
        return weighted(V, name, made, j);
      }
      if (!Page.plan.layers[l - 1].activation.mixes) return times(V, `dA[${l}]`, `gPrime[${l}]`, i, j, "dA", "g′");
      const dA = `dA[${l}]`, all = range(V[A].n);
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
      const penalty = penaltyPart(Page.plan.layers[l - 1], at(V[`W[${l}]`], i, j));
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
  // A unit's share of an example's loss.
  function share(V, k, j) {
    const L = Page.plan.layers.length, row = Page.plan.cost, A = `A[${L}]`, Z = `Z[${L}]`;
    const value = at(Page.now.done.shares, k, j), [a, y] = [at(V[A], k, j), at(V.target, k, j)];
    if (row.loss && (row.pair || !row.fused || close(Expressions.value(row.loss, { a, y }), value)))
      return { value, ...applied(V, [row.textbook.loss, row.loss, row.pair && row.pair.loss], value,
        { z: [Z, k, j], a: [A, k, j], y: ["Y", k, j] }) };
    const [number] = row.numbers, size = row.fused ? V[Z].n : number, first = k - (k % size);
    const made = exponentials(column(V, Z, j).slice(first, first + size), String);
    const code = (f, least) => {
      if (y === 0) return "0";
      const text = BY_HAND[row.by_hand].share(made.log(k - first, f), f(a), f(y), number);
      return least ? `(${text})` : text;
    };
    return { value, code, operands: { Y: [[k, j]], [Z]: range(size).map((u) => [first + u, j]) } };
  }
  // What mixes units, of the outputs and targets of one example.
  function mixed(V, maker, A, i, j) {
    const code = maker(V, A, i, j, ...Page.plan.cost.numbers), all = range(V[A].n).map((k) => [k, j]);
    return { code: (f, least) => (least ? `(${code(f)})` : code(f)), operands: { [A]: all, Y: all } };
  }
  const difference = (V, A, i, j) => ({
    code: (f) => `(${f(at(V[A], i, j))} - ${f(at(V.target, i, j))})`, operands: { [A]: [[i, j]], Y: [[i, j]] },
  });
  // Times the example's weight, where there are any.
  const weighted = (V, symbolic, made, j) => (V.s ? {
    symbolic: `${symbolic}·s${subscript(j)}`, code: (f) => `${made.code(f, 3)} * ${f(V.s.v[j])}`,
    operands: { ...made.operands, s: [[0, j]] },
  } : { ...made, symbolic });
  function penaltyPart(layer, w) {
    const { l1, l2, over_batch } = Page.plan.rules;
    if ((!l1 && !l2) || !(layer.rates.W > 0)) return null;
    return (f) => ` + (${f(l1)} * sign(${f(w)}) + ${f(l2)} * ${f(w)})${over_batch ? ` / ${f(Page.now.done.m)}` : ""}`;
  }
  function update(V, name, l, i, j) {
    const { optimizer, rules, layers } = Page.plan, { now } = Page, rate = layers[l - 1].rates[name];
    const w = at(V[`${name}[${l}]`], i, j), isPenalized = name === "W" && rate > 0;
    const decay = isPenalized ? rules.decay + optimizer.decay : 0, factors = now.done.factors[l - 1][name];
    const inputs = { W: w * (1 - now.alpha * decay), dW: at(now.done.clipped[l - 1][name], i, j), t: now.t, alpha: now.alpha * rate };
    optimizer.slots.forEach((slot, k) => { inputs[`slot_${slot}`] = at(now.state[l - 1][name][k], i, j); });
    const line = (f, output, known, least) => Expressions.printed(optimizer.update, inputs, f.digits, {
      output, known, least, texts: decay ? { W: `(${f(w)} - ${f(now.alpha)} * ${f(decay)} * ${f(w)})` } : {},
    });
    const slots = optimizer.slots.map((_, k) => k + 1), isLimited = isPenalized && factors;
    return {
      symbolic: optimizer.descends
        ? `${name}${subscript(i, j)} − α·d${name}${subscript(i, j)}`
        : `${optimizer.name}'s update of ${name}${subscript(i, j)}`,
      lines: (f) => slots.map((k) => [optimizer.slots[k - 1], line(f, k, slots.slice(0, k - 1)), at(now.done.stateAfter[l - 1][name][k - 1], i, j)]),
      code: (f) => line(f, 0, slots, isLimited ? 3 : 0) + (isLimited ? ` * ${f(factors.v[i])}` : ""),
      operands: { [`${name}[${l}]`]: [[i, j]], [`d${name}[${l}]`]: [[i, j]] },
    };
  }

  // An optimizer's slot: the line of the update that makes it.
  function slotOf({ of: name, slot }, V, l, i, j) {
    const made = update(V, name, l, i, j);
    return {
      symbolic: `${slot} of ${name}${subscript(i, j)}, from its value before this step`,
      code: (f) => made.lines(f).find(([own]) => own === slot)[1], operands: made.operands,
    };
  }
  // What a click shows: null for what is given.
  function of(key, i, j) {
    const { name, l } = Formulas.split(key);
    if (Page.data.untraced.length) return null;
    const own = Formulas.slot(name), maker = own ? slotOf.bind(null, own) : MAKERS[name];
    const made = maker && maker(Page.now.V, l, i, j);
    if (!made) return null;
    const [short, exact] = [6, 0].map((digits) => Object.assign((x, least) => Expressions.atom(x, digits, least), { digits }));
    return {
      operands: made.operands, symbolic: made.symbolic,
      shown: pretty(made.code(short)), exact: made.code(exact), value: at(Page.now.V[key], i, j),
      lines: made.lines ? made.lines(short).map(([slot, code, x]) => [slot, pretty(code), x]) : [],
    };
  }
  const pretty = (code) => code
    .replace(/ \*\* (?=\d)/g, "^").replace(/abs\(([^()]*)\)/g, "|$1|").replace(/ \* /g, " · ").replace(/-/g, "−");

  return { BY_HAND, of, subscript };
})();
