// What the reader changes: entries edited where they stand, undo, the list of what became
// different, and all of it in the address, so that a link shows the same page.
"use strict";
const Changes = (() => {
  const { shown } = Matrices, { at } = Engine;
  const byId = (id) => document.getElementById(id), say = (text) => { byId("edit-message").textContent = text; };
  const KEPT = 300;  // actions that can be undone
  const LONGEST = 6000;  // characters of an address
  const REPLAYED = 20_000;  // training steps that an address may ask for
  let actions = [];  // {text, snapshot}: what was done, and how it was before

  // A number as people type it, or null.
  const parsed = (text) => {
    const plain = text.trim().replace("−", "-");
    const x = plain === "" ? NaN : Number(/^[^.]*,[^,.]*$/.test(plain) ? plain.replace(",", ".") : plain);
    return Number.isFinite(x) ? x : null;
  };
  function targetProblem(y) {
    const [low, high] = Page.plan.cost.targets;
    const good = (low === null || y >= low) && (high === null || y <= high);
    return good ? null : `cost ${Page.plan.cost.name} needs targets ${low === null ? "" : `from ${low}`}${high === null ? "" : ` to ${high}`}; got ${y}`;
  }
  // ------------------------------------------------------------------------- edited in place
  // The learning rate, as an entry among the matrices of an update.
  function rate() {
    return h("button", { type: "button", class: "rate given", "data-key": "α", "data-i": 0, "data-j": 0, "aria-label": `learning rate α: ${shown(Page.now.alpha)}; change it` }, `α = ${shown(Page.now.alpha)}`);
  }
  function open(button, { key, i, j }) {
    const text = String(at(Page.now.V[key], i, j)), label = button.getAttribute("aria-label");
    const input = h("input", { type: "text", inputmode: "decimal", class: "editing", "aria-label": `New value of ${label}`, "data-edit": key, "data-i": i, "data-j": j });
    let isOpen = true;
    const leave = () => { isOpen = false; input.replaceWith(button); };
    const commit = (next) => {
      const problem = input.value === text ? null : problemOf(key, parsed(input.value), input.value);
      if (problem) { say(`${problem} Nothing was changed.`); input.setAttribute("aria-invalid", "true"); return false; }
      if (input.value === text) { leave(); return true; }
      isOpen = false;
      edit(key, i, j, parsed(input.value));
      Page.redraw();
      focus(next);
      return true;
    };
    input.value = text;
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();  // or it would open the entry again
        if (commit({ key, i, j })) focus({ key, i, j });
      }
      if (event.key === "Escape") { leave(); say(""); button.focus(); }
    });
    input.addEventListener("blur", (event) => {
      const next = event.relatedTarget && event.relatedTarget.dataset;
      if (isOpen && !commit(next && next.key ? next : null)) leave();
    });
    button.replaceWith(input);
    input.focus();
    input.select();
  }
  // Where the keyboard was, after everything has been drawn again.
  function focus(entry) {
    const found = entry && document.querySelector(`#walk button[data-key="${entry.key}"][data-i="${entry.i}"][data-j="${entry.j}"]`);
    if (found) found.focus();
  }
  function problemOf(key, x, text) {
    if (x === null) return `“${text.slice(0, 30)}” is not a number; expected one such as 0.5 or -2.`;
    if (key === "α" && x < 0) return "The learning rate must be at least 0.";
    const problem = key === "Y" && targetProblem(x);
    return problem ? `${problem[0].toUpperCase()}${problem.slice(1)}.` : null;
  }
  function edit(key, i, j, x) {
    const { name, l } = Formulas.split(key);
    record(key === "α" ? `alpha:${x}` : `${name}${l ?? ""}.${i + 1}.${j + 1}:${x}`);
    Page.edit(key, i, j, x);
    Training.changed();
    const sums = key === "Y" && Page.plan.cost.distribution ? Engine.sumOf(Page.now.Y, 0).v : [];
    const wrong = sums.findIndex((sum) => Math.abs(sum - 1) > 1e-4);
    say(wrong < 0 ? "" : `The targets of example ${wrong + 1} add up to ${shown(sums[wrong])}; expected 1. Change another one of them too.`);
  }

  // ------------------------------------------------------------------------------------ undo
  // Call it before something is done.
  function record(text) {
    Training.halt();
    actions.push({ text, snapshot: Page.snapshot() });
    if (actions.length > KEPT) actions.at(-1 - KEPT).snapshot = null;
    address();
    return actions.at(-1);
  }
  function withdraw(action) { actions = actions.filter((each) => each !== action); address(); }
  const canUndo = () => actions.length > 0 && actions.at(-1).snapshot !== null;
  // Whether the last thing done was one training step: what lies before the first sub-step.
  const isTrained = () => canUndo() && actions.at(-1).text === "train:1";
  function undo() {
    Play.pause();
    Training.halt();
    if (!canUndo()) return;
    Page.restore(actions.pop().snapshot);
    say("");
    address();
  }
  function forget() { Training.halt(); actions = []; say(""); address(); }

  // ------------------------------------------------------------- what is different, as it flows
  function differences() {
    const order = ["A[0]", "Y", "α", ...Object.keys(Page.now.V).filter((key) => Page.isEditable(key) && !["A[0]", "Y", "α"].includes(key)), ...Story.steps().map(({ out }) => out)];
    return order.flatMap((key) => {
      const [M, old] = [Page.now.V[key], Page.before[key]];
      if (!M || !old || M.v.length !== old.v.length) return [];
      const places = Array.from(M.v, (x, k) => k).filter((k) => !Object.is(M.v[k], old.v[k]) && M.v[k] !== old.v[k]);
      const gap = (k) => Math.abs(M.v[k] - old.v[k]) || 0;
      return places.length ? [{ key, M, old, count: places.length, most: places.reduce((best, k) => (gap(k) > gap(best) ? k : best)) }] : [];
    });
  }
  function show() {
    byId("undo").disabled = !canUndo();
    byId("rate").replaceChildren(rate());
    const place = byId("diff"), found = Page.before ? differences() : [];
    if (!Page.before) return place.replaceChildren();
    const chip = ({ key, M, count }) => h("button", { type: "button", class: `chip eq-${Formulas.equationOf(key)}`, onclick: () => Walk.goTo(key) }, M.v.length === 1 ? Formulas.text(key) : `${Formulas.text(key)} ${count} of ${M.v.length}`);
    place.replaceChildren(
      h("p", { class: "flow roving" }, "Changed: ", found.length ? found.map((each, k) => [k ? " → " : "", chip(each)]) : "nothing", ". Cost ", h("b", {}, shown(Page.before.C.v[0])), " → ", h("b", { "data-cost": Page.now.V.C.v[0] }, shown(Page.now.V.C.v[0]))),
      h("details", {}, h("summary", {}, "what was, what is"), h("div", { class: "scroll" }, h("table", { class: "plain" },
        h("thead", {}, h("tr", {}, ["", "largest change at", "was", "is"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, found.map(({ key, M, old, most }) => h("tr", {}, h("th", { scope: "row", class: `eq-${Formulas.equationOf(key)}` }, Formulas.text(key)),
          h("td", {}, Matrices.placeOf(key, Math.floor(most / M.m), most % M.m) || "its one number"), h("td", {}, shown(old.v[most])), h("td", {}, shown(M.v[most])))))))));
    Roving.renew(place);
  }

  // ----------------------------------------------------------------------------- the address
  // Actions in words, training steps that follow one another added up.
  function told() {
    const made = [];
    for (const { text } of actions) {
      const [, count] = /^train:(\d+)$/.exec(text) || [], [, before] = /^train:(\d+)$/.exec(made.at(-1) || "") || [];
      if (count && before) made.splice(-1, 1, `train:${Number(before) + Number(count)}`);
      else made.push(text);
    }
    return made.join(";").replaceAll("e+", "e");
  }
  function fragment() {
    const { state } = Walk, step = byId("step").value, done = told();
    return [step > 0 ? `step=${step}` : "", state.at ? `at=${state.at + 1}` : "", state.example ? `example=${state.example + 1}` : "",
      done && done.length <= LONGEST ? `do=${encodeURI(done)}` : ""].filter(Boolean).join("&");
  }
  let timer = null;
  function address() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (location.protocol === "about:") return;  // a frame of a notebook has no address
      history.replaceState(null, "", `${location.pathname}${location.search}${fragment() ? `#${fragment()}` : ""}`);
    }, 250);
  }
  function act(text) {
    const [name, value] = [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)], x = parsed(value);
    if (name === "rows") return Rows.take(value.replaceAll("/", "\n"));
    if (name === "train" && Number.isInteger(x) && x > 0 && x <= REPLAYED) return Training.advance(x);
    const [, own, l, ...place] = /^(\D+?)((?:\d+\.)*\d+)?\.(\d+)\.(\d+)$/.exec(name) || [];
    const key = name === "alpha" ? "α" : l ? `${own}[${l}]` : own, [i, j] = place.length ? place.map((k) => k - 1) : [0, 0];
    const M = key !== undefined && (key === "α" || own) ? Page.now.V[key] : null;
    if (!M || !Page.isEditable(key) || i >= M.n || j >= M.m || i < 0 || j < 0) throw Error(`“${text.slice(0, 40)}” is nothing that can be done here`);
    const problem = problemOf(key, x, value);
    if (problem) throw Error(problem);
    edit(key, i, j, x);
    return Page.compute();
  }
  // What an address asks for, done again from the start.
  function replay(text) {
    if (!text.includes("=")) return;
    const asked = new URLSearchParams(text);
    say("");
    try {
      const step = Number(asked.get("step") || 0);
      if (!(step in Page.data.steps)) throw Error(`there is no recorded step ${asked.get("step")}`);
      byId("step").value = step;
      Page.load(step);
      for (const each of (asked.get("do") || "").split(";").filter(Boolean)) act(each);
    } catch (error) {
      say(`The address asks for what this page cannot show: ${error.message.replace(/\.$/, "")}. What comes before it was done.`);
    }
    Walk.state.example = Math.max(0, (Number(asked.get("example")) || 1) - 1);
    Walk.state.at = Math.max(0, (Number(asked.get("at")) || 1) - 1);
  }
  function boot() {
    byId("undo").addEventListener("click", undo);
    addEventListener("hashchange", () => {
      const text = location.hash.slice(1);
      if (!text.includes("=") || text === fragment()) return;
      actions = [];
      replay(text);
      Page.redraw();
    });
    document.addEventListener("keydown", (event) => {
      const isUndo = event.key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
      if (!isUndo || /^(INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
      event.preventDefault();
      undo();
    });
  }
  return { parsed, targetProblem, rate, open, record, withdraw, undo, isTrained, forget, show, address, replay, boot };
})();
