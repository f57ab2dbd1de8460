"""The readers under atheris, which looks for bytes that reach new lines of them.

``python -m tests.fuzz.readers -runs=100000``: libFuzzer's options.
"""

import sys
import tempfile
from pathlib import Path

import atheris

import deltarule as dr
from deltarule.checkpoints.snapshot import opened
from deltarule.modelfile import load_model

_PATH = Path(tempfile.mkdtemp(prefix="deltarule-atheris-")) / "input"


def one_input(content: bytes) -> None:
    """Read it as a model file and as a checkpoint: anything but this package's error is a find."""
    _PATH.write_bytes(content)
    for read in (load_model, opened):
        try:
            read(_PATH)
        except dr.DeltaruleError:
            continue


if __name__ == "__main__":
    corpus = str(Path(__file__).parents[1] / "models")
    scratch = str(_PATH.parent / "corpus")
    Path(scratch).mkdir()
    atheris.instrument_all()  # an editable install is imported past atheris's own hook
    atheris.Setup([*sys.argv, scratch, corpus], one_input)
    atheris.Fuzz()
