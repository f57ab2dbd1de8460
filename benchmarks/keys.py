"""A model a key: many small networks at once, beside loops of single fits over processes."""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import polars as pl
from sklearn.neural_network import MLPRegressor

import deltarule as dr
from deltarule import keyed
from deltarule.engines.native import cores
from deltarule.tabular import Roles, Settings
from sections import command, environment, write_section

PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"
INPUTS = [f"x{i}" for i in range(10)]


def table(count, m, seed=0):
    """`count` keys of `m` rows and ten columns, each key with a function of its own.

    The first key's target holds an infinity, the second's is one value, the third has one row.
    """
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((count, m, len(INPUTS)), dtype=np.float32)
    a, b = rng.standard_normal((2, count, 1, len(INPUTS)), dtype=np.float32)
    y = 3 * np.tanh((X * a).sum(axis=2)) + (X * b).sum(axis=2) / 2 + X[:, :, 0] * X[:, :, 1]
    y += 0.3 * rng.standard_normal((count, m)) + 10 * rng.standard_normal((count, 1))
    y[0, 3], y[1] = np.inf, 7
    there = np.ones((count, m), bool)
    there[2, 1:] = False
    return pl.DataFrame(
        {
            "key": np.repeat([f"k{k:07d}" for k in range(count)], m),
            **{name: X[:, :, i].ravel() for i, name in enumerate(INPUTS)},
            "y": y.ravel(),
        }
    ).filter(there.ravel())


def digest(models):
    """Of every number of every model."""
    found = hashlib.blake2b(digest_size=16)
    for values in models.stack.tensors().values():
        found.update(np.ascontiguousarray(values))
    return found.hexdigest()


def seconds_of(call):
    """What a call takes and returns."""
    begun = time.perf_counter()
    found = call()
    return time.perf_counter() - begun, found


def killed_and_resumed(frame, jobs):
    """The command killed when half its parts are there, and again with --resume."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "keys.parquet", Path(folder) / "out"
        frame.write_parquet(path)
        arguments = ["train", str(path), "--target", "y", "--by", "key", "--out", str(out)]
        arguments += ["--jobs", str(jobs), "--json"]
        run = [sys.executable, "-m", "deltarule", *arguments]
        half = -(-frame["key"].n_unique() // keyed.KEYS_A_BLOCK) // 2
        first = subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(list(out.glob("part-*.safetensors"))) < half and first.poll() is None:
            time.sleep(0.01)
        first.kill()
        first.wait()
        kept = len(list(out.glob("part-*.safetensors")))
        seconds, _ = seconds_of(
            lambda: subprocess.run([*run, "--resume"], check=True, stdout=subprocess.DEVNULL)
        )
        size = (out / keyed.FILE).stat().st_size
        return kept, half * 2, seconds, keyed.load_keyed(out), size


def sklearn_fit(recipe, X, y):
    """The same network and steps by scikit-learn, a key's best epoch kept."""
    std = X.std(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MLPRegressor(
            hidden_layer_sizes=recipe.network.sizes[1:-1],
            activation="tanh",
            batch_size=recipe.run.batch_size,
            learning_rate_init=0.02,
            max_iter=recipe.run.stopping.epochs,
            n_iter_no_change=recipe.run.stopping.epochs,
            early_stopping=True,
            validation_fraction=0.2,
            random_state=0,
        ).fit((X - X.mean(axis=0)) / std, (y - y.mean()) / y.std())


def own_fit(recipe, X, y):
    """The same by this package, a key at a time."""
    X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    dr.train(
        recipe.network,
        X,
        y,
        validation=0.2,
        optimizer=recipe.run.plan.optimizer_row,
        epochs=recipe.run.stopping.epochs,
        batch_size=recipe.run.batch_size,
        options=dr.EngineOptions(n_threads=1),
    )


def looped(fit, whole, count, jobs):
    """Seconds a key of a joblib loop over some keys, the processes warm."""
    some = [whole.block.between(k, k + 1) for k in range(3, 3 + count)]
    shown = [(each.X[: len(each.X) * 4 // 5], each.y[: len(each.y) * 4 // 5, 0]) for each in some]
    call = joblib.delayed(fit)
    runs = joblib.Parallel(n_jobs=jobs, batch_size=4)
    runs(call(whole.work.recipe, *each) for each in shown[: 2 * jobs])
    return seconds_of(lambda: runs(call(whole.work.recipe, *each) for each in shown))[0] / count


def told(whole, models, m):
    """What was trained, and how well it does."""
    found, failures = models.summary, models.failures
    listed = "; ".join(f"{key} {why}" for key, why in failures.items())
    r2 = ", ".join(f"{value:.3f}" for value in found.spread["r2"])
    return [
        f"`{command()}`, on {cores()} cores; {environment()}.",
        "",
        f"{len(models) + len(failures):,} keys of {m} rows × {len(INPUTS)} columns, three of them "
        f"poisoned: {len(models):,} models, {len(failures)} keys listed ({listed}). Each network: "
        f"{'; '.join(whole.work.recipe.lines())}. R² against each key's own mean on rows held "
        f"out: {r2} at 10 %, 50 % and 90 % of the keys; {found.better:,} of {found.evaluated:,} "
        "beat it.",
        "",
    ]


def compared(prepared, runs, seconds_each, count, sample, jobs):
    """A table: all keys at once, and the loops."""
    least = (min(runs.values()) + prepared) / count
    return [
        "| | seconds | models a second | times as long a model |",
        "|---|---|---|---|",
        f"| what the keys share, once | {prepared:.1f} | | |",
        *(
            f"| by key, {workers} process{'es' * (workers > 1)} | {seconds:.1f} | "
            f"{count / seconds:,.0f} | {(seconds + prepared) / count / least:.1f} |"
            for workers, seconds in runs.items()
        ),
        *(
            f"| a joblib loop over {name}, {jobs} processes | {seconds * count:,.0f} | "
            f"{1 / seconds:,.1f} | {seconds / least:.1f} |"
            for name, seconds in seconds_each.items()
        ),
        "",
        f"The loops fit the same network for as many epochs in batches of the same size, evaluated "
        f"after each by as large a share of the rows; their seconds are those of {sample} keys, "
        "scaled up.",
    ]


def main():
    """Train, kill, resume, compare; and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=500, help="of each key")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--sample", type=int, default=200, help="keys of the loops of single fits")
    parser.add_argument("--docs", action="store_true", help="put the figures into the page")
    options = parser.parse_args()

    frame = table(options.keys, options.rows)
    roles, settings = Roles(("y",)), Settings()
    prepared, whole = seconds_of(lambda: keyed.problem(frame, "key", roles, settings, strict=False))
    runs, digests = {}, set()
    for workers in options.workers:
        runs[workers], models = seconds_of(lambda n=workers: keyed.run(whole, settings, n_jobs=n))
        digests.add(digest(models))
        print(workers, f"{runs[workers]:.1f} s", flush=True)
    assert len(digests) == 1, "the bits differ"
    jobs = min(2, cores())
    kept, parts, resumed, models, size = killed_and_resumed(frame, jobs)
    assert digest(models) in digests, "the resumed run's bits differ"
    print(f"killed with {kept} of {parts} parts, resumed in {resumed:.1f} s", flush=True)

    seconds_each = {
        "scikit-learn's MLPRegressor": looped(sklearn_fit, whole, options.sample, jobs),
        "`deltarule.train`": looped(own_fit, whole, options.sample, jobs),
    }
    lines = [
        *told(whole, models, options.rows),
        *compared(prepared, runs, seconds_each, len(models), options.sample, jobs),
        "",
        f"The same bits for {', '.join(map(str, runs))} processes, and for a run killed with "
        f"{kept} of {parts} parts finished and resumed ({resumed:.1f} s, the table read again). "
        f"The file: {size / len(models):,.0f} bytes a model, of "
        f"{whole.work.recipe.network.parameter_count} parameters.",
    ]
    print("\n".join(lines))
    if options.docs:
        write_section(PAGE, "keys", "\n".join(lines))


if __name__ == "__main__":
    main()
