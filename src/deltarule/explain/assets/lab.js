// The playground: change a number, train on, paste rows, take a misprint literally.
"use strict";
const Lab = (() => {
  const { shown } = Matrices, { at, total } = Engine;
  const byId = (id) => document.getElementById(id);
  const GRID = 60;  // entries of an array that are edited in a grid; larger ones by row and column

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

  // -------------------------------------------------------------------------------- what if
  function choices() {
    return ["A[0]", "Y", ...Notation.parameterKeys(Page.now.parameters), "α"];
  }
  function editor() {
    const select = byId("what"), key = select.value, put = (...c) => byId("editor").replaceChildren(...c);
    if (key === "α") return put(cell(key, 0, 0, Page.now.alpha));
    const M = Page.now.V[key];
    if (M.n * M.m > GRID) return put(byPlace(key, M));
    const body = Array.from({ length: M.n }, (_, i) => h("tr", {}, Array.from({ length: M.m }, (_, j) => h("td", {}, cell(key, i, j, at(M, i, j))))));
    return put(h("div", { class: "scroll" }, h("table", { class: "edit", "aria-label": `Edit ${Formulas.text(key)}` }, h("tbody", {}, body))));
  }
  function cell(key, i, j, value) {
    const input = h("input", {
      type: "text", inputmode: "decimal", size: 7, value: String(Number(value.toPrecision(6))), title: String(value), "data-edit": key, "data-i": i, "data-j": j,
      "aria-label": key === "α" ? "learning rate" : `${Formulas.text(key)} row ${i + 1} column ${j + 1}`,
      onchange: () => set(key, i, j, input),
    });
    return input;
  }
  function byPlace(key, M) {
    const field = (text, most) => h("input", { type: "number", min: 1, max: most, value: 1, "aria-label": text });
    const row = field("row", M.n), column = field("column", M.m), slot = h("span", {});
    const refresh = () => {
      const [i, j] = [[row, M.n], [column, M.m]].map(([input, size]) => Math.min(Math.max(1, Math.floor(Number(input.value)) || 1), size) - 1);
      slot.replaceChildren(cell(key, i, j, at(Page.now.V[key], i, j)));
    };
    row.addEventListener("input", refresh);
    column.addEventListener("input", refresh);
    refresh();
    return h("p", {}, `${Formulas.text(key)} is ${M.n}×${M.m}. Row `, row, " column ", column, " value ", slot);
  }
  function set(key, i, j, input) {
    const x = parsed(input.value);
    let problem = x === null ? `“${input.value.slice(0, 30)}” is no number; expected one such as 0.5 or -2. Nothing was changed.` : null;
    if (!problem && key === "α" && x < 0) problem = "the learning rate must be at least 0. Nothing was changed.";
    if (!problem && key === "Y") problem = targetProblem(x);
    say("edit-message", problem || "");
    input.toggleAttribute("aria-invalid", Boolean(problem));
    if (problem) return;
    Page.edit(key, i, j, x);
    if (key === "Y" && Page.plan.cost.distribution) {
      const sums = Engine.sumOf(Page.now.Y, 0);
      const wrong = sums.v.findIndex((s) => Math.abs(s - 1) > 1e-4);
      if (wrong >= 0) say("edit-message", `The targets of example ${wrong + 1} add up to ${shown(sums.v[wrong])}; expected 1. Change another one of them too.`);
    }
    diff();
  }
  const say = (id, text) => { byId(id).textContent = text; };

  function diff() {
    const place = byId("diff");
    if (!Page.before) { place.replaceChildren(h("p", { class: "hint" }, "Nothing is changed yet.")); return; }
    const rows = [];
    for (const [key, old] of Object.entries(Page.before)) {
      const M = Page.now.V[key];
      if (!M || !old || key === "target" || M.v.length !== old.v.length) continue;
      let changed = 0, most = 0, where = 0;
      M.v.forEach((x, k) => {
        const gap = Math.abs(x - old.v[k]);
        if (gap > 0) changed++;
        if (gap > most) { most = gap; where = k; }
      });
      if (changed) rows.push([key, changed, M, old, where]);
    }
    const value = (M, k) => shown(M.v[k]);
    place.replaceChildren(
      h("p", {}, "Cost ", h("b", {}, shown(Page.before.C.v[0])), " → ", h("b", { "data-cost": Page.now.V.C.v[0] }, shown(Page.now.V.C.v[0])),
        `. Changed: ${rows.map(([key, changed, M]) => `${Formulas.text(key)} (${changed} of ${M.v.length})`).join(", ") || "nothing"}.`),
      h("div", { class: "scroll" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["", "largest change at", "was", "is"].map((t) => h("th", { scope: "col" }, t)))),
        h("tbody", {}, rows.map(([key, , M, old, k]) => h("tr", {}, h("th", { scope: "row", class: `eq-${Formulas.equationOf(key)}` }, Formulas.text(key)),
          h("td", {}, `row ${Math.floor(k / M.m) + 1}, column ${(k % M.m) + 1}`), h("td", {}, value(old, k)), h("td", {}, value(M, k))))))));
  }

  // ---------------------------------------------------------------------------------- train
  const training = { costs: [], running: false };
  const TOLERANCE = 1e-6, LOOK_BACK = 10;
  function converged(costs) {
    if (costs.length <= LOOK_BACK) return null;
    const [now, then] = [costs.at(-1), costs.at(-1 - LOOK_BACK)];
    return Math.abs(then - now) <= TOLERANCE * Math.max(Math.abs(then), TOLERANCE)
      ? `Converged: over the last ${LOOK_BACK} steps the cost changed by less than a millionth of itself, or is as good as 0.` : null;
  }
  function train(count) {
    if (training.running) { training.running = false; return; }
    if (!training.costs.length) training.costs.push(Page.now.V.C.v[0]);
    training.running = true;
    let left = count;
    const chunk = () => {
      const begun = Date.now();
      let verdict = null;
      while (left > 0 && training.running && !verdict && Date.now() - begun < 40) {
        Page.now = Page.next(Page.now);
        Page.now.done = Engine.step(Page.plan, Page.now);
        training.costs.push(Page.now.done.cost);
        left--;
        verdict = Number.isFinite(Page.now.done.cost) ? converged(training.costs)
          : "The cost is no number any more: training diverged. Lower the rate and start again.";
      }
      if (left > 0 && training.running && !verdict) { drawCosts(""); setTimeout(chunk, 0); return; }
      training.running = false;
      Page.stepped();
      drawCosts(verdict || "Converged? Not yet: round again.");
      editor();
      diff();
    };
    chunk();
  }
  function drawCosts(text) {
    const costs = training.costs, held = thin(costs);
    byId("curve").replaceChildren(costs.length > 1 ? Drawing.curves([{ name: "training cost", colour: "var(--eq-2)", values: held }], `Cost after ${costs.length - 1} steps: ${shown(costs.at(-1))}.`, costs.length - 1) : "");
    byId("curve").dataset.cost = costs.length ? costs.at(-1) : "";
    byId("curve").dataset.steps = Math.max(0, costs.length - 1);
    byId("curve").dataset.running = training.running;
    say("verdict", text);
  }
  const thin = (values) => {
    const every = Math.ceil(values.length / 600);
    return every === 1 ? values : values.filter((_, k) => k % every === 0 || k === values.length - 1);
  };
  function restart() {
    training.running = false;
    training.costs = [];
    say("verdict", "");
    byId("curve").replaceChildren();
    editor();
    diff();
  }

  // ------------------------------------------------------------------------------ own rows
  function read(text) {
    const n = Page.data.sizes[0], k = Page.data.sizes.at(-1), MOST = 500;
    const lines = text.split(/\r?\n/).map((line, place) => [line.trim(), place + 1]).filter(([line]) => line);
    if (!lines.length) throw Error(`there are no rows. Expected ${n + k} numbers a line: ${n} inputs, then ${k} target${k > 1 ? "s" : ""}.`);
    if (lines.length > MOST) throw Error(`there are ${lines.length} rows; this page takes up to ${MOST}.`);
    const rows = lines.map(([line, place]) => {
      const cells = line.split(/[;\t]/.test(line) ? /\s*[;\t]\s*/ : /\s*,\s*|\s+/);
      const values = cells.map((cell) => parsed(cell));
      const strange = values.indexOf(null);
      if (strange >= 0) throw Error(`line ${place}: “${cells[strange].slice(0, 30)}” is no number. Expected ${n} inputs, then ${k} target${k > 1 ? "s" : ""}, separated by commas.`);
      if (values.length !== n + k) throw Error(`line ${place} has ${values.length} numbers; expected ${n + k}: ${n} inputs, then ${k} target${k > 1 ? "s" : ""}.`);
      const problem = values.slice(n).map(targetProblem).find(Boolean);
      if (problem) throw Error(`line ${place}: ${problem}.`);
      const sum = values.slice(n).reduce((s, y) => s + y, 0);
      if (Page.plan.cost.distribution && Math.abs(sum - 1) > 1e-4) throw Error(`line ${place}: the targets add up to ${sum}; expected 1.`);
      return values;
    });
    const matrix = (first, size) => Engine.transpose(Engine.matrix(rows.length, size, Float64Array.from(rows.flatMap((r) => r.slice(first, first + size)))));
    return [matrix(0, n), matrix(n, k)];
  }
  function paste() {
    try {
      const [X, Y] = read(byId("rows").value), dropped = Page.now.weights ? " The examples' weights do not go with them." : "";
      Page.replaceData(X, Y);
      restart();
      say("paste-message", `${X.m} row${X.m > 1 ? "s" : ""} taken.${dropped}`);
    } catch (error) {
      say("paste-message", `${error.message} The data stay as they were.`);
    }
  }

  // ------------------------------------------------------------------------------ misprints
  function generator(seed) {  // mulberry32, and normal numbers from it by Box and Muller
    let a = seed >>> 0;
    const uniform = () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    return { uniform, normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()) };
  }
  // What is trained both ways: a plan, its parameters, and rows drawn here.
  const SUBJECTS = {
    // The smallest network that shows it: nothing in these targets can be learnt, only known by heart.
    linear: () => ({
      plan: Page.data.linear,
      parameters: [{ W: Engine.matrix(1, 3), b: Engine.matrix(1, 1) }], alpha: 0.5, m: 20, steps: 1000, noise: "all of the target is noise",
      rows: (random, m) => ({ X: Engine.map(random.normal, Engine.matrix(3, m)), Y: Engine.map(random.normal, Engine.matrix(1, m)) }),
    }),
    network: () => {
      const { plan, start } = Page, m = 16, work = start.parameters.flatMap(Object.values).reduce((s, M) => s + M.v.length, 0) * m * 14;
      return {
        plan, parameters: start.parameters, alpha: start.alpha, m, noise: "half of the targets are noise",
        steps: Math.max(20, Math.min(400, Math.floor(4e9 / work))), rows: drawnRows,
      };
    },
  };
  // Inputs as spread as the page's own, targets half this network's answer and half noise.
  function drawnRows(random, m) {
    const { plan, start } = Page, n = plan.layers.length, k = Page.data.sizes.at(-1), own = start.X.v;
    const mean = own.reduce((s, x) => s + x, 0) / own.length;
    const spread = Math.sqrt(own.reduce((s, x) => s + (x - mean) ** 2, 0) / own.length) || 1;
    const X = Engine.map(() => mean + spread * random.normal(), Engine.matrix(Page.data.sizes[0], m));
    const A = Engine.forward(plan, start.parameters, X).A[n], [low, high] = plan.cost.targets;
    const Y = Engine.matrix(k, m);
    for (let j = 0; j < m; j++) {
      const noisy = random.uniform() < 0.5, pick = Math.floor(random.uniform() * k);
      let best = 0;
      for (let i = 1; i < k; i++) if (at(A, i, j) > at(A, best, j)) best = i;
      for (let i = 0; i < k; i++) {
        const a = at(A, i, j);
        Y.v[i * m + j] = plan.cost.distribution ? Number(i === (noisy ? pick : best))
          : high !== null ? Number(noisy ? random.uniform() < 0.5 : a > 0.5)
            : Math.max(low === null ? -Infinity : low, a + random.normal());
      }
    }
    return { X, Y };
  }
  const MISPRINTS = {
    axis0: { title: "Eq. 10c with axis=0", dash: "6 4" },
    twice: { title: "1/m twice", dash: "2 4" },
  };
  const checked = (name) => document.querySelector(`input[name=${name}]:checked`).value;
  function experiment() {
    const which = checked("misprint"), subject = SUBJECTS[checked("subject")](), { plan, m, steps } = subject;
    const random = generator(7), data = subject.rows(random, m), held = subject.rows(random, m);
    const run = (misprint) => {
      let now = { ...data, parameters: subject.parameters, alpha: subject.alpha, weights: null, masks: {}, state: Engine.initialState(plan, subject.parameters), t: 1 };
      const found = { training: [], heldOut: [], b: () => now.parameters.find(({ b }) => b)?.b };
      found.advance = () => {
        const done = Engine.step(plan, now, misprint);
        found.training.push(done.cost);
        found.heldOut.push(Engine.costOf(plan, now.parameters, held.X, held.Y));
        now = Engine.next(now, done);
      };
      return found;
    };
    const right = run(null), printed = run(which), place = byId("misprint-result");
    byId("run-misprint").disabled = true;
    place.dataset.done = "false";
    let k = 0;
    const chunk = () => {
      const begun = Date.now();
      while (k <= steps && Date.now() - begun < 40) { right.advance(); printed.advance(); k++; }
      if (k <= steps) { say("misprint-message", `${k} of ${steps} steps …`); setTimeout(chunk, 0); return; }
      say("misprint-message", "");
      byId("run-misprint").disabled = false;
      place.replaceChildren(...outcome(which, right, printed, subject));
      Object.assign(place.dataset, { training: printed.training.at(-1), heldOut: printed.heldOut.at(-1), rightTraining: right.training.at(-1), rightHeldOut: right.heldOut.at(-1), done: "true" });
    };
    chunk();
  }
  // What was found, in words: as it is, also where a network hides the mistake.
  function verdictOf(which, [t0, h0], [t1, h1], b, { m, steps, plan }) {
    const costs = `the training cost is ${shown(t1)} against ${shown(t0)}, on rows not seen ${shown(h1)} against ${shown(h0)}`;
    if (which === "twice") return `The direction is right and every step ${m} times too short: after ${steps} steps ${costs}.`;
    const shape = `After ${steps} steps b[1] has shape ${b.n}×${b.m}: a bias of its own for every example. `;
    if (t1 < t0 && h1 > h0) return `${shape}The training cost looks better, ${shown(t1)} against ${shown(t0)}; on rows not seen it is worse, ${shown(h1)} against ${shown(h0)}. With a batch of another size the formula would not even run.`;
    const mixed = plan.layers.at(-1).activation.mixes ? " With softmax the δ of an example add up to 0, so its output biases do not even move." : "";
    return `${shape}Here ${costs}: a network that can learn these rows by heart with its weights hides the mistake.${mixed} Try the linear layer.`;
  }
  function outcome(which, right, printed, subject) {
    const { title, dash } = MISPRINTS[which], ends = (run) => [run.training.at(-1), run.heldOut.at(-1)];
    const curve = (name, colour, values, own) => ({ name, colour: `var(--eq-${colour})`, values: thin(values), dash: own });
    return [Drawing.curves([
      curve("training, right", "1a", right.training), curve("not seen, right", "11d", right.heldOut),
      curve(`training, ${title}`, "1a", printed.training, dash), curve(`not seen, ${title}`, "11d", printed.heldOut, dash),
    ], `Cost on ${subject.m} training rows and ${subject.m} others; ${subject.noise}.`, subject.steps),
    h("p", { class: "verdict" }, verdictOf(which, ends(right), ends(printed), printed.b(), subject))];
  }
  // Eq. 12's second line turns the product round: which shapes would that give here?
  function turned() {
    const m_ = Page.now.X.m;
    return Page.plan.layers.map((layer, k) => {
      if (layer.kind !== "dense") return null;
      const l = k + 1, n = Page.data.sizes[l], before = Page.data.sizes[k];
      const verdict = before !== n ? `(${m_}×${before})·(${n}×${m_}) cannot be multiplied: ${before} is not ${n}`
        : m_ === n ? `(${m_}×${n})·(${n}×${m_}) has the shape of W[${l}] and other numbers: silently wrong`
          : m_ === 1 ? `(1×${n})·(${n}×1) is a single number, which would be taken off every weight: silently wrong`
            : `(${m_}×${n})·(${n}×${m_}) gives ${m_}×${m_}, which does not fit W[${l}] of ${n}×${before}`;
      return h("li", {}, `Layer ${l}: ${verdict}.`);
    }).filter(Boolean);
  }

  // ------------------------------------------------------------------------------- wiring
  function refresh() { editor(); diff(); byId("turned").replaceChildren(...turned()); }
  function boot() {
    byId("what").replaceChildren(...choices().map((key) => h("option", { value: key }, { "A[0]": "inputs A[0]", Y: "targets Y", "α": "learning rate α" }[key] || key)));
    [byId("what").value] = Notation.parameterKeys(Page.now.parameters);
    byId("what").addEventListener("change", editor);
    for (const button of document.querySelectorAll("[data-train]")) button.addEventListener("click", () => train(Number(button.dataset.train)));
    byId("reset").addEventListener("click", () => { Page.reset(); restart(); say("edit-message", ""); say("paste-message", ""); });
    byId("paste").addEventListener("click", paste);
    byId("run-misprint").addEventListener("click", experiment);
    byId("rows").placeholder = Array.from({ length: Math.min(2, Page.now.X.m) }, (_, j) => [Page.now.X, Page.now.Y].flatMap((M) => Array.from({ length: Math.min(M.n, 12) }, (_, i) => shown(at(M, i, j)).replace("−", "-"))).join(", ")).join("\n");
    refresh();
  }
  // Off, with the reason, where the script cannot compute what it would show.
  function disable(section, why) {
    for (const control of section.querySelectorAll("button, input, select, textarea")) control.disabled = true;
    note(section, why);
  }
  const note = (section, text) => section.querySelector("h2").after(h("p", { class: "notice", role: "note" }, text));
  return { boot, refresh, disable, note, read };
})();
