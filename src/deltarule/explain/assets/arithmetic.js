// The arithmetic of one entry of any matrix: in symbols, as an expression with numbers, and which
// entries it is made of. An expression is code: what it evaluates to is the entry.
"use strict";
const Arithmetic = (() => {
  const { at } = Algebra, { range, subscript, close, together, sum, symbols, products, applied } = Terms;
  const layerAt = (l) => Notation.layerAt(Page.plan, l);

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
    Z: (V, l, i, j) => ofKind(l).Z(V, layerAt(l), l, i, j),
    A(V, l, i, j) {
      if (l === 0) return null;
      if (typeof l === "string" && Notation.depthOf(l) === 0) return handedOn(V, l, i, j);
      const { kind, activation: row } = layerAt(l), Z = `Z[${l}]`;
      if (kind !== "dense" && row.name === "identity") return MAKERS.Z(V, l, i, j);
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
      const row = layerAt(l).activation;
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
      const next = Notation.after(l), chain = Notation.chainOf(Page.plan, l);
      if (typeof l === "string" && Notation.depthOf(l) === chain.layers.length) return handedBack(V, chain, l, i, j);
      const made = ofKind(next).dA(V, layerAt(next), next, i, j), mask = V[`D[${l}]`];
      if (!mask) return made;
      return {
        ...made, symbolic: `(${made.symbolic})·D${subscript(i, j)}`, code: (f) => `(${made.code(f)}) * ${f(at(mask, i, j))}`,
        operands: { ...made.operands, [`D[${l}]`]: [[i, j]] },
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
      if (!layerAt(l).activation.mixes) return times(V, `dA[${l}]`, `gPrime[${l}]`, i, j, "dA", "g′");
      const dA = `dA[${l}]`, all = range(V[A].n);
      const made = products(V, A, dA, all.map((k) => [[k, j], [k, j]]), "a", "dA");
      return {
        symbolic: `a${subscript(i, j)}·(dA${subscript(i, j)} − (${symbols(made.terms)}))`,
        code: (f) => `${f(at(V[A], i, j))} * (${f(at(V[dA], i, j))} - (${sum(made.terms, f)}))`,
        operands: made.operands,
      };
    },
  };
  const ofKind = (l) => LayerArithmetic.KINDS[layerAt(l).kind];

  // The rows of the units before that a part of a parallel layer takes; what it sends back.
  function handedOn(V, l, i, j) {
    const { around, part } = Notation.chainOf(Page.plan, l), key = LayerArithmetic.entering(V, around);
    return Terms.single(V, key, layerAt(around).parts[part].first + i, j, "a");
  }
  function handedBack(V, { around, part }, l, i, j) {
    const first = range(part).reduce((n, k) => n + V[`A[${around}.${k + 1}.${layerAt(around).parts[k].layers.length}]`].n, 0);
    return Terms.single(V, `delta[${around}]`, first + i, j, "δ");
  }
  // A derivative of the cost: a sum over the examples, its average, and the penalty's.
  function gradient(name, V, l, i, j) {
    const made = ofKind(l).sums[name](V, layerAt(l), l, i, j), [symbol, factor] = made.factor || [];
    const penalty = penaltyPart(l, name, at(V[`${name}[${l}]`], i, j));
    const text = `${symbol ? `${symbol}·` : ""}(${symbols(made.terms)}) / ${V.s ? "Σs" : "m"}`;
    return {
      symbolic: `${text}${penalty ? " + penalty" : ""}`,
      code: (f) => `${factor ? `${f(factor)} * ` : ""}(${sum(made.terms, f)}) / ${f(Page.now.done.m)}${penalty ? penalty(f) : ""}`,
      operands: { ...made.operands, ...(penalty ? { [`${name}[${l}]`]: [[i, j]] } : {}) },
    };
  }

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
  function penaltyPart(l, name, w) {
    const { l1, l2, over_batch } = Page.plan.rules;
    if ((!l1 && !l2) || !layerAt(l).penalized.includes(name)) return null;
    return (f) => ` + (${f(l1)} * sign(${f(w)}) + ${f(l2)} * ${f(w)})${over_batch ? ` / ${f(Page.now.done.m)}` : ""}`;
  }
  function update(V, name, l, i, j) {
    const { optimizer, rules } = Page.plan, { now } = Page, layer = layerAt(l);
    if (layer.running.includes(name)) return ofKind(l).averaged(V, layer, l, i, name);
    const { k, name: full } = Notation.parameterAt(l, name), rate = layer.rates[name];
    const w = at(V[`${name}[${l}]`], i, j), isPenalized = layer.penalized.includes(name);
    const decay = isPenalized ? rules.decay + optimizer.decay : 0, factors = now.done.factors[k][full];
    const inputs = { W: w * (1 - now.alpha * decay), dW: at(now.done.clipped[k][full], i, j), t: now.t, alpha: now.alpha * rate };
    optimizer.slots.forEach((slot, each) => { inputs[`slot_${slot}`] = at(now.state[k][full][each], i, j); });
    const line = (f, output, known, least) => Expressions.printed(optimizer.update, inputs, f.digits, {
      output, known, least, texts: decay ? { W: `(${f(w)} - ${f(now.alpha)} * ${f(decay)} * ${f(w)})` } : {},
    });
    const slots = optimizer.slots.map((_, each) => each + 1), isLimited = isPenalized && factors;
    return {
      symbolic: optimizer.descends
        ? `${name}${subscript(i, j)} − α·d${name}${subscript(i, j)}`
        : `${optimizer.name}'s update of ${name}${subscript(i, j)}`,
      lines: (f) => slots.map((each) => [optimizer.slots[each - 1], line(f, each, slots.slice(0, each - 1)), at(now.done.stateAfter[k][full][each - 1], i, j)]),
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
  function makerOf(name, l) {
    const own = Formulas.slot(name), made = Formulas.newOf(name);
    if (own) return (V, ...place) => slotOf(own, V, ...place);
    if (made) return (V, ...place) => update(V, made, ...place);
    const isGradient = l && name[0] === "d" && layerAt(l)?.parameters.includes(name.slice(1));
    return isGradient ? (...all) => gradient(name.slice(1), ...all) : MAKERS[name];
  }
  // What a click shows: null for what is given.
  function of(key, i, j) {
    const { name, l } = Formulas.split(key);
    if (Page.data.untraced.length) return null;
    const maker = makerOf(name, l), made = maker && maker(Page.now.V, l, i, j);
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
