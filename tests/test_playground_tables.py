"""Tables in the playground: what it detects, fills, cuts and refuses."""

import math

from .test_explain_page import chromium  # noqa: F401 - a fixture
from .test_playground import FLATS, opened, steps, use  # noqa: F401

READ = "(text) => { const { names, cells } = Table.read(text); return { names, cells }; }"


TABLES = [
    ("a,b\n1,2\n3,4\n5,6\n7,8", ["a", "b"], ["1", "2"]),
    ("1,2\n3,4\n5,6\n7,8\n", ["column 1", "column 2"], ["1", "2"]),
    ("\ufeffa\tb\r\n1,5\tx\r\n2,5\ty\r\n3\tx\r\n4\tz", ["a", "b"], ["1,5", "x"]),
    ('"a, b";c\n"x\ny";1\n"say ""no""";2\nz;3\nz;4', ["a, b", "c"], ["x\ny", "1"]),
    ("a|b\n\n1|2\n3|\n5|6\n7|8\n\n", ["a", "b"], ["1", "2"]),
    ("color size\nred big\nred small\nblue big\nblue big", ["color", "size"], ["red", "big"]),
    ("a,a\n1,2\n3,4\n5,6\n7,8", ["a", "a (2)"], ["1", "2"]),
]


def test_a_table_is_read(opened):  # noqa: F811
    page = opened()
    for text, names, first in TABLES:
        found = page.evaluate(READ, text)
        assert (found["names"], found["cells"][0]) == (names, first)


def test_rubbish_is_refused_and_nothing_changes(opened):  # noqa: F811
    page = opened()
    before = page.evaluate("Playground.page.run.data.target")
    for text, message in (
        ("", "there are no rows"),
        ("<img src=x onerror=alert(1)>", "the table has 1 row; expected at least 4"),
        ("a,b\n1,2\n3\n4,5\n6,7", "line 3 has 1 cell; expected 2"),
        ("a,b\n1,2\n", "the table has 1 row below the header"),
        ('a,b\n"1,2\n3,4\n5,6\n7,8', "a quotation mark is opened and never closed"),
        (",".join(map(str, range(201))) + "\n", "there are 201 columns; this page takes up to 200"),
        ("\0\1\2\3\n\4\5", "there is one column"),
    ):
        use(page, text)
        assert message in page.inner_text("#data-message")
        assert page.inner_text("#data-message").endswith("The table stays as it was.")
    use(page, "a,b\n" + "\n".join(f"{k},same" for k in range(9)))
    assert "has one value; expected at least two classes" in page.inner_text("#setting-message")
    use(page, "a,b\n" + "\n".join(f"{k},word{k}" for k in range(30)))
    assert "30 values; this page takes up to 10 classes" in page.inner_text("#setting-message")
    use(page, "a,b\n" + "\n".join(f"same,{k}" for k in range(30)))
    assert "no column is left to predict from" in page.inner_text("#setting-message")
    assert page.evaluate("Playground.page.run.data.target") == before


def test_what_is_missing_or_text_is_said_and_filled(opened):  # noqa: F811
    page = opened()
    text = "n,word,key,constant,y\n" + "\n".join(
        f"{('NA', '', 'much')[k] if k < 3 else k},{'' if k == 4 else 'ab'[k % 2]},id{k},1,"
        f"{'' if k == 9 else k * k}"
        for k in range(40)
    )
    use(page, text)
    notes = page.inner_text("#data-message")
    for said in (
        "40 rows, 5 columns, names in the first line.",
        "1 row without a target left out.",
        "n: text in 1 cell, such as “much” in row 3, counts as missing.",
        "n: 3 missing, filled with the mean ",
        "word: 1 missing; all its columns are 0 there.",
        "key: left out, its text is different in almost every row.",
        "Left out, since they are the same in every training row: constant.",
    ):
        assert said in notes
    assert page.evaluate("Page.data.inputs") == ["n", "word = a"]
    assert math.isfinite(steps(page, 5))


def test_a_large_table_is_cut_and_it_is_said(opened):  # noqa: F811
    page = opened()
    use(page, "x,y\n" + "\n".join(f"{k % 97},{k % 89}.5" for k in range(10_000)))
    notes = page.inner_text("#data-message")
    assert "10,000 rows, 2 columns" in notes
    assert "This page takes up to 2,000 rows: evenly spaced ones are used." in notes
    assert page.evaluate("Playground.page.run.train.X.m + Playground.page.run.held.X.m") == 2000
    names = ",".join(f"c{j}" for j in range(200))
    use(page, names + "\n" + "\n".join(
        ",".join(str((k * (j + 3)) % 211) for j in range(200)) for k in range(30)))  # fmt: skip
    assert "up to 40 inputs: the first 40 of 199 are used" in page.inner_text("#data-message")
    assert math.isfinite(steps(page, 3))
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_file_is_chosen_or_dropped(opened, tmp_path):  # noqa: F811
    path = tmp_path / "flats.csv"
    path.write_text(FLATS, encoding="utf-8")
    page = opened()
    page.set_input_files("#file", path)
    page.wait_for_selector("#target option:text-is('rent')", state="attached")
    assert page.evaluate("Page.data.inputs") == [
        "area",
        "town = Basel",
        "town = Bern",
        "town = Chur",
    ]
    page.evaluate("""() => { const held = new DataTransfer();
      held.items.add(new File(["p,q\\n1,2\\n3,4\\n5,6\\n7,8"], "x.csv"));
      document.dispatchEvent(new DragEvent("drop", { dataTransfer: held, cancelable: true })); }""")
    page.wait_for_selector("#target option:text-is('q')", state="attached")


def test_text_from_a_table_is_text(opened):  # noqa: F811
    page = opened()
    hostile = "<img src=x onerror=document.body.dataset.hacked=1>"
    use(page, f"x,{hostile}\n" + "\n".join(f"{k},{hostile if k % 2 else 'b'}" for k in range(20)))
    page.click("#one-epoch")
    assert page.evaluate("document.body.dataset.hacked") is None
    assert page.locator("img").count() == 0
    code = page.evaluate("Export.python(Playground.page.run)")
    compile(code, "playground.py", "exec")
