"""``deltarule equations``: every equation, its code, and how far the code is from it."""

from __future__ import annotations

import typer
from rich.padding import Padding
from rich.syntax import Syntax
from rich.text import Text

from deltarule.cli.command import command
from deltarule.cli.options import Json
from deltarule.cli.terminal import Terminal, print_json
from deltarule.tabular.options import option, option_group


@option_group("Options")
class CheckOptions:
    """Whether the equations are checked."""

    check: bool = option(
        "", "Compare each with central differences, over every pair; exit 1 if one fails.", False
    )


@command
def equations(asked: CheckOptions, json: Json = False) -> None:
    """Print the equations of back propagation and of the layer kinds with their code.

    With --check, each is printed beside the largest norm-wise relative error against central
    differences in float64, over every activation, cost and fused pair.

    \b
    Examples:
      deltarule equations
      deltarule equations --check
    """  # noqa: D301 - typer keeps the lines after it
    from deltarule.checks import EQUATIONS, KIND_EQUATIONS, TOLERANCE, check_all

    terminal, check = Terminal(quiet=json), asked.check
    found = {}
    if check:
        with terminal.waiting("checking every equation over every pair"):
            found = {checked.number: checked for checked in check_all()}
    listed = EQUATIONS + KIND_EQUATIONS
    for equation in listed:
        head = Text.assemble((f"Eq. {equation.number:<4}", "bold cyan"), equation.title)
        terminal.show(head)
        terminal.show(Padding(Text(equation.formula, style="bold"), (0, 0, 0, 8)))
        code = Syntax(
            equation.source, "python", theme="ansi_dark", background_color="default", word_wrap=True
        )
        terminal.show(Padding(code, (0, 0, 0, 8)))
        if equation.number in found:
            checked = found[equation.number]
            style = "green" if checked.passed else "bold red"
            cases = f"{checked.cases} case{'s' * (checked.cases != 1)}"
            rows = f": {', '.join(checked.rows)}" if checked.rows else ""
            verdict = f"largest error {checked.error:.1e} over {cases}{rows}"
            worst = "" if checked.passed else f", worst: {checked.worst}"
            terminal.show(Padding(Text(verdict + worst, style=style), (0, 0, 0, 8)))
    failed = [checked.number for checked in found.values() if not checked.passed]
    if json:
        print_json(
            {
                "equations": [
                    {"number": e.number, "title": e.title, "formula": e.formula, "code": e.source}
                    | (
                        {
                            "error": found[e.number].error,
                            "cases": found[e.number].cases,
                            "rows": list(found[e.number].rows),
                        }
                        if check
                        else {}
                    )
                    for e in listed
                ]
            }
        )
    if check:
        worst_error = max(checked.error for checked in found.values())
        terminal.say(
            f"{len(found) - len(failed)} of {len(found)} equations agree with central differences "
            f"within {TOLERANCE:.0e}; the largest error is {worst_error:.1e}.",
            style="bold red" if failed else "bold green",
        )
    if failed:
        terminal.fail(f"these equations do not agree: {', '.join(failed)}.")
        raise typer.Exit(1)
