"""Tables as people really have them, one of each kind, through the command that trains on them.

How each part works is tested elsewhere: readings, layouts, formats, dates, targets. Here a kind is
a file, and what ``train`` makes of it: the task, the columns, their values, and what it says.
"""

import codecs
import csv
import io
import json
from dataclasses import dataclass, field

import pytest

from deltarule.cli import main
from deltarule.data import dataset_of

M = 30
ROOMS = [2 + i % 3 for i in range(M)]
SIDES = ["north", "south"] * (M // 2)
PRICES = [9000 + 131 * i for i in range(M)]
QUICK = ["--epochs", "2", "--hidden", "4", "--bins", "0", "--no-baselines", "--json"]


def table(delimiter=",", **columns):
    """A text of columns, those with other cells than usual given; None leaves one out."""
    columns = {"room": ROOMS, "side": SIDES, "price": PRICES} | columns
    columns = {name: cells for name, cells in columns.items() if cells is not None}
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue()


def some(cells, other, places=(1, 4, 5)):
    """Cells, some of them replaced."""
    return [other if i in places else cell for i, cell in enumerate(cells)]


@dataclass(frozen=True)
class Kind:
    """A file, and what is made of it.

    Attributes
    ----------
    content : str or bytes
    values : dict
        By column, what its first cells are read as.
    kinds : dict
        By column, what it is taken for.
    said : tuple of str
        In warnings, or in the error where there is one.
    """

    content: str | bytes
    values: dict = field(default_factory=dict)
    kinds: dict = field(default_factory=dict)
    said: tuple = ()
    target: str = "price"
    task: str = "regression"
    name: str = "t.csv"
    arguments: tuple = ()


def priced(*cells, values=(), **further):
    """A kind whose target is written so, again and again."""
    written = [cells[i % len(cells)] for i in range(M)]
    return Kind(table(price=written), {"price": list(values)}, **further)


GROUPED = [f"{price:,}" for price in PRICES]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]

NUMBERS = {
    "thousands in a tab file": Kind(
        table("\t", price=some(GROUPED, "960", (0, 7))), {"price": [960, 9131, 9262]}, name="t.tsv"
    ),
    "thousands in quotes": Kind(
        table(price=GROUPED), {"price": PRICES[:3]}, said=("'9,000' is read as 9000",)
    ),
    "percent": priced("12.5%", "-3%", "7 %", "0.5%", values=[12.5, -3, 7]),
    "magnitudes": priced("1.2K", "3M", "950K", "2.25M", values=[1200, 3e6, 950e3]),
    "a minus behind": priced("80-", "75", "1200", "33-", values=[-80, 75, 1200]),
    "no-break spaces": priced("12\u202f150", "9\u202f000", "1\xa0150", values=[12150, 9000, 1150]),
    "apostrophes": priced("12'150", "9'000", "1’150", values=[12150, 9000, 1150]),
    "a currency, few of them": priced("1 234 kr", "900 kr", "2 150 kr", values=[1234, 900, 2150]),
    "footnote marks": Kind(
        table(price=some(PRICES, "9100*", (2, 9))), {"price": [9000, 9131, 9100]}
    ),
    "of a scale": priced("4/5", "3/5", "2.5/5", "5/5", values=[4, 3, 2.5]),
    "decimal commas beside points": Kind(
        table(
            ";", share=[f"0,{i + 10}" for i in range(M)], price=[f"{9 + i}.150" for i in range(M)]
        ),
        {"share": [0.1, 0.11, 0.12], "price": [9150, 10150]},
        {"share": "numeric"},
    ),
    "a unit": Kind(
        table(area=[f"{40 + i} m2" for i in range(M)]), {"area": [40, 41]}, {"area": "numeric"}
    ),
    "a detection limit": Kind(
        table(lead=some(range(10, 10 + M), "<5")), {"lead": [10, 2.5]}, {"lead": "numeric"}
    ),
    "ranges": Kind(
        table(area=[f"{40 + i} - {50 + i}" for i in range(M)]),
        {"area": [45, 46]},
        {"area": "numeric"},
    ),
    "clock times": Kind(
        table(when=[f"{i % 24}:{i + 13:02}" for i in range(M)]),
        {"when": [780, 4440]},
        {"when": "numeric"},
    ),
}

MISSING = {
    "None": Kind(
        table(area=some(range(40, 40 + M), "None")), {"area": [40, None, 42]}, {"area": "numeric"}
    ),
    "stars": Kind(
        table(area=some(range(40, 40 + M), "***")),
        {"area": [40, None, 42]},
        {"area": "numeric"},
        ("column 'area': '***' in 3 rows is read as missing",),
    ),
    "a dash in the target": Kind(
        table(price=some(PRICES, "-")),
        {"price": [9000, None, 9262]},
        said=(
            "column 'price': '-' in 3 rows is read as missing",
            "rows without a target were dropped: 3",
        ),
    ),
    "-999": Kind(
        table(area=some(range(40, 40 + M), -999)),
        {"area": [40, -999]},
        said=("column 'area': -999 in 3 rows stands apart", "--missing -999"),
    ),
}

LINES = table().splitlines(keepends=True)

LAYOUTS = {
    "units": Kind(
        "".join([LINES[0], "m2,,EUR\n", *LINES[1:]]),
        {"price": PRICES[:2]},
        said=("the line of units below the header left out (m2, , EUR)",),
    ),
    "a total": Kind(
        table() + f"{sum(ROOMS)},Total,{sum(PRICES)}\n",
        {"room": ROOMS},
        said=("the last row left out: a total",),
    ),
    "a footnote": Kind(
        table() + "* prices of May\n",
        {"room": ROOMS},
        said=("1 line of notes below the table left out",),
    ),
    "comments": Kind(
        "# flats\n# of May\n" + table(), {"room": ROOMS}, said=("2 lines of notes above the table",)
    ),
    "the header again, all text": Kind(
        "side,town,sold\n"
        + "".join(
            f"{SIDES[i]},{['Rome', 'Oslo', 'Bern'][i % 3]},{['yes', 'no'][i % 2]}\n"
            + "side,town,sold\n" * (i == 12)
            for i in range(M)
        ),
        {"side": SIDES},
        said=("1 line that repeats the header left out",),
        target="sold",
        task="classification",
    ),
    "a name twice": Kind(
        table(bath=ROOMS, shower=ROOMS).replace("shower", "bath"),
        {"bath_2": ROOMS},
        said=("'bath' is repeated: column 5 is called 'bath_2'",),
    ),
    "R's names of rows": Kind(
        "".join([LINES[0], *(f"{i},{line}" for i, line in enumerate(LINES[1:], 1))]),
        {"room": ROOMS},
        {"column_1": "dropped"},
        ("the first column, which the header does not name, is called column_1",),
    ),
    "delimiters at the ends": Kind(
        "".join([LINES[0], *(line.replace("\n", ",\n") for line in LINES[1:])]), {"price": PRICES}
    ),
    "a ragged row": Kind(
        "".join([*LINES[:16], "3,north, rear,9500\n", *LINES[16:]]),
        said=("row 17 of the file has 4 cells; expected 3", "--bad-rows skip"),
    ),
    "a ragged row, left out": Kind(
        "".join([*LINES[:16], "3,north, rear,9500\n", *LINES[16:]]),
        said=("1 row with too many or too few cells", "line 17"),
        arguments=("--bad-rows", "skip"),
    ),
    "sep=": Kind("sep=;\n" + table(";"), {"price": PRICES}),
    "carets": Kind(table("^"), {"price": PRICES}),
    "columns aligned by blanks": Kind(
        "".join(
            f"{'  '.join(f'{cell:<8}' for cell in line.strip().split(','))}\n" for line in LINES
        ),
        {"side": SIDES, "price": PRICES},
        name="t.txt",
    ),
    "0, 1, 2 as names": Kind(
        ",0,1,y\n" + "".join(f"{i},{i / 8},{-i / 3:.3f},{PRICES[i]}\n" for i in range(M)),
        {"0": [0, 0.125]},
        {"column_1": "dropped"},
        target="y",
    ),
    "a name that returns": Kind(
        "kind,other,sold\n"
        + "".join(
            f"{'abc'[i % 3]},{['other', 'this'][i % 2]},{['yes', 'no'][i % 4 // 2]}\n"
            for i in range(M)
        ),
        {"other": ["other", "this"]},
        target="sold",
        task="classification",
    ),
}

QUOTED = table(note=['{"a": 1, "b": "x"}', '{"a": 2, "b": "y"}'] * (M // 2))
NAMED = "name,room,price\n" + "".join(f'"Flat {i}",{ROOMS[i]},{PRICES[i]}\n' for i in range(M))
TOWNS = "room,price,town\n" + "".join(f'{ROOMS[i]},{PRICES[i]},"Oslo"\n' for i in range(M))

QUOTES = {
    "blanks in a quoted cell": Kind(QUOTED, {"note": ['{"a": 1, "b": "x"}']}),
    "a quote within": Kind(
        NAMED.replace('"Flat 0"', '"Flat "B""'),
        {"name": ['Flat "B"', "Flat 1"]},
        said=("1 row with stray quotes read from delimiter to delimiter: line 2",),
    ),
    "an open quote in the header": Kind(
        'room;price;"\n' + "".join(f'"{ROOMS[i]}";"{PRICES[i]}";"\n' for i in range(M)),
        {"price": PRICES},
        said=("30 rows with stray quotes read from delimiter to delimiter",),
    ),
    "cut off within quotes": Kind(
        TOWNS + '3,9000,"Osl', said=("a quote that opens in line 32 does not close",), target="town"
    ),
    "text behind a quote": Kind(
        TOWNS + '3,9000,"Oslo"west\n', said=("line 32 has text behind a closing quote",)
    ),
}

RUSSIAN = table(side=["юг", "север"] * (M // 2)).replace("price", "цена").replace("side", "сторона")

BYTES = {
    "a bad byte": Kind(
        table(side=["Köln", "Malmö"] * (M // 2)).encode() + b"3,Caf\xe9,9000\n",
        {"side": ["Köln", "Malmö"]},
        said=("has bytes that are not UTF-8, read as",),
    ),
    "cp1251": Kind(
        RUSSIAN.encode("cp1251"),
        {"сторона": ["юг", "север"]},
        said=("is not UTF-8; read as cp1251",),
        target="цена",
    ),
    "UTF-16 without a mark": Kind(
        table().encode("utf-16-le"), {"price": PRICES}, said=("has no byte order mark",)
    ),
    "UTF-16": Kind(codecs.BOM_UTF16_LE + table().encode("utf-16-le"), {"price": PRICES}),
    "a zero byte": Kind(
        table().replace("north", "no\x00rth", 1), {"side": SIDES}, said=("zero bytes", "line 2")
    ),
    "lines of JSON": Kind(
        "".join(
            json.dumps({"room": ROOMS[i], "side": SIDES[i], "price": PRICES[i]}) + "\n"
            for i in range(M)
        ),
        {"price": PRICES},
        name="t.jsonl",
    ),
}

DATES = {
    "years of two digits": Kind(
        table(when=[f"{i + 1}-{MONTHS[i % 6]}-{(98 + i // 6) % 100:02}" for i in range(M)]),
        kinds={"when": "date"},
    ),
    "two forms": Kind(
        table(
            when=[f"2024-03-{i:02}" if i % 2 else f"{i + 1:02}/01/2024" for i in range(1, M + 1)]
        ),
        kinds={"when": "date"},
    ),
}

KINDS = NUMBERS | MISSING | LAYOUTS | QUOTES | BYTES | DATES
REFUSED = {"a ragged row", "cut off within quotes", "text behind a quote"}


@pytest.mark.parametrize("name", KINDS)
def test_a_raw_table(tmp_path, monkeypatch, capsys, name):
    kind = KINDS[name]
    monkeypatch.chdir(tmp_path)
    content = kind.content if isinstance(kind.content, bytes) else kind.content.encode()
    (tmp_path / kind.name).write_bytes(content)
    code = main(["train", kind.name, "--target", kind.target, *QUICK, *kind.arguments])
    out, error = capsys.readouterr()
    if name in REFUSED:
        assert code == 2
        said = " ".join(error.split())
    else:
        assert code == 0, error
        found = json.loads(out)
        columns = {column["name"]: column["kind"] for column in found["columns"]}
        assert found["task"] == kind.task
        assert columns | kind.kinds == columns
        said = "\n".join(found["warnings"])
        assert bool(said) == bool(kind.said)
    for part in kind.said:
        assert part in said
    if name not in REFUSED and not kind.arguments:
        frame = dataset_of(tmp_path / kind.name).frame
        for column, values in kind.values.items():
            assert frame[column].to_list()[: len(values)] == values
