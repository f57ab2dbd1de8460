// The reader's own rows: numbers pasted as a table, with or without a line of names.
"use strict";
const Rows = (() => {
  const { at } = Engine, { parsed, targetProblem } = Changes;
  const byId = (id) => document.getElementById(id), say = (text) => { byId("paste-message").textContent = text; };
  const MOST = 500;

  const cellsOf = (line) => line.split(/[;\t]/.test(line) ? /\s*[;\t]\s*/ : /\s*,\s*|\s+/);
  const expected = () => {
    const [n, k] = [Page.data.sizes[0], Page.data.sizes.at(-1)];
    return `${n} input${n > 1 ? "s" : ""}, then ${k} target${k > 1 ? "s" : ""}`;
  };
  // Where each column of a header belongs: its place among the page's own names, else where it is.
  function order(header) {
    const names = [...Page.data.inputs, ...Page.data.outputs], own = header.map((cell) => cell.replace(/^"(.*)"$/, "$1"));
    const isNamed = own.length === names.length && names.every((name) => own.filter((each) => each === name).length === 1);
    return isNamed ? names.map((name) => own.indexOf(name)) : null;
  }
  function read(text) {
    const n = Page.data.sizes[0], k = Page.data.sizes.at(-1);
    const lines = text.split(/\r?\n/).map((line, place) => [line.trim(), place + 1]).filter(([line]) => line);
    const header = lines.length > 1 && cellsOf(lines[0][0]).every((cell) => parsed(cell) === null) ? cellsOf(lines.shift()[0]) : null;
    const places = header && order(header);
    if (!lines.length) throw Error(`there are no rows. Expected ${n + k} numbers a line: ${expected()}.`);
    if (lines.length > MOST) throw Error(`there are ${lines.length} rows; this page takes at most ${MOST}.`);
    const rows = lines.map(([line, place]) => {
      const cells = cellsOf(line), values = cells.map((cell) => parsed(cell)), strange = values.indexOf(null);
      if (strange >= 0) throw Error(`line ${place}: “${cells[strange].slice(0, 30)}” is not a number. Expected ${expected()}, separated by commas.`);
      if (values.length !== n + k) throw Error(`line ${place} has ${values.length} numbers; expected ${n + k}: ${expected()}.`);
      const own = places ? places.map((from) => values[from]) : values, problem = own.slice(n).map(targetProblem).find(Boolean);
      if (problem) throw Error(`line ${place}: ${problem}.`);
      const sum = own.slice(n).reduce((s, y) => s + y, 0);
      if (Page.plan.cost.distribution && Math.abs(sum - 1) > 1e-4) throw Error(`line ${place}: the targets add up to ${sum}; expected 1.`);
      return own;
    });
    const matrix = (first, size) => Engine.transpose(Engine.matrix(rows.length, size, Float64Array.from(rows.flatMap((r) => r.slice(first, first + size)))));
    return { X: matrix(0, n), Y: matrix(n, k), rows, note: places ? " The header’s names put the columns in order." : header ? " The first line is a header and was skipped." : "" };
  }
  // Rows in place of the data; the text of the note about them.
  function take(text) {
    const { X, Y, rows, note } = read(text), dropped = Page.now.weights ? " The weights of the examples do not go with them." : "";
    Changes.record(`rows:${rows.map((row) => row.join(",")).join("/")}`);
    Page.replaceData(X, Y);
    return `${X.m} row${X.m > 1 ? "s" : ""} taken.${note}${dropped}`;
  }
  function paste() {
    try {
      say(take(byId("rows").value));
    } catch (error) {
      say(`${error.message} The data stay as they were.`);
    }
  }
  function boot() {
    byId("paste").addEventListener("click", paste);
    const short = (M, i, j) => Matrices.shown(at(M, i, j)).replace("−", "-"), count = (M) => Math.min(M.n, 12);
    byId("rows").placeholder = Array.from({ length: Math.min(2, Page.now.X.m) }, (_, j) => [Page.now.X, Page.now.Y].flatMap((M) => Array.from({ length: count(M) }, (_, i) => short(M, i, j))).join(", ")).join("\n");
  }
  return { take, boot, say };
})();
