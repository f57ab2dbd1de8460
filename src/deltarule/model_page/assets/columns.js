// The kinds of columns: what the cell of each becomes, as Python encodes it, rounded to float32 as
// there; and how a cell differs from training. A kind has encode(cell text) -> {units, read, notes}:
// the inputs of the network, what was read, and sentences about what training did not have.
"use strict";
const Columns = (() => {
  const f32 = Math.fround;
  const FARTHEST = 1e6;  // standard deviations; values beyond are moved there
  const near = (x) => Math.min(Math.max(f32(x), -FARTHEST), FARTHEST);
  const shown = (x) => String(Number(x.toPrecision(6)));
  const dated = (days) => {
    const text = new Date(Math.round(days * 86400000)).toISOString();
    return Number.isInteger(days) ? text.slice(0, 10) : text.slice(0, 19).replace("T", " ");
  };
  const NEVER_MISSING = "is missing, which it never was in training";
  const absent = (stored) => (stored.missing ? [] : [NEVER_MISSING]);
  const range = (x, stored, say) =>
    (x < stored.low || x > stored.high
      ? [`is outside the training range, ${say(stored.low)} to ${say(stored.high)}`] : []);

  // ------------------------------------------------------------------------------- numbers
  function interpolated(x, knots) {  // straight between knots, constant beyond
    const last = knots.length - 1;
    let i = knots.findLastIndex(([value]) => value <= x);
    if (i < 0 || i === last || knots[i][0] === x) return knots[Math.max(i, 0)][1];
    const [[x0, y0], [x1, y1]] = [knots[i], knots[i + 1]];
    return ((y1 - y0) / (x1 - x0)) * (x - x0) + y0;
  }
  const ofNumbers = (made, arithmetic) => (stored, reading) => ({
    encode(text) {
      const read = Reading.number(text, reading), missing = Number.isNaN(read);
      const filled = missing ? stored.fill : read;
      return {
        read: missing ? null : read,
        units: [near(made(filled, stored)), ...(stored.flagged ? [missing ? 1 : 0] : [])],
        notes: missing ? absent(stored) : range(read, stored, shown),
        says: [missing ? `missing: filled with the training median, ${shown(stored.fill)}` : `read as ${shown(read)}`,
          arithmetic(filled, stored)],
      };
    },
  });
  const numeric = ofNumbers((x, { mean, std }) => (x - mean) / std,
    (x, { mean, std }) => `(${shown(x)} − ${shown(mean)}) / ${shown(std)}: less the training mean, in standard deviations`);
  const scores = ofNumbers((x, { knots }) => interpolated(x, knots),
    (x) => `${shown(x)} as a normal score: where it lies among the training values`);

  // -------------------------------------------------------------------------------- levels
  function boolean(stored, reading, own) {
    const levels = Reading.levelsOf(stored.levels);
    return {
      encode(text) {
        const read = Reading.level(text, reading, levels), known = read === null ? undefined : own.spellings[read.toLowerCase()];
        return {
          read,
          units: [f32(known ?? stored.fill), ...(stored.missing ? [read === null ? 1 : 0] : [])],
          notes: read === null ? absent(stored)
            : known === undefined ? [`holds “${read}”; training had ${stored.levels.join(" and ")}`] : [],
          says: [known === undefined ? `neither value: the share of “${stored.levels[1]}” in training, ${shown(stored.fill)}`
            : `${stored.levels[0]} is 0, ${stored.levels[1]} is 1`],
        };
      },
    };
  }
  // A category: `first` makes the units of its level from the level's place; then its statistics.
  const ofLevels = (first) => (stored, reading, own) => {
    const { statistics } = stored, known = [...stored.levels, ...(statistics ? statistics.further : [])];
    const levels = Reading.levelsOf(known), place = new Map(known.map((level, i) => [level, i]));
    const isSeen = (level) => place.has(level) || known.length < stored.levels.length + stored.rare;
    return {
      encode(text) {
        const read = Reading.level(text, reading, levels), n = known.length;
        const at = read === null ? n : place.get(read) ?? n + 1;
        const [missing, other] = own.codes;
        const code = at < stored.levels.length ? at + own.first : at === n ? missing : other;
        return {
          read,
          units: [...first(code, own.width), ...(statistics ? statistics.values[at].map(f32) : [])],
          notes: read === null ? absent(stored) : isSeen(read) ? [] : [`holds “${read}”, which training did not have`],
          says: [read === null ? "missing" : at < stored.levels.length ? `the level “${read}”`
            : `“${read}” counts as ${stored.rare ? "a rare level" : "none of the levels"}`],
        };
      },
    };
  };
  const category = ofLevels((code, width) => Array.from({ length: width }, (_, i) => (i === code ? 1 : 0)));
  const embedding = ofLevels((code) => [code]);

  // --------------------------------------------------------------------------------- dates
  function date(stored, reading) {
    const parts = 5 + (stored.hours ? 2 : 0), last = stored.missing ? 1 : 0;
    return {
      encode(text) {
        const days = Reading.days(text, reading);
        if (Number.isNaN(days)) {
          const units = [...Array(parts).fill(0), ...Array(last).fill(1)];
          return { read: null, units, notes: absent(stored), says: ["missing"] };
        }
        const turns = [days / 365.2425, Math.floor(days + 3) / 7, ...(stored.hours ? [days] : [])];
        const circles = turns.flatMap((turn) => [Math.sin(2 * Math.PI * turn), Math.cos(2 * Math.PI * turn)]);
        const elapsed = Math.min(Math.max((days - stored.mean) / stored.std, -FARTHEST), FARTHEST);
        return {
          read: dated(days),
          units: [elapsed, ...circles, ...Array(last).fill(0)].map(f32),
          notes: range(days, stored, (day) => dated(Math.floor(day))),
          says: [`read as ${dated(days)}, day ${days} since 1970`,
            `elapsed: (${days} − ${shown(stored.mean)}) / ${shown(stored.std)}`,
            `season, weekday${stored.hours ? " and hour" : ""} as points on a circle`],
        };
      },
    };
  }

  // ---------------------------------------------------------------------------------- text
  function text(stored, reading) {
    const place = new Map(stored.words.map((word, i) => [word, i]));
    return {
      encode(cell) {
        const read = Reading.cleaned(cell, reading), all = read === null ? [] : Reading.words(read);
        const times = new Map();
        for (const word of all) if (place.has(word)) times.set(place.get(word), (times.get(place.get(word)) || 0) + 1);
        const values = [...times].sort(([a], [b]) => a - b).map(([i, count]) => [i, count * stored.weights[i]]);
        const length = Math.sqrt(values.reduce((sum, [, value]) => sum + value * value, 0));
        const units = Array(stored.words.length + (stored.missing ? 1 : 0)).fill(0);
        for (const [i, value] of values) units[i] = f32(value / length);
        if (stored.missing && !all.length) units[stored.words.length] = 1;
        return {
          read, units, notes: read === null ? absent(stored) : [],
          says: [values.length ? `known words: ${values.map(([i]) => stored.words[i]).join(", ")}` : "no known word"],
        };
      },
    };
  }

  const KINDS = { numeric, scores, boolean, category, embedding, date, text };

  // The columns that the model uses, each with its encoder: {name, kind, outputs, encode, …}.
  function columnsOf(stored, facts) {
    const used = stored.columns.filter((column) => column.kind !== "dropped");
    const byName = new Map(used.map((column) => [column.name, column]));
    return facts.columns.map((own) => {
      const column = byName.get(own.name);
      const markers = new Set([...facts.reading.markers, ...own.markers]);
      const reading = { blanks: facts.reading.blanks, months: facts.reading.months, markers, numbers: own.numbers,
        dates: own.dates && { ...own.dates, months: facts.reading.months } };
      const encoder = KINDS[column.kind](column, reading, own);
      return { ...own, kind: column.kind, stored: column, markers,
        isMissing: (cell) => Reading.cleaned(cell, reading) === null, ...encoder };
    });
  }

  return { KINDS, columnsOf };
})();
