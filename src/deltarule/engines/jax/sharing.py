"""The devices that share the examples of each batch, and where arrays lie on them.

Examples are shared out, parameters are everywhere. The equations are traced as they stand: told
that the columns of A[0] and Y lie on different devices, XLA puts the sums over them (10b, 10c, the
cost, Σ s) together from every device's part, by NCCL or gloo.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from deltarule.arrays import Array
from deltarule.engines.plan import EngineOptions
from deltarule.errors import DeviceError, SettingError, setting
from deltarule.system.processes import group

_AXIS = "examples"


class Sharing:
    """One device, or several, of this process and of the others of its group.

    Parameters
    ----------
    options : EngineOptions

    Raises
    ------
    DeviceError
        Where there are fewer of the kind than asked for.

    Attributes
    ----------
    device : jax.Device
        This process's first.
    count : int
        How many share a batch, over all processes.
    """

    def __init__(self, options: EngineOptions) -> None:
        here = group()
        own = _devices_of(options, several=here.count > 1)
        self.device = own[0]
        self.process, self.processes = here.index, here.count
        self.count = here.count * len(own)
        self._mesh: Mesh | None = None
        if self.count > 1:
            self._mesh = Mesh(
                np.array(_of_every_process(own, here.count)), (_AXIS,), axis_types=(AxisType.Auto,)
            )

    @property
    def everywhere(self) -> Any:
        """Where arrays lie that every device has: parameters, and all that a program returns."""
        return None if self._mesh is None else NamedSharding(self._mesh, PartitionSpec())

    def _by_example(self, *before: None) -> NamedSharding:
        assert self._mesh is not None
        return NamedSharding(self._mesh, PartitionSpec(*before, _AXIS))

    def padded(self, batch: int) -> int:
        """A batch's size with what makes it equal parts.

        Raises
        ------
        SettingError
            Where there is not one example for each device.
        """
        if batch < self.count:
            raise SettingError(
                f"a batch of {batch} cannot be shared by {self.count} devices"
                + (f" of {self.processes} processes" if self.processes > 1 else "")
                + ": expected at least one example for each. Use a larger batch (there may be too "
                "few rows for it), or fewer devices or processes."
            )
        return -(-batch // self.count) * self.count

    def share(self, batches: Array) -> Array:
        """Of the columns of an array ``(batches, padded batch)``, those of this process."""
        width = batches.shape[1] // self.processes
        return batches[:, self.process * width : (self.process + 1) * width]

    def placed(self, values: Any) -> Any:
        """A tree of NumPy arrays, the same in every process, on every device."""
        if self.everywhere is None:
            return jax.device_put(values, self.device)
        return jax.tree.map(
            lambda a: jax.make_array_from_process_local_data(self.everywhere, a, a.shape), values
        )

    def spread(self, values: Any) -> Any:
        """A tree of this process's :meth:`share` of arrays ``(batches, padded batch, …)``."""
        if self._mesh is None:
            return jax.device_put(values, self.device)
        return jax.tree.map(
            lambda a: jax.make_array_from_process_local_data(
                self._by_example(None),
                a,
                (a.shape[0], self.processes * a.shape[1], *a.shape[2:]),
            ),
            values,
        )

    def shared(self, rows: Array) -> Array:
        """In a traced function: the rows of a batch, each device's part on it."""
        if self._mesh is None:
            return rows
        return lax.with_sharding_constraint(rows, self._by_example())

    def own(self, values: Any) -> Any:
        """A tree of arrays that lie everywhere, on this process's first device alone."""
        if self._mesh is None:
            return values
        return jax.tree.map(lambda a: a.addressable_data(0), values)


def _devices_of(options: EngineOptions, *, several: bool) -> list[Any]:
    """The devices of this process that the options ask for."""
    try:
        found = jax.local_devices(backend=None if options.kind == "auto" else options.kind)
    except RuntimeError:  # JAX's word for a platform that it does not have
        found = []
    wanted = options.devices or ("all" if several else 1)
    chosen = found[options.number :]
    if wanted != "all":
        chosen = chosen[: int(wanted)]
    if chosen and (wanted == "all" or len(chosen) == wanted):
        return list(chosen)
    kinds = sorted({device.platform for device in jax.local_devices()} | {"cpu"})
    asked = f"device {options.device!r}" + (f", {wanted} devices" if wanted != 1 else "")
    raise DeviceError(
        f"{asked}: JAX finds {len(found)} of this kind here; it has "
        f"{', '.join(kinds)}. Choose one of these, or install JAX for the accelerator "
        '(such as pip install "jax[cuda13]").'
    )


def _of_every_process(own: list[Any], processes: int) -> list[Any]:
    """The devices of all processes, process by process: as many of each as this one has.

    Raises
    ------
    DeviceError
        Where another process has fewer.
    """
    if processes == 1:
        return own
    first = jax.local_devices(backend=own[0].platform).index(own[0])
    found = []
    for process in range(processes):
        there = [d for d in jax.devices(own[0].platform) if d.process_index == process]
        there = there[first : first + len(own)]
        if len(there) < len(own):
            raise DeviceError(
                f"process {process} has {len(there)} devices where this one has {len(own)}; "
                "expected as many in each. Ask each for the same number "
                f"({setting('devices', '--devices')})."
            )
        found += there
    return found
