// Tables as text: CSV in, with any usual delimiter, and CSV out. What is not a table is refused.
"use strict";
const Table = (() => {
  class Refused extends Error {}
  const MOST_ROWS = 50000;
  const DELIMITERS = [",", ";", "\t", "|"];
  const NAMED = 8;  // columns of a message
  const shown = (names) => names.slice(0, NAMED).map((name) => `“${name}”`).join(", ")
    + (names.length > NAMED ? ` and ${names.length - NAMED} more` : "");

  // The records of a text; quoted cells may hold delimiters, line ends, and quotes twice.
  function records(text, delimiter) {
    const found = [];
    let cells = [], cell = "", quoted = false, was = false;
    const ended = () => { cells.push(was ? cell : cell.trim()); cell = ""; was = false; };
    const closed = () => { ended(); if (cells.length > 1 || cells[0] !== "") found.push(cells); cells = []; };
    for (let k = 0; k < text.length; k++) {
      const c = text[k];
      if (quoted) {
        if (c !== '"') cell += c;
        else if (text[k + 1] === '"') { cell += c; k++; } else quoted = false;
      } else if (c === '"' && !cell.trim() && !was) [cell, quoted, was] = ["", true, true];
      else if (c === delimiter) ended();
      else if (c === "\n") closed();
      else if (c !== "\r") cell += c;
    }
    if (quoted) throw new Refused("A quoted cell does not end: expected a second quote (\") behind it.");
    if (cell || cells.length) closed();
    return found;
  }

  // A text as {rows, columns, ignored}: the delimiter is the one whose header has the most of the
  // model's columns.
  function parsed(text, names) {
    const content = text.replace(/^\ufeff/, "");
    if (!content.trim()) throw new Refused("There is no table yet: paste rows, or open a file.");
    const line = content.trimStart().split("\n", 1)[0], known = (d) => {
      try { return records(line, d)[0].filter((name) => names.includes(name)).length; } catch { return 0; }
    };
    const delimiter = DELIMITERS.reduce((best, d) => (known(d) > known(best) ? d : best));
    const all = records(content, delimiter), header = all[0];
    const missing = names.filter((name) => !header.includes(name));
    if (missing.length === names.length)
      throw new Refused(`The first line names none of the model's columns; expected ${shown(names)}. `
        + "Put the names of the columns into the first line.");
    if (missing.length)
      throw new Refused(`The table lacks ${Dom.count(missing.length, "column")}: ${shown(missing)}. `
        + "A column may be empty, but it has to be there.");
    const twice = names.filter((name) => header.indexOf(name) !== header.lastIndexOf(name));
    if (twice.length) throw new Refused(`The column ${shown(twice)} is there twice. Leave one out.`);
    return checked(all.slice(1), header, names);
  }
  function checked(lines, header, names) {
    if (!lines.length) throw new Refused("The table has names of columns, but no rows.");
    if (lines.length > MOST_ROWS)
      throw new Refused(`The table has ${Dom.count(lines.length, "row")}; this page takes at most `
        + `${MOST_ROWS.toLocaleString("en-US")} at once. Split it, or use deltarule predict.`);
    const odd = lines.findIndex((cells) => cells.length !== header.length);
    if (odd >= 0)
      throw new Refused(`Row ${odd + 1} has ${Dom.count(lines[odd].length, "cell")}; the first line has ${header.length}. `
        + "Put quotes around cells that hold the delimiter.");
    const rows = lines.map((cells) => Object.fromEntries(header.map((name, i) => [name, cells[i]])));
    return { rows, columns: header, ignored: header.filter((name) => !names.includes(name)) };
  }

  // --------------------------------------------------------------------------------- written
  const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
  function written(cell) {
    const text = String(cell ?? ""), runs = /^[=+\-@\t\r\n＝＋－＠]/.test(text) && !NUMBER.test(text);
    const safe = runs ? `'${text}` : text;  // which a spreadsheet would take for a formula
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }
  const csv = (heads, lines) => [heads, ...lines].map((cells) => cells.map(written).join(",")).join("\n") + "\n";

  return { Refused, MOST_ROWS, parsed, csv, shown };
})();
