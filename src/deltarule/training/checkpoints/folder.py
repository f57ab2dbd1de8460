"""The folder of a run's checkpoints: its lock, which files are kept, which is the newest."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltarule.arrays import checked_number
from deltarule.errors import FileError, SettingError, setting
from deltarule.spec import Spec
from deltarule.system.storage import FolderLock, write_whole
from deltarule.training.checkpoints.identity import differing
from deltarule.training.checkpoints.snapshot import Surroundings, opened, pack, unpack
from deltarule.training.state import TrainingState

_NAME = re.compile(r"checkpoint-(\d{10})\.safetensors")
_UNFINISHED = re.compile(r"\.checkpoint-\d{10}\.safetensors\..+")


@dataclass(frozen=True)
class Checkpoints(Spec):
    """Where a run's checkpoints go, and how often.

    Parameters
    ----------
    folder : path
        Made where it is not there. One run at a time.
    resume : bool
        Resume from the newest checkpoint; from the beginning where there is none yet.
    every_steps : int, optional
        Number of steps between two checkpoints.
    every_seconds : float, optional
        Seconds between two checkpoints, at the next chance. Beside them, one at the end of the run
        and one where it is interrupted.
    keep : int
        How many of the last to keep, beside the one with the best epoch.

    Raises
    ------
    SettingError
        For a number out of range.

    Examples
    --------
    >>> Checkpoints("runs/one", every_steps=1000).keep
    3
    """

    folder: str | os.PathLike[str]
    resume: bool = False
    every_steps: int | None = None
    every_seconds: float | None = 60.0
    keep: int = 3

    def __post_init__(self) -> None:
        checked_number("Checkpoints", "keep", self.keep, low=1, whole=True)
        if self.every_steps is not None:
            checked_number("Checkpoints", "every_steps", self.every_steps, low=1, whole=True)
        if self.every_seconds is not None:
            checked_number("Checkpoints", "every_seconds", self.every_seconds, low=0, open_low=True)

    def steps_until(self, step: int) -> int | None:
        """How many steps after `step` the next one is due, by number."""
        return None if self.every_steps is None else self.every_steps - step % self.every_steps


class Folder:
    """A folder while a run has it: locked, so that no second run writes there.

    Parameters
    ----------
    settings : Checkpoints
    identity : mapping
        Of the run: what a checkpoint must agree with.
    writes : bool
        Whether this process writes there; of several of one run, one does.

    Raises
    ------
    FileError
        Where it cannot be made or written, or another run has it.
    SettingError
        Where it holds checkpoints and `settings` do not say to resume.
    """

    def __init__(
        self, settings: Checkpoints, identity: Mapping[str, Any], writes: bool = True
    ) -> None:
        self.settings, self.identity = settings, identity
        self.path = Path(settings.folder)
        self.written = time.monotonic()
        self.notes: list[str] = []
        self._best: dict[int | None, Path] = {}
        self._lock: FolderLock | None = None
        if not writes:
            self._check_resumes()
            return
        self._lock = FolderLock(self.path, "checkpoints")
        try:
            self._check_resumes()
            for path in self.path.iterdir():
                if _UNFINISHED.fullmatch(path.name) and path.is_file():  # a write that was killed
                    path.unlink(missing_ok=True)
        except BaseException:
            self.close()
            raise

    def _check_resumes(self) -> None:
        if self.files() and not self.settings.resume:
            raise SettingError(
                f"{self.path}: holds checkpoints of an earlier run. Pass "
                f"{setting('resume=True', '--resume')} to continue it, or name another folder."
            )

    def close(self) -> None:
        """Let the folder go."""
        if self._lock is not None:
            self._lock.close()

    def files(self) -> list[Path]:
        """Its checkpoints, the oldest first; whatever else lies there is unchanged."""
        found = self.path.iterdir() if self.path.is_dir() else ()  # another may make it later
        return sorted(path for path in found if _NAME.fullmatch(path.name))

    def due(self, step: int) -> bool:
        """Whether one is due after this step of the run."""
        every, seconds = self.settings.every_steps, self.settings.every_seconds
        by_number = every is not None and step % every == 0
        return by_number or (seconds is not None and time.monotonic() - self.written >= seconds)

    def save(self, step: int, state: TrainingState, around: Surroundings) -> Path:
        """Write one atomically, and remove what is no longer kept.

        Raises
        ------
        FileError
            Where it cannot be written; the earlier ones are as they were.
        """
        path = self.path / f"checkpoint-{step:010d}.safetensors"
        if self._lock is None:
            return path
        write_whole(path, pack(state, self.identity, around))
        self.written = time.monotonic()
        if state.best_epoch not in self._best:
            self._best = {state.best_epoch: path}
        kept = {*self.files()[-self.settings.keep :], *self._best.values(), path}
        for old in self.files():
            if old not in kept:
                old.unlink(missing_ok=True)
        return path

    def newest(self, like: TrainingState) -> tuple[Path, TrainingState, Surroundings] | None:
        """The newest that can be read, or None where there is none at all.

        Parameters
        ----------
        like : TrainingState
            Of the run: arrays of the right shapes.

        Raises
        ------
        FileError
            Where none can be read, or it is of another plan or other data: the field is named.
        """
        failed: FileError | None = None
        for path in reversed(self.files()):
            try:
                found = opened(path)
                self._check_identity(path, found.metadata.get("identity"))
                state, around = unpack(found, like)
            except _ForeignError:
                raise
            except FileError as error:
                failed = failed or error
                self.notes.append(str(error))
                continue
            self._best = {state.best_epoch: path}
            return path, state, around
        if failed is not None:
            raise failed
        return None

    def _check_identity(self, path: Path, stored: Any) -> None:
        if not isinstance(stored, dict):
            raise FileError(f"{path}: says nothing of the run it belongs to.")
        name = differing(self.identity, stored)
        if name is not None:
            raise _ForeignError(
                f"{path}: belongs to another run: {name} was {stored.get(name)!r} there and is "
                f"{self.identity.get(name)!r} here. Resume with the original settings, or name "
                "another folder."
            )


class _ForeignError(FileError):
    """A sound checkpoint of something else."""
