// Step mode: one sub-step at a time, with its formula, matrices, arithmetic and check.
"use strict";
const Walk = (() => {
  const state = { at: 0, chosen: null, revealed: true, example: 0 };
  let steps = [];

  const current = () => steps[state.at];
  function rebuild() { steps = Story.steps(); state.at = Math.min(state.at, steps.length - 1); }
  function go(index) {
    state.at = Math.max(0, Math.min(index, steps.length - 1));
    state.chosen = null;
    state.revealed = !Page.predict;
    show();
  }
  const choose = (key, i, j) => { state.chosen = { key, i, j }; show(); };
  const same = (chosen, key) => (chosen && chosen.key === key ? chosen : null);

  // ------------------------------------------------------------------- the parts of a sub-step
  function numbers(step) {
    const found = state.chosen && Arithmetic.of(state.chosen.key, state.chosen.i, state.chosen.j);
    const operands = found ? found.operands : {};
    const options = (key, extra) => ({
      mark: same(state.chosen, key), operands: operands[key], click: choose, old: Page.before && Page.before[key], ...extra,
    });
    const parts = step.pieces().map((piece) => {
      if (typeof piece === "string") return h("span", { class: "sign" }, sign(piece));
      return Matrices.draw(piece.key, options(piece.key, { turned: piece.turned }));
    });
    return h("div", { class: "numbers", "data-step": step.index },
      Matrices.draw(step.out, options(step.out, { hidden: !state.revealed })),
      h("span", { class: "sign" }, step.phase === "update" ? "←" : "="), parts);
  }
  const sign = (text) => (text === "1/m" ? `1/${Matrices.shown(Page.now.done.m)} ·`
    : text === "α" ? Matrices.shown(Page.now.alpha) : text);

  function predict(step) {
    if (state.revealed) return null;
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
      h("button", { type: "button", onclick: () => { state.revealed = true; show(); } }, "Reveal"), " ", verdict);
  }

  function arithmetic() {
    const chosen = state.chosen;
    if (!chosen) return h("p", { class: "hint" }, "Click any entry to see its arithmetic.");
    const value = Engine.at(Page.now.V[chosen.key], chosen.i, chosen.j), found = Arithmetic.of(chosen.key, chosen.i, chosen.j);
    const name = `${Formulas.text(chosen.key)}${Arithmetic.subscript(chosen.i, chosen.j)}`;
    if (!found) {
      const why = Page.data.untraced.length ? "recorded" : "given";
      return h("div", { class: "arithmetic" }, h("p", {}, h("b", {}, name), ` = ${value} (${why})`));
    }
    const lines = found.lines.map(([slot, code, x]) => h("p", { class: "line" }, `${slot} = ${code} = ${Matrices.shown(x)}`));
    return h("div", { class: "arithmetic", "data-value": value },
      h("p", { class: "line" }, h("b", {}, name), ` = ${found.symbolic}`), lines,
      h("p", { class: "line shown" }, ` = ${found.shown}`),
      h("p", { class: "line" }, ` = `, h("b", {}, String(value).replace("-", "−"))),
      h("details", {}, h("summary", {}, "exactly, to try elsewhere"), h("code", { class: "exact" }, found.exact)));
  }

  function check(step) {
    if (!step.check) return null;
    const found = Page.checkOf(step.out);
    if (!found) return null;
    const M = Page.now.V[step.out], shown = found.entries.slice(0, 6);
    const rows = shown.map((e, k) => h("tr", {},
      h("th", { scope: "row" }, `row ${Math.floor(e / M.m) + 1}, column ${(e % M.m) + 1}`),
      h("td", {}, Matrices.shown(M.v[e])), h("td", {}, Matrices.shown(found.numeric[k]))));
    const how = found.complete ? `all ${found.entries.length} entries` : `${found.entries.length} sampled entries`;
    const kinks = Page.now.onKink.length ? ` Some entries of ${Page.now.onKink.join(", ")} lie on a kink, where a difference across it may be off by right.` : "";
    return h("details", { class: "check", open: true },
      h("summary", {}, `Gradient check by central differences, ${how}: relative error `, h("b", {}, found.error === null ? "not finite" : found.error.toExponential(1)), found.error < 1e-5 ? " ✓" : ""),
      h("p", {}, `Nudge one entry up and down, run forward, see how the cost changes: no back propagation in it.${kinks}`),
      h("div", { class: "scroll" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["entry", `Eq. ${step.eq}`, "difference"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, rows))));
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
      choose(step.out, i, j);
    };
    return h("form", { class: "jump", onsubmit: act }, `${Formulas.text(step.out)} is ${M.n}×${M.m}, shown in part. Go to row `, row, " column ", column, " ", h("button", { type: "submit" }, "Show"));
  }

  // A sub-step as an article: for the walk, and one after the other for print.
  function article(step, still) {
    const tag = step.eq ? h("span", { class: `tag eq-${step.colour}` }, `Eq. ${step.eq}`) : null;
    return h("article", { class: "substep", style: `--accent:var(--eq-${step.colour})` },
      h("h3", {}, tag, " ", step.title),
      h("p", { class: "say" }, step.say),
      h("div", { class: "formula scroll" }, Story.formula(step)),
      still ? null : predict(step),
      h("div", { class: "scroll" }, numbers(step)),
      still ? null : [h("div", { "aria-live": "polite" }, arithmetic()), jump(step), reuse(step), check(step)],
      h("p", { class: "feeds" }, `Shape of ${Formulas.text(step.out)}: ${Story.sizeOf(step.out)}. `,
        step.feeds.length ? ["It feeds ", step.feeds.map((key, k) => [k ? ", " : "", h("span", { class: `eq-${Formulas.equationOf(key)}` }, Formulas.text(key))]), "."] : ""));
  }

  function progress() {
    return Object.entries(Story.PHASES).map(([phase, name]) => h("span", { class: "phase" }, h("span", { class: "phase-name" }, name),
      h("span", { class: "dots" }, steps.filter((s) => s.phase === phase).map((s) => h("button", {
        type: "button", class: s.index === state.at ? "dot here" : s.index < state.at ? "dot past" : "dot", style: `--accent:var(--eq-${s.colour})`,
        title: `${s.index + 1}. ${s.title}`, "aria-label": `Sub-step ${s.index + 1}: ${s.title}`, "aria-current": s.index === state.at ? "step" : null, onclick: () => go(s.index),
      })))));
  }

  function show() {
    const step = current(), put = (id, ...children) => document.getElementById(id).replaceChildren(...children.flat());
    put("progress", progress());
    put("substep", article(step, false));
    put("figure", Drawing.figure(step));
    put("network", Drawing.network(step, state.example));
    put("counter", `${state.at + 1} of ${steps.length}`);
    document.getElementById("announce").textContent = `Sub-step ${state.at + 1} of ${steps.length}: ${step.title}`;
    document.getElementById("back").disabled = state.at === 0;
    document.getElementById("next").disabled = state.at === steps.length - 1;
  }

  function printed() {
    return steps.map((step) => article(step, true));
  }
  function keys(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const moves = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
    if (!(event.key in moves)) return;
    if (event.key === "Home" || event.key === "End") { if (!event.target.closest("#walk")) return; }
    event.preventDefault();
    go(state.at + moves[event.key]);
  }
  return { state, rebuild, show, go, keys, printed, choose, current, count: () => steps.length };
})();
