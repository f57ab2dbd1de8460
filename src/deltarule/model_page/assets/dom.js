// Elements of the page, and numbers as people read them.
"use strict";
const Dom = (() => {
  const $ = (id) => document.getElementById(id);
  // An element with attributes; those that begin with "on" are listeners. Text is never markup.
  function el(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
    }
    const there = children.flat().filter((child) => child !== null && child !== undefined);
    made.append(...there.map((child) => (child instanceof Node ? child : String(child))));
    return made;
  }
  const filled = (parent, ...children) => { parent.replaceChildren(...children.flat()); return parent; };
  function table(heads, lines, caption = "") {
    const row = (cells, tag) => el("tr", {}, cells.map((cell) => el(tag, tag === "th" ? { scope: "col" } : {}, cell)));
    return el("div", { class: "scroll" }, el("table", {}, caption ? el("caption", {}, caption) : null,
      el("thead", {}, row(heads, "th")), el("tbody", {}, lines.map((cells) => row(cells, "td")))));
  }

  // Six significant digits, or as many as given; a minus sign that is one.
  const number = (x, digits = 6) => {
    if (!Number.isFinite(x)) return String(x);
    const text = String(Number(x.toPrecision(digits)));
    return (Object.is(x, -0) ? "0" : text).replace("-", "−");
  };
  const signed = (x, digits = 4) => (x > 0 ? "+" : "") + number(x, digits);
  const percent = (p) => `${number(100 * p, 4)} %`;
  const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en-US")} ${n === 1 ? one : many}`;
  return { $, el, filled, table, number, signed, percent, count };
})();
