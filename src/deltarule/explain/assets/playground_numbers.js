// Every number of the next step: each equation of the notes, its matrices, and an entry's arithmetic.
"use strict";
const Numbers = (() => {
  let chosen = null;

  // The equations of a step in order: number, what it says, the matrices it shows, a row's formula.
  function equations(run) {
    const L = run.plan.layers.length, found = [];
    for (let l = 1; l <= L; l++) found.push(["1a", `Z[${l}] = W[${l}] A[${l - 1}] + b[${l}]`, [`Z[${l}]`, `W[${l}]`, `A[${l - 1}]`, `b[${l}]`]], ["1b", `A[${l}] = g(Z[${l}])`, [`A[${l}]`], Formulas.g(run.plan.layers[l - 1].activation)]);
    found.push(["2", "C = 1/m Σ ℓ(A, Y)", ["Y", "loss", "C"], Formulas.loss(run.plan.cost)]);
    for (let l = L; l >= 1; l--) {
      const eq = l === L ? "10" : "11", { cost, layers } = run.plan, isPair = l === L && cost.fused;
      const delta = isPair ? (cost.output_error ? `A[${l}] − Y` : `δ(Z[${l}], A[${l}], Y)`) : layers[l - 1].activation.mixes ? `A[${l}] ⊙ (dA − Σ A ⊙ dA)` : `dA[${l}] ⊙ g′(Z[${l}])`;
      found.push([`${eq}a`, `δ[${l}] = ${delta}`, [`delta[${l}]`, ...(isPair ? [] : [`dA[${l}]`, ...(layers[l - 1].activation.mixes ? [] : [`gPrime[${l}]`])])]],
        [`${eq}b`, `dW[${l}] = 1/m δ[${l}] A[${l - 1}]ᵀ${run.plan.rules.l2 ? ` + λ W[${l}]` : ""}`, [`dW[${l}]`]], [`${eq}c`, `db[${l}] = 1/m Σ columns δ[${l}]`, [`db[${l}]`]],
        [`${eq}d`, `dA[${l - 1}] = W[${l}]ᵀ δ[${l}]`, [`dA[${l - 1}]`]]);
    }
    for (let l = 1; l <= L; l++) found.push(["3", `new W[${l}], b[${l}]: ${run.plan.optimizer.name}`, [`W_new[${l}]`, `b_new[${l}]`]]);
    return found;
  }
  // Shown where the panel is open: it costs a step.
  function show(run) {
    if (!byId("numbers").open || run.diverged) return;
    const now = { masks: {}, ...Run.upcoming(run) };
    now.done = Engine.step(run.plan, now);
    Page.now = { ...now, V: Notation.collect(run.plan, now) };
    byId("step-title").textContent = `Step ${now.t}: a batch of ${now.X.m} rows, examples in columns. Click a number for its arithmetic.`;
    draw(run);
  }
  function draw(run) {
    const found = chosen && Page.now.V[chosen.key] ? Arithmetic.of(chosen.key, chosen.i, chosen.j) : null;
    byId("step").replaceChildren(...equations(run).map(([eq, text, keys, formula]) => h("div", { class: "equation" },
      h("p", {}, h("span", { class: `tag eq-${eq.replace("10", "11")}` }, `Eq. ${eq}`), text, formula ? h("span", { class: "formula-inline" }, Formulas.math(formula)) : null),
      h("div", { class: "numbers" }, keys.map((key) => Matrices.draw(key))),
      found && keys.includes(chosen.key) ? h("div", { class: "arithmetic", role: "status" },
        h("p", { class: "line" }, `${found.symbolic} = ${found.shown} = ${Matrices.shown(found.value)}`)) : null)));
    Matrices.mark(byId("step"), found && chosen);
    Roving.renew(byId("step"));
  }
  function boot(run) {
    byId("step").addEventListener("click", ({ target }) => {
      const entry = target.closest(".matrix [data-key]");
      if (!entry) return;
      chosen = { key: entry.dataset.key, i: Number(entry.dataset.i), j: Number(entry.dataset.j) };
      draw(run());
      byId("step").querySelector("button.chosen")?.focus();
    });
    Roving.boot();
  }
  return { show, boot };
})();
