// The prediction of the row in the form, how sure it is, and what each column contributes to it.
"use strict";
const Results = (() => {
  const { $, el, filled, number, signed, percent } = Dom;
  const MOST = 25;  // classes, and columns, that are shown one by one
  const LONGEST = 60;  // characters of a cell beside its column

  // ---------------------------------------------------------------------------- the prediction
  const bar = (start, width, less) => el("span", { class: "track" },
    el("i", { class: less ? "less" : "", style: `left:${100 * start}%;width:${100 * width}%` }));

  function ofClasses(model, { label, code, probabilities: P, set }) {
    const { classes, decision, names } = model.targets;
    const order = classes.map((_, k) => k).sort((a, b) => P[b] - P[a]);
    const at = decision ? classes.indexOf(decision.positive) : -1;
    return [
      el("p", { class: "big" }, el("small", {}, `${names[0]} `), String(label), el("small", {}, ` ${percent(P[code])}`)),
      el("ul", { class: "shares" }, order.slice(0, MOST).map((k) => {
        const track = bar(0, P[k], false);
        if (k === at) track.append(el("b", { style: `left:${100 * decision.threshold}%` }));
        return el("li", {}, el("span", { class: "name" }, String(classes[k])), track,
          el("span", { class: "value" }, percent(P[k])));
      })),
      order.length > MOST ? el("p", { class: "hint" }, `${order.length - MOST} further classes are less likely.`) : null,
      decision ? el("p", { class: "hint" }, `“${decision.positive}” is predicted from a probability of `
        + `${percent(decision.threshold)} on (the line)${decision.reason ? `: ${decision.reason}` : ""}.`) : null,
      set ? el("p", {}, `Prediction set: ${set.map(String).join(", ") || "none"}.`) : null,
    ].filter(Boolean);
  }
  function ofNumbers(model, { values, ends, quantiles }) {
    const { names } = model.targets;
    return names.flatMap((name, k) => [
      el("p", { class: "big" }, el("small", {}, `${name} `), number(values[k])),
      ends ? el("p", {}, `Interval: ${number(ends[k][0])} to ${number(ends[k][1])}`) : null,
      quantiles.length ? el("p", {}, `Quantiles: ${model.levels.map((q, l) => `${q}: ${number(quantiles[l][k])}`).join("; ")}`) : null,
    ]).filter(Boolean);
  }
  const predicted = (model, found) =>
    filled($("prediction"), model.isClasses ? ofClasses(model, found) : ofNumbers(model, found));

  function refused(model, cells) {
    const wrong = model.columns.filter((_, i) => cells[i].error).map((column) => `“${column.name}”`);
    filled($("prediction"), el("p", { class: "bad" }, `No prediction: ${wrong.join(", ")} cannot be read.`));
    for (const id of ["why", "notes"]) filled($(id));
    $("why-said").textContent = "";
    $("down").hidden = true;
  }

  // The columns in which the row differs from all training rows.
  const notes = (model, cells) => filled($("notes"), model.columns.flatMap((column, i) =>
    cells[i].notes.map((note) => el("li", {}, `${column.name} ${note}.`))));

  // ------------------------------------------------------------------------- contributions
  // A function that reads what rounding alone leaves of a contribution as 0.
  const NOISE = 1e-13;  // as a share of the largest number
  function settled({ values, reference, prediction }) {
    const least = NOISE * Math.max(Math.abs(reference), Math.abs(prediction), ...values.map(Math.abs));
    return (x) => (Math.abs(x) <= least ? 0 : x);
  }
  const cellText = (read) => (read === null ? "missing" : typeof read === "number" ? number(read) : String(read));

  // Columns by what they contribute; `chosen` is called with the column's number.
  function why(model, cells, own, chosen, pressed) {
    const settle = settled(own), values = own.values.map(settle), { order: first } = model.facts;
    const order = [...(first.length ? first : values.keys())].sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]));
    const low = Math.min(0, ...values), span = Math.max(0, ...values) - low || 1;
    const isReference = values.every((value) => !value);
    $("why-said").textContent = isReference ? "This is the reference row: change a cell to see what it contributes."
      : `From the reference row, ${number(own.reference)}, to this one, ${number(own.prediction)}, in ${model.facts.unit}: `
        + `what each column contributes. Choose one to follow it down. Left over: ${signed(settle(own.residual), 1)}.`;
    filled($("why"), order.slice(0, MOST).map((i) => {
      const value = values[i], { read } = cells[i];
      return el("li", {}, el("button", { type: "button", "aria-pressed": String(i === pressed), onclick: () => chosen(i) },
        el("span", { class: "name" }, model.columns[i].name, el("small", {}, cellText(read).slice(0, LONGEST))),
        bar((Math.min(0, value) - low) / span, Math.abs(value) / span, value < 0),
        el("span", { class: "value" }, value ? signed(value) : "0")));
    }));
    if (order.length > MOST) {
      const rest = order.slice(MOST).reduce((sum, i) => sum + values[i], 0);
      $("why").append(el("li", { class: "hint" }, `${order.length - MOST} further columns together: ${signed(rest)}`));
    }
  }

  // One column: its cell, what that becomes, and what each encoded value contributes.
  function cell(model, cells, own, i) {
    const column = model.columns[i], { read, says, units } = cells[i], { encoded } = model.facts.reference;
    const settle = settled(own), contributed = settle(own.values[i]);
    const first = model.columns.slice(0, i).reduce((n, each) => n + each.outputs.length, 0);
    const lines = column.outputs.map((name, k) => [name, encoded[first + k], units[k], settle(own.inputs[first + k])])
      .filter(([, from, to]) => from !== to || column.outputs.length <= MOST).sort((a, b) => Math.abs(b[3]) - Math.abs(a[3]));
    $("down-title").textContent = `${contributed ? signed(contributed) : "0"} because of ${column.name}`;
    filled($("cell"),
      el("p", {}, `The cell, ${cellText(read)}: ${says.join("; ")}.`),
      el("p", { class: "hint" }, `${column.name}: ${column.kind}, ${column.about}.`),
      Dom.table(["encoded as", "reference row", "this row", "contributes"],
        lines.slice(0, MOST).map(([name, from, to, value]) => [name, number(from), number(to), value ? signed(value) : "0"])),
      lines.length > MOST ? el("p", { class: "hint" }, `${lines.length - MOST} further encoded values contribute less.`) : "",
      el("p", { class: "hint" }, "A contribution is the derivative of the output with respect to the encoded value, averaged over "
        + `${own.points} points${model.networks.length > 1 ? " for each network, on average," : ""} from the reference row to this one, times the change of the value.`));
  }

  return { predicted, refused, notes, why, cell };
})();
