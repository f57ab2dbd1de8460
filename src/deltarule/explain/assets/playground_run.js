// A run: the plan of a network on encoded data, its start, its steps in order, and when it stops.
"use strict";
const Plan = (() => {
  const rows = JSON.parse(document.getElementById("rows").textContent);
  const { matrix } = Engine;
  const isLinear = (activation) => rows.layers[activation].layer.activation.g?.nodes.length === 1;
  const mixes = (activation) => rows.layers[activation].layer.activation.mixes;

  // ------------------------------------------------------------------ which rows go together
  const plainCost = (name) => { const { plain, fused } = rows.costs[name]; return plain.name ? plain : Object.values(fused)[0]; };
  // A target of numbers is standardized where the output can be turned back: it is linear.
  const hasScaledTarget = (settings, data) => settings.standardize && !data.classes && isLinear(settings.output);
  function unitsOf(settings, data) {
    const { group } = rows.costs[settings.cost], k = data.classes ? data.classes.length : 1;
    return k > 2 || (k === 2 && (plainCost(settings.cost).distribution || group > 1 || mixes(settings.output))) ? k : 1;
  }
  // Costs for the data, those of classes first for classes; outputs that a cost takes.
  function costsOf(data) {
    const all = Object.entries(rows.costs), [low, high] = data.classes ? [0, 1] : [Math.min(...data.train.y), Math.max(...data.train.y)];
    const takes = ([name, { group }]) => {
      const { targets, distribution } = plainCost(name), [least, most] = targets;
      return data.classes || (!distribution && group === 1 && (least === null || low >= least) && (most === null || high <= most));
    };
    const own = (classes) => all.filter(([, row]) => row.is_of_classes === classes).filter(takes).map(([name]) => name);
    return [...own(Boolean(data.classes)), ...own(!data.classes)];
  }
  const outputsOf = (cost, data) => rows.costs[cost].outputs.filter((name) => data.classes || !mixes(name));
  // What goes with a cost by default: the output it is fused with, else one whose range it takes.
  const outputFor = (cost, data) => Object.keys(rows.costs[cost].fused)[0]
    || (data.classes && rows.costs[cost].group === 1 && rows.costs[cost].outputs.includes("sigmoid") ? "sigmoid" : rows.costs[cost].outputs[0]);
  const costFor = (data) => (!data.classes ? "mse" : data.classes.length > 2 ? "categorical_cross_entropy" : "binary_cross_entropy");

  // ---------------------------------------------------------------- a plan, and its matrices
  function of(settings, data) {
    const units = unitsOf(settings, data), { plain, fused, group } = rows.costs[settings.cost];
    const cost = { ...(fused[settings.output] || plain) };
    if (group > 1) Object.assign(cost, { numbers: [units], name: cost.name.replace(/\(.*/, `(${units})`) });
    const layers = [...settings.hidden.map(() => settings.activation), settings.output].map((name) => rows.layers[name].layer);
    return {
      layers, cost, optimizer: rows.optimizers[settings.optimizer].row, rules: { ...rows.rules, l2: settings.l2 },
      sizes: [data.inputs.length, ...settings.hidden, units],
    };
  }
  function matricesOf(settings, data, part) {
    const { X, y } = data[part], m = y.length, n = X.length, units = unitsOf(settings, data);
    const standard = (i, x) => (settings.standardize ? (x - data.inputs[i].mean) / data.inputs[i].std : x);
    const { mean, std } = hasScaledTarget(settings, data) ? data.scale : { mean: 0, std: 1 };
    const target = (i, j) => (data.classes && units > 1 ? Number(y[j] === i) : (y[j] - mean) / (std || 1));
    return {
      X: matrix(n, m, Float64Array.from({ length: n * m }, (_, k) => standard(Math.floor(k / m), X[Math.floor(k / m)][k % m]))),
      Y: matrix(units, m, Float64Array.from({ length: units * m }, (_, k) => target(Math.floor(k / m), k % m))),
    };
  }
  // Weights by the rule of the activation after them, biases zero, from the seed.
  const VARIANCES = { glorot: (n, before) => 2 / (n + before), he: (n, before) => 2 / before, lecun: (n, before) => 1 / before };
  function start(plan, settings) {
    const random = Random.stream(settings.seed, Random.STREAMS.weights), names = [...settings.hidden.map(() => settings.activation), settings.output];
    return names.map((name, k) => {
      const [before, n] = plan.sizes.slice(k, k + 2), [rule, law] = rows.layers[name].initializer.split("_");
      const std = Math.sqrt(VARIANCES[rule](n, before));
      const draw = law === "uniform" ? () => Math.sqrt(3) * std * (2 * random.uniform() - 1) : () => std * random.normal();
      return { W: matrix(n, before, Float64Array.from({ length: n * before }, draw)), b: matrix(n, 1) };
    });
  }
  return { rows, of, matricesOf, start, costsOf, outputsOf, outputFor, costFor, hasScaledTarget, VARIANCES };
})();

const Run = (() => {
  const { matrix, at } = Engine;
  const isFinite = (M) => M.v.every(Number.isFinite);
  const picked = (M, columns) => {
    const m = columns.length, some = matrix(M.n, m);
    for (let i = 0; i < M.n; i++) for (let j = 0; j < m; j++) some.v[i * m + j] = M.v[i * M.m + columns[j]];
    return some;
  };

  // A run before its first step, from given parameters.
  function begin(plan, settings, data, parameters) {
    const run = {
      plan, settings, data, train: Plan.matricesOf(settings, data, "train"), held: Plan.matricesOf(settings, data, "held"),
      start: parameters, parameters, state: Engine.initialState(plan, parameters), steps: 0, epoch: 0, place: 0,
      order: null, costs: { training: [], heldOut: [] }, best: { cost: Infinity, epoch: 0 }, diverged: null,
    };
    evaluate(run);
    return run;
  }
  const batchRows = ({ settings, train }) => Math.min(settings.batch || train.X.m, train.X.m);
  // The rows of an epoch, counted from 1: in a new order, all at once as they stand.
  const orderOf = (run, epoch) => (batchRows(run) === run.train.X.m ? Array.from({ length: run.train.X.m }, (_, k) => k)
    : Random.stream(run.settings.seed, Random.STREAMS.order + epoch).permutation(run.train.X.m));
  // What the next step starts from.
  function upcoming(run) {
    const order = run.place ? run.order : orderOf(run, run.epoch + 1), columns = order.slice(run.place, run.place + batchRows(run));
    return {
      parameters: run.parameters, state: run.state, X: picked(run.train.X, columns), Y: picked(run.train.Y, columns), weights: null,
      masks: {}, alpha: run.settings.rate, t: run.steps + 1, columns, order,
    };
  }
  function evaluate(run) {
    const cost = ({ X, Y }) => Engine.costOf(run.plan, run.parameters, X, Y);
    run.costs.training.push(cost(run.train));
    run.costs.heldOut.push(run.held.X.m ? cost(run.held) : NaN);
    const own = run.costs.heldOut.at(-1);
    if (own < run.best.cost) run.best = { cost: own, epoch: run.epoch };
  }
  // One step; false where its numbers overflow: then nothing is changed.
  function step(run) {
    const now = upcoming(run), done = Engine.step(run.plan, now);
    if (!Number.isFinite(done.cost) || !done.after.every(({ W, b }) => isFinite(W) && isFinite(b))) {
      run.diverged = run.steps + 1;
      return false;
    }
    Object.assign(run, { parameters: done.after, state: done.stateAfter, steps: run.steps + 1, order: now.order, place: run.place + now.columns.length });
    if (run.place >= run.train.X.m) {
      Object.assign(run, { place: 0, epoch: run.epoch + 1 });
      evaluate(run);
    }
    return true;
  }
  // Why a run that plays should stop, in words; null where it continues.
  function verdict(run) {
    const { epochs, patience, rate } = run.settings;
    if (run.diverged) return `Step ${run.diverged} was not taken: its numbers overflow. Training diverged. Lower the learning rate (now ${rate}; try ${Number((rate / 10).toPrecision(2))})${run.settings.standardize ? "" : ", standardize"} and start again.`;
    if (run.place || !run.epoch) return null;
    if (patience && run.held.X.m && run.epoch - run.best.epoch >= patience) return `Stopped: the cost on held-out rows was lowest after epoch ${run.best.epoch}, ${patience} epochs ago. Raise the patience to train further.`;
    return run.epoch >= epochs ? `Stopped: ${epochs} epochs, the limit. Raise it to train further.` : null;
  }

  // ------------------------------------------------------------------------------ evaluation
  const outputs = (run, X) => Engine.forward(run.plan, run.parameters, X).A.at(-1);
  // Shares of the classes in one example's outputs: probabilities, or what softmax makes of others.
  function sharesOf(A, j) {
    const column = Array.from({ length: A.n }, (_, i) => at(A, i, j));
    if (A.n === 1) { const p = Math.min(Math.max(column[0], 0), 1); return [1 - p, p]; }
    const most = Math.max(...column), e = column.every((a) => a >= 0) && most > 0 ? column : column.map((a) => Math.exp(a - most));
    const sum = e.reduce((s, x) => s + x, 0);
    return e.map((x) => x / sum);
  }
  const codeOf = (A, j) => {
    if (A.n === 1) return Number(at(A, 0, j) > 0.5);
    let best = 0;
    for (let i = 1; i < A.n; i++) if (at(A, i, j) > at(A, best, j)) best = i;
    return best;
  };
  // R² of numbers; of classes the confusion matrix, rows the truth, and its accuracy.
  function metric(run, part) {
    const { X, Y } = run[part], { y } = run.data[part];
    if (!X.m) return null;
    const A = outputs(run, X), classes = run.data.classes;
    if (!classes) {
      const mean = Y.v.reduce((s, x) => s + x, 0) / Y.m, squares = (f) => Y.v.reduce((s, x, k) => s + (x - f(k)) ** 2, 0);
      const all = squares(() => mean);
      return { r2: all > 0 ? 1 - squares((k) => A.v[k]) / all : NaN };
    }
    const confusion = classes.map(() => classes.map(() => 0));
    y.forEach((truth, j) => { confusion[truth][codeOf(A, j)]++; });
    return { confusion, accuracy: confusion.reduce((s, row, k) => s + row[k], 0) / X.m };
  }
  // An output in the target's own unit.
  const inUnits = (run, a) => (Plan.hasScaledTarget(run.settings, run.data) ? a * (run.data.scale.std || 1) + run.data.scale.mean : a);
  return { begin, step, upcoming, verdict, metric, outputs, sharesOf, codeOf, inUnits, batchRows };
})();
