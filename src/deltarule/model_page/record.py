"""What the page says about a model: what it was trained on, its metrics, its limits."""

from __future__ import annotations

from typing import Any

from deltarule import tabular
from deltarule.modelfile import Model
from deltarule.preprocessing.columns import Dropped

_DIGITS = 4  # of a metric


def record_facts(model: Model) -> dict[str, Any]:
    """What is known about a training, as texts.

    Parameters
    ----------
    model : Model
        Of a table.

    Returns
    -------
    dict
        ``summary``, a sentence; ``pairs`` of a term and its text; ``metrics``, a table of texts
        with its ``caption``; ``limits``, sentences; ``unused``, by column that the model leaves
        out why.
    """
    about, targets, preprocessing = tabular.record(model), model.targets, model.preprocessing
    assert targets is not None
    assert preprocessing is not None
    sizes = "-".join(map(str, model.network.sizes))
    pairs = [("task", f"{targets.task} of {' and '.join(targets.names)}")]
    summary = "A neural network."
    if about:
        rows, used = about["table"]["rows"], len(preprocessing.used)
        of_test = about["judged_rows"] if about["judged_by"] == "held-out rows" else 0
        held = f", {of_test:,} of them held out as a test set" if of_test else ""
        trained = f"{rows:,} rows{held}; {used} columns"
        summary = f"A neural network, trained on {trained}."
        pairs.append(("trained on", trained))
    parameters = f"{model.network.parameter_count:,} parameters"
    pairs.append(("network", f"{sizes}, {parameters} of {model.dtype.name}"))
    if about:
        pairs += [("recipe", about["training"][-1])]
        pairs.append(("versions", ", ".join(f"{k} {v}" for k, v in about["versions"].items())))
    if targets.decision is not None:
        pairs.append(("decision", targets.decision.describe()))
    return {
        "summary": summary,
        "pairs": pairs,
        **_metrics(about),
        "limits": _limits(about),
        "unused": [
            {"name": c.name, "why": c.describe(), "identifies": c.is_identifier}
            for c in preprocessing.columns
            if isinstance(c, Dropped)
        ],
    }


def _metrics(about: Any) -> dict[str, Any]:
    """The network's metrics beside those of the other models."""
    found = about.get("figures") or {}
    if not found:
        return {"caption": "", "metrics": []}
    names = list(next(iter(found.values())))
    rows = [
        [model, *(f"{own[n]:.{_DIGITS}g}" if n in own else "" for n in names)]
        for model, own in found.items()
    ]
    of_rows = f"{about['judged_rows']:,} {tabular.rows_named(about['judged_by'])}"
    return {"caption": f"Metrics on {of_rows}", "metrics": [["model", *names], *rows]}


def _limits(about: Any) -> list[str]:
    sentences = about.get("consequences", {}).get("sentences", [])
    alerts = [alert["text"] for alert in about.get("alerts", [])]
    verdict = [about["verdict"]] if about.get("verdict") else []
    return [*verdict, *sentences, *alerts]
