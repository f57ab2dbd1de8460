"""A model a key: each key's model depends on its own rows alone, and no key spoils another."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import polars as pl
import pytest

import deltarule as dr
from deltarule import keyed, tabular
from deltarule.cli import main
from deltarule.keyed import backends, running, workers
from deltarule.keyed.grouping import held_out, key_seeds, latest, starts_of
from deltarule.keyed.training import order_of, scaled
from deltarule.system.storage import FolderLock
from deltarule.tabular import Roles, Settings

QUICK = Settings(epochs=5, hidden=(5,), batch_size=8)
NAMES = ["a", "b", "c"]


def stores(count=60, m=40, seed=0):
    """A table of `count` stores of `m` rows, in no order."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, m, 3)) * 10 + np.arange(count)[:, None, None]
    slopes = np.random.default_rng(1).normal(size=(count, 1, 3))
    y = (X * slopes).sum(axis=2) + rng.normal(size=(count, m))
    columns = {name: X[:, :, i].ravel() for i, name in enumerate(NAMES)}
    level = np.where(y > np.median(y, axis=1, keepdims=True), "high", "low")
    level[1::2][y[1::2] > np.quantile(y[1::2], 0.9, axis=1, keepdims=True)] = "top"
    frame = pl.DataFrame(
        {
            "store": np.repeat([f"s{k}" for k in range(count)], m),
            **columns,
            "colour": rng.choice(["red", "blue"], count * m),
            "sold": y.ravel(),
            "level": level.ravel(),
        }
    )
    return frame[rng.permutation(count * m)]


def trained(frame, target="sold", settings=QUICK, **more):
    other = {"sold": "level", "level": "sold"}[target]
    return dr.train_by_key(frame, target, "store", settings=settings, drop=[other], **more)


def assert_same(one, other, keys=None):
    """The same bits of every array of the keys both have."""
    assert keys is not None or one.keys == other.keys
    chosen = [
        np.array([models.keys.index(key) for key in keys or one.keys]) for models in (one, other)
    ]
    left, right = (models.stack.tensors() for models in (one, other))
    for name in left:
        if name != "texts":
            np.testing.assert_array_equal(left[name][chosen[0]], right[name][chosen[1]])


@pytest.fixture(scope="module")
def frame():
    return stores()


@pytest.fixture(scope="module")
def models(frame):
    return trained(frame)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(running, "KEYS_A_BLOCK", 7)


@pytest.fixture
def here(tmp_path, monkeypatch, frame):
    monkeypatch.chdir(tmp_path)
    frame.write_parquet("stores.parquet")
    return tmp_path


TRAIN = ["train", "stores.parquet", "--target", "sold", "--by", "store", "--drop", "level"]
TRAIN += ["--epochs", "5", "--hidden", "5", "--batch-size", "8"]


# ------------------------------------------------------------------------------ what is drawn


def test_seeds_depend_on_the_seed_and_the_text_alone():
    seeds = key_seeds(3, ["north", "süd", ""])
    assert (seeds < 2**63).all()
    assert len(set(seeds)) == 3
    assert key_seeds(3, ["süd"])[0] == seeds[1]
    assert key_seeds(4, ["süd"])[0] != seeds[1]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_each_key_gives_its_share_of_each_class_and_keeps_one_of_each(share):
    counts = np.array([10, 11, 200, 37])
    starts, seeds = starts_of(counts), key_seeds(0, "abcd")
    labels = np.random.default_rng(0).integers(0, 3, counts.sum())
    labels[starts[1] : starts[2]] = [5] + [6] * 10
    held = held_out(starts, labels, seeds, share, "test")
    for k, count in enumerate(counts):
        own, classes = held[starts[k] : starts[k + 1]], labels[starts[k] : starts[k + 1]]
        assert 0 < own.sum() <= share * count
        assert set(classes[~own]) == set(classes)
        for label in set(classes):
            expected = share * (classes == label).sum()
            assert abs(own[classes == label].sum() - expected) <= 2
    alone = held_out(np.array([0, 200]), labels[starts[2] : starts[3]], seeds[2:3], share, "test")
    np.testing.assert_array_equal(held[starts[2] : starts[3]], alone)
    assert (held != held_out(starts, labels, seeds, share, "validation")).any()


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_the_latest_rows_of_each_key_are_held_out(share):
    rng = np.random.default_rng(0)
    counts = np.array([10, 31, 8])
    starts, time = starts_of(counts), rng.integers(0, 12, counts.sum())
    time[starts[2] :] = 5  # all at once: none is later than others
    held = latest(starts, time, share)
    for k, count in enumerate(counts[:2]):
        own, when = held[starts[k] : starts[k + 1]], time[starts[k] : starts[k + 1]]
        assert own.any()
        assert when[~own].max() < when[own].min()
        assert own.sum() <= share * count + (when == when[own].min()).sum()
    assert not held[starts[2] :].any()


# --------------------------------------------------------------------------------- the models


def test_each_model_is_what_train_makes_of_the_keys_own_rows(frame, models):
    whole = keyed.problem(frame, "store", Roles(("sold",), drop=("level",)), QUICK, strict=False)
    k, work = 17, whole.work
    own, seed = whole.block.between(k, k + 1), key_seeds(0, [whole.block.keys[k]])
    test = held_out(own.starts, None, seed, 0.2, "test")
    rest = np.flatnonzero(~test)
    held = held_out(np.array([0, len(rest)]), None, seed, 0.2, "validation")
    learnt, evaluating = rest[~held], rest[held]
    stack = models.stack
    X = scaled(own.X, np.full(len(own.X), k), stack.shift, stack.factor)
    np.testing.assert_allclose(X[learnt][:, work.scaled].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(X[learnt][:, work.scaled].std(axis=0), 1, rtol=1e-6)
    y = ((own.y - stack.mean[k]) / stack.std[k]).astype(np.float32)
    one = dr.train(
        work.recipe.network,
        X[learnt],
        y[learnt],
        validation=(X[evaluating], y[evaluating]),
        shuffle=order_of(int(seed[0]), len(learnt)),
        optimizer=work.run.plan.optimizer_row,
        regularization=work.run.plan.regularization,
        batch_size=work.run.batch_size,
        epochs=5,
        seed=int(seed[0]),
    )
    for l, layer in enumerate(one.parameters):
        for name, W in layer.items():
            np.testing.assert_array_equal(W, stack.parameters[l][name][k])
    errors = one.predict(X[test]) * stack.std[k] + stack.mean[k] - own.y[test]
    assert np.sqrt((errors**2).mean()) == pytest.approx(stack.figures[k, 0], rel=1e-5)
    plain = own.y[rest].mean() - own.y[test]
    assert np.sqrt((plain**2).mean()) == pytest.approx(stack.figures[k, 2], rel=1e-6)
    assert stack.rows[k].tolist() == [len(learnt), len(evaluating), test.sum()]


def test_the_same_bits_for_any_number_of_workers_and_threads(frame, models, small_blocks):
    assert_same(trained(frame, n_jobs=4), models)
    assert_same(trained(frame, settings=replace(QUICK, n_threads=3)), models)


@pytest.fixture(scope="module")
def many():
    """300 keys, and the file of their models trained by this process alone."""
    frame = stores(300, 20).drop("level")
    return frame, file_of(dr.train_by_key(frame, "sold", "store", settings=QUICK))


def file_of(models):
    with tempfile.TemporaryDirectory() as folder:
        models.save(f"{folder}/models")
        return Path(folder, "models").read_bytes()


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading", "sequential"])
def test_the_same_bytes_on_every_backend(many, backend):
    frame, expected = many
    with joblib.parallel_config(backend=backend, n_jobs=2):
        models = dr.train_by_key(frame, "sold", "store", settings=QUICK)
    assert file_of(models) == expected


class Elsewhere(joblib.parallel.ParallelBackendBase):
    """A backend of others."""

    def effective_n_jobs(self, n_jobs):
        return 2


def test_other_backends_are_refused(frame, monkeypatch):
    monkeypatch.setitem(joblib.parallel.BACKENDS, "elsewhere", Elsewhere)
    with (
        joblib.parallel_config(backend="elsewhere", n_jobs=2),
        pytest.raises(dr.SettingError, match=r"joblib's Elsewhere: .* Expected the backend loky"),
    ):
        trained(frame)


@pytest.mark.parametrize("n_jobs", [0, 1.5, "2"])
def test_a_number_of_workers_that_is_none(frame, n_jobs):
    with pytest.raises(dr.SettingError, match=r"n_jobs=.*: expected a number of workers"):
        trained(frame, n_jobs=n_jobs)
    with (
        joblib.parallel_config(n_jobs=n_jobs),
        pytest.raises(dr.SettingError, match=r"n_jobs=.*: expected a number of workers"),
    ):
        trained(frame)


def test_a_key_that_comes_or_goes_changes_no_other(frame, models):
    fewer = trained(frame.filter(pl.col("store") != "s3"))
    kept = [key for key in models.keys if key != "s3"]
    assert list(fewer.keys) == kept
    whole, less = (m.stack.parameters[0]["W"] for m in (models, fewer))
    chosen = [k for k, key in enumerate(models.keys) if key != "s3"]
    # What is shared, a column's usual scale, moves a little: the draws and shapes stay.
    assert np.abs(whole[chosen] - less).max() < 0.05
    np.testing.assert_array_equal(models.stack.rows[chosen], fewer.stack.rows)


def test_jax_trains_the_same_models_in_one_program(frame):
    few = frame.filter(pl.col("store").is_in([f"s{k}" for k in range(6)]))
    settings = replace(QUICK, dtype="float64")
    native, other = (trained(few, settings=replace(settings, engine=e)) for e in ("native", "jax"))
    assert native.keys == other.keys
    np.testing.assert_allclose(native.stack.figures, other.stack.figures, rtol=1e-6)


def test_classes_absent_in_some_keys(frame):
    some = frame.filter(pl.col("store").is_in([f"s{k}" for k in range(8)]))
    settings = Settings(epochs=40, learning_rate=0.03)
    models = trained(some, "level", settings)
    assert models.targets.classes == ("high", "low", "top")
    P = models.predict_proba(some)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)
    never = (some["store"] == "s0").to_numpy()
    assert P[never, 2].mean() < 0.1
    assert (models.predict(some)["level"] == some["level"]).mean() > 0.7
    assert models.summary.evaluated == 8
    two = trained(some.filter(pl.col("level") != "top"), "level", settings)
    assert two.network.outputs == 1
    assert two.predict_proba(some).shape == (320, 2)


def test_time_tests_the_future_and_leaves_keys_of_one_time_out(frame):
    days = frame.with_columns(
        day=pl.when(pl.col("store") == "s2").then(1).otherwise(pl.Series(np.arange(2400) % 977))
    )
    models = trained(days, time="day")
    assert models.failures == {"s2": "its 40 rows cannot be split into the requested shares"}
    learnt, _, test = models.stack.rows.sum(axis=0)
    assert 0.15 < test / (59 * 40) < 0.25
    assert learnt > 59 * 40 * 0.55
    assert (models.stack.figures[:, 0] != trained(frame).stack.figures[:59, 0]).all()


def test_several_targets(frame):
    twice = frame.with_columns(double=pl.col("sold") * 2)
    models = dr.train_by_key(twice, ("sold", "double"), "store", settings=QUICK, drop=["level"])
    found = models.predict(twice)
    assert found.columns == ["sold", "double"]
    assert models.stack.mean.shape == (60, 2)


# ----------------------------------------------------------------------------- poisoned keys


def test_poisoned_keys_are_told_and_all_others_are_trained_as_without_them(frame):
    frame = frame.sort("store", maintain_order=True).with_columns(
        number=pl.Series(list(range(40)) * 60)
    )

    def put(column, key, value, row=None):
        is_meant = pl.col("store") == key
        is_meant = is_meant if row is None else is_meant & (pl.col("number") == row)
        return pl.when(is_meant).then(value).otherwise(column).alias(column)

    poisoned = frame
    for change in (
        put("sold", "s1", float("inf"), row=3),
        put("sold", "s2", None),
        put("sold", "s4", 7.0),
        put("b", "s5", float("-inf"), row=0),
        put("c", "s6", 1e38 * pl.col("c")),
        put("a", "s7", None),
        put("sold", "s9", 1e300 * pl.col("a")),
    ):
        poisoned = poisoned.with_columns(change)
    poisoned = poisoned.filter((pl.col("store") != "s8") | (pl.col("number") == 0))
    models = trained(poisoned.drop("number"))
    row = int((poisoned["sold"] == float("inf")).arg_max())
    assert set(models.failures) == {"s1", "s2", "s4", "s5", "s8", "s9"}
    assert models.failures["s2"] == "its target is missing in every row"
    assert models.failures["s4"] == "its target has one value in all 40 rows"
    assert models.failures["s5"].startswith("column 'b' holds -inf in row ")
    assert models.failures["s8"] == "has 1 row with a target; expected at least 10"
    assert models.failures["s9"].startswith("its target is too large to be scaled, up to ")
    assert (
        models.failures["s1"]
        == f"column 'sold' holds inf in row {row} of the table, counted from 0"
    )
    assert len(models) == 54
    clean = trained(frame.with_columns(put("a", "s7", None)).drop("number"))
    others = [k for k, key in enumerate(models.keys) if key not in ("s6", "s7")]
    same = [clean.keys.index(models.keys[k]) for k in others]
    ratio = models.stack.figures[others, 0] / clean.stack.figures[same, 0]
    assert abs(np.log(ratio)).max() < 0.05  # 1e38 in one key leaves the others' scales alone


def test_a_key_that_diverges_is_told_and_leaves_its_block_alone(frame):
    whole = keyed.problem(frame, "store", Roles(("sold",), drop=("level",)), QUICK, strict=False)
    block = whole.block.between(0, 5)
    X = block.X.copy()
    X[block.starts[2] : block.starts[3]] = np.where(block.X[block.starts[2] :][:40] > 0, 1e6, -1e6)
    linear = dr.Network(block.X.shape[1], [dr.Dense(1)])
    run = whole.work.run
    run = replace(run, plan=replace(run.plan, network=linear, optimizer=dr.SGD(0.01)))
    recipe = replace(whole.work.recipe, run=run)
    raw = np.zeros(block.X.shape[1], bool)  # inputs as they are: 1e6 is too much for this rate
    work = replace(whole.work, recipe=recipe, scaled=raw)
    found = keyed.train_block(work, block._replace(X=X))
    sick = block.keys[2]
    assert list(found.failures) == [sick]
    assert found.failures[sick].startswith("its training diverged in epoch ")
    assert found.failures[sick].endswith("; lower the learning rate")
    sound = keyed.train_block(work, block)
    chosen = [k for k, key in enumerate(block.keys) if key != sick]
    np.testing.assert_array_equal(found.parameters[0]["W"], sound.parameters[0]["W"][chosen])


def test_keys_of_one_class(frame):
    one = frame.with_columns(
        pl.when(pl.col("store") == "s3").then(pl.lit("low")).otherwise("level").alias("level")
    )
    models = trained(one, "level")
    assert models.failures == {"s3": "its target has one class in all 40 rows"}


def test_where_no_key_can_be_trained_the_first_reason_is_told(frame):
    few = frame.group_by("store", maintain_order=True).head(5)
    with pytest.raises(dr.DataError, match=r"none of the 60 keys.*'s0', for one, has 5 rows"):
        trained(few)


@pytest.mark.parametrize(
    ("settings", "roles", "message"),
    [
        ({"n_ensemble": 2}, {}, r"\(n_ensemble=2\): n_ensemble must be its default, 1, beside by"),
        ({"patience": 3}, {}, "patience must be its default, None, beside by"),
        ({"class_weight": "balanced"}, {}, "class_weight must be"),
        ({"optimizer": "lbfgs"}, {}, "optimizer must be one that trains on batches"),
        ({"cost": "poisson"}, {}, "cost must be one of mse"),
        ({}, {"groups": "a"}, r"Roles\(groups='a'\): groups must be its default"),
        ({}, {"weights": "a"}, "weights must be its default"),
        ({}, {"drop": ("store",)}, "by must be a column without another role"),
    ],
)
def test_settings_that_a_model_a_key_has_no_use_for(frame, settings, roles, message):
    with pytest.raises(dr.SettingError, match=message):
        keyed.problem(
            frame, "store", Roles(("sold",), **roles), replace(QUICK, **settings), strict=False
        )


def test_keys_that_are_not_there(frame):
    with pytest.raises(dr.DataError, match=r"no column 'shop' \(by\)"):
        keyed.problem(frame, "shop", Roles(("sold",)), QUICK, strict=False)
    empty = frame.with_columns(store=pl.lit(None, pl.String))
    with pytest.raises(dr.DataError, match="missing in every row"):
        keyed.problem(empty, "store", Roles(("sold",)), QUICK, strict=False)


# --------------------------------------------------------------------- cut short and resumed

KILLED = """
import os, signal, sys
import polars as pl
from deltarule import keyed
from deltarule.keyed import running
from deltarule.tabular import Roles, Settings

running.KEYS_A_BLOCK = 7
settings = Settings(epochs=5, hidden=(5,), batch_size=8)
roles = Roles(("sold",), drop=("level",))
whole = keyed.problem(pl.read_parquet("stores.parquet"), "store", roles, settings, strict=False)

def progress(done, count):
    if done >= 28:
        os.kill(os.getpid(), signal.SIGKILL)

keyed.run(whole, settings, out="out", progress=progress)
"""


def test_killed_halfway_and_resumed(here, frame, models, small_blocks):
    done = subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert done.returncode == -9
    kept = sorted(path.name for path in (here / "out").glob("part-*"))
    assert kept == [f"part-{k:06d}.safetensors" for k in range(4)]
    with pytest.raises(dr.SettingError, match="holds models of an earlier run"):
        trained(frame, out="out")
    other = replace(QUICK, epochs=6)
    with pytest.raises(dr.FileError, match="another run: epochs was 5 there and is 6 here"):
        trained(frame, out="out", resume=True, settings=other)
    changed = frame.with_columns(a=pl.col("a") + (pl.col("store") == "s9") * 1e-3)
    with pytest.raises(dr.FileError, match="to another run: X was"):
        trained(changed, out="out", resume=True)
    (here / "out" / ".part-000004.safetensors.x").write_bytes(b"half of it")
    begun = []
    original = running.train_block
    running.train_block = lambda work, block: begun.append(block.keys) or original(work, block)
    try:
        resumed = trained(frame, out="out", resume=True)
    finally:
        running.train_block = original
    assert sum(map(len, begun)) == 60 - 28
    assert_same(resumed, models)
    assert sorted(path.name for path in (here / "out").iterdir()) == [".lock", keyed.FILE]
    once_more = trained(frame, out="out", resume=True)
    assert_same(once_more, models)
    with pytest.raises(dr.FileError, match="to another run: seed was 0 there and is 1 here"):
        trained(frame, out="out", resume=True, settings=replace(QUICK, seed=1))


@pytest.mark.parametrize(("source", "name"), [(0, 1), (0, 99), (8, 0)])
def test_a_part_under_another_name_is_refused(here, frame, models, small_blocks, source, name):
    subprocess.run([sys.executable, "-c", KILLED.replace("done >= 28", "done >= 60")], check=False)
    parts = [here / "out" / f"part-{place:06d}.safetensors" for place in (source, name)]
    shutil.copy(*parts)
    with pytest.raises(dr.FileError, match="holds other keys than the part of that number"):
        trained(frame, out="out", resume=True)
    parts[1].unlink()
    assert_same(trained(frame, out="out", resume=True), models)


def test_a_process_of_threads_is_killed_and_resumed(here, frame, models, small_blocks):
    code = KILLED.replace("keyed.run(", "import joblib\nwith joblib.parallel_config('threading', "
                          "n_jobs=2): keyed.run(")  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert len(list((here / "out").glob("part-*"))) == 4
    assert_same(trained(frame, out="out", resume=True), models)


def test_ctrl_c_keeps_what_is_finished(here, frame, small_blocks):
    whole = keyed.problem(frame, "store", Roles(("sold",), drop=("level",)), QUICK, strict=False)

    def interrupt(done, count):
        if done >= 14:
            raise KeyboardInterrupt

    with pytest.raises(dr.InterruptionError, match=r"14 of 60 keys are saved in out; resume=True"):
        keyed.run(whole, QUICK, out="out", progress=interrupt)
    assert len(list((here / "out").glob("part-*"))) == 2
    with pytest.raises(KeyboardInterrupt):
        keyed.run(whole, QUICK, progress=interrupt)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_a_worker_that_is_killed_is_named_and_what_finished_is_resumed(
    here, frame, models, small_blocks, backend
):
    whole = keyed.problem(frame, "store", Roles(("sold",), drop=("level",)), QUICK, strict=False)
    killed = []

    def kill(done, count):
        if not killed:
            killed.append(min(p.pid for p in multiprocessing.active_children()))
            os.kill(killed[0], signal.SIGKILL)

    with joblib.parallel_config(backend=backend, n_jobs=2):
        with pytest.raises(dr.ResourceError, match=r"keys are saved in out; resume=True") as error:
            keyed.run(whole, QUICK, out="out", progress=kill)
        assert f"process {killed[0]} was killed by signal 9 (Killed)" in str(error.value)
        assert not multiprocessing.active_children()
        kept = len(list((here / "out").glob("part-*")))
        assert kept >= 1
        assert f"{7 * kept} of 60 keys" in str(error.value)
        assert_same(keyed.run(whole, QUICK, out="out", resume=True), models)


def with_engine(whole, engine):
    recipe = replace(whole.work.recipe, run=replace(whole.work.run, engine=engine))
    return replace(whole, work=replace(whole.work, recipe=recipe))


class Deadly:
    """Ends the process that receives it."""

    def __reduce__(self):
        return os._exit, (9,)


def test_a_worker_that_ends_is_a_clear_error(here, frame, small_blocks):
    whole = keyed.problem(frame, "store", Roles(("sold",), drop=("level",)), QUICK, strict=False)
    whole = with_engine(whole, Deadly())
    with pytest.raises(
        dr.ResourceError, match=r"process \d+ ended with status 9\. .* 0 of 60 keys"
    ):
        keyed.run(whole, QUICK, out="out", n_jobs=2)
    with pytest.raises(dr.ResourceError, match=r"Nothing was saved: pass out=FOLDER"):
        keyed.run(whole, QUICK, n_jobs=2)


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_an_error_of_training_is_raised_as_it_is(here, frame, small_blocks, backend):
    """Nor is it taken for the death of a worker."""
    whole = keyed.problem(frame, "store", Roles(("sold",), drop=("level",)), QUICK, strict=False)
    whole = with_engine(whole, "none")
    with (
        joblib.parallel_config(backend=backend, n_jobs=2),
        pytest.raises(dr.UnknownNameError, match="'none'"),
    ):
        keyed.run(whole, QUICK)


ORPHANS = """
import multiprocessing, os, signal
import joblib
import polars as pl
import deltarule as dr
from deltarule import keyed
from deltarule.keyed import running
from deltarule.tabular import Roles, Settings

running.KEYS_A_BLOCK = 7
settings = Settings(epochs=5, hidden=(5,))
roles = Roles(("sold",), drop=("level",))

def progress(done, count):
    print(*(process.pid for process in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

whole = keyed.problem(pl.read_parquet("stores.parquet"), "store", roles, settings, strict=False)
with joblib.parallel_config(BACKEND, n_jobs=2):
    keyed.run(whole, settings, progress=progress)
"""


@pytest.mark.parametrize(
    "backend",
    [
        "'loky'",
        pytest.param(
            "'multiprocessing', context=multiprocessing.get_context('fork')",
            marks=pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
            id="fork",
        ),
    ],
)
def test_workers_end_with_the_process_they_work_for(here, backend):
    """They share its standard output: the end of that is the end of them all."""
    code = ORPHANS.replace("BACKEND", backend)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, check=False, timeout=120
    )
    assert done.returncode == -9
    assert len(done.stdout.split()) == 2


class Silent:
    """Workers that take blocks and never finish one; `check` is what their cluster says."""

    at_once = 2

    def __init__(self, check):
        self.check = check

    def submit(self, work, block):
        return Future()


@pytest.mark.parametrize("check", [threading.Event().wait, lambda: 1 / 0])
def test_a_cluster_that_does_not_answer_is_noticed(monkeypatch, check):
    monkeypatch.setattr(workers, "BEAT", 0.01)
    with pytest.raises(workers.WorkerError, match="the workers' cluster has not answered for"):
        list(workers.each_trained(Silent(check), None, [(0, None)]))


class EmptyRay:
    """A Ray cluster with a given number of processors at every look."""

    def __init__(self, processors):
        self.processors = iter(processors)

    def is_initialized(self):
        return True

    def remote(self, function):
        return function

    def cluster_resources(self):
        return {"CPU": n} if (n := next(self.processors)) else {}


def test_a_ray_cluster_without_processors_is_noticed(monkeypatch):
    gone = [0] * (workers.SILENCE - 1)
    monkeypatch.setattr(backends, "require", lambda *_: EmptyRay([2, *gone, 1, *gone, 0]))
    ray = backends._Ray(SimpleNamespace(ray_remote_args=None), -1)
    assert ray.at_once == 4
    for _ in range(2 * len(gone) + 1):
        ray.check()
    with pytest.raises(workers.WorkerError, match="the Ray cluster has no processor left"):
        ray.check()


def test_slow_blocks_have_no_limit(monkeypatch):
    """However many looks at the workers they take."""
    monkeypatch.setattr(workers, "BEAT", 0.001)
    looks, pending = [], Future()

    def check():
        looks.append(1)
        if len(looks) == 10 * workers.SILENCE:
            pending.set_result("a stack")

    slow = Silent(check)
    slow.submit = lambda work, block: pending
    assert list(workers.each_trained(slow, None, [(7, None)])) == [(7, "a stack")]


def test_a_folder_has_one_run_at_a_time(here, frame):
    holder = FolderLock(here / "out", "models")
    with pytest.raises(dr.FileError, match="another run writes its models there"):
        trained(frame, out="out")
    holder.close()
    (here / "file").write_text("")
    with pytest.raises(dr.FileError, match="no folder for models"):
        trained(frame, out="file")


# ------------------------------------------------------------------------- files, predictions


def test_a_file_holds_all_and_little_beside(here, frame, models):
    models.save("models.safetensors")
    loaded = keyed.load_keyed("models.safetensors")
    assert_same(loaded, models)
    assert loaded.failures == models.failures
    np.testing.assert_array_equal(loaded.outputs(frame), models.outputs(frame))
    loaded.save("again.safetensors")
    assert (here / "again.safetensors").read_bytes() == (here / "models.safetensors").read_bytes()
    arrays = sum(values.nbytes for values in models.stack.tensors().values())
    assert (here / "models.safetensors").stat().st_size < arrays + 8000
    per_key = models.network.parameter_count * 4 + models.network.inputs * 8 + 16 + 48
    assert arrays < 60 * (per_key + 8)


@pytest.mark.parametrize("part", ["header", "numbers", "keys", "cut"])
def test_a_changed_file_is_refused(here, models, part):
    path = here / "models.safetensors"
    models.save(path)
    content = bytearray(path.read_bytes())
    places = {"header": content.find(b"store") + 1, "keys": content.rfind(b'"s31"') + 2}
    places["numbers"] = content.find(b"}}}", 0, 60_000) + 5000
    if part == "cut":
        content = content[:-9]
    else:
        content[places[part]] ^= 1
    path.write_bytes(content)
    with pytest.raises(dr.FileError):
        keyed.load_keyed(path)


@pytest.mark.parametrize(
    "texts",
    [b"[" * 100_000, b'[["s0"],{"s0":"","s0":""}]', b'[["s0", NaN],{}]', b"\xff", b"7", b"[1, {}]"],
    ids=range(6),
)
def test_texts_that_are_no_keys(here, models, monkeypatch, texts):
    tensors = models.stack.tensors() | {"texts": np.frombuffer(texts, np.uint8)}
    monkeypatch.setattr(keyed.Stack, "tensors", lambda stack: tensors)
    models.save("models.safetensors")
    with pytest.raises(dr.FileError, match="its table of keys cannot be read"):
        keyed.load_keyed("models.safetensors")


def test_a_folder_without_models_and_a_model_of_another_kind(here):
    with pytest.raises(dr.FileError, match="finish it with resume=True"):
        keyed.load_keyed(here)
    assert main(["train", "stores.parquet", "--target", "sold", "--out", "one.safetensors",
                 "--epochs", "1", "--no-baselines", "--drop", "level,store"]) == 0  # fmt: skip
    with pytest.raises(dr.FileError, match="not one of deltarule's keyed model files"):
        keyed.load_keyed("one.safetensors")


def test_rows_get_the_model_of_their_key_and_unknown_keys_the_fallback(frame, models):
    new = frame.head(50).with_columns(
        store=pl.when(pl.int_range(50) % 10 == 3)
        .then(pl.lit("nowhere"))
        .when(pl.int_range(50) == 5)
        .then(None)
        .otherwise("store")
    )
    unknown = np.flatnonzero(~new["store"].is_in(list(models.keys)).fill_null(False).to_numpy())
    assert models.unknown(new) == {"nowhere": 5, None: 1}
    found = models.predict(new)["sold"]
    assert np.flatnonzero(found.is_null().to_numpy()).tolist() == unknown.tolist()
    overall = models.predict(new, "overall")["sold"]
    assert (overall.gather(unknown) == frame["sold"].median()).all()
    expected = models.predict(frame.head(50))["sold"]
    close = np.isclose(overall.to_numpy(), expected.to_numpy(), rtol=1e-5)
    assert close[np.isin(np.arange(50), unknown, invert=True)].all()
    with pytest.raises(dr.DataError, match=r"key 'nowhere' \(5 rows\) has no model"):
        models.predict(new, "refuse")
    with pytest.raises(dr.UnknownNameError, match="fallback"):
        models.predict(new, "guess")
    with pytest.raises(dr.DataError, match="lacks the column 'store'"):
        models.predict(new.drop("store"))
    with pytest.raises(dr.TypeMismatchError, match="classification models"):
        models.predict_proba(new)


def test_keys_are_the_same_however_they_are_stored(frame):
    numbered = frame.with_columns(store=pl.col("store").str.slice(1).cast(pl.Int64))
    models = trained(numbered)
    floats = numbered.with_columns(pl.col("store").cast(pl.Float64))
    assert models.predict(floats).equals(models.predict(numbered))
    assert models.keys[:3] == ("0", "1", "10")


# --------------------------------------------------------------------------- the command line


def test_the_command_trains_predicts_and_shows(here, frame, models, capsys):
    assert main([*TRAIN, "--out", "out"]) == 0
    said = capsys.readouterr().out
    assert "keys      60 in 'store', with 40 to 40 rows each (median 40)" in said
    assert "60 of 60 keys" in said
    assert "Metrics on held-out rows of 60 keys" in said
    assert "Better than the key's mean: " in said
    assert f"Saved: out/{keyed.FILE} (60 models, " in said
    assert_same(keyed.load_keyed("out"), models)

    new = frame.head(4).with_columns(store=pl.Series(["s1", "x", "s2", None]))
    new.write_csv("new.csv")
    assert main(["predict", "out", "new.csv"]) == 0
    told = capsys.readouterr()
    assert told.err == (
        "Copied beside the predictions: 'store' (--keep '' to leave out).\n"
        "warning: rows whose 'store' has no model: 2 ('x', none); they have no prediction "
        "(--fallback).\n"
    )
    lines = told.out.splitlines()
    assert lines[0] == "store,predicted_sold"
    assert [line.endswith(",") for line in lines[1:]] == [False, True, False, True]
    assert main(["predict", "out", "new.csv", "--fallback", "overall", "--json"]) == 0
    predictions = json.loads(capsys.readouterr().out)["predictions"]["predicted_sold"]
    assert predictions[1] == predictions[3] == frame["sold"].median()

    assert main(["inspect", "out"]) == 0
    assert "one model per 'store'" in capsys.readouterr().out
    assert main(["inspect", "out", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["models"] == 60
    assert shown["keys"]["s7"]["rows"] == models.stack.rows[models.keys.index("s7")].tolist()


def test_the_command_of_classes(here, capsys):
    arguments = ["train", "stores.parquet", "--target", "level", "--by", "store", "--drop", "sold"]
    assert main([*arguments, "--epochs", "2", "--out", "out", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["keys"]["s0"]) == {"rows", "accuracy", "log_loss", "baseline_accuracy"}
    assert main(["predict", "out", "stores.parquet", "--probabilities", "--out", "p.csv"]) == 0
    columns = ["store", "predicted_level", *(f"probability_{c}" for c in ("high", "low", "top"))]
    assert pl.read_csv("p.csv").columns == columns


def error_of(capsys):
    return capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cv", "3"], "--by and --cv: they cannot be combined. Leave one out."),
        (["--test", "x.csv"], "--by and --test: they cannot be combined. Leave one out."),
        (["--resume"], "--by and --resume: expected --out FOLDER beside them, got none."),
        (
            ["--groups", "a"],
            "--groups: expected its default, None, beside by; got 'a'. Leave one out.",
        ),
        (
            ["--checkpoint-dir", "run"],
            "--by and --checkpoint-dir (--out saves finished keys): they cannot be combined. "
            "Leave one out.",
        ),
    ],
)
def test_options_that_do_not_go_with_by(here, capsys, arguments, message):
    assert main([*TRAIN, *arguments]) == 2
    assert error_of(capsys) == f"error: {message}"


def test_commands_that_a_folder_of_models_is_no_use_for(here, capsys):
    assert main([*TRAIN, "--out", "out"]) == 0
    assert main([*TRAIN, "--out", "out"]) == 2
    assert error_of(capsys).startswith("error: out: holds models of an earlier run.")
    assert main(["evaluate", "out", "stores.parquet"]) == 2
    assert error_of(capsys).startswith("error: out: holds one model per key, which evaluate")
    assert main(["predict", "out", "stores.parquet", "--intervals", "0.9"]) == 2
    told = error_of(capsys)
    assert told.startswith("error: --intervals: expected one model of all rows")
    assert told.endswith("train without --by and with --kind store=category.")
    assert main(["predict", "out", "stores.parquet", "--probabilities"]) == 2
    assert error_of(capsys).startswith("error: --probabilities: expected a classification model")
    assert main(["train", "stores.parquet", "--target", "sold", "--jobs", "2"]) == 2
    assert error_of(capsys) == "error: --jobs: expected --by COLUMN beside it, got none."


def test_the_command_lists_keys_without_a_model(here, frame, capsys):
    frame.filter(
        (pl.col("store") != "s5") | (pl.int_range(pl.len()).over("store") < 1)
    ).with_columns(
        store=pl.when(pl.col("store") == "s6").then(None).otherwise("store")
    ).write_parquet("stores.parquet")
    assert main([*TRAIN, "--out", "out"]) == 0
    told = capsys.readouterr()
    assert "1 key without a model\n  s5  has 1 row with a target; expected at least 10" in told.out
    assert "rows without a key in 'store' were dropped: 40." in told.err


# ----------------------------------------------------------------- why, and for which decision


def test_the_model_of_a_key_predicts_as_all_of_them(here, frame, models):
    own = models.model_of("s7")
    rows = frame.filter(pl.col("store") == "s7")
    expected = models.predict(rows)["sold"].to_numpy()
    np.testing.assert_allclose(own.predict(rows)["sold"].to_numpy(), expected, rtol=1e-5)
    own.save("s7.safetensors")
    assert main(["predict", "s7.safetensors", "stores.parquet", "--out", "s7.csv"]) == 0
    with pytest.raises(dr.UnknownNameError, match=r"key 's77' of 'store' has no model\. Did you"):
        models.model_of("s77")


@pytest.mark.parametrize("target", ["sold", "level"])
def test_contributions_are_those_of_the_models_of_the_keys(frame, target):
    models = trained(frame, target)
    rows = frame.head(30).with_columns(
        store=pl.when(pl.int_range(30) == 4).then(pl.lit("nowhere")).otherwise("store")
    )
    found = keyed.explain_by_key(models, rows)
    assert np.flatnonzero(np.isnan(found.rows.values).any(axis=(1, 2))).tolist() == [4]
    assert np.nanmax(abs(found.rows.residuals)) < 0.05
    own = tabular.explain_rows(models.model_of(rows["store"][0]), rows[:1])
    np.testing.assert_array_equal(found.rows.values[:1], own.values)
    assert {each.column for each in found.effects} == {*NAMES, "colour"}
    if target == "sold":
        expected = models.predict(rows)["sold"].drop_nulls().to_numpy()
        predicted = np.delete(found.rows.predictions[:, 0], 4)
        np.testing.assert_allclose(predicted, expected, rtol=1e-4)


def test_the_command_explains_rows_by_their_keys(here, frame, capsys):
    assert main([*TRAIN, "--out", "out"]) == 0
    new = frame.head(6).with_columns(store=pl.Series(["s1", "x", "s2", "s1", "s3", "s4"]))
    new.write_parquet("new.parquet")
    arguments = ["predict", "out", "new.parquet", "--why", "--unlike-training"]
    assert main([*arguments, "--out", "why.csv", "--why-page", "row.html", "--why-row", "3"]) == 0
    found = pl.read_csv("why.csv")
    parts = [f"contribution_{name}" for name in [*NAMES, "colour"]]
    expected = ["store", "predicted_sold", "unlike_training", *parts, "reference", "residual"]
    assert sorted(found.columns) == sorted(expected)
    assert found[1, "contribution_a"] is None
    total = found.select(pl.sum_horizontal(*parts, "reference", "residual")).to_series()
    known = np.array([0, 2, 3, 4, 5])
    np.testing.assert_allclose(
        total.gather(known), found["predicted_sold"].gather(known), rtol=1e-3
    )
    assert found["reference"].drop_nulls().n_unique() == 4
    page = (here / "row.html").read_text()
    assert f"{found[2, 'predicted_sold']:.5g}" in page
    assert main([*arguments, "--out", "blocks.csv", "--memory", "100MB"]) == 0
    assert (here / "blocks.csv").read_bytes() == (here / "why.csv").read_bytes()
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "reference" not in told["why"]
    assert told["predictions"]["reference"][1] is None
    assert main(["inspect", "out", "--effects", "new.parquet"]) == 0
    assert "mean absolute" in capsys.readouterr().out
    assert main(["predict", "out", "new.parquet", "--why-page", "x.html", "--why-row", "2"]) == 2
    assert error_of(capsys).startswith("error: key 'x' of 'store' has no model.")


def test_costs_decide_for_every_key(here, frame, capsys):
    two = frame.with_columns(level=(pl.col("level") == "high").cast(pl.String))
    models = trained(two, "level", settings=replace(QUICK, cost_of_miss=9.0))
    assert models.targets.decision.threshold == 0.1
    probable = models.predict_proba(two)[:, models.targets.classes.index("true")]
    assert models.predict(two)["level"].to_list() == [
        "true" if p >= 0.1 else "false" for p in probable
    ]
    for name in ("min_recall", "min_precision"):
        with pytest.raises(dr.SettingError, match=f"{name}: expected one model of all rows"):
            trained(two, "level", settings=replace(QUICK, **{name: 0.9}))
    with pytest.raises(dr.SettingError, match="cost_of_miss: expected a target of two classes"):
        trained(frame, "level", settings=replace(QUICK, cost_of_miss=9.0))
    two.write_parquet("two.parquet")
    arguments = ["train", "two.parquet", "--target", "level", "--by", "store", "--drop", "sold"]
    assert main([*arguments, "--epochs", "2", "--cost-of-miss", "4", "--out", "two"]) == 0
    assert "from a probability of 0.2 on (a miss costs 4" in capsys.readouterr().out
    assert main(["inspect", "two", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["decision"]["threshold"] == 0.2
