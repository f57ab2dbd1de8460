// The misprints of the notes, taken literally: trained both ways, on rows drawn here.
"use strict";
const Misprints = (() => {
  const { shown } = Matrices, { at } = Engine;
  const byId = (id) => document.getElementById(id), say = (id, text) => { byId(id).textContent = text; };

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
    // The smallest network that shows it: nothing in these targets can be learned, only memorized.
    linear: () => ({
      plan: Page.data.linear,
      parameters: [{ W: Engine.matrix(1, 3), b: Engine.matrix(1, 1) }], alpha: 0.5, m: 20, steps: 1000, noise: "all of the target is noise",
      rows: (random, m) => ({ X: Engine.map(random.normal, Engine.matrix(3, m)), Y: Engine.map(random.normal, Engine.matrix(1, m)) }),
    }),
    network: () => {
      const { plan, start } = Page, m = 16, work = start.parameters.flatMap(Object.values).reduce((sum, { v }) => sum + v.length, 0) * m * 14;
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
    const run = (misprint, alpha = subject.alpha) => {
      let now = { ...data, parameters: subject.parameters, alpha, weights: null, masks: {}, state: Engine.initialState(plan, subject.parameters), t: 1 };
      const found = { training: [], heldOut: [], b: () => now.parameters.find(({ b }) => b)?.b };
      found.advance = () => {
        const done = Engine.step(plan, now, misprint);
        found.training.push(done.cost);
        found.heldOut.push(Engine.costOf(plan, now.parameters, held.X, held.Y));
        now = Engine.next(now, done);
      };
      return found;
    };
    const right = run(null), printed = run(which), repaired = run(which, subject.alpha * m), place = byId("misprint-result");
    byId("run-misprint").disabled = true;
    place.dataset.done = "false";
    let k = 0;
    const chunk = () => {
      const begun = Date.now();
      while (k <= steps && Date.now() - begun < 40) { for (const each of [right, printed, repaired]) each.advance(); k++; }
      if (k <= steps) { say("misprint-message", `${k} of ${steps} steps …`); setTimeout(chunk, 0); return; }
      say("misprint-message", "");
      subject.repaired = repaired.training.at(-1);
      byId("run-misprint").disabled = false;
      place.replaceChildren(...outcome(which, right, printed, subject));
      Object.assign(place.dataset, { training: printed.training.at(-1), heldOut: printed.heldOut.at(-1), rightTraining: right.training.at(-1), rightHeldOut: right.heldOut.at(-1), done: "true" });
    };
    chunk();
  }
  // What was found, in words: as it is, also where a network hides the mistake.
  function verdictOf(which, [t0, h0], [t1, h1], b, { m, steps, plan, repaired }) {
    const costs = `the training cost is ${shown(t1)} against ${shown(t0)}, on rows not seen ${shown(h1)} against ${shown(h0)}`;
    if (which === "twice") return `The direction is right and every step ${m} times too short: after ${steps} steps ${costs}. It does no other harm: with a rate ${m} times as large the misprint ends at ${shown(repaired)}. With batches of other sizes, though, each size would need its own rate.`;
    const shape = `After ${steps} steps b[1] has shape ${b.n}×${b.m}: a separate bias for every example. `;
    if (t1 < t0 && h1 > h0) return `${shape}The training cost looks better, ${shown(t1)} against ${shown(t0)}; on rows not seen it is worse, ${shown(h1)} against ${shown(h0)}. With a batch of another size the formula would not even run.`;
    const mixed = plan.layers.at(-1).activation.mixes ? " With softmax the δ of an example add up to 0, so its output biases do not even move." : "";
    return `${shape}Here ${costs}: a network that can memorize these rows with its weights hides the mistake.${mixed} Try the linear layer.`;
  }
  function outcome(which, right, printed, subject) {
    const { title, dash } = MISPRINTS[which], ends = (run) => [run.training.at(-1), run.heldOut.at(-1)];
    const curve = (name, color, values, own) => ({ name, color: `var(--eq-${color})`, values: Training.thin(values), dash: own });
    return [Drawing.curves([
      curve("training, right", "1a", right.training), curve("not seen, right", "11d", right.heldOut),
      curve(`training, ${title}`, "1a", printed.training, dash), curve(`not seen, ${title}`, "11d", printed.heldOut, dash),
    ], `Cost on ${subject.m} training rows and ${subject.m} others; ${subject.noise}.`, subject.steps, { linear: true }),
    h("p", { class: "verdict" }, verdictOf(which, ends(right), ends(printed), printed.b(), subject))];
  }
  // Eq. 12's second line turns the product round: which shapes would that give here?
  function turned() {
    const m_ = Page.now.X.m;
    return Page.plan.layers.flatMap(({ kind }, k) => {
      if (kind !== "dense") return [];
      const l = k + 1, n = Page.data.sizes[l], before = Page.data.sizes[k];
      const verdict = before !== n ? `(${m_}×${before})·(${n}×${m_}) cannot be multiplied: ${before} is not ${n}`
        : m_ === n ? `(${m_}×${n})·(${n}×${m_}) has the shape of W[${l}] and other numbers: silently wrong`
          : m_ === 1 ? `(1×${n})·(${n}×1) is a single number, which would be taken off every weight: silently wrong`
            : `(${m_}×${n})·(${n}×${m_}) gives ${m_}×${m_}, which does not fit W[${l}] of ${n}×${before}`;
      return h("li", {}, `Layer ${l}: ${verdict}.`);
    });
  }
  function refresh() { byId("turned").replaceChildren(...turned()); }
  function boot() { byId("run-misprint").addEventListener("click", experiment); }
  return { refresh, boot };
})();
