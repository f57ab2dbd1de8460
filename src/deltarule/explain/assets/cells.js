// The table's row as the network takes it: every cell, the inputs that it becomes, and the units that
// the layers before the first weights make of them.
"use strict";
const Cells = (() => {
  const SHOWN = 6;  // units of a column that are listed
  const COLUMNS = 20;  // that are listed at once
  const { shown } = Matrices;

  // The place of the first layer that encodes columns, in the network that is looked at; null for none.
  function encoding() {
    let layers = Page.plan.layers, place = 1;
    while (layers[0].kind === "parallel" && Kinds.isEnsemble(layers[0])) {
      const k = Kinds.chosen(place);
      place = `${place}.${k + 1}.1`;
      layers = layers[0].parts[k].layers;
    }
    return ["piecewise_linear", "periodic", "embedding", "parallel"].includes(layers[0].kind) && Page.data.units[place] ? place : null;
  }

  const list = (parts) => [parts.slice(0, SHOWN).join(", "), parts.length > SHOWN ? ` and ${parts.length - SHOWN} more` : ""];
  function table() {
    const { cells: given, inputs, units } = Page.data, j = Math.min(Walk.state.example, Page.now.X.m - 1), X = Page.now.X;
    const place = encoding(), madeOf = (first, last) => Page.data.sources[place].flatMap((source, unit) => {
      const name = units[place][unit], x = Algebra.at(Page.now.V[`A[${place}]`], unit, j);
      return source !== null && first <= source && source < last && x !== 0 && !inputs.includes(name) ? [`${name}: ${shown(x)}`] : [];
    });
    const rows = given.columns.map(({ name, first, last }, k) => h("tr", {}, h("th", { scope: "row" }, name),
      h("td", {}, given.rows[j][k] || "missing"),
      h("td", {}, last > first ? list(inputs.slice(first, last).map((input, i) => `${input}: ${shown(Algebra.at(X, first + i, j))}`)) : "not used"),
      place === null ? null : h("td", {}, list(madeOf(first, last)))));
    const heads = ["column", "cell", "inputs", ...(place === null ? [] : [`new units in A[${place}], where not 0`])];
    const tableOf = (caption, own) => h("div", { class: "scroll" }, h("table", { class: "plain cells" }, h("caption", {}, caption),
      h("thead", {}, h("tr", {}, heads.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, own)));
    const first = tableOf(`Row ${given.names[j]} of the table, example ${j + 1}`, rows.slice(0, COLUMNS)), rest = rows.slice(COLUMNS);
    return rest.length ? h("div", {}, first, h("details", {}, h("summary", {}, `${rest.length} more columns`), tableOf("The other columns of this row", rest))) : first;
  }
  // The sub-step before the first; none where there is no table behind the inputs.
  const steps = () => (Page.data.cells && !Page.now.isPasted ? [{
    phase: "forward", eq: "", layer: 1, out: "A[0]", title: "From the table to the network's inputs",
    say: "Numbers are put on one scale, categories become ones and zeros, and what is missing is marked.",
    pieces: () => ["the cells, encoded"], feeds: ["Z[1]"], choice: table,
  }] : []);
  return { steps };
})();
