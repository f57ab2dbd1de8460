// The page: it starts where it is as it was written, and answers every change of the form.
"use strict";
const Page = (() => {
  const { $, el, filled, table, number } = Dom;
  const USUAL = 0.9;  // coverage
  const AFTER = 120;  // milliseconds without a change, before contributions are computed

  let model = null, cells = [], found = null, whys = [], column = -1, waiting = 0;

  // ------------------------------------------------------------------------------- coverage
  // The coverage asked for; null for none, or what held-out rows do not allow.
  function coverage() {
    const most = Predicting.mostCoverage(model), text = $("coverage").value.trim().replace(",", ".");
    const value = text.endsWith("%") ? Number(text.slice(0, -1)) / 100 : Number(text);
    const good = text !== "" && value > 0 && value <= most;
    const what = model.isClasses ? "the set of classes holds the true one" : "the interval holds the true value";
    $("coverage").setAttribute("aria-invalid", String(!good && text !== ""));
    $("coverage-said").textContent = good ? `${what} for this share of rows`
      : `expected a share above 0, at most ${number(most)}; none is shown`;
    return good ? value : null;
  }

  // ------------------------------------------------------------------------------- one row
  function changed() {
    cells = Predicting.encoded(model, Form.row(model));
    Form.say(model, cells);
    const sure = coverage(), isRefused = cells.some(({ error }) => error);
    clearTimeout(waiting);
    if (isRefused) {
      found = null;
      Results.refused(model, cells);
      if (sure !== null) $("coverage-said").textContent = "";
      return;
    }
    [found] = Predicting.predicted(model, [cells], sure);
    Results.predicted(model, found);
    Results.notes(model, cells);
    waiting = setTimeout(contribute, AFTER);
  }
  function contribute() {
    whys = Why.contributions(model, cells);
    if (model.isClasses && whys.length > 1 && !$("output").dataset.chosen) $("output").value = String(found.code);
    explain();
  }
  const output = () => (whys.length > 1 ? Number($("output").value) : 0);
  function explain() {
    Results.why(model, cells, whys[output()], choose, column);
    if (column >= 0) down();
  }
  function choose(i) {
    column = i;
    explain();
    $("down-title").focus();
    $("down").scrollIntoView({ block: "start" });
  }
  function down() {
    $("down").hidden = false;
    Results.cell(model, cells, whys[output()], column);
    Unit.open(model, cells, output());
    Unit.ofColumn(model, whys[output()], column, output());
  }

  // ------------------------------------------------------------------------------ the model
  function about() {
    const { record } = model.facts, { names } = model.targets;
    document.title = `Predict ${names.join(" and ")}`;
    $("title").textContent = document.title;
    $("summary").textContent = [record.summary, ...record.limits.slice(0, 1)].join(" ");
    filled($("pairs"), record.pairs.flatMap(([term, text]) => [el("dt", {}, term), el("dd", {}, text)]));
    if (record.metrics.length) filled($("metrics"), table(record.metrics[0], record.metrics.slice(1), record.caption));
    filled($("limits"), record.limits.map((text) => el("p", {}, text)),
      el("p", { class: "hint" }, "Predictions hold for rows like those of training. Cells that no training row had are named "
        + "beside the form. Contributions say what the model does, not what causes what."));
    filled($("columns"), table(["column", "kind", "what is done with it"], [
      ...model.columns.map((own) => [own.name, own.kind, own.about]),
      ...record.unused.map((own) => [own.name, "not used", own.why]),
    ]));
    const name = decodeURIComponent(location.pathname.split("/").at(-1)) || "model.html";
    for (const node of document.querySelectorAll(".own-name")) node.textContent = name;
  }

  function start() {
    const flaw = Carried.flaw();
    if (flaw) {
      $("problem").textContent = `${flaw} It is not used, since its predictions may be wrong. `
        + "Get the file again, or export it again.";
      document.documentElement.dataset.ready = "refused";
      return;
    }
    $("problem").hidden = true;
    $("problem").insertAdjacentHTML("afterend", Carried.shell());
    model = Predicting.modelOf(Carried.facts(), Carried.model());
    about();
    Form.build(model, changed);
    Many.build(model, coverage);
    const most = Predicting.mostCoverage(model), labels = model.isClasses ? model.targets.classes : model.targets.names;
    $("sure").hidden = !most;
    $("coverage").value = String(most ? Math.min(USUAL, most) : "");
    $("coverage").addEventListener("input", changed);
    $("of-output").hidden = labels.length < 2 || (model.isClasses && labels.length === 2);
    filled($("output"), labels.map((label, k) => el("option", { value: k }, String(label))));
    $("output").addEventListener("change", () => { $("output").dataset.chosen = "true"; explain(); });
    changed();
    contribute();
    document.documentElement.dataset.ready = "true";
  }

  document.addEventListener("DOMContentLoaded", start);
  return { get model() { return model; }, get whys() { return whys; } };
})();
