"""Examples in compressed rows (CSR): checked once, and made dense a batch at a time.

Read by attribute, so that SciPy's matrices and arrays do and SciPy need not be installed. Nothing
here trusts an index before it has been looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from deltarule.arrays import Array, checked_matrix
from deltarule.errors import DataError, ShapeError, TypeMismatchError


@dataclass(frozen=True, eq=False)
class CompressedRows:
    """A matrix in compressed rows, checked: entries of one place are added up.

    Attributes
    ----------
    data : array, shape (entries,)
        float32 or float64.
    indices : int32 or int64 array, shape (entries,)
        The column of each entry.
    indptr : array, shape (m + 1,), of the same dtype
        Where each row begins, and where the last ends.
    shape : tuple of two ints

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> X = CompressedRows.of(csr_array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]]))
    >>> X.dense(np.array([1, 0, 1])).tolist()
    [[1.0, 0.0, 3.0], [0.0, 2.0, 0.0], [1.0, 0.0, 3.0]]
    """

    data: Array
    indices: Array
    indptr: Array
    shape: tuple[int, int]
    format = "csr"

    @classmethod
    def of(cls, X: Any, name: str = "X") -> CompressedRows:
        """A caller's matrix, its structure checked; without a copy.

        Raises
        ------
        TypeMismatchError
            For another sparse format, and for indices that are not whole numbers.
        ShapeError
            For an `indptr` or `indices` that lead out of the matrix.
        """
        if isinstance(X, cls):
            return X
        if getattr(X, "format", None) != "csr":
            raise TypeMismatchError(
                f"{name}: expected a sparse matrix in compressed rows, got format "
                f"{getattr(X, 'format', None)!r}. Pass {name}.tocsr()."
            )
        if len(X.shape) != 2:
            raise ShapeError(f"{name}: expected shape (rows, columns), got {tuple(X.shape)}.")
        data, indices, indptr = (np.asarray(a) for a in (X.data, X.indices, X.indptr))
        wide = np.int32 if indices.dtype == indptr.dtype == np.int32 else np.int64
        for label, array in (("indices", indices), ("indptr", indptr)):
            if array.ndim != 1 or array.dtype.kind not in "iu":
                raise TypeMismatchError(
                    f"{name}.{label}: expected a vector of whole numbers, got {array.dtype} of "
                    f"shape {array.shape}."
                )
        m, width = (int(n) for n in X.shape)
        _check_structure(name, data, indices, indptr, m, width)
        return cls(
            np.ascontiguousarray(data),
            np.ascontiguousarray(indices, dtype=wide),
            np.ascontiguousarray(indptr, dtype=wide),
            (m, width),
        )

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the entries."""
        found: np.dtype[Any] = self.data.dtype
        return found

    def take(self, rows: Array) -> CompressedRows:
        """Some of the rows, in compressed rows."""
        entries, lengths = self._entries(rows)
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(self.indptr.dtype)
        shape = (len(rows), self.shape[1])
        return CompressedRows(self.data[entries], self.indices[entries], indptr, shape)

    def dense(self, rows: Array | slice = slice(None)) -> Array:
        """Some of the rows as an array ``(rows, n[0])``."""
        if isinstance(rows, slice):
            rows = np.arange(len(self))[rows]
        entries, lengths = self._entries(rows)
        out = np.zeros((len(rows), self.shape[1]), self.dtype)
        places = (np.repeat(np.arange(len(rows)), lengths), self.indices[entries])
        np.add.at(out, places, self.data[entries])
        return out

    def parts(self, rows: int = 4096) -> Iterator[Array]:
        """The whole as arrays of at most that many rows, one after another."""
        return (self.dense(slice(i, i + rows)) for i in range(0, len(self), rows))

    def _entries(self, rows: Array) -> tuple[Array, Array]:
        """Where the entries of some rows stand, and how many each row has."""
        first, last = self.indptr[rows], self.indptr[rows + 1]
        lengths = (last - first).astype(np.int64)
        before = np.cumsum(lengths) - lengths
        return np.arange(lengths.sum()) + np.repeat(first - before, lengths), lengths


def is_sparse(X: Any) -> bool:
    """Whether `X` is a sparse matrix of any format."""
    return hasattr(X, "nnz") or isinstance(X, CompressedRows)


def checked_rows(name: str, X: Any, *, width: int, dtype: np.dtype[Any]) -> Array | CompressedRows:
    """Examples as rows, C-ordered or compressed, checked and of `dtype`; copied only if need be.

    Raises
    ------
    TypeMismatchError, ShapeError, DataError
        As :func:`~deltarule.arrays.checked_matrix`, and as :meth:`CompressedRows.of`.
    """
    if not is_sparse(X):
        return np.ascontiguousarray(checked_matrix(name, X, width=width, dtype=dtype))
    found = CompressedRows.of(X, name)
    if found.shape[1] != width or len(found) == 0:
        raise ShapeError(
            f"{name}: expected shape (rows, {width}) with at least one row, got {found.shape}."
        )
    data = found.data
    if data.ndim != 1 or data.dtype.kind not in "biuf":
        raise TypeMismatchError(f"{name}: expected numbers, got dtype {data.dtype}.")
    with np.errstate(over="ignore"):
        data = np.ascontiguousarray(data, dtype=dtype)
    bad = np.flatnonzero(~np.isfinite(data))
    if len(bad):
        row = int(np.searchsorted(found.indptr, bad[0], side="right")) - 1
        raise DataError(
            f"{name}: expected finite numbers, got {data[bad[0]]} in row {row}, column "
            f"{found.indices[bad[0]]} ({len(bad)} such in all). Fill or drop them first."
        )
    return CompressedRows(data, found.indices, found.indptr, found.shape)


def readable(X: Any) -> Any:
    """What a runner was given: compressed rows where it is sparse, else as it is."""
    return CompressedRows.of(X) if is_sparse(X) else X


def dense(X: Any) -> Any:
    """An array of all rows where `X` is sparse, else as it is: for what is one batch."""
    return CompressedRows.of(X).dense() if is_sparse(X) else X


def gathered(X: Array | CompressedRows, rows: Any) -> Array:
    """Some rows as an array, of an array or of compressed rows."""
    return X.dense(rows) if isinstance(X, CompressedRows) else X[rows]


def _check_structure(
    name: str, data: Array, indices: Array, indptr: Array, m: int, width: int
) -> None:
    """Refuse indices that lead out of the matrix, before anybody follows them."""
    if indptr.shape != (m + 1,):
        raise ShapeError(f"{name}.indptr: expected {m + 1} numbers, got shape {indptr.shape}.")
    if indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        raise ShapeError(f"{name}.indptr: expected numbers from 0 that never fall.")
    entries = int(indptr[-1])
    if data.ndim != 1 or entries > len(data) or entries > len(indices):
        raise ShapeError(
            f"{name}: indptr ends at {entries}; expected as many entries, got {data.shape} in data "
            f"and {indices.shape} in indices."
        )
    used = indices[:entries]
    if entries and (used.min() < 0 or used.max() >= width):
        raise ShapeError(f"{name}.indices: expected columns 0 to {width - 1}.")
