"""Export to ONNX: ONNX Runtime predicts what the model does, from the columns as they are."""

import datetime
import itertools
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest
from onnx.reference import ReferenceEvaluator
from tests import layer_cases as cases

import deltarule as dr
from deltarule.activations import ACTIVATIONS
from deltarule.costs import COSTS
from deltarule.data import Dataset, Reading
from deltarule.export import Checked, checked, feeds, made_up_rows, onnx_bytes, save_onnx
from deltarule.modelfile import Model
from deltarule.preprocessing import Preprocessing, Targets

OUTPUTS = [
    (cost, g)
    for cost, g in itertools.product(COSTS, ACTIVATIONS)
    if ACTIVATIONS(g).range in COSTS(cost).outputs
]
"""Every cost with every output activation that can feed it."""

NUMBERED = {"leaky_relu": "leaky_relu(0.2)", "elu": "elu(0.7)"}


def as_dtype(parameters, dtype):
    return tuple({name: W.astype(dtype) for name, W in own.items()} for own in parameters)


def a_model(layers, dtype="float32", cost="mse", inputs=cases.INPUTS):
    network = dr.Network(inputs, layers, cost)
    return Model(network, as_dtype(cases.parameters_of(network), dtype))


# ------------------------------------------------------------------------------- the network


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", cases.NETWORKS)
def test_every_kind_with_every_output(kind, dtype):
    """And every hidden activation, one after another; each kind takes a share of the outputs."""
    first = list(cases.NETWORKS).index(kind) + len(kind) * (dtype == "float64")
    hidden = itertools.cycle(ACTIVATIONS)
    for (cost, output), g in zip(OUTPUTS[first % 5 :: 5], hidden, strict=False):
        layers = [*cases.NETWORKS[kind], dr.Dense(4, NUMBERED.get(g, g)), dr.Dense(3, output)]
        model = a_model(layers, dtype, cost)
        X = cases.data_of(kind, m=30)[0]
        found = checked(onnx_bytes(model), model, X)
        assert 0 < found.rows <= 30
        assert found.deviation < 1e-5
        assert not found.made_up


def test_every_output_is_some_kinds():
    starts = {list(cases.NETWORKS).index(kind) % 5 for kind in cases.NETWORKS}
    assert starts == set(range(5))


@pytest.mark.parametrize("g", [name for name in ACTIVATIONS if name != "softmax"])
def test_every_learned_bend(g):
    model = a_model([dr.Dense(4), dr.Parametric(NUMBERED.get(g, g)), dr.Dense(2)])
    assert checked(onnx_bytes(model), model).deviation < 1e-5


def test_float64_is_computed_in_float64():
    model = a_model([dr.Dense(8, "tanh"), dr.LayerNorm("softplus"), dr.Dense(2)], "float64")
    assert checked(onnx_bytes(model), model).deviation < 1e-12


def test_codes_beyond_the_levels_are_the_reserved_one():
    model = a_model([dr.Embedding([3, 5], width=2), dr.Dense(1)], inputs=2)
    X = np.array([[0, 1], [2, 4], [3, 5], [-1, 0.5], [1e9, -7]])
    assert checked(onnx_bytes(model), model, X).deviation < 1e-6


def test_arrays_in_and_outputs_out():
    model = a_model([dr.Dense(4, "relu"), dr.Dense(3, "softmax")], cost="focal")
    session = onnxruntime.InferenceSession(onnx_bytes(model))
    X = cases.data_of("dense")[0].astype(np.float32)
    (A,) = session.run(["A"], {"X": X})
    np.testing.assert_allclose(A, model.outputs(X), atol=1e-6)


# --------------------------------------------------------------------------------- the table


def a_table(m=240, seed=0):
    """Every kind of column, missing values, a rare level, numbers that need float64."""
    rng = np.random.default_rng(seed)
    first = datetime.datetime(2020, 1, 1)
    towns = ["Ålesund", "Bø", "a b", "C", "rare 1", "rare 2"]
    return pl.DataFrame(
        {
            "area (m²)": [
                None if i % 7 == 0 else 1e9 + 30 * v for i, v in enumerate(rng.random(m))
            ],
            "count": rng.integers(0, 50, m),
            "town": [None if i % 11 == 0 else towns[i % 4 if i > 1 else 4 + i] for i in range(m)],
            "type": ["xyz"[i % 3] for i in range(m)],
            "heated": [["yes", "NO", None][i % 3] if i % 2 else "yes" for i in range(m)],
            "sold": [bool(v < 0.3) for v in rng.random(m)],
            "zip": [str(100 + i % 5) for i in range(m)],
            "seen": [first + datetime.timedelta(hours=7 * i) for i in range(m)],
            "built": [f"{1 + i % 28:02}.{1 + i % 12:02}.2021" if i % 9 else None for i in range(m)],
            "label": ["the same"] * m,
        }
    )


def strange_rows():
    """What training did not have: unseen levels, missing values in every column, far values."""
    none = pl.DataFrame({name: [None] for name in a_table().columns})
    far = a_table(3).with_columns(
        pl.lit(1e300).alias("area (m²)"),
        pl.lit("nowhere").alias("town"),
        pl.lit("q").alias("type"),
        pl.Series("heated", ["YES", "nO", "perhaps"]),
        pl.Series("sold", ["True", "FALSE", "x"]),
    )
    return [none, far]


TARGETS = {
    "text": [f"class {'äbc'[i % 3]}" for i in range(240)],
    "two": ["yes" if i % 3 else "no" for i in range(240)],
    "whole": [i % 4 + 3 for i in range(240)],
    "boolean": [i % 2 == 0 for i in range(240)],
    "numbers": [250.0 + 1.7 * i for i in range(240)],
}


def table_model(values, dtype="float32", kinds=None):
    frame = a_table()
    preprocessing = Preprocessing.fit(frame, kinds={"zip": "category", **(kinds or {})})
    targets = Targets.fit(pl.DataFrame({"price": values}), ["price"])
    case = "numbers" if targets.task == "regression" else targets.outputs
    cost, output = {"numbers": ("mse", "identity"), 1: ("binary_cross_entropy", "sigmoid")}.get(
        case, ("categorical_cross_entropy", "softmax")
    )
    network = dr.Network(
        preprocessing.width, [dr.Dense(8, "gelu"), dr.Dense(targets.outputs, output)], cost
    )
    parameters = as_dtype(network.initial_parameters(3), dtype)
    return Model(network, parameters, preprocessing, targets), frame


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", TARGETS)
def test_tables(target, dtype):
    model, frame = table_model(TARGETS[target], dtype)
    content = onnx_bytes(model)
    for rows in (frame, None, strange_rows()[0]):
        assert checked(content, model, rows).deviation < 1e-5
    kinds = {column.kind for column in model.preprocessing.columns}
    assert kinds == {"numeric", "category", "boolean", "date", "dropped"}


def test_far_values_and_unseen_levels():
    model, _ = table_model(TARGETS["two"])
    assert checked(onnx_bytes(model), model, strange_rows()[1]).deviation < 1e-5


def test_the_prepared_inputs_are_the_preprocessings():
    """Column by column, which a network's output could hide."""
    model, frame = table_model(TARGETS["numbers"])
    width = model.preprocessing.width
    same = dr.Network(width, [dr.Scale()])
    bare = Model(same, same.initial_parameters(), model.preprocessing)
    session = onnxruntime.InferenceSession(onnx_bytes(bare))
    for rows in (frame, *strange_rows()):
        (X,) = session.run(None, feeds(model.preprocessing, rows))
        np.testing.assert_allclose(X, model.preprocessing.transform(rows), rtol=1e-6, atol=1e-6)


def test_names_of_inputs_and_outputs():
    model, frame = table_model(TARGETS["text"])
    graph = onnx.load_from_string(onnx_bytes(model)).graph
    assert {i.name for i in graph.input} == {*frame.columns} - {"label"}
    assert [o.name for o in graph.output] == ["predicted_price", "probabilities"]
    about = {i.name: i.doc_string for i in graph.input}
    assert about["seen"] == "days since 1970-01-01 with their fraction (UTC), NaN where missing"
    assert "false or true" in about["sold"]
    model, _ = table_model(TARGETS["numbers"])
    assert [o.name for o in onnx.load_from_string(onnx_bytes(model)).graph.output] == [
        "predicted_price"
    ]


def test_a_column_may_be_called_as_an_output_or_a_node():
    frame = a_table().rename({"type": "probabilities", "count": "Gemm", "zip": "constant"})
    targets = Targets.fit(pl.DataFrame({"y": TARGETS["two"]}), ["y"])
    preprocessing = Preprocessing.fit(frame)
    network = dr.Network(preprocessing.width, [dr.Dense(1, "sigmoid")], "binary_cross_entropy")
    model = Model(network, network.initial_parameters(), preprocessing, targets)
    content = onnx_bytes(model)
    assert checked(content, model, frame).deviation < 1e-5
    outputs = [o.name for o in onnx.load_from_string(content).graph.output]
    assert outputs == ["predicted_y", "probabilities_2"]


def test_made_up_rows_have_what_training_had_and_what_it_had_not():
    model, frame = table_model(TARGETS["two"])
    rows = made_up_rows(model)
    for name in ("town", "heated", "seen", "area (m²)"):
        assert 0 < rows[name].null_count() < len(rows)
    assert set(frame["town"].drop_nulls()) - {"rare 1", "rare 2"} < set(rows["town"].drop_nulls())
    assert "unseen" in rows["town"]
    assert rows.equals(made_up_rows(model))


def both(content, given):
    """What two implementations make of a graph: ONNX Runtime and onnx's own reference."""
    session = onnxruntime.InferenceSession(content)
    with np.errstate(over="ignore", invalid="ignore"):  # within the reference's sigmoid
        return session.run(None, given), ReferenceEvaluator(content).run(None, given)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", TARGETS)
def test_the_reference_evaluator_agrees(target, dtype):
    """On rows with missing cells in every column, on unseen levels, on texts in any case."""
    model, frame = table_model(TARGETS[target], dtype)
    content = onnx_bytes(model)
    for rows in (frame, made_up_rows(model), *strange_rows()):
        found, expected = both(content, feeds(model.preprocessing, rows))
        for ours, theirs in zip(found, expected, strict=True):
            if ours.dtype == object:
                assert ours.tolist() == theirs.tolist()
            else:
                np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


TEXTS = {
    "empty and blank": (["yes", "no"], ["", " ", "Yes ", "yes", "NO"]),
    "accents": (["Ålesund", "Bø"], ["ålesund", "ÅLESUND", "Alesund", "bø", "BO", "", "BØ"]),
    "sharp s": (["Straße", "Weg"], ["STRASSE", "STRAẞE", "straße", "sTRAßE", "", "wEg"]),
    "dotted i": (["İzmir", "Ankara"], ["İZMİR", "i̇zmir", "izmir", "IZMIR", "", "ANKARA"]),
    "sigma": (["οδός", "στοά"], ["ΟΔΌΣ", "οδόσ", "Οδός", "ΣΤΟΆ", ""]),
    "cyrillic": (["мужской", "женский"], ["МУЖСКОЙ", "Мужской", "мУЖСКОЙ", "Женский", ""]),
    "kelvin": (["ok", "bad"], ["oK", "OK", "o\u212a", "BAD", ""]),
    "long": (["not at all likely", "likely"], ["NOT AT ALL LIKELY", "Not at all likely", ""]),
    "pieces": (["a,b", 'c"d'], ["A,B", 'C"D', "a", ""]),
}


@pytest.mark.parametrize("kind", ["boolean", "category"])
@pytest.mark.parametrize("case", TEXTS)
def test_texts_are_read_as_the_model_reads_them(case, kind):
    levels, texts = TEXTS[case]
    training = pl.DataFrame({"a": [*levels * 9, *([None] * 3)], "n": [float(i) for i in range(21)]})
    preprocessing = Preprocessing.fit(training, kinds={"a": kind})
    network = dr.Network(preprocessing.width, [dr.Scale()])
    content = onnx_bytes(Model(network, network.initial_parameters(), preprocessing))
    rows = pl.DataFrame({"a": [*levels, *texts, None], "n": [0.5] * (len(texts) + 3)})
    given = feeds(preprocessing, rows)
    present = [text != "" for text in given["a"]]  # which is a missing one in a graph
    expected = preprocessing.transform(rows.with_columns(pl.Series("a", [
        text if there else None for text, there in zip(given["a"], present, strict=True)
    ])))  # fmt: skip
    for (found,) in both(content, given):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("column", ["a", "b"])
def test_a_single_row_and_a_missing_one(column):
    """One row of empty texts: what a normalizer of text would leave as no row at all."""
    frame = pl.DataFrame({"a": ["yes", "no", None] * 9, "b": ["x", "y", "z"] * 9})
    preprocessing = Preprocessing.fit(frame)
    network = dr.Network(preprocessing.width, [dr.Scale()])
    content = onnx_bytes(Model(network, network.initial_parameters(), preprocessing))
    rows = pl.DataFrame({"a": ["YES"], "b": ["y"]}).with_columns(pl.lit(None).alias(column))
    for (found,) in both(content, feeds(preprocessing, rows)):
        np.testing.assert_allclose(found, preprocessing.transform(rows), atol=1e-6)


# ------------------------------------------------------------------------ refusals and faults


def test_what_is_no_expression_is_refused_by_name():
    bent = dr.Activation("bent", lambda Z: Z if Z.any() else -Z, lambda Z: np.ones_like(Z))
    with pytest.raises(
        dr.SettingError, match=r"activation 'bent' cannot be exported, because it branches"
    ):
        onnx_bytes(a_model([dr.Dense(2, bent)]))
    with pytest.raises(dr.SettingError, match=r"it branches .* or predict in Python"):
        onnx_bytes(a_model([dr.Parametric(bent), dr.Dense(1)]))

    class Twice(dr.Scale):
        kind = "twice"

    with pytest.raises(dr.SettingError, match="a layer of kind 'twice', its author's own"):
        onnx_bytes(a_model([Twice(), dr.Dense(1)]))


def test_the_empty_text_as_a_level_is_refused_by_column():
    frame = pl.DataFrame({"town": ["", "A", "B"] * 9})
    preprocessing = Preprocessing.fit(Dataset(frame, Reading()))  # as models once learned it
    network = dr.Network(preprocessing.width, [dr.Dense(1)])
    with pytest.raises(dr.SettingError, match="column 'town' has the empty text as a level"):
        onnx_bytes(Model(network, network.initial_parameters(), preprocessing))


def test_a_column_without_a_name_is_refused():
    preprocessing = Preprocessing.fit(pl.DataFrame({"": [1.5, 2.0, 3.0]}))
    network = dr.Network(1, [dr.Dense(1)])
    with pytest.raises(dr.SettingError, match="a column has no name"):
        onnx_bytes(Model(network, network.initial_parameters(), preprocessing))


def test_parameters_beyond_the_formats_size_are_refused(monkeypatch):
    monkeypatch.setattr("deltarule.export.onnx_file._LARGEST", 100)
    with pytest.raises(dr.SettingError, match="the parameters take 116 bytes, and an ONNX file"):
        onnx_bytes(a_model([dr.Dense(4), dr.Dense(1)]))


def test_a_boolean_is_told_in_any_case():
    frame = pl.DataFrame({"a": ["ja", "Straße"] * 9, "b": ["ss", "ß"] * 9})
    preprocessing = Preprocessing.fit(frame, kinds={"a": "boolean", "b": "boolean"})
    network = dr.Network(2, [dr.Scale()])
    model = Model(network, network.initial_parameters(), preprocessing)
    rows = pl.DataFrame({"a": ["JA", "jA", "STRASSE", "straße"], "b": ["SS", "ß", "ss", "sS"]})
    session = onnxruntime.InferenceSession(onnx_bytes(model))
    (X,) = session.run(None, feeds(preprocessing, rows))
    np.testing.assert_array_equal(X, preprocessing.transform(rows))


@pytest.mark.parametrize("offset", [0.0, -1e9, 1e12, 1e15])
def test_a_target_far_from_zero_is_held_to_what_float64_resolves(offset, tmp_path):
    frame = a_table()
    targets = Targets.fit(pl.DataFrame({"y": [offset + 0.25 * (i % 9) for i in range(240)]}), ["y"])
    preprocessing = Preprocessing.fit(frame)
    network = dr.Network(preprocessing.width, [dr.Dense(1)])
    model = Model(network, network.initial_parameters(1), preprocessing, targets)
    found = save_onnx(tmp_path / "m.onnx", model, frame)
    assert found.deviation <= max(1e-5, 2 * np.spacing(offset + 3) / targets.stds[0])
    wrong = replace(targets, means=(targets.means[0] + 4 * targets.stds[0],))
    with pytest.raises(dr.ExportError, match="This is a fault of the export"):
        checked(onnx_bytes(replace(model, targets=wrong)), model, frame)


def test_a_graph_that_predicts_something_else_is_not_kept(tmp_path, monkeypatch):
    model = a_model([dr.Dense(4, "tanh"), dr.Dense(1)])
    path = tmp_path / "m.onnx"
    assert save_onnx(path, model) == Checked(64, True, pytest.approx(0, abs=1e-5))
    before = path.read_bytes()
    monkeypatch.setattr(
        "deltarule.export.onnx_file.onnx_bytes",
        lambda *_: onnx_bytes(a_model([dr.Dense(4, "sigmoid"), dr.Dense(1)])),
    )
    with pytest.raises(dr.ExportError, match=r"lie up to .* from the model's.*Nothing was written"):
        save_onnx(path, model)
    assert path.read_bytes() == before


def test_predictions_that_overflow_cannot_be_compared():
    network = dr.Network(1, [dr.Dense(1, "exp")], "poisson")
    model = Model(network, ({"W": np.ones((1, 1)), "b": np.zeros((1, 1))},))
    X = np.full((3, 1), 1e6)
    with pytest.raises(dr.DataError, match=r"overflow on all 3 rows.*Pass other rows"):
        checked(onnx_bytes(model), model, X)


def test_wrong_labels_are_noticed():
    model, frame = table_model(TARGETS["text"])
    graph = onnx.load_from_string(onnx_bytes(model))
    for constant in graph.graph.initializer:
        if list(constant.string_data) and b"class" in constant.string_data[0]:
            constant.string_data[:] = reversed(constant.string_data)
    with pytest.raises(dr.ExportError, match="labels are not those of its probabilities"):
        checked(graph.SerializeToString(), model, frame)


def test_without_its_extra_it_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(dr.MissingExtraError, match=r'pip install "deltarule\[onnx\]"'):
        onnx_bytes(a_model([dr.Dense(1)]))
