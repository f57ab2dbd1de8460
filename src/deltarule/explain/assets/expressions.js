// Expressions: what a row computes of one entry, as a list of operations that is evaluated, and
// printed as arithmetic with numbers. A list is {nodes, outputs}; a node is an operation with the
// places of its arguments, a constant, or an input: of each entry, or of the whole step.
"use strict";
const Expressions = (() => {
  function erf(x) {  // 2/√π · e^(−x²) · Σ 2^k x^(2k+1) / (1·3·5···(2k+1)): all terms of one sign
    if (Math.abs(x) > 6) return Math.sign(x);
    let term = x, sum = x;
    for (let k = 1; Math.abs(term) > 1e-17 * Math.abs(sum); k++) {
      term *= (2 * x * x) / (2 * k + 1);
      sum += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  // A mask is 1 or 0, or true or false.
  const OPERATIONS = {
    add: (x, y) => x + y, subtract: (x, y) => x - y,
    multiply: (x, y) => x * y, divide: (x, y) => x / y,
    minimum: (x, y) => Math.min(x, y), maximum: (x, y) => Math.max(x, y), power: Math.pow,
    negative: (x) => -x, abs: Math.abs, sign: Math.sign, floor: Math.floor, sqrt: Math.sqrt,
    exp: Math.exp, expm1: Math.expm1, log: Math.log, log1p: Math.log1p, tanh: Math.tanh,
    sin: Math.sin, cos: Math.cos, arctan: Math.atan, erf,
    less: (x, y) => x < y, less_equal: (x, y) => x <= y, equal: (x, y) => x === y,
    and: (x, y) => x && y, or: (x, y) => x || y, not: (x) => !x, where: (mask, x, y) => (mask ? x : y),
  };

  // ------------------------------------------------------------------------------- evaluated
  const isWide = ArrayBuffer.isView;
  const wide = (x, size) => (isWide(x) ? x : new Float64Array(size).fill(x));

  function computed(operation, given, size) {
    if (!given.some(isWide)) return Number(operation(...given));
    const [x, y, z] = given.map((own) => wide(own, size)), found = new Float64Array(size);
    for (let k = 0; k < size; k++) found[k] = operation(x[k], y && y[k], z && z[k]);
    return found;
  }
  // Every node's value: inputs by name, numbers or arrays of `size` entries.
  function valuesOf(nodes, inputs, size) {
    const found = [];
    for (const [name, ...own] of nodes)
      found.push(name === "constant" ? Number(own[0])
        : name === "entry" || name === "step" ? inputs[own[0]]
          : computed(OPERATIONS[name], own.map((place) => found[place]), size));
    return found;
  }
  const evaluate = ({ nodes, outputs }, inputs, size) => {
    const found = valuesOf(nodes, inputs, size);
    return outputs.map((place) => wide(found[place], size).slice());
  };
  const value = ({ nodes, outputs }, inputs) => valuesOf(nodes, inputs)[outputs[0]];

  // --------------------------------------------------------------------------------- printed
  // How strongly an operation binds, and its text; x(3) is an argument, in brackets where it
  // binds less than 3. Code, of Python as well: what it evaluates to is the value.
  const infix = (binds, sign, left, right) => [binds, (x, y) => `${x(left)} ${sign} ${y(right)}`];
  const called = (name) => [9, (...given) => `${name}(${given.map((x) => x(0)).join(", ")})`];
  const named = (...names) => Object.fromEntries(names.map((name) => [name, called(name)]));
  const TEXT = {
    add: infix(1, "+", 1, 3), subtract: infix(1, "-", 1, 3), negative: [2, (x) => `-${x(3)}`],
    multiply: infix(3, "*", 3, 4), divide: infix(3, "/", 3, 4), power: infix(5, "**", 6, 6),
    minimum: called("min"), maximum: called("max"), arctan: called("atan"),
    ...named("abs", "sign", "floor", "sqrt", "exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "erf"),
  };
  const MOST = 60;  // operations of a part that is spelled out

  // Exact, or to six digits (more near 1, where 1 − a would lose them; of −0 no sign).
  function number(x, digits) {
    const near = Math.max(0, Math.floor(-Math.log10(Math.abs(1 - Math.abs(x)) || 1)));
    const text = digits ? String(Number(x.toPrecision(Math.min(17, digits + near)))) : String(x);
    return Object.is(x, -0) && !digits ? "-0" : text;
  }
  const bracketed = (text, binds, least) => (binds < least ? `(${text})` : text);
  const atom = (x, digits, least = 9) => bracketed(number(x, digits), x < 0 || (Object.is(x, -0) && !digits) ? 2 : 9, least);

  // An output as arithmetic with numbers. Of a `where` only the branch taken, of |x| above zero x;
  // as a number what no entry changes, what is too long, and the outputs `known`. `texts`: inputs
  // as code; `least`: in brackets where it binds less.
  function printed({ nodes, outputs }, inputs, digits, { output = 0, known = [], texts = {}, least = 0 } = {}) {
    const values = valuesOf(nodes, inputs), fixed = [], sizes = [];
    const taken = ([mask, x, y]) => (values[mask] ? x : y);
    for (const [place, [name, ...own]] of nodes.entries()) {
      const isInput = name === "entry" || name === "step" || name === "constant";
      fixed[place] = isInput ? name !== "entry" : own.every((k) => fixed[k]);
      sizes[place] = isInput ? 0 : name === "where" ? sizes[taken(own)] : 1 + own.reduce((sum, k) => sum + sizes[k], 0);
    }
    const ready = new Set(known.map((k) => outputs[k]));
    const isNumber = (place) => fixed[place] || nodes[place][0] === "entry" || ready.has(place) || sizes[place] > MOST;
    const spelled = (place, least, isWhole) => {
      const [name, ...own] = nodes[place], [first, last] = own, [inner, x, y] = nodes[first] || [];
      if (name === "entry" && first in texts) return texts[first];
      if (name === "entry" || fixed[place] || (!isWhole && isNumber(place))) return atom(values[place], digits, least);
      if (name === "where") return spelled(taken(own), least, isWhole);
      if (name === "abs" && values[first] >= 0) return spelled(first, least, isWhole);
      if (name === "multiply" && first === last) return bracketed(`${spelled(last, 6)} ** 2`, 5, least);
      if (name === "multiply" && inner === "multiply" && y === last && !isNumber(first))  // x·y·y
        return bracketed(`${spelled(x, 3)} * ${spelled(y, 6)} ** 2`, 3, least);
      const [binds, text] = TEXT[name];
      return bracketed(text(...own.map((k) => (needed) => spelled(k, needed))), binds, least);
    };
    return spelled(outputs[output], least, true);
  }

  return { OPERATIONS, TEXT, evaluate, value, printed, atom };
})();
