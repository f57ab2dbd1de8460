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

  const BASES = { delta: "δ", Am: "Ã", alpha: "α" };
  // Which equation makes a symbol: one color everywhere.
  const EQUATION = {
    Z: "1a", A: "1b", Am: "1b", D: "1b", gPrime: "9", loss: "2", C: "2", delta: "11a", dW: "11b",
    db: "11c", dA: "11d", dphase: "11c", dshift: "11c", Y: "given", s: "given",
  };
  // l: a number, or of a layer within a parallel one its place, "1.3.2".
  const split = (key) => {
    const [, name, l] = /^(.+?)(?:\[([\d.]+)\])?$/.exec(key);
    return { name, l: l === undefined ? null : l.includes(".") ? l : Number(l) };
  };
  const slot = (name) => {  // an optimizer's, as W.M or frequency.V
    const [of, own] = name.split(".");
    return own ? { of, slot: own } : null;
  };
  const newOf = (name) => (name.endsWith("_new") ? name.slice(0, -4) : null);
  const layers = () => Page.plan.layers.length;
  const equationOf = (key) => {
    const { name, l } = split(key);
    if (name === "A" && l === 0) return "given";
    if (name === "dA" && l === layers()) return "2";
    if (EQUATION[name]) return EQUATION[name];
    if (l === null) return "given";
    if (newOf(name) || slot(name)) return "3";
    return Notation.layerAt(Page.plan, l).parameters.includes(name) ? "given" : "11b";
  };

  // A matrix's symbol as MathML, its layer in brackets above; transposed with a T.
  function symbol(key, turned) {
    const { name, l } = split(key);
    const own = slot(name), plain = newOf(name) || name;
    const base = own ? sub(mi(own.slot), mi(own.of)) : mi(BASES[plain] || plain);
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
    const base = { delta: "δ", gPrime: "g′(Z", Am: "A⊙D" }[name] || (newOf(name) ? `new ${newOf(name)}` : name.replace(".", "_"));
    return `${base}${l === null ? "" : `[${l}]`}${name === "gPrime" ? ")" : ""}`;
  }
  const words = (t) => mml("mtext", {}, `\u00a0${t}\u00a0`);  // MathML drops plain spaces
  const math = (...parts) => mml("math", { display: "block" }, row(...parts));

  const oneOver = () => frac(mn(1), Page.plan.weighted ? row(mo("Σ"), mi("s")) : mi("m"));

  // ------------------------------------------------------------ as rows say them, in MathML
  function markup(text, otherwise) {
    if (!text) return mi(otherwise);
    const made = new DOMParser().parseFromString(text, "text/html").querySelector("math");
    return row(...document.importNode(made, true).childNodes);
  }
  const g = (own) => row(mi("g"), "(", mi("z"), ")", "=", markup(own.formula, `${own.name}(z)`));
  const gPrimeOf = (own) => row(mml("mi", {}, "g′"), "(", mi("z"), ")", "=", markup(own.formula_prime, `${own.name}′(z)`));
  const loss = (own) => row(mi("ℓ"), "=", markup(own.formula, `${own.name}(a, y)`));
  const dA = (own) => row(frac(row("∂", mi("ℓ")), row("∂", sub(mi("a"), mi("i")))), "=", markup(own.formula_dA, `${own.name}′(a, y)`));

  return { mi, mo, mn, row, frac, sup, sub, symbol, text, split, slot, newOf, equationOf, math, words, oneOver, g, gPrimeOf, loss, dA };
})();
