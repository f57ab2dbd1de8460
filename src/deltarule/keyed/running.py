"""All keys' networks: blocks of keys over workers, kept as they finish, put together at the end."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from deltarule.errors import (
    DataError,
    FileError,
    InterruptionError,
    ResourceError,
    SettingError,
    setting,
)
from deltarule.keyed.backends import open_workers
from deltarule.keyed.grouping import Block
from deltarule.keyed.models import FILE, KeyedModels, load_keyed
from deltarule.keyed.problems import KeyedProblem, problem
from deltarule.keyed.stacks import Stack, together
from deltarule.keyed.training import train_block
from deltarule.keyed.workers import WorkerError, each_trained
from deltarule.spec import unknown_keyword
from deltarule.system.storage import FileKind, FolderLock, open_tensors, tensor_bytes, write_whole
from deltarule.tabular import Roles, Settings
from deltarule.training.checkpoints.identity import (
    Identity,
    data_identity,
    differing,
    plan_identity,
)
from deltarule.training.interruption import signal_of

KEYS_A_BLOCK = 128
"""Keys that one worker trains in one go."""

Progress = Callable[[int, int], None]
"""Called with how many keys are done, and how many there are."""

_PART = re.compile(r"part-(\d{6})\.safetensors")
_KIND = FileKind(
    "deltarule-part",
    "keyed training part",
    1,
    1,
    "remove it, and resume the training.",
)


def train_by_key(
    table: Any,
    target: str | tuple[str, ...],
    by: str,
    *,
    out: str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
    time: str | None = None,
    drop: Iterable[str] = (),
    n_jobs: int | None = None,
    resume: bool = False,
    **options: Any,
) -> KeyedModels:
    """Train a small network for every key: a store, a sensor, a customer.

    Parameters
    ----------
    table : data frame or mapping of columns
        Inputs, the target and the column of keys.
    target : str or tuple of str
        What to predict.
    by : str
        The column of keys.
    out : path, optional
        A folder: finished keys are written there at once, and all models in the end.
    settings : Settings, optional
        What it leaves None is chosen for small networks.
    **options
        Fields of :class:`~deltarule.tabular.Settings`, which override `settings`: ``epochs``,
        ``hidden``, ``optimizer``, ``seed`` and others, as of the estimators for tables.
    time : str, optional
        A column: of each key the latest rows are held out, rather than some by chance.
    drop : iterable of str
        Columns to leave out.
    n_jobs : int, optional
        Number of workers; -1 for all processors. Default: that of ``joblib.parallel_config``, which
        also selects the backend (loky, multiprocessing, threading, dask or ray), or this process
        alone. The models are the same bits for any.
    resume : bool
        Continue the training that `out` holds.

    Returns
    -------
    KeyedModels
        Keys that could not be trained are in its ``failures``.

    Raises
    ------
    DataError, SettingError
        For a table or settings that cannot be; where no key at all could be trained.
    FileError
        Where `out` cannot be written, or holds another run.
    InterruptionError
        For Ctrl-C; finished keys are kept in `out`.
    ResourceError
        Where a worker has died; finished keys are kept in `out`.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, store = rng.normal(size=200), np.repeat(["north", "south"], 100)
    >>> sales = np.where(store == "north", 3 * x, 50 - x)
    >>> models = train_by_key({"x": x, "store": store, "sales": sales}, "sales", "store")
    >>> models.keys, models.failures
    (('north', 'south'), {})
    >>> models.predict({"x": [1.0, 1.0], "store": ["north", "south"]})["sales"].round(0).to_list()
    [3.0, 49.0]
    """
    known = [each.name for each in fields(Settings)]
    for name in options.keys() - set(known):
        raise unknown_keyword("train_by_key", name, ["target", "by", "time", "drop", *known])
    settings = replace(settings or Settings(), **options)
    names = (target,) if isinstance(target, str) else tuple(target)
    roles = Roles(names, time=time, drop=tuple(drop))
    whole = problem(table, by, roles, settings, strict=False)
    return run(whole, settings, out=out, n_jobs=n_jobs, resume=resume)


def run(
    whole: KeyedProblem,
    settings: Settings,
    *,
    out: str | os.PathLike[str] | None = None,
    n_jobs: int | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    about: dict[str, Any] | None = None,
) -> KeyedModels:
    """Train all keys of a problem.

    Parameters
    ----------
    whole : KeyedProblem
    settings : Settings
    out, n_jobs, resume
        As :func:`train_by_key`.
    progress : callable, optional
    about : dict, optional
        What else to keep with the models; JSON values.
    """
    known = {**(about or {}), "identity": _identity(whole)}
    if out is None:
        return _run(whole, settings, None, n_jobs, progress, known)
    with contextlib.closing(_Folder(Path(out), known["identity"], resume)) as folder:
        return _run(whole, settings, folder, n_jobs, progress, known)


def _run(
    whole: KeyedProblem,
    settings: Settings,
    folder: _Folder | None,
    n_jobs: int | None,
    progress: Progress | None,
    known: dict[str, Any],
) -> KeyedModels:
    complete = None if folder is None else folder.finished()
    if complete is not None:
        return complete
    count = len(whole.block.keys)
    done = {} if folder is None else folder.parts(whole)
    missing = [place for place in range(-(-count // KEYS_A_BLOCK)) if place not in done]
    keys = sum(len(_block(whole, place).keys) for place in done)
    try:
        for place, stack in _each_block(whole, missing, n_jobs):
            done[place] = stack
            if folder is not None:
                folder.save(place, stack)
            keys += len(_block(whole, place).keys)
            if progress is not None:
                progress(keys, count)
    except (KeyboardInterrupt, WorkerError) as error:
        out = setting("out=FOLDER", "--out FOLDER")
        kept = f"Nothing was saved: pass {out} to save keys as they finish."
        if folder is not None:
            finished = f"{keys:,} of {count:,} keys are saved in {folder.path}"
            kept = f"{finished}; {setting('resume=True', '--resume')} trains the rest."
        if isinstance(error, WorkerError):
            raise ResourceError(
                f"keyed training ended: {error}. Expected every worker to finish its blocks. If "
                f"memory ran out, use fewer ({setting('n_jobs', '--jobs')}). {kept}"
            ) from error
        if folder is None:
            raise
        raise InterruptionError(
            f"interrupted. {kept}", signal=signal_of(error), checkpoint=str(folder.path)
        ) from None
    models = _models(whole, settings, together([done[place] for place in sorted(done)]), known)
    if folder is not None:
        folder.complete(models)
    return models


def _models(
    whole: KeyedProblem, settings: Settings, stack: Stack, known: dict[str, Any]
) -> KeyedModels:
    failures = dict(sorted((whole.failures | dict(stack.failures)).items()))
    if not stack.keys:
        key, why = next(iter(failures.items()))
        raise DataError(
            f"none of the {len(failures)} keys of {whole.by!r} can be trained; {key!r}, for one, "
            f"{why}."
        )
    return KeyedModels(
        whole.by,
        whole.work.recipe.network,
        replace(stack, failures=failures),
        whole.preprocessing,
        whole.targets,
        {
            **known,
            "training": whole.work.recipe.lines(),
            "fallback": list(whole.fallback),
            "seed": settings.seed,
        },
    )


def _each_block(
    whole: KeyedProblem, places: list[int], n_jobs: int | None
) -> Iterator[tuple[int, Stack]]:
    """The number and the networks of every block, as they finish."""
    blocks = ((place, _block(whole, place)) for place in places)
    workers = open_workers(n_jobs, len(places))
    if workers is None:
        for place, block in blocks:
            yield place, train_block(whole.work, block)
        return
    work, run = whole.work, whole.work.run
    if run.options.n_threads is None:  # the cores are taken by the other workers
        run = replace(run, options=replace(run.options, n_threads=1))
    work = replace(work, recipe=replace(work.recipe, run=run))
    with contextlib.closing(workers):
        yield from each_trained(workers, work, blocks)


def _block(whole: KeyedProblem, place: int) -> Block:
    first, last = (min(k * KEYS_A_BLOCK, len(whole.block.keys)) for k in (place, place + 1))
    return whole.block.between(first, last)


def _identity(whole: KeyedProblem) -> Identity:
    """What decides the models' numbers: settings and data, by name."""
    work, run = whole.work, whole.work.run
    keys = np.frombuffer("\n".join(whole.block.keys).encode("utf-8", "surrogatepass"), np.uint8)
    return plan_identity(
        run.plan,
        epochs=run.stopping.epochs,
        batch_size=run.batch_size,
        engine=run.engine,
        **({"mixed": True} if run.options.mixed else {}),  # folders of former versions have none
        keys_a_block=KEYS_A_BLOCK,
        test_share=work.test_share,
        validation_share=work.validation_share,
        by=whole.by,
        target=whole.targets.names,
        classes=whole.targets.classes,
    ) | data_identity(
        keys=keys,
        rows=whole.block.starts,
        X=whole.block.X,
        y=whole.block.y,
        time=whole.block.time,
    )


class _Folder:
    """A folder of a training by key: its parts while it runs, all models in the end.

    Raises
    ------
    FileError
        Where it cannot be made or written, or another run has it.
    SettingError
        Where it holds something and is not to be resumed.
    """

    def __init__(self, path: Path, identity: Identity, resume: bool) -> None:
        self.path, self.identity = path, identity
        self._lock = FolderLock(path, "models")
        try:
            if not resume and ((path / FILE).exists() or self._files()):
                raise SettingError(
                    f"{path}: holds models of an earlier run. Pass "
                    f"{setting('resume=True', '--resume')} to continue it, "
                    "or name another folder."
                )
            for each in path.iterdir():
                if each.name.startswith((".part-", f".{FILE}.")):  # a write that was killed
                    each.unlink(missing_ok=True)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the folder go."""
        self._lock.close()

    def finished(self) -> KeyedModels | None:
        """The models, where all are there."""
        path = self.path / FILE
        if not path.exists():
            return None
        models = load_keyed(path)
        self._check(path, models.about.get("identity"))
        return models

    def parts(self, whole: KeyedProblem) -> dict[int, Stack]:
        """What is finished, by the number of its block."""
        network, dtype = whole.work.recipe.network, whole.work.run.plan.dtype
        found = {}
        for path in self._files():
            opened = open_tensors(path, _KIND)
            self._check(path, opened.metadata.get("identity"))
            place, stack = int(path.name[5:11]), Stack.of_file(opened, network, dtype)
            if {*stack.keys, *stack.failures} != {*_block(whole, place).keys}:
                raise opened.broken("it holds other keys than the part of that number")
            found[place] = stack
        return found

    def save(self, place: int, stack: Stack) -> None:
        """Keep a part, atomically."""
        metadata = {"format": _KIND.newest, "identity": self.identity}
        content = tensor_bytes(_KIND.key, stack.tensors(), metadata)
        write_whole(self.path / f"part-{place:06d}.safetensors", content)

    def complete(self, models: KeyedModels) -> None:
        """Write all models, and remove the parts."""
        models.save(self.path / FILE)
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(path for path in self.path.iterdir() if _PART.fullmatch(path.name))

    def _check(self, path: Path, stored: Any) -> None:
        name = differing(self.identity, stored if isinstance(stored, dict) else {})
        if name is not None:
            was = (stored or {}).get(name) if isinstance(stored, dict) else None
            raise FileError(
                f"{path}: belongs to another run: {name} was {was!r} there and is "
                f"{self.identity.get(name)!r} here. Resume with the original settings, "
                "or name another folder."
            )
