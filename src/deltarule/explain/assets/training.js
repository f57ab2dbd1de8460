// Training in the page: the same step again and again, the cost as it goes, and when it is over.
"use strict";
const Training = (() => {
  const { shown } = Matrices;
  const byId = (id) => document.getElementById(id);
  let costs = [], since = 0;  // of every step; and from where on nothing was changed by hand
  let run = null;  // one that continues piece by piece: {action, done}

  // ------------------------------------------------------------------------------ converged?
  // A window of costs is compared with its spread: two points may be in phase with a zigzag.
  const WINDOW = 20, TOLERANCE = 1e-6;
  const spread = (window) => [Math.min(...window), Math.max(...window)];
  const mean = (window) => window.reduce((sum, x) => sum + x, 0) / window.length;
  function converged(list) {
    if (list.length <= WINDOW) return null;
    const window = list.slice(-WINDOW), [low, high] = spread(window);
    return high - low <= TOLERANCE * Math.max(Math.abs(high), TOLERANCE)
      ? `Converged: over the last ${WINDOW} steps the cost stayed within a millionth of itself, or is as good as 0.` : null;
  }
  // Up and down without getting lower: the halves of a longer window do not differ, its costs do.
  function zigzag(list) {
    if (list.length <= 2 * WINDOW) return null;
    const window = list.slice(-2 * WINDOW), [low, high] = spread(window);
    const fall = mean(window.slice(0, WINDOW)) - mean(window.slice(WINDOW));
    return high - low > 0.01 * Math.abs(mean(window)) && fall < 0.05 * (high - low)
      ? `Not converged: the cost goes up and down. Over the last ${2 * WINDOW} steps it lay between ${shown(low)} and ${shown(high)}, and its average did not fall. Lower the rate.` : null;
  }
  const verdict = (list, taken = list.length - 1) => (Number.isFinite(list.at(-1)) ? converged(list) || zigzag(list) || "Converged? Not yet: round again."
    : `Diverged: after ${taken} step${taken === 1 ? "" : "s"} the cost is no longer a finite number. Lower the rate and start over.`);
  // The costs that a verdict is about: the latest, since the last change by hand.
  const recent = () => costs.slice(Math.max(since, costs.length - 2 * WINDOW - 1));
  function isOver() {
    const list = recent();
    return list.length > 0 && (!Number.isFinite(list.at(-1)) || converged(list) !== null);
  }

  // ---------------------------------------------------------------------------------- a run
  // Steps, until there is nothing more to do or the time is over; how many.
  function steps(count, until = Infinity) {
    if (!costs.length) costs.push(Page.now.V.C.v[0]);
    let done = 0;
    while (done < count && Date.now() < until && !isOver()) {
      Page.now = Page.next(Page.now);
      Page.now.done = Engine.step(Page.plan, Page.now);
      costs.push(Page.now.done.cost);
      done++;
    }
    return done;
  }
  function note(action, done) {
    action.text = `train:${done}`;
    if (!done) Changes.withdraw(action);
  }
  // At once; how many steps were taken.
  function advance(count) {
    const action = Changes.record(`train:${count}`), done = steps(count);
    note(action, done);
    Page.stepped();
    return done;
  }
  // Piece by piece, so that the page can be used meanwhile; pressed again, it ends.
  function train(count) {
    if (run) { halt(); Page.stepped(); return; }
    Play.pause();
    const own = { action: Changes.record(`train:${count}`), done: 0 };
    run = own;
    const chunk = () => {
      if (run !== own) return;
      own.done += steps(count - own.done, Date.now() + 40);
      if (own.done < count && !isOver()) { show(); setTimeout(chunk, 0); return; }
      halt();
      Page.stepped();
    };
    chunk();
  }
  // The end of a run that continues piece by piece, before anything else is done.
  function halt() {
    if (!run) return;
    const { action, done } = run;
    run = null;
    note(action, done);
  }
  // The costs as they stand, to come back to: a run only ever adds to its list.
  const kept = () => ({ list: costs, length: costs.length, since });
  function restore({ list, length, since: before }) { costs = list; costs.length = length; since = before; }
  function clear() { costs = []; since = 0; }
  // A number was changed by hand: whether the cost settles is checked again.
  function changed() { since = costs.length; }

  const thin = (values) => {
    const every = Math.ceil(values.length / 600);
    return every === 1 ? values : values.filter((_, k) => k % every === 0 || k === values.length - 1);
  };
  function show() {
    const place = byId("curve"), taken = Math.max(0, costs.length - 1);
    place.replaceChildren(...(taken ? [Drawing.curves([{ name: "training cost", color: "var(--eq-2)", values: thin(costs) }], `Cost after ${taken} step${taken === 1 ? "" : "s"}: ${shown(costs.at(-1))}.`, taken)] : []));
    Object.assign(place.dataset, { cost: costs.length ? costs.at(-1) : "", steps: taken, running: run !== null });
    byId("verdict").textContent = taken && !run && recent().length ? verdict(recent(), taken) : "";
    byId("fit").replaceChildren(...Fit.draw());
  }
  function boot() {
    for (const button of document.querySelectorAll("[data-train]")) button.addEventListener("click", () => train(Number(button.dataset.train)));
    byId("reset").addEventListener("click", () => { Play.pause(); Page.reset(); });
  }
  return { advance, train, halt, changed, kept, restore, clear, verdict, thin, show, boot };
})();
