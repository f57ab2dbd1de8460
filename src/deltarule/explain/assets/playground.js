// The playground itself: settings read and checked, a run made of them, and the controls wired.
"use strict";
const byId = (id) => document.getElementById(id);
// What shared scripts read: the plan, the step's numbers, and names.
const Page = { isEditable: () => false, plan: null, now: null, rows: false, before: null, data: { inputs: [], outputs: [], sizes: [], units: [], untraced: [] } };

const Playground = (() => {
  const page = { table: null, ownTable: null, ownText: "", ownStart: null, run: null, paint: null, timer: null, wanted: {} };
  const OWN = "own";
  const LONG = 50_000;  // characters of a table

  // ------------------------------------------------------------------------------- settings
  function numberIn(id, low, high, { isWhole = false, text = byId(id).labels[0].textContent.trim() } = {}) {
    const field = byId(id), typed = field.value.trim(), x = Table.number(typed, typed.includes(",") && !typed.includes("."));
    const good = x !== null && x >= low && x <= high && (!isWhole || Number.isInteger(x));
    field.toggleAttribute("aria-invalid", !good);
    if (!good) throw Error(`${text}: expected a ${isWhole ? "whole " : ""}number from ${low} to ${high}; got “${typed.slice(0, 20)}”.`);
    return x;
  }
  function hidden() {
    const field = byId("hidden"), parts = field.value.split(/[,\s]+/).filter(Boolean), units = parts.map(Number);
    const good = units.length <= 6 && units.every((n) => Number.isInteger(n) && n >= 1 && n <= 64);
    field.toggleAttribute("aria-invalid", !good);
    if (!good) throw Error(`Units per hidden layer: expected at most 6 whole numbers from 1 to 64, such as 6,4; got “${field.value.slice(0, 30)}”.`);
    return units;
  }
  const settings = () => ({
    hidden: hidden(), activation: byId("activation").value, output: byId("output").value, cost: byId("cost").value, optimizer: byId("optimizer").value,
    rate: numberIn("rate", 1e-12, 1e6), batch: numberIn("batch", 0, 2000, { isWhole: true }), l2: numberIn("l2", 0, 1e6), seed: numberIn("seed", 0, 999999, { isWhole: true }),
    standardize: byId("standardize").checked, heldOut: numberIn("held-out", 0, 80) / 100, ...stopRule(),
  });
  const stopRule = () => ({ epochs: numberIn("epochs", 1, 100000, { isWhole: true }), patience: numberIn("patience", 0, 100000, { isWhole: true }) });
  const say = (id, text) => { byId(id).textContent = text; };
  // A select's options; its value is what an address wants, or stays where it can and should.
  function offer(id, options, otherwise = options[0]?.[0], stays = true) {
    const select = byId(id), before = page.wanted[id] ?? (stays ? select.value : otherwise), values = options.map(([value]) => value);
    select.replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
    select.value = values.includes(before) ? before : otherwise;
  }
  const named = (names) => names.map((name) => [name, name.replaceAll("_", " ")]);

  // ------------------------------------------------------------ from the settings to a run
  function tableNow() {
    const name = byId("data").value;
    byId("drawn").hidden = name === OWN;
    if (name === OWN) return page.ownTable;
    return Examples.table(name, numberIn("rows-drawn", 10, 2000, { isWhole: true }), numberIn("noise", 0, 1), numberIn("data-seed", 0, 999999, { isWhole: true }));
  }
  // Costs for the data and outputs for the cost: a new kind of target, or cost, brings its own.
  function offerRows(data) {
    const kind = data.classes ? Math.min(data.classes.length, 3) : 0, isSame = kind === page.kind;
    offer("cost", named(Plan.costsOf(data)), Plan.costFor(data), isSame);
    const cost = byId("cost").value;
    offer("output", named(Plan.outputsOf(cost, data)), Plan.outputFor(cost, data), isSame && cost === page.cost);
    Object.assign(page, { kind, cost });
  }
  // A change of the settings: everything restarts, from the same parameters.
  function rebuild() {
    pause();
    try {
      const table = tableNow();
      offer("target", table.names.map((name) => [name, name]), table.names.at(-1));
      const target = byId("target").value, task = byId("task").value === "auto" ? Table.taskOf(table, target) : byId("task").value;
      const data = Table.encode(table, { target, task, heldOut: numberIn("held-out", 0, 80) / 100, seed: numberIn("data-seed", 0, 999999, { isWhole: true }) });
      offerRows(data);
      Object.assign(page, { table, data });
      Views.chosen(byId("data").value);
      say("data-message", data.notes.join("\n"));
      start();
      say("setting-message", "");
    } catch (error) {
      say("setting-message", `${error.message}${/[.)]$/.test(error.message) ? "" : "."} The run above stays as it was.`);
    }
  }
  function start() {
    const own = settings(), plan = Plan.of(own, page.data), fits = page.ownStart?.every(({ W }, k) => W.n === plan.sizes[k + 1] && W.m === plan.sizes[k]) && page.ownStart.length === plan.layers.length;
    if (!fits) page.ownStart = null;
    begin(Run.begin(plan, own, page.data, page.ownStart || Plan.start(plan, own)));
  }
  function begin(run) {
    const { plan, data } = run, names = data.inputs.map(({ name }) => name);
    Object.assign(page, { run });
    Object.assign(Page, { plan, data: { inputs: names, sizes: plan.sizes, units: [], untraced: [], outputs: plan.sizes.at(-1) === 1 ? [data.target] : data.classes } });
    page.paint = Views.network(run, chooseWire);
    const isSame = String(names) === page.inputs, numbers = data.inputs.flatMap(({ isNumber }, k) => (isNumber ? [String(k)] : []));
    page.inputs = String(names);
    offer("across", names.map((name, k) => [String(k), name]), numbers[0] || "0", isSame);
    offer("up", [...names.map((name, k) => [String(k), name]), ["curve", "(a curve)"]], numbers[1] || "curve", isSame);
    say("model-inputs", names.join(", "));
    wireChoices();
    say("verdict", "");
    refresh();
    Address.write();
  }
  // All that a step changes.
  function refresh() {
    const { run } = page, across = byId("across").value, isCurve = ["curve", across].includes(byId("up").value);
    page.paint(run);
    Views.map(run, Number(across), Number(isCurve ? across : byId("up").value));
    Views.costs(run);
    if (page.timer) return;
    byId("legend").replaceChildren(...Views.legend(run, isCurve), h("span", { class: "hint" }, run.held.X.m ? "Filled: training rows; rings: held-out rows." : ""));
    say("map-hint", run.data.inputs.length > (isCurve ? 1 : 2) ? "The other inputs stand at their mean." : "");
    Views.confusion(run);
    Numbers.show(run);
    wireValue();
    code();
  }
  function code() {
    if (!byId("show-code").open) return;
    byId("command").value = Export.command(page.run);
    byId("python").value = Export.python(page.run);
  }

  // -------------------------------------------------------------------------------- training
  const SPEEDS = { slow: [1, 500], steps: [1, 40], epochs: ["epoch", 30], fast: ["time", 0] };
  function pause() {
    clearTimeout(page.timer);
    page.timer = null;
    say("play", "▶ Play");
  }
  function advance(count) {
    const { run } = page, begun = performance.now(), epoch = run.epoch;
    let verdict = null, done = 0;
    do {
      if (!Run.step(run)) break;
      done++;
      verdict = Run.verdict(run);
    } while (!verdict && (count === "time" ? performance.now() - begun < 80 : count === "epoch" ? run.epoch === epoch : done < count));
    return run.diverged ? Run.verdict(run) : verdict;
  }
  function play() {
    if (page.timer) { pause(); refresh(); return; }
    const before = Run.verdict(page.run);
    if (before) { say("verdict", before); return; }
    say("play", "❚❚ Pause");
    say("verdict", "");
    const tick = () => {
      const [count, wait] = SPEEDS[byId("speed").value], verdict = advance(count);
      if (verdict) pause();
      else page.timer = setTimeout(tick, wait);
      if (verdict) say("verdict", verdict);
      refresh();
    };
    page.timer = setTimeout(tick, 0);
  }
  function once(count) {
    pause();
    const verdict = page.run.diverged ? Run.verdict(page.run) : advance(count);
    say("verdict", verdict || "");
    refresh();
  }
  function restart() {
    pause();
    const { run } = page;
    begin(Run.begin(run.plan, run.settings, run.data, run.start));
  }

  // ---------------------------------------------------------------------- weights by hand
  function wireChoices() {
    const { sizes } = page.run.plan, numbers = (n) => Array.from({ length: n }, (_, k) => [String(k), String(k + 1)]);
    offer("wire-layer", numbers(sizes.length - 1));
    const l = Number(byId("wire-layer").value);
    offer("wire-unit", numbers(sizes[l + 1]));
    offer("wire-from", [...Array.from({ length: sizes[l] }, (_, k) => [String(k), l ? `unit ${k + 1}` : Page.data.inputs[k]]), ["bias", "its bias"]]);
  }
  function wirePlace() {
    const [l, i] = [Number(byId("wire-layer").value), Number(byId("wire-unit").value)], from = byId("wire-from").value;
    return from === "bias" ? [l, "b", i] : [l, "W", i * page.run.plan.sizes[l] + Number(from)];
  }
  function wireValue() {
    const [l, name, place] = wirePlace();
    if (document.activeElement !== byId("wire-value")) byId("wire-value").value = String(Number(page.run.parameters[l][name].v[place].toPrecision(6)));
  }
  function chooseWire(l, i, j) {
    byId("wire-layer").value = String(l - 1);
    wireChoices();
    byId("wire-unit").value = String(i);
    byId("wire-from").value = j === null ? "bias" : String(j);
    wireValue();
    byId("wire-value").focus();
    byId("wire-value").select();
  }
  function setWire(event) {
    event.preventDefault();
    try {
      const x = numberIn("wire-value", -1e9, 1e9, { text: "A weight" }), [l, name, place] = wirePlace();
      const parameters = page.run.parameters.map(({ W, b }) => ({ W: Engine.copy(W), b: Engine.copy(b) }));
      parameters[l][name].v[place] = x;
      pause();
      page.ownStart = parameters;
      start();
      say("wire-message", "Training begins again from these weights.");
    } catch (error) {
      say("wire-message", `${error.message} Nothing was changed.`);
    }
  }
  function drawnStart() {
    page.ownStart = null;
    pause();
    start();
    say("wire-message", "The weights are those drawn from the seed.");
  }

  // ------------------------------------------------------------------------------- own data
  function take(text) {
    Object.assign(page, { ownTable: Table.read(text), ownText: text, ownStart: null });
    if (![...byId("data").options].some(({ value }) => value === OWN)) byId("data").append(h("option", { value: OWN }, "your own table"));
    byId("data").value = OWN;
    byId("task").value = "auto";
  }
  // Long texts are read once the page has said so.
  async function use(text) {
    if (text.length > LONG) {
      say("data-message", `Reading ${text.length.toLocaleString("en")} characters …`);
      await new Promise((go) => { requestAnimationFrame(() => setTimeout(go)); });
    }
    try {
      take(text);
      rebuild();
    } catch (error) {
      say("data-message", `${error.message}. The table stays as it was.`);
    }
  }
  // The settings of an address; what it does not say stays, what cannot be is left out.
  function restore(given) {
    page.wanted = given;
    try { if (given.table) take(given.table); } catch { delete given.table; }
    for (const id of Address.FIELDS) {
      const field = byId(id), isThere = field.tagName !== "SELECT" || [...field.options].some(({ value }) => value === given[id]);
      if (id in given && isThere) field.value = given[id];
    }
    if ("standardize" in given) byId("standardize").checked = given.standardize === "1";
    page.ownStart = null;
    rebuild();
    page.ownStart = given.weights && page.run ? Address.weightsOf(given.weights, page.run.plan) : null;
    if (page.ownStart) start();
    page.wanted = {};
    if (given.data === OWN && !given.table) say("data-message", "The link’s own table is not in it: use the file that belongs to it.");
  }
  async function useFile(file) {
    if (!file) return;
    if (file.size > Table.LIMITS.characters) { say("data-message", `${file.name} has ${file.size.toLocaleString("en")} bytes; this page takes up to ${Table.LIMITS.characters.toLocaleString("en")}. The table stays as it was.`); return; }
    const text = await file.text();
    byId("text").value = text.slice(0, 20000);
    await use(text);
  }
  const dropped = (held) => (held.files.length ? useFile(held.files[0]) : use(held.getData("text")));

  // ------------------------------------------------------------------------------- exports
  function saving(make) {
    return async () => {
      try { say("export-message", await make()); } catch (error) { say("export-message", `It could not be done: ${error.message}`); }
    };
  }
  const saveModel = () => {
    if (!page.run.parameters.every(({ W, b }) => [...W.v, ...b.v].every(Number.isFinite))) throw Error("weights are not finite.");
    Files.save("playground.safetensors", Files.model(page.run), "application/octet-stream");
    return "playground.safetensors: deltarule.load(\"playground.safetensors\").predict(rows)";
  };
  const savePython = () => { Files.save("playground.py", Export.python(page.run), "text/x-python"); return "playground.py: python playground.py"; };
  const saveTable = () => { Files.save("playground.csv", Files.csv(page.table), "text/csv"); return "playground.csv"; };
  const copyLink = async () => {
    const problem = Address.write();
    await navigator.clipboard.writeText(location.href);
    return `The link is copied.${problem}`;
  };

  function defaults() {
    byId("settings").reset();
    offer("activation", named(Object.keys(Plan.rows.layers)), "tanh", false);
    offer("optimizer", named(Object.keys(Plan.rows.optimizers)), "adam", false);
  }
  function thumbnails() {
    Views.thumbnails((name) => { byId("data").value = name; byId("data").dispatchEvent(new Event("change", { bubbles: true })); });
    Views.chosen(byId("data").value);
  }
  function boot() {
    byId("data").replaceChildren(...Object.entries(Examples.SETS).map(([name, { title }]) => h("option", { value: name }, title)));
    thumbnails();
    defaults();
    restore(Address.read() || {});
    if (!page.run) {
      defaults();
      rebuild();
      say("setting-message", "The link holds settings that do not go together; these are the defaults.");
    }
    wire();
    document.documentElement.dataset.ready = "true";
  }
  function wire() {
    const on = (id, type, f) => byId(id).addEventListener(type, f), units = () => byId("hidden").value.split(/[,\s]+/).filter(Boolean);
    on("play", "click", play); on("one-step", "click", () => once(1)); on("one-epoch", "click", () => once("epoch")); on("restart", "click", restart);
    on("settings", "submit", (event) => event.preventDefault());
    on("settings", "change", ({ target: { id } }) => {
      if (id === "text" || id === "file") return;
      if (id === "optimizer") byId("rate").value = Plan.rows.optimizers[byId("optimizer").value].learning_rate;
      if (id === "seed" || id === "data") page.ownStart = null;
      if (id === "data" || id === "target") byId("task").value = "auto";
      if (id !== "epochs" && id !== "patience") { rebuild(); return; }
      try { Object.assign(page.run.settings, stopRule()); say("setting-message", ""); Address.write(); } catch (error) { say("setting-message", error.message); }
    });
    on("add-layer", "click", () => { byId("hidden").value = [...units(), units().at(-1) || 4].join(","); rebuild(); });
    on("remove-layer", "click", () => { byId("hidden").value = units().slice(0, -1).join(","); rebuild(); });
    on("use", "click", () => use(byId("text").value));
    on("file", "change", ({ target }) => useFile(target.files[0]));
    for (const id of ["across", "up"]) on(id, "change", () => { refresh(); Address.write(); });
    on("wire-layer", "change", () => { wireChoices(); wireValue(); }); on("wire-unit", "change", wireValue); on("wire-from", "change", wireValue);
    on("wire", "submit", setWire); on("drawn-start", "click", drawnStart);
    on("numbers", "toggle", () => Numbers.show(page.run)); Numbers.boot(() => page.run); on("show-code", "toggle", code);
    on("save-model", "click", saving(saveModel)); on("save-python", "click", saving(savePython)); on("save-csv", "click", saving(saveTable)); on("copy-link", "click", saving(copyLink));
    document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
    document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
    document.addEventListener("drop", (event) => { event.preventDefault(); document.body.classList.remove("dropping"); dropped(event.dataTransfer); });
    addEventListener("hashchange", () => { const given = Address.read(); if (given) restore(given); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { thumbnails(); refresh(); });
  }
  return { page, boot, use };
})();
Playground.boot();
