"""The readers under atheris, which looks for bytes that reach new lines of them.

``python -m tests.fuzz.readers -runs=100000``: libFuzzer's options. What it finds it leaves in
``build/fuzz/``.
"""

import contextlib
import sys
import tempfile
import time
from pathlib import Path

import atheris

import deltarule as dr
from deltarule.modelfile import load_model
from deltarule.training.checkpoints.snapshot import opened

from .files import SECONDS

_FINDS = Path(__file__).parents[2] / "build" / "fuzz"
_PATH = Path(tempfile.mkdtemp(prefix="deltarule-atheris-")) / "input"


def one_input(content: bytes) -> None:
    """Read it as a model file and as a checkpoint.

    Anything but this package's error is a find, and so is a reader that takes long: of the
    processor, for libFuzzer's own clock also runs while the machine is busy with something else.
    """
    _PATH.write_bytes(content)
    for read in (load_model, opened):
        begun = time.process_time()
        with contextlib.suppress(dr.DeltaruleError):
            read(_PATH)
        assert time.process_time() - begun < SECONDS, read


if __name__ == "__main__":
    corpus = str(Path(__file__).parents[1] / "models")
    scratch = str(_PATH.parent / "corpus")
    Path(scratch).mkdir()
    _FINDS.mkdir(parents=True, exist_ok=True)
    own = [f"-artifact_prefix={_FINDS}/", "-report_slow_units=600"]
    atheris.instrument_all()  # an editable install is imported past atheris's own hook
    atheris.Setup([*sys.argv, *own, scratch, corpus], one_input)
    atheris.Fuzz()
