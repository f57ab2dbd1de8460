// The explorer of units: one unit's arithmetic, and the way down from the output to a column's cell.
"use strict";
const Unit = (() => {
  const { $, el, filled, table, number, signed } = Dom;
  const MOST = 12;  // terms that are listed one by one

  let network = null, way = [];

  // Begin at an output of the network; `start` says what is made of it.
  function open(model, cells, output) {
    network = Descent.network(model, cells);
    const { root } = network;
    way = [Descent.resolved({ chain: root, depth: root.layers.length, unit: output })];
    show(model, output);
  }
  // The units that follow one column alone or with others: how far each moves on the way from the
  // reference row, and what it contributes. Each can be followed down. Encoded values, which stand
  // above, are among them where each of several networks reads them.
  function ofColumn(model, { units, moved }, column, output) {
    const read = ({ across, inputs, source }) => (across ? inputs.filter((_, i) => across[source][i]) : [inputs[source]]);
    const isOne = network.networks.length === 1;
    const nameOf = (chain, place) => ("input" in place ? chain.name : "") + Descent.described(network, place).name;
    const follows = (own) => !(isOne && !own.layers.length) && read(own).some((input) => network.inputs[input].column === column);
    const sorted = network.networks.flatMap((chain) =>
      chain.units.flatMap((own) => own.sources.map((source) => ({ ...own, source })))
        .map((own, unit) => ({ ...own, chain, place: Descent.resolved({ chain, depth: 0, unit }) })))
      .map((own, u) => ({ ...own, value: units[u], moved: moved[u] })).filter((own) => own.value && follows(own))
      .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    if (!sorted.length) return filled($("units"));
    const lines = sorted.slice(0, MOST).map(({ chain, place, moved: [from, to], value }) => [
      el("button", { type: "button", onclick: () => go(model, output, place) }, nameOf(chain, place)),
      number(from), number(to), signed(value)]);
    const more = sorted.length > MOST ? ` (the ${MOST} largest of ${sorted.length})` : "";
    return filled($("units"), table(["unit that follows the column", "reference row", "this row", "contributes"], lines,
      `Before layers mix the columns${more}`));
  }
  function go(model, output, place, back = null) {
    way = back === null ? [...way, place] : way.slice(0, back + 1);
    show(model, output);
    $("unit").querySelector("button")?.focus();
  }

  function show(model, output) {
    const shown = way.map((place) => Descent.described(network, place)), own = shown.at(-1);
    filled($("crumbs"), shown.map((each, k) => el("button", {
      type: "button", "aria-current": k === shown.length - 1 ? "step" : null, onclick: () => go(model, output, null, k),
    }, k ? each.name : `output: ${each.name}`)));
    const button = (place) => {
      const each = Descent.described(network, place);
      return el("button", { type: "button", onclick: () => go(model, output, place) }, each.name);
    };
    filled($("unit"), own.column === undefined ? unit(own, button) : leaf(model, own),
      way.length === 1 ? outcome(model, own, output) : []);
  }

  // A unit of a layer: its equation with its numbers, the largest terms first.
  function unit(own, button) {
    const { equation, formula, layer, terms, uses, z, value } = own;
    const sorted = [...terms].sort((a, b) => Math.abs(b.product) - Math.abs(a.product)), rest = sorted.slice(MOST);
    const g = layer.activation.name, lines = sorted.slice(0, MOST).map((term) =>
      [button(term.place), number(term.weight), number(term.value), number(term.product)]);
    if (rest.length) lines.push([`${rest.length} further units together`, "", "", number(rest.reduce((s, t) => s + t.product, 0))]);
    if (own.added !== undefined && terms.length) lines.push(["b", "", "", number(own.added)]);
    return [
      el("p", { class: "formula" }, `${equation}: ${formula}`, own.says ? ` = ${own.says}` : "", ` = ${number(z)}`,
        g === "identity" ? "" : `; then a = ${g}(z) = ${number(value)}`),
      terms.length ? table(["from", "w", "a", "w·a"], lines) : el("p", { class: "bar" }, "from ", uses.map(button)),
    ];
  }

  // An encoded column: the cell it comes from.
  function leaf(model, { name, column, value }) {
    const { name: of } = model.columns[column];
    return [el("p", { class: "formula" }, `${name} = ${number(value)}`),
      el("p", {}, `An encoded value of the column “${of}”: see the cell above.`)];
  }

  // From the network's output to the prediction.
  function outcome(model, { value }, output) {
    const { means, stds, names, classes } = model.targets;
    if (!model.isClasses) {
      const mean = means[output], std = stds[output];
      return el("p", { class: "formula" }, `${names[output]} = mean + standard deviation · a = ${number(mean)} + `
        + `${number(std)} · ${number(value)} = ${number(mean + std * value)}`);
    }
    if (classes.length > 2)
      return el("p", {}, `The logit of ${classes[output]}; softmax makes probabilities of the logits of all classes.`);
    const p = Layers.activate(model.facts.output, Algebra.matrix(1, 1, Float64Array.of(value))).v[0];
    return el("p", { class: "formula" }, `probability of ${classes[1]} = ${model.facts.output.name}(z) = ${number(p)}`);
  }

  return { open, ofColumn };
})();
