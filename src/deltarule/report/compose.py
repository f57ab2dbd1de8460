"""The training report: one offline page that says what was trained, how well, and why so.

:func:`report` takes a result and rows it has not learnt from; :func:`compose` takes the evidence
and what is known beside it, for whoever has names, baselines and a command line.
"""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from deltarule.modelfile import write_whole
from deltarule.report.content import Context
from deltarule.report.diagnosis import Curves, Finding, diagnose
from deltarule.report.evidence import Evidence, evidence_of
from deltarule.report.pages import rendered
from deltarule.report.printing import is_pdf, printed
from deltarule.report.sections import data_of, facts_of, sections_of
from deltarule.report.summary import cautions_of, is_useless
from deltarule.report.watch import Diagnostics, Watch
from deltarule.training import Result


@dataclass(frozen=True)
class Report:
    """A report as a page.

    Attributes
    ----------
    html : str
        The whole page: it needs no other file and no network.
    findings : tuple of Finding
        What to be careful of, then what the training's numbers say.
    """

    html: str = field(repr=False)
    findings: tuple[Finding, ...]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page atomically; a name that ends in .pdf makes it a PDF, printed by a browser.

        Raises
        ------
        FileError
            Where it cannot be written, or no browser is found to print it.
        """
        content = printed(path, self.html) if is_pdf(path) else self.html.encode("utf-8")
        write_whole(path, content)

    def _repr_html_(self) -> str:
        page = html.escape(self.html, quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:40rem;border:0"></iframe>'


def report(
    result: Result,
    X: Any,
    Y: Any,
    *,
    columns: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    weights: Any = None,
    watch: Watch | None = None,
    title: str = "A network",
    command: str = "",
) -> Report:
    """The report of a trained network, evaluated on rows it was not trained on.

    Parameters
    ----------
    result : Result
        Of :func:`deltarule.train`.
    X, Y : array_like
        As :func:`deltarule.train` takes them.
    columns : sequence of str, optional
        The names of X's columns.
    names : sequence of str, optional
        The classes, or the targets.
    weights : array_like, shape (m,), optional
        Of the rows, in metrics.
    watch : Watch, optional
        The callback that looked into the layers, for the heatmaps.
    title, command : str
        A heading, and what repeats the training.

    Returns
    -------
    Report

    Raises
    ------
    MissingExtraError
        Where matplotlib or Jinja is not installed.
    ShapeError, TypeMismatchError, DataError
        For data or names that do not fit the network.

    Examples
    --------
    >>> import numpy as np
    >>> import deltarule as dr
    >>> X = np.random.default_rng(0).uniform(-1, 1, (60, 2))
    >>> network = dr.Network(2, [dr.Dense(4, "tanh"), dr.Dense(1)])
    >>> watch = Watch()
    >>> result = dr.train(network, X[:40], X[:40, :1], epochs=8, callbacks=[watch])
    >>> page = report(result, X[40:], X[40:, :1], columns=["north", "east"], watch=watch)
    >>> "<svg" in page.html and "north" in page.html
    True
    """
    evidence = evidence_of(result, X, Y, columns=columns, names=names, weights=weights)
    context = Context(title=title, command=command, data=data_of(evidence))
    return compose(result, evidence, context, None if watch is None else watch.diagnostics)


def compose(
    result: Result,
    evidence: Evidence,
    context: Context,
    diagnostics: Diagnostics | None = None,
) -> Report:
    """The report of a result with its evidence.

    Parameters
    ----------
    result : Result
    evidence : Evidence
    context : Context
    diagnostics : Diagnostics, optional
        From :class:`~deltarule.report.watch.Watch`.
    """
    activations = [layer.g.name for layer in result.network.layers]
    run = Curves(result.history, result.best_epoch, diagnostics, activations)
    cautions, findings = list(cautions_of(evidence, context)), diagnose(run)
    if is_useless(evidence, context):  # then no training went well
        findings = [each for each in findings if each.level != "good"]
    summary, *sections = sections_of(result, evidence, context, cautions, findings, diagnostics)
    page = rendered(
        "report.html",
        title=context.title,
        version=version("deltarule"),
        facts=facts_of(result, evidence, context),
        summary=summary,
        sections=sections,
    )
    return Report(page, (*cautions, *findings))
