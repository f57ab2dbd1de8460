// Sums and products of entries as arithmetic: in symbols, as code with numbers, and which entries
// they are made of. A term is {text, code, value}; code(f) writes a number x as f(x).
"use strict";
const Terms = (() => {
  const { at } = Algebra;
  const SHOWN = 12;  // terms of a sum, before the rest is added up

  const range = (n) => Array.from({ length: n }, (_, k) => k);
  const subscript = (...indices) => {
    const digits = "₀₁₂₃₄₅₆₇₈₉";
    const each = indices.map((i) => String(i + 1).replace(/\d/g, (d) => digits[d]));
    return each.join(indices.some((i) => i >= 9) ? "," : "");
  };
  const close = (x, value) => Object.is(x, value) || Math.abs(x - value) <= 1e-9 * Math.abs(value) + 1e-13;
  const mapped = (table, f) => Object.fromEntries(Object.entries(table).map(([name, x]) => [name, f(x)]));
  const together = (all) => {
    const found = {};
    for (const operands of all)
      for (const [key, places] of Object.entries(operands)) found[key] = [...(found[key] || []), ...places];
    return found;
  };

  function sum(terms, f) {
    if (!terms.length) return "0";
    if (terms.length <= SHOWN) return terms.map((t) => t.code(f)).join(" + ");
    const head = terms.slice(0, SHOWN - 2), last = terms[terms.length - 1];
    const rest = terms.slice(SHOWN - 2, -1).reduce((s, t) => s + t.value, 0);
    return [...head.map((t) => t.code(f)), f(rest), last.code(f)].join(" + ");
  }
  function symbols(terms) {
    if (!terms.length) return "0";
    if (terms.length <= SHOWN) return terms.map((t) => t.text).join(" + ");
    const head = terms.slice(0, SHOWN - 2).map((t) => t.text).join(" + ");
    return `${head} + [${terms.length - SHOWN + 1} more] + ${terms[terms.length - 1].text}`;
  }
  // A single entry as a term.
  const single = (V, key, i, j, letter) => {
    const value = at(V[key], i, j);
    return { text: `${letter}${subscript(i, j)}`, code: (f) => f(value), value, operands: { [key]: [[i, j]] } };
  };
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
  return { range, subscript, close, together, sum, symbols, single, products, applied };
})();
