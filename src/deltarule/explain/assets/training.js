// Training in the page: the same step again and again, the cost as it goes, and when it is over.
"use strict";
const Training = (() => {
  const { shown } = Matrices;
  const byId = (id) => document.getElementById(id);
  let costs = [];
  let running = false;

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
  const verdict = (list) => (Number.isFinite(list.at(-1)) ? converged(list) || zigzag(list) || "Converged? Not yet: round again."
    : `Diverged: after ${list.length - 1} steps the cost is no number any more. Lower the rate and start over.`);

  // ---------------------------------------------------------------------------------- a run
  // Steps, until there is nothing more to do or the time is over; how many.
  function steps(count, until = Infinity) {
    if (!costs.length) costs.push(Page.now.V.C.v[0]);
    let done = 0;
    while (done < count && Date.now() < until && Number.isFinite(costs.at(-1)) && !converged(costs)) {
      Page.now = Page.next(Page.now);
      Page.now.done = Engine.step(Page.plan, Page.now);
      costs.push(Page.now.done.cost);
      done++;
    }
    return done;
  }
  // At once; how many steps were taken.
  function advance(count) {
    const action = Changes.record(`train:${count}`), done = steps(count);
    action.text = `train:${done}`;
    Page.stepped();
    return done;
  }
  function train(count, then = () => {}) {
    if (running) { running = false; return; }
    Play.pause();
    running = true;
    const action = Changes.record(`train:${count}`);
    let left = count;
    const chunk = () => {
      const wanted = left, done = steps(left, Date.now() + 40);
      left -= done;
      const isOver = left === 0 || !running || (done < wanted && (done === 0 || converged(costs) || !Number.isFinite(costs.at(-1))));
      if (!isOver) { show(); setTimeout(chunk, 0); return; }
      running = false;
      action.text = `train:${count - left}`;
      Page.stepped();
      then();
    };
    chunk();
  }
  // The costs as they stand, to come back to: a run only ever adds to its list.
  const kept = () => ({ list: costs, length: costs.length });
  function restore({ list, length }) { costs = list; costs.length = length; }
  function clear() { costs = []; }

  const thin = (values) => {
    const every = Math.ceil(values.length / 600);
    return every === 1 ? values : values.filter((_, k) => k % every === 0 || k === values.length - 1);
  };
  function show() {
    const place = byId("curve"), taken = Math.max(0, costs.length - 1);
    place.replaceChildren(...(taken ? [Drawing.curves([{ name: "training cost", color: "var(--eq-2)", values: thin(costs) }], `Cost after ${taken} step${taken === 1 ? "" : "s"}: ${shown(costs.at(-1))}.`, taken)] : []));
    Object.assign(place.dataset, { cost: costs.length ? costs.at(-1) : "", steps: taken, running });
    byId("verdict").textContent = taken && !running ? verdict(costs) : "";
    byId("fit").replaceChildren(...Fit.draw());
  }
  function boot() {
    for (const button of document.querySelectorAll("[data-train]")) button.addEventListener("click", () => train(Number(button.dataset.train)));
    byId("reset").addEventListener("click", () => { running = false; Play.pause(); Page.reset(); });
  }
  return { advance, train, kept, restore, clear, verdict, thin, show, boot };
})();
