// What a run looks like: its network with live weights, what it predicts, its costs and metrics.
"use strict";
const Views = (() => {
  const { at } = Engine, { shown } = Matrices;
  const UNITS = 10;  // of a layer, before the rest is left out
  const COLORS = ["--below", "--above", "--eq-1b", "--eq-11a", "--eq-11c", "--eq-2", "--eq-9", "--eq-11b", "--eq-3", "--muted"];
  const SIDE = 44;  // places along a side of the map
  const THUMBNAIL = 64;  // places along a side of an example's picture
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // ---------------------------------------------------------------------------- the network
  // Drawn once for a plan; `paint` then sets what the weights change. A wire is clicked to set it.
  function network(run, choose) {
    const { sizes } = run.plan, gap = 128, high = 42, most = Math.min(UNITS, Math.max(...sizes)), height = most * high + 46, left = 108;
    const width = left + gap * (sizes.length - 1) + 100;
    const places = sizes.map((n, l) => {
      const count = Math.min(n, UNITS), top = 30 + ((most - count) * high) / 2;
      return Array.from({ length: count }, (_, i) => ({ i, x: left + gap * l, y: top + high * (i + 0.5) }));
    });
    const wires = [], units = [], texts = [];
    const label = (x, y, text, extra = {}) => texts.push(svg("text", { x, y, "text-anchor": "middle", class: "quiet", ...extra }, text));
    for (let l = 1; l < sizes.length; l++) for (const to of places[l]) for (const from of places[l - 1]) {
      const title = svg("title", {}), line = svg("path", { d: `M${from.x + 14} ${from.y}L${to.x - 14} ${to.y}`, class: "wire", onclick: () => choose(l, to.i, from.i) }, title);
      wires.push({ line, title, l, i: to.i, j: from.i });
    }
    places.forEach((all, l) => {
      label(left + gap * l, 14, l === 0 ? "inputs" : l === sizes.length - 1 ? "output" : `layer ${l}`);
      for (const { i, x, y } of all) {
        const title = svg("title", {}), circle = svg("circle", { cx: x, cy: y, r: 13, class: "unit", onclick: () => l && choose(l, i, null) }, title);
        const value = svg("text", { x, y: y + 4, "text-anchor": "middle", class: "bias" });
        units.push({ circle, title, value, l, i });
        const names = l === 0 ? Page.data.inputs : l === sizes.length - 1 ? Page.data.outputs : null;
        if (names) label(x + (l ? 19 : -19), y + 4, names[i].length > 11 ? `${names[i].slice(0, 10)}…` : names[i], { "text-anchor": l ? "start" : "end" });
      }
      if (sizes[l] > UNITS) label(left + gap * l, height - 4, `${sizes[l] - UNITS} more`);
    });
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `The network ${sizes.join("–")}` },
      wires.map(({ line }) => line), units.map(({ circle, value }) => [circle, value]), texts);
    byId("network").replaceChildren(h("div", { class: "scroll" }, picture));
    return (now) => paint(now, wires, units);
  }
  function paint({ parameters }, wires, units) {
    const largest = parameters.map(({ W }) => Matrices.largest(W) || 1);
    for (const { line, title, l, i, j } of wires) {
      const w = at(parameters[l - 1].W, i, j), share = Math.min(1, Math.abs(w) / largest[l - 1]);
      line.setAttribute("stroke", `var(${w < 0 ? "--below" : "--above"})`);
      line.setAttribute("stroke-width", 0.7 + 4 * share);
      line.setAttribute("stroke-opacity", 0.15 + 0.85 * share);
      title.textContent = `W[${l}] row ${i + 1}, column ${j + 1}: ${shown(w)}. Click to set it.`;
    }
    for (const { circle, title, value, l, i } of units) {
      if (!l) continue;
      const b = at(parameters[l - 1].b, i, 0);
      circle.setAttribute("style", Matrices.tint(b, Matrices.largest(parameters[l - 1].b)).replace("background", "fill"));
      title.textContent = `b[${l}] row ${i + 1}: ${shown(b)}. Click to set it.`;
      value.textContent = Math.abs(b) < 100 ? String(Number(b.toFixed(Math.abs(b) < 10 ? 2 : 1))).replace("-", "−") : shown(b);
      value.classList.toggle("long", value.textContent.length > 4);
    }
  }

  // ------------------------------------------------------------- what it predicts, over inputs
  // The range of an input over all rows, as the network sees it, with a margin.
  function rangeOf(run, i) {
    let low = Infinity, high = -Infinity;
    for (const { X } of [run.train, run.held]) for (let j = 0; j < X.m; j++) { low = Math.min(low, at(X, i, j)); high = Math.max(high, at(X, i, j)); }
    const margin = 0.08 * (high - low || 1);
    return [low - margin, high + margin];
  }
  // Rows in which some inputs vary and the others stand at the training rows' mean.
  function grid(run, varied, count, values) {
    const X = Engine.matrix(run.train.X.n, count);
    run.data.inputs.forEach(({ mean }, i) => X.v.fill(run.settings.standardize ? 0 : mean, i * count, (i + 1) * count));
    varied.forEach((i, k) => { for (let j = 0; j < count; j++) X.v[i * count + j] = values(k, j); });
    return X;
  }
  const rgb = (text) => [1, 3, 5].map((k) => parseInt(text.slice(k, k + 2), 16));
  const blend = (shares, colors) => [0, 1, 2].map((c) => shares.reduce((sum, share, k) => sum + share * colors[k][c], 0));

  function prepared() {
    const canvas = byId("map"), pen = canvas.getContext("2d");
    pen.clearRect(0, 0, canvas.width, canvas.height);
    return { canvas, pen };
  }
  function dots(run, pen, place, fill) {
    for (const part of ["train", "held"]) run.data[part].y.forEach((y, j) => {
      const [x, up] = place(run[part], j);
      pen.beginPath();
      pen.arc(x, up, part === "held" ? 4 : 4.5, 0, 2 * Math.PI);
      pen.fillStyle = part === "held" ? css("--paper") : fill(run[part], j);
      pen.strokeStyle = part === "held" ? fill(run[part], j) : css("--paper");
      pen.lineWidth = part === "held" ? 2.5 : 1;
      pen.fill();
      pen.stroke();
    });
  }
  // Two inputs: a color at every place; one: a curve of the prediction, or of each class's share.
  function map(run, across, up) {
    if (across === up) fit(run, across); else plane(run, across, up);
  }
  function plane(run, across, up) {
    const { canvas, pen } = prepared(), [x0, x1] = rangeOf(run, across), [y0, y1] = rangeOf(run, up), size = canvas.width;
    const X = grid(run, [across, up], SIDE * SIDE, (k, j) => (k ? y1 - ((y1 - y0) * (Math.floor(j / SIDE) + 0.5)) / SIDE : x0 + ((x1 - x0) * ((j % SIDE) + 0.5)) / SIDE));
    const A = Run.outputs(run, X), colors = COLORS.map((name) => rgb(css(name))), [least, most] = valueRange(run);
    const shareOf = (y) => Math.min(Math.max((y - least) / (most - least || 1), 0), 1);
    const image = new ImageData(SIDE, SIDE);
    for (let j = 0; j < SIDE * SIDE; j++) {
      const shares = run.data.classes ? Run.sharesOf(A, j) : [1 - shareOf(A.v[j]), shareOf(A.v[j])];
      image.data.set([...blend(shares, colors), 40 + 130 * (2 * Math.max(...shares) - 1 > 0 ? 2 * Math.max(...shares) - 1 : 0.1)], 4 * j);
    }
    const small = new OffscreenCanvas(SIDE, SIDE);
    small.getContext("2d").putImageData(image, 0, 0);
    pen.drawImage(small, 0, 0, size, size);
    const colorOf = ({ Y }, j, y) => (run.data.classes ? css(COLORS[y]) : `rgb(${blend([1 - shareOf(Y.v[j]), shareOf(Y.v[j])], colors).map(Math.round)})`);
    dots(run, pen, ({ X: own }, j) => [(size * (at(own, across, j) - x0)) / (x1 - x0), (size * (y1 - at(own, up, j))) / (y1 - y0)],
      (part, j) => colorOf(part, j, run.data[part === run.train ? "train" : "held"].y[j]));
  }
  // The examples as small pictures that choose them.
  function thumbnails(choose) {
    byId("thumbnails").replaceChildren(...Object.entries(Examples.SETS).map(([name, { title }]) => {
      const canvas = h("canvas", { width: THUMBNAIL, height: THUMBNAIL }), make = h("button", { type: "button", "data-name": name, "aria-label": title, title, onclick: () => choose(name) }, canvas);
      const rows = Examples.table(name, 80, 0.05, 1).cells, pen = canvas.getContext("2d"), ys = rows.map((row) => Number(row.at(-1)));
      const points = rows.map((row) => [Number(row[0]), Number(row.length > 2 ? row[1] : row.at(-1))]);
      const [low, high] = [Math.min, Math.max].map((most) => [0, 1].map((k) => most(...points.map((point) => point[k]))));
      const place = (point, k) => 5 + ((THUMBNAIL - 10) * (point[k] - low[k])) / (high[k] - low[k]);
      const [least, most] = [Math.min(...ys), Math.max(...ys)], colors = COLORS.slice(0, 2).map((color) => rgb(css(color)));
      points.forEach((point, j) => {
        const share = Number.isFinite(ys[j]) ? (ys[j] - least) / (most - least) : Number(rows[j].at(-1) === rows[1].at(-1));
        pen.fillStyle = `rgb(${blend([1 - share, share], colors).map(Math.round)})`;
        pen.fillRect(place(point, 0) - 2, THUMBNAIL - place(point, 1) - 2, 4, 4);
      });
      return make;
    }));
  }
  const chosen = (name) => byId("thumbnails").querySelectorAll("button").forEach((own) => own.setAttribute("aria-pressed", String(own.dataset.name === name)));
  function valueRange(run) {
    const all = [...run.train.Y.v, ...run.held.Y.v];
    return run.data.classes ? [0, 1] : [Math.min(...all), Math.max(...all)];
  }
  function fit(run, across) {
    const { canvas, pen } = prepared(), [x0, x1] = rangeOf(run, across), size = canvas.width, count = 240, classes = run.data.classes;
    const A = Run.outputs(run, grid(run, [across], count, (_, j) => x0 + ((x1 - x0) * j) / (count - 1)));
    const [least, most] = valueRange(run), margin = 0.1 * (most - least || 1), [low, high] = [least - margin, most + margin];
    const place = (x, y) => [(size * (x - x0)) / (x1 - x0), (size * (high - y)) / (high - low)];
    (classes ? classes : [null]).forEach((_, c) => {
      pen.beginPath();
      for (let j = 0; j < count; j++) pen.lineTo(...place(x0 + ((x1 - x0) * j) / (count - 1), classes ? Run.sharesOf(A, j)[c] : A.v[j]));
      pen.strokeStyle = css(classes ? COLORS[c] : "--above");
      pen.lineWidth = 3;
      pen.stroke();
    });
    const nameOf = (part) => (part === run.train ? "train" : "held");
    dots(run, pen, (part, j) => place(at(part.X, across, j), classes ? Number(run.data[nameOf(part)].y[j] > 0) : part.Y.v[j]),
      (part, j) => css(classes ? COLORS[run.data[nameOf(part)].y[j]] : "--below"));
  }
  function legend(run, isCurve) {
    const key = (color, text) => h("span", { class: "legend" }, h("span", { style: `color:var(${color})`, "aria-hidden": "true" }, "■ "), text), { classes, target } = run.data;
    if (classes) return classes.map((name, k) => key(COLORS[k], name));
    const [low, high] = valueRange(run).map((y) => shown(Run.inUnits(run, y)));
    return isCurve ? [key("--below", `${target} of the rows`), key("--above", "prediction")] : [key("--below", `${target} ${low}`), key("--above", high)];
  }

  // ------------------------------------------------------------------------ costs and metrics
  const thin = (values) => {
    const every = Math.ceil(values.length / 300);
    return values.filter((_, k) => k % every === 0 || k === values.length - 1);
  };
  function costs(run) {
    const { training, heldOut } = run.costs, list = [{ name: "training rows", color: "var(--eq-1a)", values: thin(training) }];
    if (run.held.X.m) list.push({ name: "held-out rows", color: "var(--eq-11d)", values: thin(heldOut), dash: "6 4" });
    byId("costs").replaceChildren(training.length > 1 ? Drawing.curves(list, "Cost after each epoch.", run.steps - (run.place ? Math.ceil(run.place / Run.batchRows(run)) : 0), { width: 336, height: 150 }) : h("p", { class: "hint" }, "The curve begins with the first epoch."));
    const last = (values) => (Number.isFinite(values.at(-1)) ? shown(values.at(-1)) : "–");
    byId("figures").replaceChildren(...[["epoch", run.epoch], ["steps", run.steps], ["training cost", last(training)], ["held-out cost", last(heldOut)], ...metrics(run)]
      .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))));
  }
  const percent = (x) => `${(100 * x).toFixed(1)} %`;
  const metrics = (run) => [["train", "training"], ["held", "held-out"]].flatMap(([part, name]) => {
    const found = Run.metric(run, part);
    return !found ? [] : [found.confusion ? [`${name} accuracy`, percent(found.accuracy)] : [`${name} R²`, Number.isFinite(found.r2) ? found.r2.toFixed(3) : "–"]];
  });
  function confusion(run) {
    const part = run.held.X.m ? "held" : "train", found = Run.metric(run, part), { classes } = run.data;
    if (!classes) return byId("confusion").replaceChildren();
    const most = Math.max(...found.confusion.flat(), 1);
    // Right ones in ink, wrong ones in red: blue and orange are the classes.
    const share = (part, isRight) => `background:color-mix(in srgb, var(${isRight ? "--ink" : "--eq-2"}) ${Math.round(8 + 22 * part)}%, transparent)`;
    return byId("confusion").replaceChildren(h("div", { class: "scroll" }, h("table", { class: "plain" },
      h("caption", {}, `Confusion matrix of the ${part === "held" ? "held-out" : "training"} rows: a row per true class, a column per predicted one`),
      h("thead", {}, h("tr", {}, ["true \\ predicted", ...classes].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, found.confusion.map((counts, k) => h("tr", {}, h("th", { scope: "row" }, classes[k]), counts.map((count, c) =>
        h("td", { style: count ? share(count / most, k === c) : "" }, String(count)))))))));
  }
  return { network, map, legend, costs, confusion, thumbnails, chosen };
})();
