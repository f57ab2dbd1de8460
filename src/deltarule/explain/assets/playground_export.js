// The run as text that repeats it: Python that makes the same steps, and the command line.
"use strict";
const Export = (() => {
  const list = (rows) => `[${rows.join(",\n    ")}]`;
  const rowsOf = (M) => Array.from({ length: M.n }, (_, i) => JSON.stringify(Array.from(M.v.subarray(i * M.m, (i + 1) * M.m))));
  const array = (M) => `np.array(${list(rowsOf(M))}, float)`;
  // Examples as rows; without any, an empty array of the width.
  const examples = (M) => (M.m ? array(Engine.transpose(M)) : `np.empty((0, ${M.n}))`);
  const parameters = (all) => all.map(({ W, b }) => `    {"W": ${array(W)},\n     "b": ${array(b)}},\n`).join("");
  const text = (value) => JSON.stringify(value);  // a JSON string is one of Python's
  const comment = (value) => value.replace(/[\s\p{Cc}]+/gu, " ");

  const ORDER = `

def uniforms(stream):
    """Numbers from 0 to 1 as the page draws them (mulberry32)."""
    a = ((SEED ^ (stream + 1) * 0x9E3779B1) * 0x85EBCA6B) % 2**32
    while True:
        a = (a + 0x6D2B79F5) % 2**32
        t = (a ^ a >> 15) * (1 | a) % 2**32
        t = (t + (t ^ t >> 7) * (61 | t)) % 2**32 ^ t
        yield (t ^ t >> 14) / 2**32


def order(epoch):
    """The order of the training rows in an epoch, counted from 1."""
    rows, random = list(range(len(X))), uniforms(1000 + epoch)
    for k in range(len(rows) - 1, 0, -1):
        other = int(next(random) * (k + 1))
        rows[k], rows[other] = rows[other], rows[k]
    return rows
`;
  const WHOLE = `

def order(epoch):
    """The order of the training rows in an epoch: as they stand, all in one batch."""
    return list(range(len(X)))
`;
  function python(run) {
    const { plan, settings, train, held, data } = run, batch = Run.batchRows(run), l2 = settings.l2 ? `\n    regularization=dr.Regularization(l2=${settings.l2}),` : "";
    const layers = plan.layers.map(({ activation }, k) => `dr.Dense(${plan.sizes[k + 1]}, ${text(activation.name)})`).join(", ");
    const scaled = settings.standardize ? ", standardized" : "", target = Plan.hasScaledTarget(settings, data) ? scaled : "";
    const cost = (part) => run.costs[part].at(-1), whole = run.place ? "after the last whole epoch" : "on the page";
    return `"""A run of deltarule's playground, repeated: the same rows, start, order and steps."""

from itertools import count, islice

import numpy as np

import deltarule as dr

SEED, BATCH, STEPS = ${settings.seed}, ${batch}, ${run.steps}

# Training and held-out rows${scaled}: ${comment(data.inputs.map(({ name }) => name).join(", "))}
X = ${examples(train.X)}
X_held_out = ${examples(held.X)}
# Their targets${target}: ${comment(`${data.target}${data.classes ? ` (${data.classes.join(", ")})` : ""}`)}
Y = ${examples(train.Y)}
Y_held_out = ${examples(held.Y)}

# The weights before the first step.
start = (
${parameters(run.start)})
network = dr.Network(${plan.sizes[0]}, [${layers}], ${text(plan.cost.name)})
${batch === train.X.m ? WHOLE : ORDER}

runner = dr.start(
    network,
    optimizer=dr.${plan.optimizer.name}(${settings.rate}),${l2}
    parameters=start,
    engine="reference",
    dtype="float64",
)
batches = (
    rows[first : first + BATCH]
    for rows in map(order, count(1))
    for first in range(0, len(rows), BATCH)
)
for rows in islice(batches, STEPS):
    runner.step(X[rows], Y[rows])

print("cost of the training rows:", runner.cost(X, Y))  # ${whole}: ${cost("training")}
${held.X.m ? `print("cost of the held-out rows:", runner.cost(X_held_out, Y_held_out))  # ${whole}: ${cost("heldOut")}\n` : ""}`;
  }

  const shell = (value) => (/^[\w.,%+-]+$/.test(value) ? value : `'${String(value).replaceAll("'", "'\\''")}'`);
  // What the command calls a cost: two classes have one output there, and softmax is an output.
  function costName({ plan, data }) {
    const name = plan.cost.name.replace(/^softmax_cross_entropy.*/, "categorical_cross_entropy");
    return data.classes?.length === 2 ? name.replace(/^categorical_/, "binary_").replace(/^focal/, "binary_focal") : name;
  }
  function command(run) {
    const { settings, plan, data } = run, batch = Run.batchRows(run);
    const options = {
      target: data.target, task: data.classes ? "classification" : "regression", hidden: settings.hidden.join(",") || "none", activation: settings.hidden.length ? settings.activation : null,
      cost: costName(run), optimizer: settings.optimizer, "learning-rate": settings.rate, schedule: "constant",
      "batch-size": batch, epochs: Math.max(1, run.epoch || settings.epochs), patience: settings.patience || null, l2: settings.l2 || null, "weight-decay": plan.optimizer.decay,
      dropout: 0, bins: 0, embedding: "none", ensemble: 1, "test-share": settings.heldOut || null, seed: settings.seed, dtype: "float64",
    };
    const given = Object.entries(options).filter(([, value]) => value !== null).map(([name, value]) => `--${name} ${shell(String(value))}`);
    return ["deltarule train playground.csv", ...given, "--out model.safetensors"].join(" \\\n  ");
  }
  return { python, command };
})();
