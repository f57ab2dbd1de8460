"""One row from a dict: the same bits as a table of that row, whatever its cells are."""

import copy
import math
import pickle
import threading
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule.data import Reading, dataset_of
from deltarule.errors import DataError, SettingError, TypeMismatchError
from deltarule.modelfile import Model, load_model
from deltarule.preprocessing import Preprocessing
from deltarule.preprocessing import table as table_module
from deltarule.preprocessing.single_rows import RowEncoder
from deltarule.preprocessing.target_statistics import Outcomes
from deltarule.tabular.estimators import TabularClassifier, TabularRegressor

N = 400
START = datetime(2021, 3, 1, 6)


def flats(seed=0):
    rng = np.random.default_rng(seed)
    towns = [*("Bonn", "Köln", "Jena") * 40, *(f"place {i % 90}" for i in range(N))]
    frame = pl.DataFrame(
        {
            "area": rng.uniform(20, 200, N),
            "rooms": rng.integers(1, 7, N),
            "wealth": np.exp(6 * rng.standard_normal(N)),
            "price": [f"{int(v):,} EUR" for v in rng.integers(900, 99_000, N)],
            "garden": rng.choice(["yes", "no"], N),
            "side": rng.choice(["left", "right"], N),
            "grade": rng.integers(1, 4, N).astype(str),
            "town": rng.permutation(towns)[:N],
            "seen": [START + timedelta(minutes=977 * i) for i in range(N)],
            "day": [date(2021, 3, 1) + timedelta(days=i) for i in range(N)],
            "bought": [f"{i % 28 + 1:02}.{i % 12 + 1:02}.2019" for i in range(N)],
            "created_at": rng.integers(1_500_000_000, 1_600_000_000, N),
            "note": [f"nice {w} flat, {w} floor" for w in rng.choice(["old", "new", "top"], N)],
            "all the same": ["x"] * N,
        }
    )
    gaps = [name for name in ("area", "garden", "seen", "town") if seed]
    for name in gaps:
        cells = frame[name].to_list()
        for i in range(0, N, 9):
            cells[i] = None
        frame = frame.with_columns(pl.Series(name, cells))
    return frame


def fitted(seed):
    data = dataset_of(flats(seed), Reading())
    made = Preprocessing.fit(data)
    outcomes = Outcomes(("mean of y",), np.arange(N, dtype=float)[:, None])
    made = made.with_statistics(data.frame, ["town"], outcomes)
    return made.with_text(data.frame, ["note"])


@pytest.fixture(scope="module", params=[0, 1], ids=["whole", "with gaps"])
def preprocessing(request):
    return fitted(request.param)


def same(preprocessing, encoder, row):
    """Compare the bits; where a table of the row is refused, so is the row, in the same words."""
    try:
        expected = preprocessing.transform([row])
    except (DataError, TypeMismatchError) as error:
        with pytest.raises(type(error).__mro__[1] if hasattr(error, "row") else type(error)) as met:
            encoder.encode(row)
        told = str(error).replace(" in row 0 of the table, counted from 0", "")
        assert str(met.value) == told
        return
    for _ in range(2):  # new cells, and those that are kept
        encoder.encode(row)
        assert encoder.X.tobytes() == expected.tobytes(), row


def test_every_kind_of_column_is_among_them(preprocessing):
    kinds = {column.name: column.kind for column in preprocessing.columns}
    assert set(kinds.values()) == {
        *("numeric", "scores", "boolean", "category", "date", "text", "dropped")
    }
    assert kinds["wealth"] == "scores"
    assert kinds["price"] == "numeric"
    dates = ["seen", "day", "bought", "created_at"]
    assert {kinds[name] for name in dates} == {"date"}


def test_rows_have_the_bits_of_the_table(preprocessing):
    encoder = RowEncoder(preprocessing)
    for row in [*flats(0).to_dicts()[:60], *flats(1).to_dicts()[:60], *flats(2).to_dicts()[:60]]:
        same(preprocessing, encoder, row)


CELLS = {
    "area": (
        *(None, math.nan, 50, 50.0, -0.0, True, "50", " 50 ", "wide", "NA", Decimal("50.25")),
        *(np.float32(0.1), np.float64(50.1), np.int64(5), np.nan, 1e300, -1e12, 10**30, 10**400),
        *(math.inf, -math.inf, datetime(2020, 1, 1), timedelta(hours=1)),
    ),
    "rooms": (3, 3.0, 2**53 + 1, "4", "four", np.uint8(4), False),
    "wealth": (
        *(None, 1, 1.0, 2.5, 1e-9, 1e9, math.inf, math.nan, "7", np.float32(3.3), 10**400, True),
    ),
    "price": ("1,490 EUR", "1490", 1490, 1490.5, "EUR 1,490", "-", "n/a", "cheap", None, ""),
    "garden": ("yes", "YES", "no", True, False, 1, "1", None, "?", "maybe", 0.0, np.True_),
    "side": ("left", "Right", "middle", None, 7),
    "grade": ("1", 1, 1.0, "1.0", " 2", "9", None, 2.5, np.int32(3), Decimal(3)),
    "town": ("Bonn", " Bonn ", "bonn", "place 7", "Rome", "", "NA", None, 5, 5.0, True),
    "seen": (
        *(datetime(2024, 2, 29, 23, 59, 59, 999_999), datetime(1950, 1, 1, 1, 1, 1, 1)),
        *(
            datetime(2024, 5, 1, tzinfo=timezone(timedelta(hours=5))),
            datetime(2024, 5, 1, tzinfo=UTC),
        ),
        *(date(2024, 5, 1), "2024-05-01", "2024-05-01T10:30:00Z", "2024-05-01 10:30", "soon", None),
        *(
            np.datetime64("2024-05-01T10"),
            np.datetime64("NaT"),
            20240501,
            1.5,
            "NA",
            " 2024-05-01 ",
        ),
    ),
    "day": (date(1, 1, 1), date(9999, 12, 31), datetime(2024, 5, 1, 12), "2024-05-01", "1.5.2024"),
    "bought": ("31.05.2024", "31.13.2024", "2024-05-31", date(2024, 5, 31), None, "", 5, "1.1.24"),
    "created_at": (1_550_000_000, 1_550_000_000.5, "1550000000", None, datetime(2020, 1, 1), True),
    "note": ("old flat", "OLD, old!", "", "...", None, "strange", "new new old top", 5, "top " * 7),
}


@pytest.mark.parametrize("name", CELLS)
def test_any_cell_is_read_as_in_a_table(preprocessing, name):
    encoder, usual = RowEncoder(preprocessing), flats(0).row(3, named=True)
    for cell in CELLS[name]:
        same(preprocessing, encoder, usual | {name: cell})
        same(preprocessing, encoder, usual)


@pytest.mark.parametrize(
    "cell", [[50.0], {"a": 1}, ("a",), b"5", {5}, object()], ids=lambda cell: type(cell).__name__
)
def test_cells_of_other_types_are_refused(preprocessing, cell):
    encoder, usual = RowEncoder(preprocessing), flats(0).row(3, named=True)
    for name in CELLS:
        with pytest.raises(DataError, match=f"column '{name}'"):
            encoder.encode(usual | {name: cell})


def test_pandas_cells_are_read_too(preprocessing):
    pd = pytest.importorskip("pandas")
    encoder, usual = RowEncoder(preprocessing), flats(0).row(3, named=True)
    for cell in (pd.Timestamp("2024-05-01 10:30:00.123456789"), pd.NaT, pd.NA):
        same(preprocessing, encoder, usual | {"seen": cell})
    same(preprocessing, encoder, usual | {"area": pd.NA})


def test_few_cells_are_kept(monkeypatch):
    monkeypatch.setattr("deltarule.preprocessing.single_rows._MOST_KEPT", 3)
    made = Preprocessing.fit({"town": ["A", "B", "A"]})
    encoder = RowEncoder(made)
    for i in range(20):
        same(made, encoder, {"town": f"town {i}"})
        same(made, encoder, {"town": "A"})
    (write,) = [write for _, write in encoder._writes]
    assert len(write.__self__.kept) == 5


# -------------------------------------------------------------------------------- whole models


def regression(**settings):
    table = flats(1)
    return TabularRegressor(epochs=1, random_state=0, **settings).fit(
        table.drop("note"), np.log(table["wealth"].to_numpy())
    )


MODELS = {
    "one network": lambda: regression(n_ensemble=1),
    "two networks": lambda: regression(n_ensemble=2),
    "members": lambda: regression(n_members=2),
    "float64": lambda: regression(n_ensemble=1, dtype="float64"),
}


@pytest.mark.filterwarnings("ignore:column")
@pytest.mark.parametrize("name", MODELS)
def test_a_row_is_predicted_as_a_table_of_it(name):
    estimator = MODELS[name]()
    predictor = estimator.row_predictor()
    for row in flats(2).to_dicts()[:20]:
        del row["note"]
        (expected,) = estimator.predict([row])
        found = predictor(row)
        assert type(found) is float
        assert found == expected == estimator.predict_row(row) == estimator.model_.predict_row(row)


def test_classes_come_with_probabilities_on_request():
    rng = np.random.default_rng(0)
    X = pl.DataFrame({"x": rng.standard_normal(90), "c": rng.choice(["a", "b"], 90)})
    for classes in (["lo", "hi"], [0, 1, 2], [False, True]):
        y = [classes[i % len(classes)] for i in range(90)]
        estimator = TabularClassifier(epochs=1, random_state=0, n_ensemble=1).fit(X, y)
        for row in X.to_dicts()[:10]:
            label = estimator.predict_row(row)
            assert label == estimator.predict([row])[0]
            assert type(label) is type(classes[0])
            P = estimator.predict_proba_row(row)
            assert list(P) == sorted(classes)
            assert list(P.values()) == estimator.predict_proba([row])[0].tolist()
            assert estimator.row_predictor().predict_proba(row) == P


def test_several_targets_and_columns_with_roles():
    rng = np.random.default_rng(0)
    X = pl.DataFrame({"x": rng.standard_normal(60), "w": rng.uniform(1, 2, 60)})
    Y = pl.DataFrame({"u": rng.standard_normal(60), "v": rng.standard_normal(60)})
    X = X.with_columns(remark=pl.lit("none"))
    settings = {"weights": "w", "drop": ["remark"]}
    estimator = TabularRegressor(epochs=1, random_state=0, n_ensemble=1, **settings).fit(X, Y)
    row = X.row(0, named=True)
    assert estimator.predict_row({"x": row["x"]}) == dict(
        zip("uv", estimator.predict([row])[0].tolist(), strict=True)
    )
    assert estimator.predict_row(row | {"u": 1.0, "v": 2.0}) == estimator.predict_row(row)
    with pytest.raises(TypeMismatchError, match="expected a model that was trained on classes"):
        estimator.row_predictor().predict_proba(row)


def test_names_that_do_not_fit_are_named(preprocessing):
    encoder, row = RowEncoder(preprocessing, ["rent"]), flats(0).row(0, named=True)
    encoder.encode(row | {"rent": 1.0, "all the same": None})
    wrong = {
        "the row lacks the column: 'area'. Did you mean 'aera'?": ({"aera": 50.0}, ["area"]),
        "the row lacks 2 columns: 'area', 'rooms'. Expected the columns of training; None": (
            *({}, ["area", "rooms"]),
        ),
        "the row has 'flour', which is not a column of the training table.": ({"flour": 3}, []),
        "which is not a column of the training table. Did you mean 'garden'?": (
            {"gardn": "no"},
            [],
        ),
    }
    for message, (added, taken) in wrong.items():
        cells = {name: cell for name, cell in (row | added).items() if name not in taken}
        with pytest.raises(DataError) as met:
            encoder.encode(cells)
        assert message in str(met.value)
    for odd in ([row], list(row.values()), None, "area"):
        with pytest.raises(TypeMismatchError, match="row: expected a mapping of column names"):
            encoder.encode(odd)


def test_names_that_are_numbers_are_text():
    made = Preprocessing.fit({0: [1.0, 2.0, 3.0], 1: [2.0, 1.0, 1.0]})
    encoder = RowEncoder(made)
    same(made, encoder, {0: 1.5, 1: 2.5})


def test_a_model_of_arrays_has_no_rows_by_name():
    network = dr.Network(2, [dr.Dense(1)])
    model = Model(network, network.initial_parameters())
    with pytest.raises(SettingError, match="expected a model of a table; this one is of arrays"):
        model.predict_row({"a": 1.0})


def test_a_model_that_has_predicted_rows_is_copied_saved_and_sent(tmp_path):
    X = pl.DataFrame({"x": np.arange(40.0), "c": ["a", "b"] * 20})
    estimator = TabularRegressor(epochs=1, random_state=0, n_ensemble=1).fit(X, np.arange(40.0))
    row = {"x": 3.5, "c": "b"}
    expected = estimator.predict_row(row)
    assert pickle.loads(pickle.dumps(estimator)).predict_row(row) == expected
    assert copy.deepcopy(estimator.model_).predict_row(row) == expected
    estimator.save(tmp_path / "m")
    assert load_model(tmp_path / "m").predict_row(row) == expected
    assert dr.load(tmp_path / "m").predict_row(row) == expected


def test_threads_take_turns():
    X = pl.DataFrame({"x": np.arange(40.0), "c": ["a", "b"] * 20})
    estimator = TabularRegressor(epochs=1, random_state=0, n_ensemble=1).fit(X, np.arange(40.0))
    predictor, rows = estimator.row_predictor(), X.to_dicts()
    expected = [predictor(row) for row in rows]
    found = {}

    def run(k):
        found[k] = [[predictor(row) for row in rows] for _ in range(30)]

    threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(each == expected for own in found.values() for each in own)


def test_the_table_is_not_asked_for_a_row_whose_cells_are_known(monkeypatch):
    made = Preprocessing.fit({"area": [50.0, 60.0, 70.0], "town": ["A", "B", "A"]})
    encoder = RowEncoder(made)

    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr("deltarule.preprocessing.single_rows.column_of", refuse)
    monkeypatch.setattr(table_module, "frame_of", refuse)
    encoder.encode({"area": 55.5, "town": "B"})
    encoder.encode({"area": None, "town": "A"})
