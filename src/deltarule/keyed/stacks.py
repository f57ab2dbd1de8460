"""Trained networks of several keys as stacked arrays, and as a file's tensors.

Every array has a leading axis of keys. A file holds them as they are, the keys' texts and the
reasons of those without a network as JSON in one more tensor, and the rest in its header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from deltarule.arrays import Array
from deltarule.network import Network, Parameters
from deltarule.system.storage import Opened, Tensor, parsed_json

_TEXTS = "texts"
SCALES = ("shift", "factor", "mean", "std", "figures", "rows")
"""The arrays beside the parameters."""


@dataclass(frozen=True)
class Stack:
    """What was trained for some keys, and what was not.

    Attributes
    ----------
    keys : tuple of str
        Those with a network.
    parameters : Parameters
        Stacked: ``parameters[0]["W"]`` is ``(keys, n, n_prev)``.
    shift, factor : float32 arrays, shape (keys, n[0])
        An input is ``(x − shift) · factor`` to the key's network; 0 where it does not vary.
    mean, std : float64 arrays, shape (keys, n[L])
        Of the targets; 0 and 1 for classes.
    figures : float64 array, shape (keys, 3)
        See :data:`~deltarule.keyed.figures.FIGURES`.
    rows : float64 array, shape (keys, 3)
        How many training, validation and test rows each key has.
    failures : mapping of str to str
        The keys without a network, and why.
    """

    keys: tuple[str, ...]
    parameters: Parameters
    shift: Array
    factor: Array
    mean: Array
    std: Array
    figures: Array
    rows: Array
    failures: Mapping[str, str]

    def tensors(self) -> dict[str, Array]:
        """All of it as a file's tensors."""
        texts = json.dumps([self.keys, dict(self.failures)], ensure_ascii=True).encode()
        return {
            **{
                f"{l}.{name}": values
                for l, layer in enumerate(self.parameters, 1)
                for name, values in layer.items()
            },
            **{name: getattr(self, name) for name in SCALES},
            _TEXTS: np.frombuffer(texts, dtype=np.uint8),
        }

    @classmethod
    def of_file(cls, opened: Opened, network: Network, dtype: str) -> Stack:
        """What a file holds.

        Parameters
        ----------
        opened : Opened
        network : Network
            Every key's.
        dtype : str
            Of the parameters.

        Raises
        ------
        FileError
            Where the file's contents do not fit the network or each other.
        """
        arrays, n = opened.load(), network.outputs
        try:
            keys, failures = parsed_json(bytes(arrays.pop(_TEXTS)))
            good = isinstance(keys, list) and isinstance(failures, dict)
            texts = [*keys, *failures, *failures.values()]
            good = good and all(isinstance(text, str) for text in texts)
            assert good
            assert len({*keys, *failures}) == len(keys) + len(failures)
        except (KeyError, ValueError, TypeError, AssertionError):
            raise opened.broken("its table of keys cannot be read") from None
        wide = {"shift": network.inputs, "factor": network.inputs, "mean": n, "std": n}
        expected = {
            f"{l}.{name}": Tensor(dtype, (len(keys), *shape))
            for l, shapes in enumerate(network.shapes, 1)
            for name, shape in shapes.items()
        } | {
            name: Tensor(
                "float32" if name in SCALES[:2] else "float64", (len(keys), wide.get(name, 3))
            )
            for name in SCALES
        }
        opened.expect(expected | {_TEXTS: opened.tensors[_TEXTS]}, "its keys")
        if not all(
            np.isfinite(values).all() for name, values in arrays.items() if name != "figures"
        ):
            raise opened.broken("its numbers are not finite")
        parameters = tuple(
            {name: arrays[f"{l}.{name}"] for name in shapes}
            for l, shapes in enumerate(network.shapes, 1)
        )
        scales = {name: arrays[name] for name in SCALES}
        return cls(tuple(keys), parameters, **scales, failures=failures)


def together(stacks: Sequence[Stack]) -> Stack:
    """Several stacks as one, in their order."""
    parameters = tuple(
        {name: np.concatenate([layer[name] for layer in layers]) for name in layers[0]}
        for layers in zip(*(stack.parameters for stack in stacks), strict=True)
    )
    scales: dict[str, Any] = {
        name: np.concatenate([getattr(stack, name) for stack in stacks]) for name in SCALES
    }
    return Stack(
        tuple(key for stack in stacks for key in stack.keys),
        parameters,
        **scales,
        failures={key: why for stack in stacks for key, why in stack.failures.items()},
    )
