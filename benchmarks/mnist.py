"""MNIST from the folder that the environment variable DELTARULE_DATA names."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

HEADERS = {"images": 16, "labels": 8}  # bytes of an idx file before its data


class Mnist(NamedTuple):
    """Pixels in 0–1 as float32 rows of 784, and digits; 50 000, 10 000 and 10 000 of them."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_validation: np.ndarray
    y_validation: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def load_mnist() -> Mnist:
    """Nielsen's split: the last 10 000 of the 60 000 training images validate."""
    X, y = _images("train-images-idx3-ubyte.gz"), _labels("train-labels-idx1-ubyte.gz")
    test = _images("t10k-images-idx3-ubyte.gz"), _labels("t10k-labels-idx1-ubyte.gz")
    return Mnist(X[:50_000], y[:50_000], X[50_000:], y[50_000:], *test)


def _images(name: str) -> np.ndarray:
    return (_bytes(name, "images").reshape(-1, 784) / np.float32(255)).astype(np.float32)


def _labels(name: str) -> np.ndarray:
    return _bytes(name, "labels").astype(np.int64)


def _bytes(name: str, kind: str) -> np.ndarray:
    folder = os.environ.get("DELTARULE_DATA")
    if not folder:
        sys.exit("error: set DELTARULE_DATA to the folder that holds mnist/")
    path = Path(folder) / "mnist" / name
    if not path.exists():
        sys.exit(f"error: {path} is not there; expected the original idx .gz file")
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=HEADERS[kind])
