// The page itself: decode the trace, compute the step, wire the controls.
"use strict";
const Page = (() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("trace").textContent);
  const page = { data, plan: null, now: null, start: null, before: null, rows: false, predict: false };

  function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed.bytes), (c) => c.charCodeAt(0));
    const values = packed.dtype === "float32" ? new Float32Array(bytes.buffer) : new Float64Array(bytes.buffer);
    const [n, m] = packed.shape;
    return Engine.matrix(n, m, Float64Array.from(values));
  }
  page.plan = { ...data.plan, weighted: Boolean(data.weights) };
  const covered = data.untraced.length === 0;

  // The recorded numbers, where a custom row has no expressions.
  function recorded(now, step) {
    const V = { "A[0]": now.X, Y: now.Y, target: now.Y, C: Engine.matrix(1, 1, Float64Array.of(step.cost === null ? NaN : step.cost)) };
    for (const [name, packed] of Object.entries(step.recorded)) V[Notation.nameOf(name)] = unpack(packed);
    for (const [l, mask] of Object.entries(now.masks)) { V[`D[${l}]`] = mask; V[`Am[${l}]`] = Engine.masked(V[`A[${l}]`], mask); }
    if (now.weights) V.s = now.weights;
    return V;
  }
  page.compute = () => {
    const now = page.now;
    if (covered) { now.done = Engine.step(page.plan, now); now.V = Notation.collect(page.plan, now); }
    else { now.done = { m: data.steps[now.recorded].m }; now.V = recorded(now, data.steps[now.recorded]); }
    page.plan.weighted = Boolean(now.weights);
  };
  // Dropout: the masks of the recorded steps, in turn.
  const masks = data.steps.map((step) =>
    Object.fromEntries(Object.entries(step.masks).map(([l, mask]) => [l, unpack(mask)])));
  const masksAt = (t) => masks[(t - 1) % masks.length];
  // What follows a step: rows that were pasted have no masks.
  page.next = (now) => {
    const next = Engine.next(now, now.done);
    return { ...next, masks: now.isPasted ? {} : masksAt(next.t) };
  };
  // A step's gradient check: as recorded, else by the script.
  const checked = new WeakMap();
  page.checkOf = (key) => {
    const { checks, done } = page.now;
    if ((checks && checks[key]) || !covered) return checks && checks[key];
    if (!checked.has(done)) checked.set(done, {});
    return (checked.get(done)[key] ??= Differences.of(page.plan, page.now, key));
  };
  const checksOf = ({ checks }) => Object.fromEntries(Object.entries(checks).map(([name, check]) => [Notation.nameOf(name), check]));
  // The recorded step k: from the first one's parameters, step by step.
  page.load = (k) => {
    const parameters = data.parameters.map((own) => Object.fromEntries(Object.entries(own).map(([name, values]) => [name, unpack(values)])));
    const begin = { X: unpack(data.X), Y: unpack(data.Y), weights: data.weights && unpack(data.weights), parameters };
    let now = { ...begin, state: covered && Engine.initialState(page.plan, parameters) };
    for (let at = 0; at <= k; at++) {
      const step = data.steps[at];
      now = { ...now, t: step.number, alpha: step.alpha, masks: masksAt(step.number), checks: checksOf(step), onKink: step.on_kink, recorded: at };
      page.now = now;
      page.compute();
      if (at < k) now = covered ? page.next(now) : now;
    }
    page.before = null;
    page.start = page.now;
    Training.clear();
  };

  // ------------------------------------------------------------------------------- changes
  // Whether an entry is given: an input, a target, a parameter, the rate.
  page.isEditable = (key) => {
    if (data.untraced.length) return false;
    if (["A[0]", "Y", "α"].includes(key)) return true;
    const { name, l } = Formulas.split(key), place = l ? Notation.parameterAt(l, name) : null;
    return place !== null && place.name in (page.now.parameters[place.k] || {});
  };
  page.edit = (key, i, j, x) => {
    const now = page.now;
    page.before ??= now.V;
    const next = { ...now, checks: null, onKink: [] }, { l, name } = Formulas.split(key === "α" ? "Y" : key);
    const changed = (M) => { const C = Engine.copy(M); C.v[i * C.m + j] = x; return C; };
    if (key === "α") next.alpha = x;
    else if (key === "A[0]") next.X = changed(now.X);
    else if (key === "Y") next.Y = changed(now.Y);
    else {
      const place = Notation.parameterAt(l, name);
      next.parameters = now.parameters.map((own, k) => (k === place.k ? { ...own, [place.name]: changed(own[place.name]) } : own));
    }
    page.now = next;
  };
  page.stepped = () => {
    page.now = { ...page.now, checks: null, onKink: [] };
    page.before = null;
    page.redraw();
  };
  page.replaceData = (X, Y) => {
    page.now = { ...page.start, X, Y, weights: null, masks: {}, isPasted: true, checks: null, onKink: [] };
    page.start = page.now;
    page.before = null;
    Training.clear();
    page.redraw();
  };
  page.reset = () => {
    Changes.forget();
    page.load(Number(byId("step").value || 0));
    Rows.say("");
    page.redraw();
  };
  // How things stand, to come back to; what is computed is computed again.
  page.snapshot = () => {
    const { done, V, ...now } = page.now;
    return { now, before: page.before, start: page.start, costs: Training.kept() };
  };
  page.restore = ({ now, before, start, costs }) => {
    Object.assign(page, { now, before, start });
    Training.restore(costs);
    page.redraw();
  };
  page.redraw = () => {
    page.compute();
    heading();
    Walk.rebuild();
    Walk.show();
    if (!covered) return;
    Changes.show();
    Training.show();
    Misprints.refresh();
  };

  // ------------------------------------------------------------------------- the page's text
  function heading() {
    const { now } = page, sizes = data.sizes.join(" → ");
    const by = `${page.plan.optimizer.name}, rate ${Matrices.shown(now.alpha)}`;
    byId("facts").replaceChildren(
      ...[["network", sizes], ["activations", data.plan.layers.map((l) => (l.activation ? l.activation.name : l.kind)).join(", ")], ["cost", data.plan.cost.name.replaceAll("_", " ")],
        ["examples", `m = ${now.X.m}`], ["update", by], ["cost now", Matrices.shown(now.V.C.v[0])]].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    const select = byId("example"), chosen = Math.min(Walk.state.example, now.X.m - 1);
    select.replaceChildren(...Array.from({ length: now.X.m }, (_, j) => h("option", { value: j }, `example ${j + 1}`)));
    select.value = chosen;
    Walk.state.example = chosen;
  }
  function download() {
    const arrays = Object.fromEntries(Object.entries(page.now.V).filter(([key]) => key !== "target").map(([key, M]) =>
      [key, Array.from({ length: M.n }, (_, i) => Array.from(M.v.subarray(i * M.m, (i + 1) * M.m), (x) => (Number.isFinite(x) ? x : null)))]));
    const blob = new Blob([JSON.stringify({ title: data.title, learning_rate: page.now.alpha, t: page.now.t, arrays })], { type: "application/json" });
    const link = h("a", { href: URL.createObjectURL(blob), download: "training-step.json" });
    link.click();
    URL.revokeObjectURL(link.href);
  }
  // Off, with the reason, where the script cannot compute what it would show.
  function disable(section, why) {
    for (const control of section.querySelectorAll("button, input, select, textarea")) control.disabled = true;
    note(section, why);
  }
  const note = (section, text) => section.querySelector("h2, h3").after(h("p", { class: "notice", role: "note" }, text));
  function limits() {
    const why = `Off for this plan: ${data.untraced.join("; ")}. The numbers above are as they were recorded.`;
    if (!covered) for (const id of ["train", "misprints"]) disable(byId(id), why);
    byId("lesson-open").disabled = !covered;
    if (!covered || !Object.keys(page.now.masks).length) return;
    const which = data.steps.length > 1 ? `those of the ${data.steps.length} recorded steps in turn` : "those of the recorded step every time";
    note(byId("train"), `Dropout: training here takes the masks as they were drawn, ${which}; an engine draws new ones in every step. Rows that you paste are trained without dropout.`);
    note(byId("misprints"), "Here everything is trained without dropout.");
  }
  page.boot = () => {
    const listen = (id, type, act) => byId(id).addEventListener(type, act);
    byId("title").textContent = data.title;
    byId("step").replaceChildren(...data.steps.map((step, k) => h("option", { value: k }, `step ${step.number}`)));
    byId("step-choice").hidden = data.steps.length === 1;
    page.load(0);
    if (covered) Changes.replay(location.hash.slice(1));
    for (const part of [Roving, Walk, Play]) part.boot();
    if (covered) for (const part of [Changes, Training, Rows, Misprints, Lesson]) part.boot();
    page.redraw();
    listen("step", "change", page.reset);
    listen("back", "click", () => { Play.pause(); Walk.back(); });
    listen("next", "click", () => { Play.pause(); Walk.go(Walk.state.at + 1); });
    listen("example", "change", ({ target }) => { Walk.state.example = Number(target.value); Walk.show(); Changes.address(); });
    listen("predict", "change", ({ target }) => { page.predict = target.checked; Walk.state.revealed = !page.predict; Walk.show(); });
    listen("layout", "change", ({ target }) => { page.rows = target.checked; Walk.show(); });
    listen("download", "click", download);
    addEventListener("beforeprint", () => byId("printed").replaceChildren(...Walk.printed()));
    addEventListener("afterprint", () => byId("printed").replaceChildren());
    limits();
    document.documentElement.dataset.ready = "true";
  };
  return page;
})();
Page.boot();
