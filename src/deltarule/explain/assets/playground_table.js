// The reader's own table: text to cells, columns to inputs and targets, and what was done to them.
"use strict";
const Table = (() => {
  const LIMITS = { rows: 2000, columns: 200, inputs: 40, levels: 12, classes: 10, characters: 5e6 };
  const MISSING = new Set(["", "na", "n/a", "nan", "null", "none", "?", "-"]);
  const isMissing = (cell) => MISSING.has(cell.trim().toLowerCase());
  const quoted = (text) => `“${text.length > 24 ? `${text.slice(0, 23)}…` : text}”`;

  const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

  // ------------------------------------------------------------------------- text to cells
  // Rows of cells; quotes may hold the delimiter, line breaks, and quotes written twice.
  function split(text, delimiter) {
    const rows = [[]], lines = [1];
    let cell = "", inside = false, line = 1;
    const end = () => { rows.at(-1).push(cell.trim()); cell = ""; };
    for (let k = 0; k < text.length; k++) {
      const c = text[k];
      if (c === "\n") line++;
      if (inside) {
        if (c !== '"') cell += c;
        else if (text[k + 1] === '"') { cell += c; k++; } else inside = false;
      } else if (c === '"' && !cell.trim()) { inside = true; cell = ""; }
      else if (c === delimiter) end();
      else if (c === "\n") { end(); rows.push([]); lines.push(line); }
      else cell += c;
    }
    end();
    if (inside) throw Error("a quotation mark is opened and never closed. Close it, or take it out");
    const kept = rows.map((row, k) => ({ row, line: lines[k] })).filter(({ row }) => row.some((each) => each));
    return { rows: kept.map(({ row }) => row), lines: kept.map(({ line: own }) => own) };
  }
  // The delimiter that cuts the first lines into equally many cells, and into most of them.
  function delimiterOf(text) {
    const head = text.split("\n").filter((line) => line.trim()).slice(0, 20).join("\n");
    const scores = [",", ";", "\t", "|", " "].map((delimiter) => {
      let rows;
      try { ({ rows } = split(head, delimiter)); } catch { return [delimiter, 0]; }
      const usual = rows[Math.floor(rows.length / 2)].length, same = rows.filter((row) => row.length === usual).length;
      return [delimiter, usual > 1 ? (same === rows.length ? 1000 : 0) + usual * (same / rows.length) : 0];
    });
    const commas = /\d,\d+\s*[;\t|]|[;\t|]\s*[-+−]?\d+,\d/.test(head);  // 1,5;2,5: a decimal comma
    return scores.filter(([d]) => !(commas && d === ",")).reduce((best, own) => (own[1] > best[1] ? own : best))[0];
  }
  function number(cell, comma) {
    const plain = cell.trim().replace(/−/g, "-").replace(/\s/g, "");
    const text = comma ? plain.replace(/^([-+]?\d{1,3}(?:\.\d{3})+)(,|$)/, (_, whole, rest) => whole.replace(/\./g, "") + rest).replace(",", ".")
      : plain.replace(/^([-+]?\d{1,3}(?:,\d{3})+)(\.|$)/, (_, whole, rest) => whole.replace(/,/g, "") + rest);
    return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) && Number.isFinite(Number(text)) ? Number(text) : null;
  }
  const hasComma = (rows) => {
    const count = (pattern) => rows.flat().filter((cell) => pattern.test(cell.trim())).length;
    return count(/^[-+−]?\d*,\d+$/) > count(/^[-+−]?\d*\.\d+$/);
  };
  function isHeader([first, ...others], comma) {
    if (!others.length || first.some((cell) => !cell || number(cell, comma) !== null)) return false;
    const numeric = first.some((_, j) => others.some((row) => number(row[j], comma) !== null));
    return numeric || !first.some((cell, j) => others.some((row) => row[j] === cell));
  }
  const distinct = (names) => names.map((name, j) => (names.indexOf(name) < j ? `${name} (${j + 1})` : name));
  function read(text) {
    if (text.length > LIMITS.characters) throw Error(`the text has ${text.length.toLocaleString("en")} characters; this page takes up to ${LIMITS.characters.toLocaleString("en")}. Use a part of it, or deltarule train`);
    if (!text.trim()) throw Error("there are no rows. Expected a table: a line per row, cells separated by commas");
    const plain = text.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n"), delimiter = delimiterOf(plain);
    const { rows, lines } = split(plain, delimiter), notes = [];
    const width = rows[0].length, wrong = rows.findIndex((row) => row.length !== width);
    if (width < 2) throw Error(`there is one column (${quoted(rows[0][0])} …). Expected at least two, inputs and a target, separated by commas, semicolons or tabs`);
    if (wrong >= 0) throw Error(`line ${lines[wrong]} has ${counted(rows[wrong].length, "cell")}; expected ${width}, as in line ${lines[0]}`);
    if (width > LIMITS.columns) throw Error(`there are ${width} columns; this page takes up to ${LIMITS.columns}. Leave some out, or use deltarule train`);
    const comma = delimiter !== "," && hasComma(rows), header = isHeader(rows, comma);
    const names = header ? distinct(rows.shift()) : rows[0].map((_, j) => `column ${j + 1}`);
    if (rows.length < 4) throw Error(`the table has ${counted(rows.length, "row")}${header ? " below the header" : ""}; expected at least 4`);
    notes.push(`${counted(rows.length, "row")}, ${width} columns, ${header ? "names in the first line" : "no header"}${comma ? ", decimal comma" : ""}.`);
    let cells = rows;
    if (rows.length > LIMITS.rows) {
      cells = Array.from({ length: LIMITS.rows }, (_, k) => rows[Math.floor((k * rows.length) / LIMITS.rows)]);
      notes.push(`This page takes up to ${LIMITS.rows.toLocaleString("en")} rows: evenly spaced ones are used.`);
    }
    return { names, cells, comma, notes };
  }

  // ---------------------------------------------------------------------- cells to columns
  // A column is of numbers where at least four in five of its cells are.
  function column(table, j) {
    const cells = table.cells.map((row) => row[j]), numbers = cells.map((cell) => number(cell, table.comma));
    const there = cells.filter((cell) => !isMissing(cell)).length, read = numbers.filter((x) => x !== null).length;
    return { name: table.names[j], cells, numbers, missing: cells.length - there, isNumeric: read > 0 && read >= 0.8 * there, strange: there - read };
  }
  // The values of text, the most frequent first; of the same number in the order of the alphabet.
  function levelsOf(cells) {
    const counts = new Map();
    for (const cell of cells) if (!isMissing(cell)) counts.set(cell, (counts.get(cell) || 0) + 1);
    return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([level]) => level);
  }
  // Classes for text and for two numbers; else numbers.
  function taskOf(table, target) {
    const own = column(table, table.names.indexOf(target));
    return own.isNumeric && new Set(own.numbers.filter((x) => x !== null)).size > 2 ? "numbers" : "classes";
  }
  function targetOf(own, task) {
    if (task === "numbers") {
      if (!own.isNumeric) throw Error(`target ${quoted(own.name)} holds text, such as ${quoted(levelsOf(own.cells)[0] || "")}; expected numbers. Choose classes, or another target`);
      return { values: own.numbers, classes: null };
    }
    const classes = levelsOf(own.cells).sort((a, b) => (number(a) ?? 0) - (number(b) ?? 0) || (a < b ? -1 : 1));
    if (classes.length < 2) throw Error(`target ${quoted(own.name)} has one value; expected at least two classes`);
    if (classes.length > LIMITS.classes) throw Error(`target ${quoted(own.name)} has ${classes.length} values; this page takes up to ${LIMITS.classes} classes. Choose numbers, or another target`);
    return { values: own.cells.map((cell) => (isMissing(cell) ? null : classes.indexOf(cell))), classes };
  }

  // One column's inputs, {name, values, isNumber} each, and what was done in words; `train` are the
  // rows that means are taken from.
  function inputsOf(own, train, notes) {
    const { name } = own;
    if (own.isNumeric) {
      const known = train.map((k) => own.numbers[k]).filter((x) => x !== null);
      const mean = known.reduce((sum, x) => sum + x, 0) / (known.length || 1);
      const odd = own.cells.findIndex((cell, k) => own.numbers[k] === null && !isMissing(cell));
      if (own.strange) notes.push(`${name}: text in ${counted(own.strange, "cell")}, such as ${quoted(own.cells[odd])} in row ${odd + 1}, counts as missing.`);
      if (own.missing + own.strange) notes.push(`${name}: ${own.missing + own.strange} missing, filled with the mean ${Number(mean.toPrecision(4))}.`);
      return [{ name, values: own.numbers.map((x) => (x === null ? mean : x)), isNumber: true }];
    }
    const levels = levelsOf(train.map((k) => own.cells[k])), shown = levels.slice(0, LIMITS.levels).sort();
    if (levels.length > 20 && levels.length > 0.5 * train.length) {
      notes.push(`${name}: left out, its text is different in almost every row.`);
      return [];
    }
    if (own.missing) notes.push(`${name}: ${own.missing} missing; all its columns are 0 there.`);
    if (levels.length > shown.length) notes.push(`${name}: ${levels.length} values; the ${shown.length} most frequent have a column each.`);
    return (shown.length === 2 ? shown.slice(0, 1) : shown).map((level) =>
      ({ name: `${name} = ${level}`, values: own.cells.map((cell) => Number(cell === level)), isNumber: false }));
  }
  const moments = (values) => {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const std = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
    return { mean, std };
  };

  // Inputs and targets of all rows, split: {X, Y} raw, as matrices with examples in columns, the
  // scales that standardize them, and notes. settings: target, task, heldOut, seed.
  function encode(table, { target, task, heldOut, seed }) {
    const notes = [...table.notes], aim = targetOf(column(table, table.names.indexOf(target)), task);
    const usable = aim.values.flatMap((y, k) => (y === null ? [] : [k])), dropped = table.cells.length - usable.length;
    if (dropped) notes.push(`${counted(dropped, "row")} without a target left out.`);
    const order = Random.stream(seed, Random.STREAMS.split).permutation(usable.length).map((k) => usable[k]);
    const held = Math.round(heldOut * order.length), test = order.slice(0, held).sort((a, b) => a - b), train = order.slice(held).sort((a, b) => a - b);
    if (train.length < 2) throw Error(`${counted(train.length, "row")} left to train on; expected at least 2. Hold out fewer`);
    let inputs = table.names.flatMap((name, j) => (name === target ? [] : inputsOf(column(table, j), train, notes)));
    inputs = inputs.map((own) => ({ ...own, ...moments(train.map((k) => own.values[k])) }));
    const scale = aim.classes ? null : moments(train.map((k) => aim.values[k]));
    const vast = [...inputs, ...(scale ? [{ name: target, ...scale }] : [])].find(({ mean, std }) => !Number.isFinite(mean) || !Number.isFinite(std));
    if (vast) throw Error(`${quoted(vast.name)} holds numbers so large that their deviation overflows; expected numbers below 1e150. Use a larger unit, or leave the column out`);
    const constant = inputs.filter(({ std }) => !(std > 0));
    if (constant.length) notes.push(`Left out, since they are the same in every training row: ${constant.map(({ name }) => name).slice(0, 5).join(", ")}${constant.length > 5 ? " …" : ""}.`);
    inputs = inputs.filter(({ std }) => std > 0);
    if (inputs.length > LIMITS.inputs) {
      notes.push(`This page takes up to ${LIMITS.inputs} inputs: the first ${LIMITS.inputs} of ${inputs.length} are used.`);
      inputs = inputs.slice(0, LIMITS.inputs);
    }
    if (!inputs.length) throw Error("no column is left to predict from. Choose another target");
    const rows = (places) => ({ rows: places, X: inputs.map(({ values }) => places.map((k) => values[k])), y: places.map((k) => aim.values[k]) });
    return { inputs, classes: aim.classes, target, train: rows(train), held: rows(test), scale, notes };
  }
  return { LIMITS, read, encode, taskOf, number };
})();
