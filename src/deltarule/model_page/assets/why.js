// Contributions of columns to the prediction of a row: the network's derivative along the straight
// line in encoded space from the reference row (integrated gradients), as Python computes them.
"use strict";
const Why = (() => {
  const { matrix, at, made, map, stacked } = Algebra;
  const MOST = 32;  // pieces of a line that are split at a time
  const sumOf = (values) => values.reduce((s, x) => s + x, 0);
  const largest = (residual) => Math.max(...residual.map(Math.abs));
  const added = (a, b) => a.map((x, i) => x + b[i]);
  const column = (M, j) => Array.from({ length: M.n }, (_, i) => at(M, i, j));

  // ------------------------------------------------------------------------------ the line
  const between = (from, to, share) => (share === 1 ? to : from + share * (to - from));

  // Units at some places of the line from X0 to X: (units, places).
  function unitsAt(own, { X0, X }, places) {
    const line = made(own.inputs.length, places.length, (i, j) => between(X0.v[own.inputs[i]], X.v[own.inputs[i]], places[j]));
    return Predicting.chained(own, line).A;
  }
  // Units at some points of pieces of the line: (units, pieces · points). Where they go straight, or
  // on a level with sides, they are computed at the ends alone.
  function along(own, path, level, firsts, points) {
    const places = firsts.flatMap((first) => points.map((point) => (first + point) / level.pieces));
    if (!own.straight && !level.sides) return unitsAt(own, path, places);
    const sides = firsts.map((first) => {
      if (own.straight) return [0, 1];
      const side = Math.floor(first / (level.pieces / level.sides));
      return [side / level.sides, (side + 1) / level.sides];
    });
    const [from, to] = [0, 1].map((end) => unitsAt(own, path, sides.map((side) => side[end])));
    return made(from.n, places.length, (u, j) => {
      const piece = Math.floor(j / points.length), [start, end] = sides[piece];
      return between(at(from, u, piece), at(to, u, piece), (places[j] - start) / (end - start));
    });
  }

  // ---------------------------------------------------------------------------- one network
  // A network of the average as one whose outputs are its share of it, on the way from X0 to X: of
  // the averaging weights it has the columns from its first output to its last.
  function pathOf({ networks, average }, k, X0, X) {
    const own = { ...networks[k], X0, X };
    if (average.layers.length) {
      const [{ W, b }] = average.parameters, part = made(W.n, own.last - own.first, (i, j) => at(W, i, own.first + j));
      own.layers = [...own.layers, ...average.layers];
      own.parameters = [...own.parameters, { W: part, b: map((x) => x / networks.length, b) }];
    }
    own.moved = [0, 1].map((place) => stacked(own.units.map((each) => unitsAt(each, own, [place]))));
    own.start = column(through(own, own.moved[0]).A.at(-1), 0);
    own.bends = own.units.some(({ straight }) => !straight);
    return own;
  }
  const through = (path, units) => Engine.forward(path, path.parameters, units);

  // Of each piece: of each output what each unit contributes, and the outputs where the piece ends.
  function over(path, level, firsts) {
    const units = (points) => stacked(path.units.map((own) => along(own, path, level, firsts, points)));
    const passed = through(path, units(level.at)), moves = units(level.ends), n = level.at.length;
    const ends = through(path, made(moves.n, firsts.length, (u, p) => at(moves, u, p * (n + 1) + n))).A.at(-1);
    const slopes = path.start.map((_, c) => Engine.inputGradient(path, path.parameters, passed, c));
    const part = (slope, p) => (_, u) => {
      let sum = 0;
      for (let k = 0, j = p * (n + 1); k < n; k++, j++) sum += at(slope, u, p * n + k) * (at(moves, u, j + 1) - at(moves, u, j));
      return sum;
    };
    return firsts.map((first, p) => ({
      first, end: column(ends, p), parts: slopes.map((slope) => Array.from({ length: moves.n }, part(slope, p))),
    }));
  }

  // The pieces with the largest residuals, once the sum of the others fits.
  function tooLarge(pieces, residual, room) {
    const order = [...pieces].sort((a, b) => largest(a.left) - largest(b.left));
    let sums = residual, fits = true;
    return new Set(order.filter(({ left }, k) => {
      sums = added(sums, left);
      fits &&= largest(sums) <= room;
      return !fits && order.length - k <= MOST;
    }));
  }

  // What each unit contributes to each output, the change of the outputs, and the number of points:
  // the whole line, then the pieces that leave a residual above the room.
  function integrated(path, room, splits) {
    let residual = path.start.map(() => 0), parts = null, change = null, points = 0;
    let firsts = [0], begins = [path.start], times = 1;
    for (const [d, level] of splits.entries()) {
      const pieces = over(path, level, firsts), following = splits[d + 1];
      pieces.forEach((piece, p) => {
        piece.start = p % times ? pieces[p - 1].end : begins[p / times];
        piece.left = piece.end.map((end, c) => end - piece.start[c] - sumOf(piece.parts[c]));
      });
      change ??= pieces[0].end.map((end, c) => end - path.start[c]);
      points += pieces.length * level.at.length;
      const isOver = following && largest(pieces.reduce((sum, { left }) => added(sum, left), residual)) > room;
      const split = isOver ? tooLarge(pieces, residual, room / 2) : new Set();
      for (const piece of pieces.filter((own) => !split.has(own))) {
        parts = parts ? parts.map((own, c) => added(own, piece.parts[c])) : piece.parts;
        residual = added(residual, piece.left);
      }
      if (!split.size) break;
      const again = pieces.filter((own) => split.has(own));
      times = following.pieces / level.pieces;
      begins = again.map(({ start }) => start);
      firsts = again.flatMap(({ first }) => Array.from({ length: times }, (_, k) => first * times + k));
    }
    return { parts, change, points };
  }

  // What units contribute, as what the encoded columns do, added to `sums`: an oblique column is
  // linear in its inputs, and each has the share that it moves the column by.
  function toInputs({ inputs, sources, across }, { X0, X }, parts, sums) {
    const bySource = Array(Math.max(...sources) + 1).fill(0);
    sources.forEach((source, u) => { bySource[source] += parts[u]; });
    if (!across) { bySource.forEach((value, i) => { sums[inputs[i]] += value; }); return; }
    const change = inputs.map((i) => X.v[i] - X0.v[i]);
    across.forEach((weights, s) => {
      const moved = sumOf(weights.map((w, i) => w * change[i]));
      if (moved) weights.forEach((w, i) => { sums[inputs[i]] += (bySource[s] / moved) * w * change[i]; });
    });
  }

  // ---------------------------------------------------------------------------- the average
  // What each column contributes to each output: values[output][column], in the unit of the facts;
  // the smooth networks leave their share of the tolerance to the others.
  function contributions(model, cells) {
    const { reference, splits, tolerance } = model.facts, X = Predicting.inputsOf([cells]);
    const X0 = matrix(X.n, 1, Float64Array.from(reference.encoded));
    const paths = model.networks.map((_, k) => pathOf(model, k, X0, X)), found = new Map();
    let residual = paths[0].start.map(() => 0), points = 0;
    for (const path of [...paths].sort((a, b) => a.bends - b.bends)) {
      const room = (tolerance - largest(residual)) / (paths.length - found.size);
      const own = integrated(path, room > 0 ? room : tolerance / (4 * paths.length), splits);
      residual = residual.map((left, c) => left + own.change[c] - sumOf(own.parts[c]));
      points += own.points;
      found.set(path, own);
    }
    const before = paths.map(({ start }) => start).reduce(added), after = paths.map((path) => found.get(path).change).reduce(added, before);
    const each = before.map((_, c) => {
      const inputs = Array(X.n).fill(0);
      for (const path of paths) {
        let place = 0;
        for (const own of path.units)
          toInputs(own, path, found.get(path).parts[c].slice(place, (place += own.sources.length)), inputs);
      }
      return { inputs, units: paths.flatMap((path) => found.get(path).parts[c]) };
    });
    const moved = paths.flatMap(({ moved: [from, to] }) => Array.from(from.v, (x, u) => [x, to.v[u]]));
    return inUnits(model, each, moved, after, before, Math.ceil(points / paths.length));
  }

  // From the network's outputs to the targets' units, log-odds, or logits less their mean.
  function inUnits(model, found, moved, after, before, points) {
    const { means, stds, classes, names } = model.targets, count = after.length, centered = model.isClasses && count > 1;
    const mean = (values) => (centered ? sumOf(values) / count : 0);
    const scale = (k) => (model.isClasses ? 1 : stds[k]), shift = (k) => (model.isClasses ? 0 : means[k]);
    const inEach = (part) => {
      const length = found[0][part].length, means_ = Array.from({ length }, (_, i) => mean(found.map((own) => own[part][i])));
      return found.map((own, k) => own[part].map((x, i) => (x - means_[i]) * scale(k)));
    };
    const inputs = inEach("inputs"), units = inEach("units"), labels = model.isClasses ? classes : names;
    const widths = model.columns.map((column) => column.outputs.length), [end, start] = [mean(after), mean(before)];
    return inputs.map((own, k) => {
      let first = 0;
      const values = widths.map((width) => sumOf(own.slice(first, (first += width))));
      const prediction = (after[k] - end) * scale(k) + shift(k), base = (before[k] - start) * scale(k) + shift(k);
      return {
        output: String(labels.at(k - count)), values, prediction, reference: base, points,
        residual: prediction - base - sumOf(values), inputs: own, units: units[k], moved,
      };
    });
  }

  return { contributions };
})();
