"""A table's rows in C: from its columns as they are, it predicts what the model does."""

import ctypes
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from tests.test_export_c import compiled, needs_compiler, ran
from tests.test_export_onnx import TARGETS, a_table, as_dtype, strange_rows, table_model

import deltarule as dr
from deltarule.cli import main
from deltarule.data import Dataset, Reading
from deltarule.export import c_file, cells, feeds, made_up_rows, save_c
from deltarule.export.c_table import distinct
from deltarule.modelfile import Model, load_model
from deltarule.preprocessing import Preprocessing, Targets
from deltarule.training.predictions import class_sets

DTYPES = ["float32", "float64"]
CLOSE = {"float32": 2e-6, "float64": 1e-12}
"""How far results may lie apart, as a share of their norm, in standard deviations of the target."""


class Rows:
    """The functions of a file on rows of cells, called from here."""

    def __init__(self, folder, model, **settings):
        self.model = model
        self.made = c_file(model, **settings)
        self.c = ctypes.CDLL(str(compiled(folder, self.made, "-shared", "-fPIC")))

    def called(self, name, given, width, dtype):
        found = np.full((len(given), width), np.nan, dtype)
        for row, out in zip(np.ascontiguousarray(given), found, strict=True):
            pointers = (array.ctypes.data_as(ctypes.c_void_p) for array in (row, out))
            getattr(self.c, name)(*pointers)
        return found

    def prepared(self, table):
        given = cells(self.model.preprocessing, table)
        width = self.model.preprocessing.width
        return self.called("model_prepare", given, width, self.model.dtype)

    def results(self, table):
        targets = self.model.targets
        given = cells(self.model.preprocessing, table)
        width = len(targets.classes) or len(targets.names)
        return self.called("model_predict_row", given, width, "float64")

    def classes(self):
        labels = (ctypes.c_char_p * len(self.model.targets.classes)).in_dll(self.c, "model_classes")
        return [label.decode() for label in labels]


def widened(model):
    """The same with parameters of float64."""
    return replace(model, parameters=as_dtype(model.parameters, "float64"))


def apart(model, results, table):
    """How far results lie from the model's own, in standard deviations of the targets."""
    exact, targets = widened(model), model.targets
    if targets.classes:
        expected, scale, middle = exact.predict_proba(table), 1.0, 0.0
    else:
        frame = exact.predict(table)
        expected = np.column_stack([frame[name] for name in targets.names])
        scale, middle = np.array(targets.stds), np.array(targets.means)
    norm = np.linalg.norm((expected - middle) / scale)
    return np.linalg.norm((results - expected) / scale) / norm


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", TARGETS)
def test_every_kind_of_column(target, dtype, tmp_path):
    model, frame = table_model(TARGETS[target], dtype)
    kinds = {column.kind for column in model.preprocessing.columns}
    assert kinds == {"numeric", "category", "boolean", "date", "dropped"}
    rows = Rows(tmp_path, model)
    for table in (frame, made_up_rows(model), *strange_rows()):
        prepared = model.preprocessing.transform(table)
        np.testing.assert_allclose(rows.prepared(table), prepared, rtol=2e-7, atol=1e-12)
        assert apart(model, rows.results(table), table) < CLOSE[dtype]
    if model.targets.classes:
        assert rows.classes() == [str(label) for label in model.targets.classes]


TRAINED = {
    "three classes": ({"y": TARGETS["text"]}, []),
    "yes or no": ({"y": TARGETS["two"]}, []),
    "numbers": ({"y": TARGETS["numbers"]}, []),
    "two targets": ({"y": TARGETS["numbers"], "z": [-5.0 - i % 7 for i in range(240)]}, []),
    "members": ({"y": TARGETS["two"]}, ["--members", "3"]),
    "an ensemble": ({"y": TARGETS["numbers"]}, ["--ensemble", "2"]),
    "an ensemble of classes": ({"y": TARGETS["text"]}, ["--ensemble", "2"]),
}


@needs_compiler
@pytest.mark.parametrize("case", TRAINED)
def test_what_train_makes(case, tmp_path, capsys):
    """Bins, learned scales, embeddings, oblique features: as the recipe for tables has them."""
    targets, options = TRAINED[case]
    names = [option for name in targets for option in ("--target", name)]
    columns = [pl.Series(name, values) for name, values in targets.items()]
    a_table().with_columns(columns).write_parquet(tmp_path / "rows.parquet")
    arguments = [str(tmp_path / "rows.parquet"), *names, "--out", str(tmp_path / "m.safetensors")]
    options = [*options, "--epochs", "3", "--no-baselines", "--kind", "zip=category"]
    assert main(["train", *arguments, *options]) == 0
    model = load_model(tmp_path / "m.safetensors")
    for each in (model, widened(model)):
        folder = tmp_path / each.dtype.name  # a library is loaded once from a path
        folder.mkdir()
        rows = Rows(folder, each)
        for table in (a_table(), made_up_rows(model), strange_rows()[0]):
            assert apart(each, rows.results(table), table) < CLOSE[each.dtype.name]


@needs_compiler
@pytest.mark.parametrize("classes", [2, 3])
def test_sets_of_classes_are_those_of_the_probabilities(classes, tmp_path):
    rng = np.random.default_rng(0)
    X = {"a": rng.normal(size=90), "b": rng.choice(["u", "v"], 90)}
    y = np.digitize(X["a"] + rng.normal(size=90), [0.0, 0.7][: classes - 1])
    fitted = dr.TabularClassifier(epochs=2, n_ensemble=1, hidden=(4,), random_state=0).fit(X, y)
    model = fitted.model_
    for threshold in (0.3, 0.9):
        folder = tmp_path / str(threshold)  # a library is loaded once from a path
        folder.mkdir()
        own = Rows(folder, model, threshold=threshold)
        results, held = own.results(X), np.zeros((90, classes), np.int32)
        for row, out in zip(results, held, strict=True):
            own.c.model_set(*(each.ctypes.data_as(ctypes.c_void_p) for each in (row, out)))
        P = results.astype("float32")
        codes = model.targets.codes(P[:, 1:] if classes == 2 else P)
        np.testing.assert_array_equal(held, class_sets(P, codes, threshold))
        assert held.any(axis=1).all()


def test_cells_are_what_the_columns_hold():
    frame = pl.DataFrame(
        {
            "n": [1.5, None, 2.5] * 9,
            "town": ["b", "a", "b"] * 9,
            "wet": ["yes", "no", None] * 9,
            "day": ["01.03.1970", None, "02.01.1970"] * 9,
            "same": [1] * 27,
        }
    )
    rows = pl.DataFrame(
        {
            "day": ["02.01.1970", None, "01.01.1971"],
            "wet": ["TRUE", "perhaps", None],
            "town": ["a", None, "c"],
            "n": [None, 3.0, 4.0],
        }
    )
    nan = np.nan
    expected = [[nan, 1.0, 1.0, 1.0], [3.0, nan, -1.0, nan], [4.0, -1.0, nan, 365.0]]
    np.testing.assert_array_equal(cells(Preprocessing.fit(frame), rows), expected)


@needs_compiler
def test_the_documentations_program_reads_a_row(tmp_path):
    page = Path(__file__).parents[1] / "docs" / "export.md"
    programs = re.findall(r"```c\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (program,) = (text for text in programs if '"flats.c"' in text)
    towns, rooms = ["Bergen", "Oslo", "Oslo"] * 9, [float(i % 4) for i in range(27)]
    frame = pl.DataFrame(
        {"area (m²)": [50.0 + i for i in range(27)], "rooms": rooms, "town": towns}
    )
    preprocessing = Preprocessing.fit(frame)
    targets = Targets.fit(pl.DataFrame({"sold": ["yes", "no", "no"] * 9}), ["sold"])
    network = dr.Network(preprocessing.width, [dr.Dense(1, "sigmoid")], "binary_cross_entropy")
    model = Model(network, network.initial_parameters(), preprocessing, targets)
    save_c(tmp_path / "flats.c", model)
    made = compiled(tmp_path, SimpleNamespace(text=program), name="main")
    row = pl.DataFrame({"area (m²)": [81.5], "rooms": [None], "town": ["Bergen"]})
    no, yes = model.predict_proba(row)[0]
    assert ran(made) == (0, f"no: {no:.3f}\nyes: {yes:.3f}\n")


HOSTILE = ["class", "a b", "A B", "A_B_2", "ä", "a", "1st", "*/", "日本", "", "??/", "\\\n", 'q"']


@needs_compiler
@pytest.mark.parametrize("target", ["text", "numbers"])
def test_hostile_names(target, tmp_path):
    columns = {name: [float(i * (k + 1) % 29) for i in range(27)] for k, name in enumerate(HOSTILE)}
    levels = ['*/ "', "??/", "a\\", "日\n", "/*", "x" * 5000, "%s", "\x00", "\\0"]
    frame = pl.DataFrame({**columns, "int": levels * 3, "x" * 5000: levels * 3})
    labels = levels * 3 if target == "text" else [float(i) for i in range(27)]
    preprocessing = Preprocessing.fit(frame)
    targets = Targets.fit(pl.DataFrame({"*/": labels}), ["*/"])
    output = ("softmax", "categorical_cross_entropy") if targets.classes else ("identity", "mse")
    layers = [dr.Dense(targets.outputs, output[0])]
    network = dr.Network(preprocessing.width, layers, output[1])
    model = Model(network, network.initial_parameters(), preprocessing, targets)
    rows = Rows(tmp_path, model)
    assert apart(model, rows.results(frame), frame) < 2e-6
    assert ran(compiled(tmp_path, rows.made, "-DDELTARULE_TEST"))[0] == 0
    names = list(rows.made.columns.values())
    labels = ["CLASS", "A_B", "A_B_2", "A_B_2_2", "A", "A_2", "1ST", "X"]
    assert names[: len(labels)] == [f"MODEL_COLUMN_{label}" for label in labels]
    if targets.classes:
        whole = [label.split("\x00")[0].encode()[:200] for label in targets.classes]
        assert [label.encode() for label in rows.classes()] == whole


def test_names_of_positions_are_distinct():
    assert distinct(["*/", "日本", "x", "X"]) == ["X", "X_2", "X_3", "X_4"]
    assert len(set(distinct(["a", "a_2", "A 2", "ä", "a_3"] * 20_000))) == 100_000


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", TARGETS)
def test_its_own_test_has_rows_of_cells(target, dtype, tmp_path):
    model, frame = table_model(TARGETS[target], dtype)
    for rows, count in ((None, 16), (frame, 24)):
        made = c_file(model, rows=rows, optimizer="sgd")
        status, said = ran(compiled(tmp_path, made, "-DDELTARULE_TEST"))
        assert status == 0, said
        assert f"{count} rows of cells: relative error" in said


FAULTS = {
    "a fill": ("isnan(v) ? numbers[i].fill : v", "isnan(v) ? 0 : v"),
    "a mean": ("filled_in - numbers[i].mean", "filled_in"),
    "a flag": ("if (numbers[i].flagged && isnan(v)) out[1] = 1;", ""),
    "a boolean": ("(float)v : booleans", "(float)(1 - v) : booleans"),
    "an unseen level": (": categories[i].other", ": 0"),
    "a missing level": ("isnan(v) ? categories[i].missing :", ""),
    "a season": ("v / 365.2425", "v / 365"),
    "a weekday": ("floor(v + 3)", "floor(v + 4)"),
    "a target's mean": ("target_means[i] +", "1 + target_means[i] +"),
}


@needs_compiler
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_reading_a_row_is_found(fault, tmp_path):
    model, _ = table_model([1e6 + 1.7 * i for i in range(240)])
    made = c_file(model)
    before, after = FAULTS[fault]
    assert before in made.text
    wrong = made._replace(text=made.text.replace(before, after))
    status, said = ran(compiled(tmp_path, wrong, "-DDELTARULE_TEST", "-Wno-unused-variable"))
    assert (status, said.splitlines()[-1]) == (1, "FAILED")


@needs_compiler
@pytest.mark.parametrize("offset", [-1e9, 1e12, 1e15])
def test_targets_far_from_zero_are_compared_in_their_spread(offset, tmp_path):
    model, _ = table_model([offset + 0.25 * (i % 9) for i in range(240)])
    assert ran(compiled(tmp_path, c_file(model), "-DDELTARULE_TEST"))[0] == 0


@needs_compiler
@pytest.mark.parametrize(
    ("mean", "std"), [(0.0, 1e308), (1.7e308, 1.0), (0.0, 1e-310), (1e15, 1e-5)]
)
def test_absurd_targets_give_a_file_that_compiles(mean, std, tmp_path):
    model, _ = table_model(TARGETS["numbers"])
    model = replace(model, targets=replace(model.targets, means=(mean,), stds=(std,)))
    status, said = ran(compiled(tmp_path, c_file(model), "-DDELTARULE_TEST"))
    assert status == 0
    assert ("rows of cells are not compared" in said) == (mean > 1e300)


def test_sizes_count_the_columns():
    model, _ = table_model(TARGETS["numbers"])
    bare = Model(model.network, model.parameters)
    made, without = c_file(model), c_file(bare)
    assert made.flash - without.flash == 2 * 40 + 2 * 16 + 3 * 20 + 2 * 32 + 16
    assert made.ram - without.ram == 4 * (model.network.inputs + 1)
    classes = table_model(TARGETS["text"])[0]
    text = sum(len(label.encode()) + 1 + 4 for label in classes.targets.classes)
    assert c_file(classes).flash - c_file(Model(classes.network, classes.parameters)).flash == (
        2 * 40 + 2 * 16 + 3 * 20 + 2 * 32 + text
    )


@needs_compiler
def test_structures_have_the_sizes_that_are_counted(tmp_path):
    model, _ = table_model(TARGETS["numbers"])
    counts = {"numbers": 2 * 40, "booleans": 2 * 16, "categories": 3 * 20, "dates": 2 * 32}
    checks = [
        f"typedef char same_{n}[sizeof {n} == {size} ? 1 : -1];" for n, size in counts.items()
    ]
    made = c_file(model)
    compiled(tmp_path, made._replace(text="\n".join([made.text, *checks])), "-c")


def test_a_model_of_arrays_has_no_rows():
    network = dr.Network(2, [dr.Dense(1)])
    made = c_file(Model(network, network.initial_parameters()))
    assert "cells" not in made.text
    assert made.columns == {}


@needs_compiler
def test_a_table_without_targets_gives_outputs(tmp_path):
    model, frame = table_model(TARGETS["numbers"])
    model = replace(model, targets=None)
    made = c_file(model, rows=frame)
    assert "0  an output, as it is" in made.text
    assert ran(compiled(tmp_path, made, "-DDELTARULE_TEST"))[0] == 0


@needs_compiler
def test_the_empty_text_may_be_a_level(tmp_path):
    """Of models as they were once learned; a graph cannot have it."""
    frame = pl.DataFrame({"town": ["", "A", "B"] * 9})
    preprocessing = Preprocessing.fit(Dataset(frame, Reading()))
    network = dr.Network(preprocessing.width, [dr.Scale()])
    model = Model(network, network.initial_parameters(), preprocessing)
    found = Rows(tmp_path, model).prepared(frame)
    np.testing.assert_array_equal(found, preprocessing.transform(frame))


@needs_compiler
def test_cells_that_are_no_number_of_a_level(tmp_path):
    model, _ = table_model(TARGETS["two"])
    rows, towns = Rows(tmp_path, model), [4.0, 0.5, -7.0, 1e300, np.inf, -np.inf]
    given = np.zeros((len(towns), len(rows.made.columns)))
    at = list(rows.made.columns).index("town")
    given[:, at] = towns
    width = model.preprocessing.width
    X = rows.called("model_prepare", given, width, "float32")
    rare = model.preprocessing.names.index("town is rare")
    first = model.preprocessing.names.index("town = a b")
    assert (X[:, rare] == 1).all()
    assert (X[:, first : first + 4] == 0).all()


@needs_compiler
def test_infinity_is_moved_within_reach(tmp_path):
    model, _ = table_model(TARGETS["two"])
    rows = Rows(tmp_path, model)
    given = np.zeros((2, len(rows.made.columns)))
    names = list(rows.made.columns)
    given[:, names.index("count")] = given[:, names.index("built")] = [np.inf, -np.inf]
    X = rows.called("model_prepare", given, model.preprocessing.width, "float32")
    prepared = model.preprocessing.names
    assert X[:, prepared.index("count")].tolist() == [1e6, -1e6]
    assert X[:, prepared.index("built is missing")].tolist() == [1, 1]
    assert np.isfinite(X).all()


@pytest.mark.parametrize("rows_as", [feeds, cells])
def test_a_table_without_a_column_is_refused_by_its_name(rows_as):
    preprocessing = Preprocessing.fit(a_table())
    with pytest.raises(dr.DataError, match=r"lacks the column: 'town'.*columns of training"):
        rows_as(preprocessing, a_table().drop("town"))
