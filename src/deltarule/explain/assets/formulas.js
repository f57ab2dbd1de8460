// Elements of HTML, SVG and MathML, and the symbols of the notation. Text is always set as text.
"use strict";
const NAMESPACES = {
  svg: "http://www.w3.org/2000/svg",
  math: "http://www.w3.org/1998/Math/MathML",
};

function element(space, tag, attributes, children) {
  const made = space ? document.createElementNS(NAMESPACES[space], tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}
const h = (tag, attributes, ...children) => element(null, tag, attributes, children);
const svg = (tag, attributes, ...children) => element("svg", tag, attributes, children);
const mml = (tag, attributes, ...children) => element("math", tag, attributes, children);

const Formulas = (() => {
  const mi = (text) => mml("mi", text.length > 1 ? { mathvariant: "normal" } : {}, text);
  const mo = (text) => mml("mo", {}, text);
  const mn = (text) => mml("mn", {}, String(text));
  const row = (...parts) => mml("mrow", {}, ...parts.map((p) => (typeof p === "string" ? mo(p) : p)));
  const frac = (top, bottom) => mml("mfrac", {}, row(top), row(bottom));
  const sup = (base, index) => mml("msup", {}, base, row(index));
  const sub = (base, index) => mml("msub", {}, base, row(index));

  const BASES = {
    delta: "δ", W_new: "W", b_new: "b", Am: "Ã",
  };
  // Which equation makes a symbol: one colour everywhere.
  const EQUATION = {
    Z: "1a", A: "1b", Am: "1b", D: "1b", gPrime: "9", loss: "2", C: "2", delta: "11a", dW: "11b",
    db: "11c", dA: "11d", W_new: "3", b_new: "3", W: "given", b: "given", Y: "given", s: "given",
  };
  const split = (key) => {
    const [, name, l] = /^([A-Za-z_']+)(?:\[(\d+)\])?$/.exec(key);
    return { name, l: l === undefined ? null : Number(l) };
  };
  const layers = () => Page.plan.layers.length;
  const equationOf = (key) => {
    const { name, l } = split(key);
    if (name === "A" && l === 0) return "given";
    if (name === "dA" && l === layers()) return "2";
    return EQUATION[name] || "3";  // an optimizer's slot: W_M[1], b_V[1]
  };

  // A matrix's symbol as MathML, its layer in brackets above; transposed with a T.
  function symbol(key, turned) {
    const { name, l } = split(key);
    const slot = /^([Wb])_([A-Z])$/.exec(name);
    const base = slot ? sub(mi(slot[2]), mi(slot[1])) : mi(BASES[name] || name);
    const marks = [];
    if (l !== null) marks.push(mn(`[${l}]`));
    if (turned) marks.push(mi("T"));
    if (name === "gPrime") return gPrime(l);
    const made = marks.length ? sup(base, row(...marks)) : base;
    made.setAttribute("class", `eq-${equationOf(key)}`);
    return made;
  }
  function gPrime(l) {
    const made = row(sup(mml("mi", {}, "g′"), mn(`[${l}]`)), "(", symbol(`Z[${l}]`), ")");
    made.setAttribute("class", "eq-9");
    return made;
  }
  // The same as plain text, for labels and screen readers.
  function text(key) {
    const { name, l } = split(key);
    const base = { delta: "δ", gPrime: "g′(Z", W_new: "new W", b_new: "new b", Am: "A⊙D" }[name] || name;
    return `${base}${l === null ? "" : `[${l}]`}${name === "gPrime" ? ")" : ""}`;
  }
  const words = (t) => mml("mtext", {}, ` ${t} `);
  const math = (...parts) => mml("math", { display: "block" }, row(...parts));

  const oneOver = () => frac(mn(1), Page.plan.weighted ? row(mo("Σ"), mi("s")) : mi("m"));

  // --------------------------------------------------- g and the losses, as their rows say them
  const z = () => mi("z");
  const e = (power) => sup(mi("e"), power);
  const G = {
    identity: () => [z()],
    sigmoid: () => [frac(mn(1), row(mn(1), "+", e(row("−", z()))))],
    tanh: () => [mi("tanh"), z()],
    relu: () => [mi("max"), "(", mn(0), ",", z(), ")"],
    leaky_relu: (slope) => [mi("max"), "(", z(), ",", mn(0), ")", "+", mn(slope), mi("min"), "(", z(), ",", mn(0), ")"],
    elu: (alpha) => [z(), mi(" for z > 0, else "), mn(alpha), "(", e(z()), "−", mn(1), ")"],
    selu: () => [mn(1.0507), "·", "(", z(), mi(" for z > 0, else "), mn(1.6733), "(", e(z()), "−", mn(1), ")", ")"],
    softplus: () => [mi("log"), "(", mn(1), "+", e(z()), ")"],
    silu: () => [z(), mi("σ"), "(", z(), ")"],
    mish: () => [z(), mi("tanh"), "(", mi("log"), "(", mn(1), "+", e(z()), ")", ")"],
    exp: () => [e(z())],
    softmax: () => [frac(e(sub(z(), mi("i"))), row(sub(mo("Σ"), mi("k")), e(sub(z(), mi("k")))))],
  };
  const yi = () => sub(mi("y"), mi("i"));
  const ai = () => sub(mi("a"), mi("i"));
  const sum = () => sub(mo("Σ"), mi("i"));
  const LOSSES = {
    mse: () => [sum(), sup(row("(", yi(), "−", ai(), ")"), mn(2))],
    mae: () => [sum(), "|", yi(), "−", ai(), "|"],
    half_squared_error: () => [frac(mn(1), mn(2)), sum(), sup(row("(", yi(), "−", ai(), ")"), mn(2))],
    binary_cross_entropy: () => ["−", sum(), "(", yi(), mi("log"), ai(), "+", "(", mn(1), "−", yi(), ")", mi("log"), "(", mn(1), "−", ai(), ")", ")"],
    categorical_cross_entropy: () => ["−", sum(), yi(), mi("log"), ai()],
    poisson: () => [sum(), "(", ai(), "−", yi(), mi("log"), ai(), ")"],
    huber: (d) => [sum(), frac(mn(1), mn(2)), sup(sub(mi("e"), mi("i")), mn(2)), mi(` up to |e| = ${d}, then linear`)],
    quantile: (t) => [sum(), mi("max"), "(", mn(t), "(", yi(), "−", ai(), ")", ",", mn(+(t - 1).toFixed(12)), "(", yi(), "−", ai(), ")", ")"],
  };
  const known = (table, entry, fallback) =>
    (Page.data.uncovered.some((text) => text.endsWith(" " + entry.name)) || !table[entry.base]
      ? [mi(fallback)] : table[entry.base](...entry.numbers));
  const g = (entry) => row(mi("g"), "(", mi("z"), ")", "=", ...known(G, entry, `${entry.name}(z)`));
  const loss = (entry) => row(mi("ℓ"), "=", ...known(LOSSES, entry, `${entry.name}(a, y)`));

  return { mi, mo, mn, row, frac, sup, sub, symbol, text, split, equationOf, math, words, oneOver, g, loss };
})();
