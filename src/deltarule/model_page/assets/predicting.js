// Rows to predictions: encoded cells through the network, in the targets' labels or units, and how
// sure they are. All numbers are in double precision.
"use strict";
const Predicting = (() => {
  const { stacked, made } = Algebra;
  const BLOCK = 256;  // rows that go through the network together

  // ------------------------------------------------------------------------------- the model
  function modelOf(facts, file) {
    const { tensors, preprocessing, targets, about } = file, { networks, average } = facts.path;
    // What facts say of layers, with the tensors that they name.
    const taken = (own) => ({
      ...own,
      parameters: own.parameters.map((each) => Object.fromEntries(Object.entries(each).map(([name, tensor]) => [name, tensors[tensor]]))),
    });
    return {
      facts, targets, about, levels: facts.levels,
      columns: Columns.columnsOf(preprocessing, facts),
      networks: networks.map((own) => ({ ...taken(own), units: own.units.map(taken) })),
      average: taken(average),
      spread: facts.spread && taken(facts.spread),
      isClasses: targets.task === "classification",
    };
  }

  // ------------------------------------------------------------------------------ the network
  // A chain of layers: of each the cache, and what comes out.
  function chained({ layers, parameters }, A) {
    const start = A, caches = layers.map((layer, k) => {
      const cache = Layers.forward(layer, parameters[k], A);
      A = cache.A;
      return cache;
    });
    return { start, caches, A };
  }
  const picked = (X, inputs) => made(inputs.length, X.m, (i, j) => X.v[inputs[i] * X.m + j]);

  // X (inputs, m) through the networks and their average: what each part of them makes.
  function passed(model, X) {
    const networks = model.networks.map((own) => {
      const units = own.units.map((each) => chained(each, picked(X, each.inputs)));
      return { units, ...chained(own, stacked(units.map(({ A }) => A))) };
    });
    const average = chained(model.average, stacked(networks.map(({ A }) => A)));
    return { networks, average, outputs: average.A };
  }

  // ------------------------------------------------------------------------------------ cells
  // The encoded cells of a row {column: text}: an entry a column, or the column's complaint.
  function encoded(model, row) {
    return model.columns.map((column) => {
      try {
        return column.encode(row[column.name] ?? "");
      } catch (error) {
        if (!(error instanceof Reading.Unreadable)) throw error;
        return { error: `holds “${row[column.name]}”; ${error.message}.`, notes: [] };
      }
    });
  }
  function inputsOf(encodedRows) {
    const each = encodedRows.map((cells) => cells.flatMap((cell) => cell.units));
    return made(each[0].length, each.length, (i, j) => each[j][i]);
  }

  // -------------------------------------------------------------------------------- certainty
  function quantile(sorted, share) {  // straight between the values, as NumPy's
    const at = share * (sorted.length - 1), i = Math.min(Math.max(Math.floor(at), 0), sorted.length - 1);
    const next = Math.min(i + 1, sorted.length - 1), t = at - i, step = sorted[next] - sorted[i];
    return t < 0.5 ? sorted[i] + step * t : sorted[next] - step * (1 - t);
  }
  const most = (held, ends) => Math.floor(1000 * (1 - ends / (held + 1))) / 1000;
  const placed = (below, held) => (below * (held + 1) - 1) / Math.max(held - 1, 1);

  // The largest coverage that held-out rows allow; 0 where the model has none.
  function mostCoverage({ about, isClasses }) {
    const own = about.calibration;
    if (!own || (isClasses && !(own.true_probabilities || []).length)) return 0;
    return Math.max(0, isClasses ? most(own.set_rows, 1) : most(own.rows, 2));
  }
  // Both ends of an interval of width 1 by target; of classes the least probability in a set.
  function limits({ about, isClasses }, coverage) {
    const own = about.calibration, out = (1 - coverage) / 2;
    if (isClasses) return quantile(own.true_probabilities, placed(1 - coverage, own.set_rows));
    return own.residuals.map((sorted) => [out, 1 - out].map((share) => quantile(sorted, placed(share, own.rows))));
  }

  // ------------------------------------------------------------------------------ predictions
  const cutOf = ({ decision, classes }) =>
    (!decision ? 0.5 : decision.positive === classes[1] ? decision.threshold : 1 - decision.threshold);

  function ofClasses(model, outputs, sure) {
    const { classes } = model.targets, probabilities = Layers.activate(model.facts.output, outputs);
    return Array.from({ length: outputs.m }, (_, j) => {
      const own = Array.from({ length: outputs.n }, (_, i) => probabilities.v[i * outputs.m + j]);
      const P = own.length === 1 ? [1 - own[0], own[0]] : own;
      const code = own.length === 1 ? Number(own[0] >= cutOf(model.targets)) : P.indexOf(Math.max(...P));
      const set = sure === null ? null : classes.filter((_, k) => sure <= P[k] || k === code);
      return { label: classes[code], code, probabilities: P, set };
    });
  }
  function ofNumbers(model, { networks, outputs }, X, sure) {
    const { means, stds } = model.targets, m = outputs.m, count = means.length;
    const value = (A, i, j, k) => A.v[i * m + j] * stds[k] + means[k];
    const widths = model.spread && chained(model.spread, stacked([X, outputs])).A;
    return Array.from({ length: m }, (_, j) => {
      const values = means.map((_, k) => value(outputs, k, j, k));
      const ends = sure && values.map((own, k) => sure[k].map((end) => own + (widths ? widths.v[k * m + j] : 1) * end));
      const quantiles = model.levels.map((_, l) => means.map((_, k) => value(networks[0].caches.at(-2).A, l * count + k, j, k)));
      return { values, ends, quantiles };
    });
  }

  // A prediction a row of encoded cells; of a coverage, with intervals or sets.
  function predicted(model, encodedRows, coverage = null) {
    const sure = coverage === null ? null : limits(model, coverage), found = [];
    for (let first = 0; first < encodedRows.length; first += BLOCK) {
      const X = inputsOf(encodedRows.slice(first, first + BLOCK)), all = passed(model, X);
      found.push(...(model.isClasses ? ofClasses(model, all.outputs, sure) : ofNumbers(model, all, X, sure)));
    }
    return found;
  }

  return { BLOCK, modelOf, chained, picked, passed, encoded, inputsOf, mostCoverage, predicted };
})();
