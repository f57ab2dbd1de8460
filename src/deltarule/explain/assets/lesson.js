// The lesson: seven stops through this page, each with a prediction to make and its check.
"use strict";
const Lesson = (() => {
  const { at } = Engine, { shown } = Matrices;
  const byId = (id) => document.getElementById(id);
  const state = { stop: null, done: new Set() };
  const L = () => Page.plan.layers.length;
  const named = (l, i) => (l === 0 ? Page.data.inputs[i] : l === L() ? Page.data.outputs[i] : `unit ${i + 1} of layer ${l}`);
  const denseLayers = () => Page.plan.layers.map(({ kind }, k) => (kind === "dense" ? k + 1 : 0)).filter(Boolean);
  const firstDense = () => denseLayers()[0], lastDense = () => denseLayers().at(-1);
  const direction = (x) => (x > 0 ? 0 : x < 0 ? 1 : 2);
  // The entry of a matrix that is farthest from 0.
  function largest(M) {
    const k = M.v.reduce((best, x, place) => (Math.abs(x) > Math.abs(M.v[best]) ? place : best), 0);
    return [Math.floor(k / M.m), k % M.m];
  }
  // Training on from here, on the side: the costs of a number of steps.
  function tried(alpha, steps) {
    const costs = [];
    let now = { ...Page.now, alpha, done: null, V: null };
    for (let k = 0; k <= steps && Number.isFinite(costs.at(-1) ?? 0); k++) {
      const done = Engine.step(Page.plan, now);
      costs.push(done.cost);
      now = Page.next({ ...now, done });
    }
    return costs;
  }
  const RECKLESS = 1000;
  // A hundred steps; of a large network fewer, so that the page need not be waited for.
  function stepsTried() {
    const work = Page.now.parameters.flatMap(Object.values).reduce((sum, { v }) => sum + v.length, 0) * Page.now.X.m;
    return Math.max(10, Math.min(100, Math.floor(2e7 / work)));
  }

  // A stop: what to look at (key, i, j), what it says and asks, and the answer: a number, or which
  // of the choices; `because` explains it with this page's numbers.
  const STOPS = [
    { title: "One neuron", of() {
      const l = firstDense(), { V } = Page.now, i = largest(V[`Z[${l}]`])[0], z = at(V[`Z[${l}]`], i, 0);
      return { look: [`Z[${l}]`, i, 0], secret: `Z[${l}]`,
        says: `A neuron multiplies each number that comes in by a weight, adds the products up, and adds its bias. Here is ${named(l, i)} for example 1: its row of W, and the column of what comes in.`,
        asks: `What is its z? Work it out from row ${i + 1} of W[${l}], column 1 of A[${l - 1}] and row ${i + 1} of b[${l}].`,
        number: z, because: () => Arithmetic.of(`Z[${l}]`, i, 0).shown + ` = ${shown(z)}. The activation then makes a = ${shown(at(V[`A[${l}]`], i, 0))} of it.` };
    } },
    { title: "A layer", of() {
      const l = firstDense(), n = Page.data.sizes[l], before = Page.data.sizes[l - 1];
      return { look: [`W[${l}]`, 0, 0], says: "A layer is several neurons that see the same numbers. Their weights are the rows of one matrix, so one product does the work of all of them, for all examples at once.",
        asks: `Layer ${l} has ${n} unit${n > 1 ? "s" : ""} and ${before} number${before > 1 ? "s" : ""} coming in. How many weights and biases has it?`,
        number: n * before + n, because: () => `${n} × ${before} weights and ${n} bias${n > 1 ? "es" : ""}: ${n * before + n}.` };
    } },
    { title: "The cost", of() {
      const { loss, C } = Page.now.V, worst = largest(loss)[1], several = loss.m > 1, few = Math.min(loss.m, 6);
      const examples = Array.from({ length: loss.m }, (_, j) => j).sort((p, q) => loss.v[q] - loss.v[p]).slice(0, few).sort((p, q) => p - q);
      return { look: [`A[${L()}]`, 0, 0], secret: "loss", step: "loss", says: "The loss says how far an example’s output is from its target: 0 where it is right. The cost is the average loss.",
        ...(several ? { asks: "Which example has the largest loss? Compare the outputs with the targets.", choices: examples.map((j) => `example ${j + 1}`), right: examples.indexOf(worst) }
          : { asks: "There is one example, and its loss is shown. What is the cost?", secret: "C", step: "C", number: C.v[0] }),
        because: () => `The losses are ${examples.map((j) => shown(loss.v[j])).join(", ")}; the cost is ${shown(C.v[0])}.` };
    } },
    { title: "Blame flows back", of() {
      const l = lastDense(), { V } = Page.now, [i, j] = largest(V[`delta[${l}]`]), delta = at(V[`delta[${l}]`], i, j);
      return { look: [`delta[${l}]`, i, j], secret: `delta[${l}]`, says: "δ says how the loss changes when a neuron’s z grows a little: who is to blame, and in which direction. It begins at the output and goes back along the same weights that carried the signal forward.",
        asks: `Take ${named(l, i)} for example ${j + 1}: it is ${shown(at(V[`A[${l}]`], i, j))}${l === L() ? `, the target is ${shown(at(V.Y, i, j))}` : ""}. When its z grows a little, does the loss rise or fall?`,
        choices: ["it rises: δ is above 0", "it falls: δ is below 0", "neither: δ is 0"], right: direction(delta), because: () => `δ = ${shown(delta)}. ${delta > 0 ? "A larger z makes it worse, so z should fall." : delta < 0 ? "A larger z makes it better, so z should rise." : "Nothing passes back here."}` };
    } },
    { title: "The update", of() {
      const l = lastDense(), { V } = Page.now, [i, j] = largest(V[`dW[${l}]`]), name = `W_new[${l}]`, w = at(V[name], i, j), old = at(V[`W[${l}]`], i, j);
      const common = { look: [name, i, j], secret: name, says: `dW says how the cost changes with a weight; the step goes against it. Of layer ${l} the weight with the largest derivative leads from ${named(l - 1, j)} to ${named(l, i)}: it is ${shown(old)}, its dW is ${shown(at(V[`dW[${l}]`], i, j))}, and α is ${shown(Page.now.alpha)}.`,
        because: () => `${Arithmetic.of(name, i, j).shown} = ${shown(w)}.` };
      return Page.plan.optimizer.descends ? { ...common, asks: "What is the new weight?", number: w }
        : { ...common, asks: `What does ${Page.plan.optimizer.name} do with it?`, choices: ["it makes it larger", "it makes it smaller", "it leaves it as it is"], right: direction(w - old) };
    } },
    { title: "Many steps", of() {
      const steps = stepsTried(), costs = tried(Page.now.alpha, steps), [first, last] = [costs[0], costs.at(-1)];
      const right = last < 0.99 * first ? 0 : last <= 1.01 * first ? 1 : 2;
      return { look: ["C", 0, 0], says: "One step helps a little. Training is the same step again and again, each from the weights that the one before has left.",
        asks: `The cost is ${shown(first)}. What is it after ${steps} more steps?`, choices: ["lower", "about the same", "higher, or no number at all"], right,
        because: () => `It is ${shown(last)}. Train under the network and watch it go there, or press Play at “whole steps”.` };
    } },
    { title: "What goes wrong", of() {
      const alpha = Page.now.alpha * RECKLESS, steps = stepsTried(), costs = tried(alpha, steps), last = costs.at(-1), verdict = Training.verdict(costs);
      const right = !(last <= costs[0]) ? 1 : last < 0.99 * costs[0] ? 0 : 2;
      return { look: ["C", 0, 0], says: "A derivative holds close by. A step that is too long lands where it says nothing any more.",
        asks: `Suppose α were ${shown(alpha)}, ${RECKLESS} times as large. What is the cost after ${steps} steps, where it is ${shown(costs[0])} now?`,
        choices: ["lower: longer steps arrive sooner", "higher, or no number at all", "about the same"], right,
        because: () => `On the way it reaches ${shown(costs.reduce((most, x) => (x > most ? x : most), -Infinity))} and stands at ${shown(last)} after ${costs.length - 1} steps. ${verdict} Set α under the network and try it.` };
    } },
  ];

  function go(k) {
    const stop = STOPS[k].of(), [key, i, j] = stop.look;
    Play.pause();
    state.stop = k;
    Walk.goTo(stop.step || key);
    if (stop.secret) Walk.hide();
    else Walk.choose(key, i, j);
    show(stop);
  }
  function leave() {
    state.stop = null;
    show();
    Walk.reveal();
    byId("lesson-open").focus();
  }
  function answered(stop, isRight, verdict) {
    verdict.textContent = `${isRight ? "Right." : "Not yet."} ${isRight ? stop.because() : "Look again, or show the answer."}`;
    verdict.classList.toggle("right", isRight);
    if (isRight) reveal(stop);
  }
  function reveal(stop) {
    state.done.add(state.stop);
    if (stop.secret) { Walk.reveal(); Walk.choose(...stop.look); }
    byId("lesson-stops").replaceChildren(...stops());
    Roving.renew(byId("lesson"));
  }
  function question(stop) {
    const verdict = h("p", { class: "verdict", role: "status" }), form = h("form", { class: "predict" });
    const field = stop.choices ? stop.choices.map((text, k) => h("label", {}, h("input", { type: "radio", name: "answer", value: k }), text))
      : h("input", { type: "text", inputmode: "decimal", "aria-label": "Your prediction" });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const picked = stop.choices ? form.querySelector(":checked") : form.querySelector("input"), x = picked && Changes.parsed(picked.value);
      if (x === null) { verdict.textContent = stop.choices ? "Choose one first." : "Type a number."; return; }
      answered(stop, stop.choices ? x === stop.right : Math.abs(x - stop.number) <= 0.01 * Math.max(0.5, Math.abs(stop.number)), verdict);
    });
    const button = (text, act) => h("button", { type: "button", onclick: act }, text);
    form.append(...[field].flat(), h("button", { type: "submit", class: "primary" }, "Check"),
      button("Show the answer", () => { verdict.textContent = stop.because(); reveal(stop); }),
      ...(state.stop < STOPS.length - 1 ? [button("Next stop →", () => go(state.stop + 1))] : []), button("Leave the lesson", leave));
    return [h("p", { class: "asks" }, h("b", {}, "Your prediction: "), stop.asks), form, verdict];
  }
  const stops = () => STOPS.map(({ title }, k) => h("button", {
    type: "button", class: `stop${state.done.has(k) ? " done" : ""}`, "aria-current": k === state.stop ? "step" : null, onclick: () => { go(k); byId("lesson-stops").children[k].focus(); },
  }, `${k + 1} ${title}`));
  function show(stop) {
    const isOpen = state.stop !== null;
    byId("lesson").hidden = !isOpen;
    byId("lesson-open").setAttribute("aria-expanded", isOpen);
    if (!isOpen) return;
    byId("lesson-stops").replaceChildren(...stops());
    byId("lesson-card").replaceChildren(h("p", {}, stop.says), ...question(stop));
    Roving.renew(byId("lesson"));
  }
  function boot() { byId("lesson-open").addEventListener("click", () => (state.stop === null ? go(0) : leave())); }
  return { STOPS, go, boot };
})();
