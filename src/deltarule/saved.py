"""Whatever a file of this package holds, loaded as what wrote it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from deltarule import keyed, modelfile
from deltarule.errors import FileError
from deltarule.modelfile import Row
from deltarule.system.storage import stored_kind
from deltarule.training.checkpoints import snapshot

_FOREIGN: Mapping[bytes, str] = {
    b"\x89HDF": "an HDF5 file, as Keras writes it: keras.models.load_model reads it",
    b"PK": "a zip archive, as Keras, PyTorch and numpy.savez write it: their own functions read it",
    b"\x80": "a pickle: pickle.load or joblib.load reads it, from a source that you trust",
}
"""How files of other libraries begin, and what reads them."""


def load(path: str | os.PathLike[str], rows: Iterable[Row] = ()) -> Any:
    """What a file holds, as the object that was saved.

    Parameters
    ----------
    path : path
        A file that :meth:`Result.save <deltarule.Result.save>`, an estimator's ``save``,
        ``deltarule train`` or :func:`~deltarule.train_by_key` wrote; or the folder of the last.
    rows : iterable of Activation, Cost or type
        The custom rows that the network was built with: a file stores only their names.

    Returns
    -------
    Model, MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor or KeyedModels
        All have ``predict`` and ``save``, and ``predict_proba`` where they predict classes.

    Raises
    ------
    FileError
        For a file that is missing, damaged, of another program or of an unfinished training.

    Examples
    --------
    >>> import tempfile
    >>> import deltarule as dr
    >>> network = dr.Network(1, [dr.Dense(1)])
    >>> result = dr.train(network, [[0.0], [1.0]], [1.0, 3.0], optimizer="lbfgs")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result.save(f"{folder}/line.safetensors")
    ...     model = dr.load(f"{folder}/line.safetensors")
    >>> model, model.predict([[2.0]]).round(3).tolist()
    (Model(1-1, 2 parameters, of arrays), [[5.0]])
    """
    path = Path(path)
    if path.is_dir():
        if not (path / keyed.FILE).exists() and any(path.glob("checkpoint-*.safetensors")):
            raise FileError(f"{path}: holds checkpoints. {_UNFINISHED}")
        return keyed.load_keyed(path)
    key = stored_kind(path)
    if key == keyed.KIND.key:
        return keyed.load_keyed(path)
    if key == snapshot.KIND.key:
        raise FileError(f"{path}: holds a checkpoint of a training. {_UNFINISHED}")
    if key is None:
        _refuse_foreign(path)
    return _as_estimator(path, modelfile.load_model(path, rows), rows)


_UNFINISHED = (
    "Expected a trained model. Continue the training with the same call of train and "
    "checkpoints=Checkpoints(folder), then save its result."
)


def _refuse_foreign(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError:  # which reading it as a model says better
        return
    for begins, what in _FOREIGN.items():
        if head.startswith(begins):
            raise FileError(f"{path}: is {what}. Expected a file that deltarule wrote.")


def _as_estimator(path: Path, model: modelfile.Model, rows: Iterable[Row]) -> Any:
    """The estimator that a model belongs to, if it has one."""
    record = model.about.get("estimator")
    name = record.get("kind") if isinstance(record, dict) else None
    if name in ("MLPClassifier", "MLPRegressor"):
        from deltarule import estimators  # only they need scikit-learn

        return getattr(estimators, name).load(path, rows)
    if model.preprocessing is None or model.targets is None:
        return model
    from deltarule.tabular import estimators as tables

    is_classes = model.targets.task == "classification"
    return (tables.TabularClassifier if is_classes else tables.TabularRegressor).load(path)
