"""Data larger than memory: blocks read, mixed and trained on; every way in which one is bad."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import polars as pl
import polars.testing as polars_testing
import pyarrow.parquet
import pytest
from hypothesis import given

import deltarule as dr
from deltarule import tabular
from deltarule.cli import main
from deltarule.data import Reading, read, stream, texts
from deltarule.data.footers import footer
from deltarule.errors import DataError, FileError, SettingError
from deltarule.preprocessing import Preprocessing, Targets, Totals

from .fuzz.examples import examples
from .test_cli import fails

COUNTS, WINDOW = (70, 0, 33, 90, 5, 61), 100


class Made:
    """Blocks of numbers; reading fails from a call on, where it is told to."""

    def __init__(self, counts=COUNTS, window=WINDOW, weighted=True, fails_after=None):
        self.counts, self.window, self.digest = counts, window, "made"
        self.fails_after, self.calls = fails_after, 0
        rng = np.random.default_rng(0)
        m = sum(counts)
        self.X = rng.normal(size=(m, 4))
        self.Y = self.X[:, :2] ** 2
        self.weights = rng.uniform(0, 2, m) if weighted else None
        self.starts = np.cumsum([0, *counts])

    def read(self, block):
        self.calls += 1
        if self.fails_after is not None and self.calls > self.fails_after:
            raise FileError("part-7.parquet: has gone.")
        rows = slice(self.starts[block], self.starts[block + 1])
        return self.X[rows], self.Y[rows], None if self.weights is None else self.weights[rows]


NETWORK = dr.Network(4, [dr.Dense(7, "tanh", dropout=0.1), dr.Dense(2)])


def trained(*data, **more):
    return dr.train(NETWORK, *data, **{"epochs": 3, "batch_size": 16, "seed": 3} | more)


def assert_same(one, other):
    for layer, another in zip(one.parameters, other.parameters, strict=True):
        for name in layer:
            np.testing.assert_array_equal(layer[name], another[name])
    assert [e.cost for e in one.history] == [e.cost for e in other.history]


# --------------------------------------------------------------------------- the same in memory


CASES = [(16, True, True), (37, False, True), (120, True, False), (None, True, True)]


@pytest.mark.parametrize(
    ("engine", "batch_size", "shuffle", "weighted"),
    [
        *(("reference", *case) for case in CASES),
        *(("native", *case) for case in [*CASES, (1, True, False)]),
        ("jax", 16, True, True),
    ],
)
def test_streamed_gives_the_model_of_the_same_order_in_memory(
    engine, batch_size, shuffle, weighted
):
    blocks = Made(weighted=weighted)
    settings = {"engine": engine, "batch_size": batch_size}
    order = dr.BlockOrder(COUNTS, WINDOW, seed=3) if shuffle else False
    streamed = trained(blocks, shuffle=shuffle, **settings)
    in_memory = trained(blocks.X, blocks.Y, weights=blocks.weights, shuffle=order, **settings)
    assert_same(streamed, in_memory)


@examples(60)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=9).filter(any),
    st.integers(9, 30),
    st.integers(1, 3),
)
def test_an_order_by_blocks_has_every_row_once_and_mixes_no_more_than_a_window(
    counts, window, epoch
):
    order = dr.BlockOrder(counts, window, seed=5)
    assert sorted(order(epoch).tolist()) == list(range(sum(counts)))
    assert (order(epoch) == dr.BlockOrder(counts, window, seed=5)(epoch)).all()
    windows = order.windows(epoch)
    assert sorted(np.concatenate(windows).tolist()) == list(range(len(counts)))
    assert all(sum(counts[k] for k in blocks) <= window for blocks in windows)


def test_orders_differ_by_epoch_and_seed():
    order = dr.BlockOrder(COUNTS, WINDOW, seed=5)
    assert (order(1) != order(2)).any()
    assert (order(1) != dr.BlockOrder(COUNTS, WINDOW, seed=6)(1)).any()


@pytest.mark.parametrize("reads", [6, 9, 12])
def test_a_run_whose_data_goes_is_kept_and_goes_on_as_if_it_had_stayed(tmp_path, reads):
    unbroken = trained(Made())
    kept = dr.Checkpoints(tmp_path / "run")
    with pytest.raises(FileError, match=r"has gone\. Training ended after step \d") as error:
        trained(Made(fails_after=reads), checkpoints=kept)
    assert "The run is saved in" in str(error.value)
    assert error.value.parameters[0]["W"].shape == (7, 4)
    resumed = trained(Made(), checkpoints=dr.Checkpoints(tmp_path / "run", resume=True))
    assert_same(resumed, unbroken)


def test_a_checkpoint_of_other_blocks_is_refused(tmp_path):
    trained(Made(), checkpoints=dr.Checkpoints(tmp_path / "run"))
    again = dr.Checkpoints(tmp_path / "run", resume=True)
    with pytest.raises(FileError, match=r"data\.window was 100 there and is 101 here"):
        trained(Made(window=101), checkpoints=again)


REFUSED = {
    "targets beside": ((Made(), [1.0]), {}, "Y, weights, with blocks"),
    "a share": ((Made(),), {"validation": 0.1}, r"Pass \(X, Y\)"),
    "an order": ((Made(),), {"shuffle": lambda epoch: np.arange(259)}, "expected True or False"),
    "L-BFGS": ((Made(),), {"optimizer": "lbfgs"}, "optimizer that steps"),
    "a norm": ((Made(),), {"stopping": dr.Stopping(gradient_norm=1.0)}, "gradient_norm"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_all_rows_is_refused(name):
    data, settings, message = REFUSED[name]
    with pytest.raises(SettingError, match=message):
        trained(*data, **settings)


def test_blocks_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="block 3 has 90 rows and a window may have 89"):
        trained(Made(window=89))
    with pytest.raises(DataError, match="no rows"):
        trained(Made(counts=(0, 0)))
    lying = Made()
    lying.counts = (70, 0, 33, 90, 5, 62)
    with pytest.raises(DataError, match="block 5 has 61 rows; expected 62"):
        trained(lying)


# ------------------------------------------------------------------------------ files in blocks


def whole(found):
    return pl.concat([found.read(k) for k in range(len(found.blocks))])


def parquet(folder, frames, **options):
    for number, frame in enumerate(frames):
        frame.write_parquet(folder / f"part-{number}.parquet", **options)
    return folder


def test_a_folder_of_parquet_is_read_by_its_row_groups(tmp_path):
    frames = [
        pl.DataFrame({"a": range(10), "b": [f"x{i}" for i in range(10)]}),
        pl.DataFrame({"b": ["y", None], "a": [0.5, float("nan")]}),
    ]
    found = stream(parquet(tmp_path, frames, row_group_size=4))
    assert [(b.rows, b.first) for b in found.blocks] == [(4, 0), (4, 4), (2, 8), (2, 10)]
    assert [list(f.rows) for f in found.files] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10], [1, 2]]
    assert found.schema == {"a": pl.Float64, "b": pl.String}
    assert whole(found)["a"].to_list() == [*range(10), 0.5, None]


@pytest.mark.parametrize("compression", ["zstd", "uncompressed"])
def test_footers_say_what_arrow_says(tmp_path, compression):
    frame = pl.DataFrame({f"c{i}": np.arange(i, i + 100) for i in range(20)})
    frame = frame.with_columns(t=pl.lit("text"), d=pl.lit(True), l=pl.lit([1, 2]))
    path = tmp_path / "a.parquet"
    frame.write_parquet(path, row_group_size=30, compression=compression)
    known = pyarrow.parquet.ParquetFile(path).metadata
    groups = [known.row_group(k) for k in range(known.num_row_groups)]
    assert [tuple(g) for g in footer(path).groups] == [
        (g.num_rows, g.total_byte_size) for g in groups
    ]


@examples(80)
@given(st.binary(max_size=40), st.integers(0, 400))
def test_a_footer_of_any_bytes_is_refused_by_name_or_read(tmp_path_factory, junk, at):
    folder = tmp_path_factory.mktemp("junk")
    path = folder / "a.parquet"
    pl.DataFrame({"a": [1, 2, 3]}).write_parquet(path)
    content = bytearray(path.read_bytes())
    at = max(4, len(content) - 8 - at)
    content[at : at + len(junk)] = junk[: len(content) - at]
    path.write_bytes(content)
    with contextlib.suppress(FileError):
        groups = footer(path).groups
        assert all(isinstance(number, int) for group in groups for number in group)


TEXTS = {
    "numbers": ("a,b\n" + "1,2.5\n" * 40, {}),
    "a late fraction": ("a,b\n" + "1,2\n" * 40 + "1.5,3\n", {}),
    "a late word": ("a,b\n" + "1,2\n" * 40 + "x,3\n", {}),
    "codes": ("a,b\n" + "1,2\n" * 40 + "007,3\n", {}),
    "markers": ("a,b\n" + "1,x\n" * 20 + "?,NA\n" + "3,unknown\n" * 9, {"missing": ("unknown",)}),
    "dates": ("d,b\n" + "2024-05-31,x\n" * 40, {}),
    "moments": ("d,b\n" + "2024-05-31 10:00,x\n" * 40, {}),
    "dates and words": ("d,b\n" + "2024-05-31,x\n" * 40 + "soon,y\n", {}),
    "line breaks in cells": ("a,b\n" + '"x\ny, ""z""",2\n' * 30, {}),
    "blank lines": ("a,b\n" + "1,2\n\n" * 30, {}),
    "decimal commas": ("a;b\n" + "1,5;2\n" * 30, {}),
    "a delimiter at each end": ("a,b,\n" + "1,2,\n" * 30, {}),
    "no header": ("1,x\n" * 30, {}),
    "blanks": ("  1.0   2.0\n" * 30, {}),
    "empty": ("a,b\n" + "1,\n" * 50, {}),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_in_blocks_is_what_it_is_in_one(name, tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "PIECE", 50)
    text, reading = TEXTS[name]
    path = tmp_path / "table.csv"
    path.write_text(text)
    found = stream(path, Reading(**reading))
    assert len(found.blocks) > 2
    known = read(path, Reading(**reading))
    categories = [n for n, t in known.schema.items() if isinstance(t, pl.Enum)]
    known = known.with_columns(pl.col(categories).cast(pl.String))
    polars_testing.assert_frame_equal(whole(found), known)


def test_text_of_one_byte_a_character_is_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "PIECE", 50)
    path = tmp_path / "table.csv"
    path.write_bytes(("stadt,b\n" + "Köln,1\n" * 40).encode("latin-1"))
    assert whole(stream(path))["stadt"].unique().to_list() == ["Köln"]
    path.write_bytes(path.read_bytes() + b"K\x81ln,1\n" * 40)
    with pytest.raises(FileError, match="is not cp1252"):
        stream(path)


def test_text_whose_rows_do_not_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "PIECE", 50)
    monkeypatch.setattr(texts, "LONGEST", 500)
    path = tmp_path / "table.csv"
    path.write_text("a,b\n" + "1,2\n" * 40 + '"x,2\n' + "1,2\n" * 400)
    with pytest.raises(DataError, match="no row ends within 500 bytes from byte"):
        stream(path)


# --------------------------------------------------------------------------------- bad blocks

A = pl.DataFrame({"age": [1, 2, 3], "town": ["x", "y", "z"]})

DISAGREE = {
    "a column less": (A.drop("town"), "part-1.parquet: has no column 'town', which"),
    "a column more": (A.with_columns(more=1), "part-0.parquet: has no column 'more', which"),
    "a column renamed": (A.rename({"age": "ages"}), r"Did you mean 'age'\?|no column 'age'"),
    "another type": (
        A.with_columns(age=pl.lit("x")),
        "part-1.parquet: column 'age' is of type String; expected Int64, as in .*part-0.parquet",
    ),
}


@pytest.mark.parametrize("name", DISAGREE)
def test_files_that_disagree_are_refused_with_file_and_column(name, tmp_path):
    other, message = DISAGREE[name]
    with pytest.raises(DataError, match=message):
        stream(parquet(tmp_path, [A, other]))


def test_a_folder_without_tables_and_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(FileError, match="the folder holds no table"):
        stream(tmp_path)
    path = tmp_path / "a.parquet"
    A.write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileError, match=r"a\.parquet: begins like Parquet but cannot be read"):
        stream(path)
    A[:0].write_parquet(path)
    with pytest.raises(DataError, match="has no rows"):
        stream(path)
    path.write_bytes("a,b\n1,2\n".encode("utf-16"))
    with pytest.raises(FileError, match="expected UTF-8"):
        stream(path)
    path.write_text("a,b\n" + "1,2\n" * 9 + "1,2,3\n")
    with pytest.raises(DataError, match="has 3 cells; expected 2"):
        stream(path)


def test_a_file_that_goes_or_changes_is_named(tmp_path):
    found = stream(parquet(tmp_path, [A, A]))
    os.utime(tmp_path / "part-1.parquet", ns=(1, 1))
    with pytest.raises(FileError, match=r"part-1\.parquet: has changed since"):
        found.read(1)
    (tmp_path / "part-0.parquet").unlink()
    with pytest.raises(FileError, match=r"part-0\.parquet: existed when the table was opened"):
        found.read(0)


# ------------------------------------------------------------------------- what one pass learns

ROLES = tabular.Roles(("y",))
SETTINGS = tabular.Settings(hidden=(5,), epochs=2, seed=4)


def flats(m=4000, seed=0):
    rng = np.random.default_rng(seed)
    area = rng.normal(60, 20, m)
    town = rng.choice(["Oslo", "Rome", "Bonn"], m)
    return pl.DataFrame(
        {
            "area": np.where(rng.random(m) < 0.1, np.nan, area),
            "town": town,
            "built": rng.integers(1900, 2020, m),
            "y": 10 * area + 100 * (town == "Oslo") + rng.normal(size=m),
        },
        nan_to_null=True,
    )


def surveyed(tmp_path, frame, memory, roles=ROLES, **options):
    parquet(tmp_path, [frame[: len(frame) // 2], frame[len(frame) // 2 :]], row_group_size=300)
    return tabular.survey(stream(tmp_path), roles, SETTINGS, memory=memory, **options)


def test_a_table_within_the_sample_is_preprocessed_as_in_memory(tmp_path):
    frame = flats()
    found = surveyed(tmp_path, frame, 10**8)
    problem, whole_table, tested = found.problem, found.whole, found.tested
    learnt = frame[np.setdiff1d(np.arange(len(frame)), tested)]
    assert problem.count == len(learnt) == len(whole_table.frame)
    assert problem.preprocessing == Preprocessing.fit(learnt.drop("y"))
    known = Targets.fit(learnt, ["y"])
    assert (problem.targets.means, problem.targets.stds) == (known.means, known.stds)
    assert 0.17 < len(tested) / len(frame) < 0.23
    polars_testing.assert_frame_equal(problem.test, frame[tested])


def test_of_a_larger_table_totals_are_exact(tmp_path):
    frame = flats()
    found = surveyed(tmp_path, frame, 400_000)
    learnt = frame[np.setdiff1d(np.arange(len(frame)), found.tested)]
    assert len(found.problem.train) < len(learnt) == found.problem.count
    area = found.problem.preprocessing.columns[0]
    assert area.missing == learnt["area"].null_count()
    filled = learnt["area"].fill_null(area.fill)
    assert area.mean == pytest.approx(filled.mean(), rel=1e-12)
    assert area.std == pytest.approx(filled.std(ddof=0), rel=1e-12)
    assert found.problem.targets.means == pytest.approx([learnt["y"].mean()], rel=1e-12)


def test_a_class_that_no_sample_has_is_known(tmp_path):
    labels = np.array(["no", "yes"])[np.arange(4000) % 2].astype(object)
    frame = flats().with_columns(y=pl.Series(labels, dtype=pl.String))
    found = surveyed(tmp_path, frame, 400_000)
    labels[np.setdiff1d(np.arange(4000), found.whole.rows)[0]] = "perhaps"
    frame = frame.with_columns(y=pl.Series(labels, dtype=pl.String))
    found = surveyed(tmp_path, frame, 400_000)
    assert "perhaps" not in found.problem.train["y"].to_list()
    assert found.problem.targets.classes == ("no", "perhaps", "yes")


def test_blocks_bring_every_training_row_once(tmp_path):
    frame = flats().with_row_index("number").with_columns(pl.col("number").cast(pl.Float64))
    roles = tabular.Roles(("y",), kinds={"number": "numeric"})
    rows = surveyed(tmp_path, frame, 10**7, roles).problem.stream
    column = rows.preprocessing.columns[0]
    seen = [rows.read(k)[0][:, 0] * column.std + column.mean for k in range(len(rows.counts))]
    assert tuple(map(len, seen)) == rows.counts
    numbers = np.concatenate(seen).round().astype(int)
    parts, _ = rows.shares.parts(0, len(frame))
    assert numbers.tolist() == np.flatnonzero(parts == 0).tolist()


@examples(60)
@given(
    st.lists(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=9), min_size=1, max_size=5).filter(
        any
    )
)
def test_totals_of_blocks_are_those_of_the_whole(blocks):
    found = Totals()
    for block in blocks:
        found = found.joined(Totals.of(pl.Series("a", block, dtype=pl.Float64)))
    column = pl.Series("a", [value for block in blocks for value in block], dtype=pl.Float64)
    assert (found.rows, found.missing) == (len(column), column.null_count())
    assert found.mean == pytest.approx(column.mean() or 0.0, abs=1e-6)
    assert found.variance == pytest.approx(column.var(ddof=0) or 0.0, rel=1e-9, abs=1e-3)


def test_cells_and_blocks_that_cannot_be_are_named(tmp_path):
    frame = flats().with_columns(
        area=pl.when(pl.int_range(pl.len()) == 2500).then(float("inf")).otherwise(1.0)
    )
    with pytest.raises(
        DataError, match=r"part-1.parquet: column 'area' holds inf in row 501 of the file;"
    ):
        surveyed(tmp_path, frame, 10**7)
    with pytest.raises(SettingError, match=r"part-0.parquet: has a block of 300 rows"):
        surveyed(tmp_path, flats(), 50_000)
    with pytest.raises(SettingError, match="time: needs all rows in memory"):
        surveyed(tmp_path, flats(), 10**7, tabular.Roles(("y",), time="built"))
    gaps = flats().with_columns(y=pl.when(pl.col("town") != "Rome").then("y"))
    with pytest.raises(DataError, match=r"part-0.parquet: the target is missing in some rows"):
        surveyed(tmp_path, gaps, 10**7, strict=True)
    found = surveyed(tmp_path, gaps, 10**7)
    assert found.whole.dropped == gaps["y"].null_count()


# --------------------------------------------------------------------------- the command line


def test_train_evaluate_and_predict_in_blocks(tmp_path, capsys):
    folder = tmp_path / "flats"
    folder.mkdir()
    parquet(folder, [flats(1500), flats(1500, 1)], row_group_size=400)
    model, bound = str(tmp_path / "m.safetensors"), ["--memory", "30MB"]
    settings = ["--target", "y", "--epochs", "3", "--hidden", "8", "--json"]
    assert main(["train", str(folder), *settings, "--out", model, *bound]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert main(["evaluate", model, str(folder), "--json", *bound]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["figures"] == figures["figures"]["network"]
    assert again["which"] == "held out when it was trained"
    assert figures["table"]["rows"] == 3000
    out, plain = tmp_path / "p.csv", tmp_path / "q.csv"
    assert main(["predict", model, str(folder), "--out", str(out), *bound]) == 0
    assert main(["predict", model, f"{folder}/*.parquet", "--out", str(plain)]) == 0
    one, other = (pl.read_csv(path)["predicted_y"].to_numpy() for path in (out, plain))
    np.testing.assert_allclose(one, other, rtol=1e-5)


BAD = {
    "no size": (["--memory", "lots"], "--memory: expected a size, as 500MB or 4GB; got 'lots'."),
    "too small": (["--memory", "0.1KB"], "part-0.parquet: has a block of 3 rows"),
    "folds": (["--memory", "1GB", "--cv", "3"], "--cv, --test, --by: not available with --memory"),
    "an ensemble": (["--memory", "1GB", "--ensemble", "2"], "--ensemble: needs all rows"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_options_are_told_in_a_line(name, tmp_path, capsys):
    options, message = BAD[name]
    folder = parquet(tmp_path, [A])
    assert message in fails(capsys, "train", folder, "--target", "age", *options)


def test_a_prediction_that_fails_leaves_what_was_there(tmp_path, capsys):
    model, out = tmp_path / "m.safetensors", tmp_path / "p.csv"
    folder, later = tmp_path / "flats", tmp_path / "later"
    folder.mkdir()
    later.mkdir()
    parquet(folder, [flats(200)])
    settings = ["--target", "y", "--epochs", "1", "--hidden", "2", "--no-baselines"]
    assert main(["train", str(folder), *settings, "--memory", "1MB", "--out", str(model)]) == 0
    odd = flats(50).with_columns(area=pl.lit(float("inf")))
    parquet(later, [flats(50), odd])
    out.write_text("as it was")
    told = fails(capsys, "predict", model, later, "--out", out, "--memory", "1MB")
    assert "part-1.parquet: column 'area' holds inf in row 1 of the file;" in told
    assert out.read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("flats", "later", "m.safetensors", "p.csv")
    ]
    told = fails(capsys, "predict", model, later, "--memory", "1MB")
    assert "expected --out FILE.csv" in told


# ------------------------------------------------------------------------------------- memory

LARGE = """
import sys
from pathlib import Path

import numpy as np

from deltarule import tabular
from deltarule.data import stream

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000

settings = tabular.Settings(hidden=(8,), bins=0, epochs=1, batch_size=4096)
def trained(folder):
    found = tabular.survey(stream(folder), tabular.Roles(("y",)), settings, memory=80_000_000)
    fitted = tabular.fit(found.problem, settings)
    return tabular.evaluated_network(fitted, found.problem).figures["r2"]

trained(sys.argv[1])  # whatever is imported on the way is there now
before = peak()
print(trained(sys.argv[2]), peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what the process takes")
def test_300_megabytes_are_trained_on_with_80_for_rows(tmp_path):
    columns, rows = 40, 100_000

    def write(path, numbers):
        path.mkdir()
        for number in numbers:
            X = np.random.default_rng(number).normal(size=(rows, columns))
            frame = pl.DataFrame(X).with_columns(y=X[:, 0] - X[:, 1])
            frame.write_parquet(
                path / f"{number}.parquet", row_group_size=20_000, compression="lz4"
            )
            if len(numbers) == 1:
                frame[:2000].write_parquet(path / f"{number}.parquet")

    write(tmp_path / "small", [0])
    write(tmp_path / "large", range(10))
    size = sum(path.stat().st_size for path in (tmp_path / "large").iterdir())
    assert size > 300e6
    script = Path(tmp_path, "large.py")
    script.write_text(LARGE)
    done = subprocess.run(
        [sys.executable, script, tmp_path / "small", tmp_path / "large"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    r2, more = map(float, done.stdout.split())
    assert r2 > 0.9
    assert more < 160, "MB above the program with its imports, what allocators keep included"
