// Many rows: pasted, dropped or opened; predicted some at a time; shown, and downloaded as CSV.
"use strict";
const Many = (() => {
  const { $, el, filled, table, number, count } = Dom;
  const SHOWN = 50, NAMED = 5;
  const LARGEST = 200e6;  // bytes of a file
  const KEPT = 10000;  // milliseconds that a download has to begin

  // The names of the columns of predictions, as deltarule predict has them, and a row's values.
  function heads({ targets, levels, isClasses }, coverage) {
    const sure = coverage !== null;
    if (isClasses)
      return [`predicted_${targets.names[0]}`, ...targets.classes.map((label) => `probability_${label}`),
        ...(sure ? [`set_${targets.names[0]}`] : [])];
    const each = (f) => targets.names.map(f);
    return [...each((name) => `predicted_${name}`), ...levels.flatMap((level) => each((name) => `quantile_${level}_${name}`)),
      ...(sure ? targets.names.flatMap((name) => [`low_${name}`, `high_${name}`]) : [])];
  }
  const valuesOf = (found, isClasses) => (isClasses
    ? [found.label, ...found.probabilities, ...(found.set ? [found.set.join("; ")] : [])]
    : [...found.values, ...found.quantiles.flat(), ...(found.ends ? found.ends.flat() : [])]);

  // Encode all rows; the first cells that cannot be read are named.
  function encodedRows(model, rows) {
    const wrong = [], all = rows.map((row, k) => {
      const cells = Predicting.encoded(model, row);
      cells.forEach(({ error }, i) => { if (error) wrong.push(`row ${k + 1}, “${model.columns[i].name}” ${error}`); });
      return cells;
    });
    if (wrong.length) {
      const more = wrong.length > NAMED ? ` And ${wrong.length - NAMED} more.` : "";
      throw new Table.Refused(`${count(wrong.length, "cell")} cannot be read: ${wrong.slice(0, NAMED).join(" ")}${more} `
        + "Correct them, or leave them empty: missing values are filled.");
    }
    model.columns.forEach((column, i) => {  // as predict: two values, and not one of the two
      const strange = column.kind === "boolean" && all.every((cells) => cells[i].read === null || cells[i].notes.length);
      const first = strange && all.find((cells) => cells[i].read !== null);
      if (!first) return;
      throw new Table.Refused(`The column “${column.name}” holds “${first[i].read}”, and nowhere what it held in training; `
        + `expected ${column.stored.levels.join(" or ")}.`);
    });
    return all;
  }

  const pause = () => new Promise((go) => { setTimeout(go); });
  // Predictions of a text; `told` is called with what is done.
  async function predictions(model, text, coverage, told) {
    const read = Table.parsed(text, model.columns.map(({ name }) => name)), all = encodedRows(model, read.rows), found = [];
    for (let first = 0; first < all.length; first += Predicting.BLOCK) {
      found.push(...Predicting.predicted(model, all.slice(first, first + Predicting.BLOCK), coverage));
      told(`${found.length.toLocaleString("en-US")} of ${count(all.length, "row")} …`);
      await pause();
    }
    const kept = model.facts.record.unused.filter((own) => own.identifies && read.columns.includes(own.name));
    const copied = kept.map(({ name }) => name);
    const lines = found.map((own, k) => [...copied.map((name) => read.rows[k][name]), ...valuesOf(own, model.isClasses)]);
    return { ...read, all, copied, heads: [...copied, ...heads(model, coverage)], lines };
  }

  // What differs from training, a sentence a column.
  const differing = (model, all) => model.columns.flatMap((column, i) => {
    const rows = all.filter((cells) => cells[i].notes.length), differ = rows.length === 1 ? "differs" : "differ";
    return rows.length ? [`${column.name}: ${count(rows.length, "row")} ${differ} from training (the first ${rows[0][i].notes[0]}).`] : [];
  });

  let made = null, latest = 0;
  async function run(model, text, coverage) {
    const mine = ++latest, told = (message, bad = false) => {
      $("many-said").textContent = message;
      $("many-said").classList.toggle("bad", bad);
    };
    made = null;
    $("download").hidden = true;
    filled($("predictions"));
    try {
      const done = await predictions(model, text, coverage, told);
      if (mine !== latest) return;
      made = done;
      const { ignored, lines } = done, names = ignored.filter((name) => !done.copied.includes(name));
      told(`${count(lines.length, "prediction")}.${names.length ? ` Not used by the model: ${Table.shown(names)}.` : ""}`);
      const shown = (cell) => (typeof cell === "number" ? number(cell) : String(cell));
      const cells = lines.slice(0, SHOWN).map((line, k) => [k + 1, ...line.map(shown)]);
      filled($("predictions"), differing(model, done.all).map((sentence) => el("p", { class: "hint" }, sentence)),
        table(["row", ...done.heads], cells, lines.length > SHOWN ? `The first ${SHOWN} of ${count(lines.length, "row")}` : ""));
      $("download").hidden = false;
    } catch (error) {
      if (mine !== latest) return;
      if (!(error instanceof Table.Refused)) throw error;
      told(error.message, true);
    }
  }

  function download() {
    const content = new Blob([Table.csv(made.heads, made.lines)], { type: "text/csv" });
    const link = el("a", { href: URL.createObjectURL(content), download: "predictions.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
  }

  function build(model, coverageOf) {
    const names = model.columns.map(({ name }) => name), predict = () => run(model, $("pasted").value, coverageOf());
    $("many-hint").textContent = "Columns may be in any order; others are ignored. "
      + `At most ${Table.MOST_ROWS.toLocaleString("en-US")} rows at once. Paste them, or drop a file here.`;
    const opened = async (file) => {
      if (!file) return;
      if (file.size <= LARGEST) {
        $("pasted").value = await file.text();
        await predict();
      } else $("many-said").textContent = `${file.name} is too large: expected at most ${LARGEST / 1e6} MB.`;
    };
    $("predict").addEventListener("click", predict);
    $("file").addEventListener("change", () => opened($("file").files[0]));
    $("download").addEventListener("click", download);
    $("example").addEventListener("click", () => {
      $("pasted").value = Table.csv(names, [Object.values(Form.row(model))]);
      predict();
    });
    const drop = $("drop"), over = (is) => (event) => { event.preventDefault(); drop.classList.toggle("over", is); };
    drop.addEventListener("dragover", over(true));
    drop.addEventListener("dragleave", over(false));
    drop.addEventListener("drop", (event) => { over(false)(event); opened(event.dataTransfer.files[0]); });
  }

  return { build, predictions };
})();
