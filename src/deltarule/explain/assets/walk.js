// Step mode: one sub-step at a time, with its formula, matrices, arithmetic and check.
"use strict";
const Walk = (() => {
  const { shown } = Matrices;
  const state = { at: 0, chosen: null, revealed: true, example: 0 };
  let steps = [];

  const current = () => steps[state.at];
  const byId = (id) => document.getElementById(id);
  function rebuild() { steps = Story.steps(); state.at = Math.min(state.at, steps.length - 1); }
  function go(index) {
    state.at = Math.max(0, Math.min(index, steps.length - 1));
    state.chosen = null;
    state.revealed = !Page.predict;
    show();
    Changes.address();
  }

  // ------------------------------------------------------- an entry: its arithmetic, its marks
  const isHidden = (key) => !state.revealed && key === current().out;
  const BY_EXAMPLE = /^(A|Am|D|Z|gPrime|delta|dA|loss|Y|s)(\[|$)/;
  function choose(key, i, j) {
    Play.pause();
    if (isHidden(key)) return;
    state.chosen = { key, i, j };
    if (BY_EXAMPLE.test(key) && j !== state.example) draw(j);
    mark(state.chosen);
    byId("peek").textContent = sentence(state.chosen);
    byId("arithmetic").replaceChildren(...arithmetic());
  }
  const mark = (entry) => Matrices.mark(byId("walk"), entry, (...place) => [`#network [data-part="${Drawing.partOf(...place)}"]`]);
  const entryOf = (target) => {
    const found = target.closest && target.closest("#walk [data-key][data-i]");
    return found && { key: found.dataset.key, i: Number(found.dataset.i), j: Number(found.dataset.j) };
  };
  const HINT = "Point at a circle, a line, a box or a number: its arithmetic. Click to keep it.";
  function peek(target) {
    const entry = entryOf(target);
    if (!entry || isHidden(entry.key) || entry.key === "α") return;
    mark(entry);
    byId("peek").textContent = sentence(entry);
  }
  function unpeek(target) {
    if (!entryOf(target)) return;
    mark(state.chosen);
    byId("peek").textContent = state.chosen ? sentence(state.chosen) : HINT;
  }
  const nameOf = ({ key, i, j }) => `${Formulas.text(key)}${Page.now.V[key].v.length > 1 ? Arithmetic.subscript(i, j) : ""}`;
  // One line about an entry; of a weight what it carries.
  function sentence({ key, i, j }) {
    const { V } = Page.now, value = shown(Engine.at(V[key], i, j)), found = Arithmetic.of(key, i, j);
    const place = Matrices.placeOf(key, i, j), name = `${nameOf({ key, i, j })}${place ? ` (${place})` : ""}`;
    if (found) return `${name} = ${found.shown} = ${value}`;
    const { name: own, l } = Formulas.split(key), A = V[`A[${l - 1}]`];
    if (own !== "W" || !A || j >= A.n) return `${name} = ${value}, ${why()}`;
    const a = Engine.at(A, j, state.example), z = V[`Z[${l}]`] ? ` to z${Arithmetic.subscript(i)}` : "";
    return `${name} = ${value}. It carries ${shown(a)} and adds ${value} · ${shown(a)} = ${shown(a * Engine.at(V[key], i, j))}${z}`;
  }
  const why = () => (Page.data.untraced.length ? "recorded" : "given");
  function click(event) {
    const entry = entryOf(event.target);
    if (!entry) return;
    const button = event.target.closest("button");
    if (button && Page.isEditable(entry.key)) Changes.open(button, entry);
    if (entry.key !== "α") choose(entry.key, entry.i, entry.j);
  }

  // ------------------------------------------------------------------- the parts of a sub-step
  function numbers(step) {
    const options = (key, extra) => ({ old: Page.before && Page.before[key], ...extra });
    const parts = step.pieces().map((piece) => {
      if (piece === "α") return Changes.rate();
      if (typeof piece === "string") return h("span", { class: "sign" }, sign(piece));
      return Matrices.draw(piece.key, options(piece.key, { turned: piece.turned }));
    });
    return h("div", { class: "numbers", "data-step": step.index },
      Matrices.draw(step.out, options(step.out, { hidden: !state.revealed })),
      h("span", { class: "sign" }, step.phase === "update" ? "←" : "="), parts);
  }
  const sign = (text) => (text === "1/m" ? `1/${shown(Page.now.done.m)} ·` : text);

  function predict(step) {
    if (state.revealed || !Page.predict) return null;
    const M = Page.now.V[step.out], verdict = h("span", { class: "verdict", role: "status" });
    const guess = h("input", { type: "text", inputmode: "decimal", size: 8, "aria-label": "Your guess" });
    const check = (event) => {
      event.preventDefault();
      const x = Number(guess.value.replace(",", ".").replace("−", "-")), right = M.v[0];
      if (!guess.value.trim() || !Number.isFinite(x)) { verdict.textContent = "Type a number."; return; }
      const good = Math.abs(x - right) <= 0.01 * Math.max(1, Math.abs(right));
      verdict.textContent = good ? "Right." : "Not yet.";
    };
    return h("form", { class: "predict", onsubmit: check },
      h("label", {}, `Predict ${Formulas.text(step.out)} in row 1, column 1: `, guess), " ",
      h("button", { type: "submit" }, "Check"), " ",
      h("button", { type: "button", onclick: reveal }, "Reveal"), " ", verdict);
  }

  function arithmetic() {
    const { chosen } = state;
    if (!chosen) return [h("p", { class: "hint" }, "Click any entry to see its arithmetic; a given number, to change it.")];
    const value = Engine.at(Page.now.V[chosen.key], chosen.i, chosen.j), found = Arithmetic.of(chosen.key, chosen.i, chosen.j);
    const exact = h("p", { class: "line" }, " = ", h("b", {}, String(value).replace("-", "−")));
    if (!found) return [h("div", { class: "arithmetic" }, h("p", {}, h("b", {}, nameOf(chosen)), ` = ${value} (${why()})`), elsewhere(chosen))];
    const lines = found.lines.map(([slot, code, x]) => h("p", { class: "line" }, `${slot} = ${code} = ${shown(x)}`));
    return [h("div", { class: "arithmetic", "data-value": value },
      h("p", { class: "line" }, h("b", {}, nameOf(chosen)), ` = ${found.symbolic}`), lines,
      h("p", { class: "line shown" }, ` = ${found.shown}`), exact, elsewhere(chosen),
      h("details", {}, h("summary", {}, "exactly, to try elsewhere"), h("code", { class: "exact" }, found.exact)))];
  }
  // The way to an entry that was chosen in the drawing and stands in another sub-step.
  function elsewhere({ key, i, j }) {
    const step = current(), holds = (each) => each.out === key || each.pieces().some((piece) => piece.key === key);
    const other = holds(step) ? null : steps.find((each) => each.out === key) || steps.find(holds);
    if (!other) return null;
    return h("p", {}, h("button", { type: "button", onclick: () => { go(other.index); choose(key, i, j); } }, `Show it in sub-step ${other.index + 1}`));
  }

  function check(step) {
    if (!step.check) return null;
    const found = Page.checkOf(step.out);
    if (!found) return null;
    const M = Page.now.V[step.out], rows = found.entries.slice(0, 6).map((e, k) => h("tr", {},
      h("th", { scope: "row" }, `row ${Math.floor(e / M.m) + 1}, column ${(e % M.m) + 1}`),
      h("td", {}, shown(M.v[e])), h("td", {}, shown(found.numeric[k]))));
    const size = found.entries.length, how = size === 1 ? "its one entry" : found.complete ? `all ${size} entries` : `${size} sampled entries`;
    const kinks = Page.now.onKink.length ? ` Some entries of ${Page.now.onKink.join(", ")} lie on a kink, where a difference across it may be off by right.` : "";
    return h("details", { class: "check", open: true },
      h("summary", {}, `Gradient check by central differences, ${how}: relative error `, h("b", {}, found.error === null ? "not finite" : found.error.toExponential(1)), found.error < 1e-5 ? " ✓" : ""),
      h("p", {}, `Nudge one entry up and down, run forward, see how the cost changes: no back propagation in it.${kinks}`),
      h("div", { class: "scroll" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["entry", "Eq. " + step.eq, "difference"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, rows))));
  }

  function reuse(step) {
    if (step.reuse === undefined) return null;
    const l = step.layer, uses = [`dW[${l}]`, `db[${l}]`, `dA[${l - 1}]`];
    return h("p", { class: "reuse" }, h("b", { class: "eq-11a" }, `δ[${l}]`), " was computed once and is used three times: ",
      uses.map((key, k) => [h("span", { class: k === step.reuse ? `use now eq-${Formulas.equationOf(key)}` : `use eq-${Formulas.equationOf(key)}` }, key), k < 2 ? " · " : ""]));
  }

  function jump(step) {
    if (!Matrices.isLarge(step.out)) return null;
    const M = Page.now.V[step.out];
    const field = (text, most) => h("input", { type: "number", min: 1, max: most, value: 1, "aria-label": text });
    const row = field("row", M.n), column = field("column", M.m);
    const act = (event) => {
      event.preventDefault();
      const [i, j] = [[row, M.n], [column, M.m]].map(([input, size]) => Math.min(Math.max(1, Math.floor(Number(input.value)) || 1), size) - 1);
      Matrices.goTo(step.out, i, j);
      show();
      choose(step.out, i, j);
    };
    return h("form", { class: "jump", onsubmit: act }, `${Formulas.text(step.out)} is ${M.n}×${M.m}, shown in part. Go to row `, row, " column ", column, " ", h("button", { type: "submit" }, "Show"));
  }

  // A sub-step as an article: for the walk, and one after the other for print.
  function article(step, still) {
    const tag = step.eq ? h("span", { class: `tag eq-${step.color}` }, `Eq. ${step.eq}`) : null;
    return h("article", { class: "substep", style: `--accent:var(--eq-${step.color})` },
      h("h3", {}, tag, " ", step.title),
      h("p", { class: "say" }, step.say),
      h("div", { class: "formula scroll" }, Story.formula(step)),
      still ? null : predict(step),
      h("div", { class: "scroll" }, numbers(step)),
      still ? null : [h("div", { id: "arithmetic", "aria-live": "polite" }, arithmetic()), jump(step), reuse(step), check(step)],
      step.index === steps.length - 1 ? Story.closing() : null,
      h("p", { class: "feeds" }, `Shape of ${Formulas.text(step.out)}: ${Story.sizeOf(step.out)}. `,
        step.feeds.length ? ["It feeds ", step.feeds.map((key, k) => [k ? ", " : "", h("span", { class: `eq-${Formulas.equationOf(key)}` }, Formulas.text(key))]), "."] : ""));
  }

  function progress() {
    return Object.entries(Story.PHASES).map(([phase, name]) => h("span", { class: "phase" }, h("span", { class: "phase-name" }, name),
      h("span", { class: "dots" }, steps.filter((s) => s.phase === phase).map((s) => h("button", {
        type: "button", class: s.index === state.at ? "dot here" : s.index < state.at ? "dot past" : "dot", style: `--accent:var(--eq-${s.color})`,
        tabindex: s.index === state.at ? 0 : -1, title: `${s.index + 1}. ${s.title}`, "aria-label": `Sub-step ${s.index + 1}: ${s.title}`, "aria-current": s.index === state.at ? "step" : null, onclick: () => go(s.index),
      })))));
  }

  function draw(example) {
    state.example = Math.min(example, Page.now.X.m - 1);
    byId("example").value = state.example;
    const step = current(), place = byId("network"), wide = place.clientWidth || 720;
    const known = (key) => Story.known(key, step) && !isHidden(key);
    place.replaceChildren(Drawing.network(step, state.example, { known, width: wide, height: wide < 520 ? 330 : 400 }));
    Roving.renew(place);
  }
  function show() {
    const step = current(), isWithin = byId("progress").contains(document.activeElement);
    byId("progress").replaceChildren(...progress());
    byId("progress").classList.toggle("many", steps.length > 36);  // else they fill three rows
    byId("substep").replaceChildren(article(step, false));
    byId("figure").replaceChildren(Figures.figure(step));
    draw(state.example);
    mark(state.chosen);
    Roving.renew(byId("substep"));
    byId("counter").textContent = `${state.at + 1} of ${steps.length}`;
    byId("announce").textContent = `Sub-step ${state.at + 1} of ${steps.length}: ${step.title}`;
    byId("peek").textContent = state.chosen ? sentence(state.chosen) : HINT;
    byId("question").replaceChildren(...Story.opening());
    byId("back").disabled = !canGoBack();
    byId("next").disabled = state.at === steps.length - 1;
    const dot = byId("progress").querySelector("[aria-current]");
    if (isWithin) dot.focus();
    byId("progress").scrollLeft = dot.offsetLeft - byId("progress").clientWidth / 2;
  }
  // Before the first sub-step lies the last one of the training step before.
  const canGoBack = () => state.at > 0 || Changes.isTrained();
  function back() {
    if (state.at > 0) return go(state.at - 1);
    if (!canGoBack()) return;
    Changes.undo();
    go(steps.length - 1);
  }

  // The sub-step that makes a quantity, or that first shows it.
  function goTo(key) {
    const found = steps.find((each) => each.out === key) || steps.find((each) => each.pieces().some((piece) => piece === key || piece.key === key));
    if (found) go(found.index);
  }
  function hide() { state.revealed = false; show(); }
  function reveal() { state.revealed = true; show(); }
  function printed() {
    return steps.map((step) => article(step, true));
  }
  function keys(event) {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const moves = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
    if (!(event.key in moves)) return;
    if (event.key === "Home" || event.key === "End") { if (!event.target.closest("#walk")) return; }
    event.preventDefault();
    Play.pause();
    if (event.key === "ArrowLeft") back(); else go(state.at + moves[event.key]);
  }
  function boot() {
    const section = byId("walk"), listen = (type, act) => section.addEventListener(type, act);
    listen("click", click);
    for (const [over, out] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
      listen(over, (event) => peek(event.target));
      listen(out, (event) => unpeek(event.target));
    }
    document.addEventListener("keydown", keys);
    let wide = 0;
    new ResizeObserver(([{ contentRect }]) => {
      if (Math.abs(contentRect.width - wide) > 1) { wide = contentRect.width; draw(state.example); mark(state.chosen); }
    }).observe(byId("network"));
  }
  return { state, boot, rebuild, show, go, back, goTo, hide, reveal, printed, choose, count: () => steps.length };
})();
