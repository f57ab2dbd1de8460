// The settings in the page's address, so that a link shows the same: data and weights where small.
"use strict";
const Address = (() => {
  const FIELDS = ["data", "rows-drawn", "noise", "data-seed", "held-out", "target", "task", "hidden", "activation", "output", "cost", "seed", "optimizer",
    "rate", "batch", "l2", "epochs", "patience", "across", "up"];
  const MOST = { text: 4000, weights: 200 };  // characters of an own table, numbers of an own start
  let written = "";

  const flat = (parameters) => parameters.flatMap(({ W, b }) => [...W.v, ...b.v]);
  // What a link cannot hold, in words, or nothing.
  function write() {
    const { page } = Playground, found = new URLSearchParams(FIELDS.map((id) => [id, byId(id).value])), problems = [];
    found.set("standardize", Number(byId("standardize").checked));
    if (found.get("data") === "own") {
      if (page.ownText.length <= MOST.text) found.set("table", page.ownText);
      else problems.push(" Your own table is too large for it: pass the file on too.");
    }
    if (page.ownStart) {
      const weights = flat(page.ownStart);
      if (weights.length <= MOST.weights) found.set("weights", weights.join("~"));
      else problems.push(" The weights set by hand are too many for it.");
    }
    written = `#${found}`;
    history.replaceState(null, "", written);
    return problems.join("");
  }
  // The settings that an address holds; null where it is the page's own, or holds none.
  function read() {
    const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    return location.hash !== written && FIELDS.some((id) => id in given) ? given : null;
  }
  // Weights from an address, by the layers' sizes; null where they are not such numbers.
  function weightsOf(text, plan) {
    const values = text.split("~").map(Number), count = plan.sizes.slice(1).reduce((sum, n, k) => sum + n * (plan.sizes[k] + 1), 0);
    if (values.length !== count || !values.every(Number.isFinite)) return null;
    let at = 0;
    const take = (n, m) => Engine.matrix(n, m, Float64Array.from(values.slice(at, (at += n * m))));
    return plan.sizes.slice(1).map((n, k) => ({ W: take(n, plan.sizes[k]), b: take(n, 1) }));
  }
  return { FIELDS, write, read, weightsOf };
})();
