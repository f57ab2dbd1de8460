// The form: a control for each column, which starts with the reference row.
"use strict";
const Form = (() => {
  const { $, el, filled } = Dom;
  const SHOWN = 12;  // columns of many that are shown at first
  const FEW = 40;  // levels that a list of choices shows; of more, they are suggested while typing

  const OTHER = "another value";
  function choice(column, id, levels) {
    const options = [el("option", { value: "" }, "(missing)"), ...levels.map((level) => el("option", { value: level }, level))];
    if (column.kind !== "boolean") options.push(el("option", { value: unknown(levels) }, "(another value)"));
    return el("select", { id, name: column.name }, options);
  }
  // A text that is none of the levels.
  function unknown(levels) {
    let text = OTHER;
    while (levels.includes(text)) text += "…";
    return text;
  }
  const typed = (column, id, more = {}) => el("input", { id, name: column.name, type: "text", spellcheck: "false", ...more });
  function leveled(column, id) {
    const { levels, statistics } = column.stored, known = [...levels, ...(statistics ? statistics.further : [])];
    if (known.length <= FEW) return choice(column, id, known);
    const list = `${id}-levels`;
    const suggested = el("datalist", { id: list }, known.map((level) => el("option", { value: level })));
    return el("span", {}, typed(column, id, { list }), suggested);
  }
  const CONTROLS = {
    numeric: (column, id) => typed(column, id, { inputmode: "decimal" }),
    scores: (column, id) => typed(column, id, { inputmode: "decimal" }),
    boolean: (column, id) => choice(column, id, column.stored.levels),
    category: leveled,
    embedding: leveled,
    date: (column, id) => typed(column, id, { placeholder: column.dates.hours ? "2024-05-31 18:30" : "2024-05-31" }),
    text: (column, id) => el("textarea", { id, name: column.name, rows: 2 }),
  };

  function field(column, i) {
    const id = `field-${i}`, control = CONTROLS[column.kind](column, id);
    const input = control.matches("span") ? control.firstChild : control;
    input.setAttribute("aria-describedby", `${id}-said`);
    const said = el("p", { class: "said", id: `${id}-said` });
    return el("div", { class: "field" }, el("label", { for: id }, column.name), control, said);
  }
  // Of many columns those that change the prediction most; the others when they are asked for.
  function arranged(model, fields) {
    const { order } = model.facts;
    if (!order.length) { filled($("fields"), fields); return; }
    const [first, rest] = [order.slice(0, SHOWN), order.slice(SHOWN)].map((places) => places.map((i) => fields[i]));
    const others = el("details", { id: "others" }, el("summary", {}, `${rest.length} further columns`), el("div", { class: "fields" }, rest));
    filled($("fields"), first, others);
    $("finding").hidden = false;
    $("find").addEventListener("input", (event) => { event.stopPropagation(); find(model, fields); });
  }
  // Show the fields whose name holds what is looked for.
  function find(model, fields) {
    const text = $("find").value.trim().toLowerCase(), found = model.columns.map(({ name }) => name.toLowerCase().includes(text));
    fields.forEach((own, i) => { own.hidden = !found[i]; });
    $("others").open = text !== "";
    $("found").textContent = text ? Dom.count(found.filter(Boolean).length, "column") : "";
  }

  // Build the form; `changed` is called after every change.
  function build(model, changed) {
    arranged(model, model.columns.map(field));
    $("row").addEventListener("submit", (event) => event.preventDefault());
    $("row").addEventListener("input", changed);
    $("typical").addEventListener("click", () => { fill(model, (column) => column.typical); changed(); });
    $("clear").addEventListener("click", () => { fill(model, () => ""); changed(); });
    fill(model, (column) => column.typical);
  }
  const control = (i) => $(`field-${i}`);
  function fill(model, cellOf) {
    model.columns.forEach((column, i) => { control(i).value = cellOf(column); });
  }
  const row = (model) => Object.fromEntries(model.columns.map((column, i) => [column.name, control(i).value]));

  // Beside each control what is wrong with it, or how it differs from training.
  function say(model, cells) {
    model.columns.forEach((column, i) => {
      const { error, notes } = cells[i], said = $(`field-${i}-said`);
      const text = error || notes.join("; ");
      if (said.textContent !== text) said.textContent = text;
      said.classList.toggle("bad", Boolean(error));
      control(i).setAttribute("aria-invalid", String(Boolean(error)));
      if (error) control(i).closest("details")?.setAttribute("open", "");
    });
  }

  return { build, row, say };
})();
