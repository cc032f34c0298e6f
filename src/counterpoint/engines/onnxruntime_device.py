"""Tensors that a session of ONNX Runtime reads and writes on another device than the CPU.

Inputs go through arrays of our own, whose pages are locked where CUDA is: the library copies them
on the session's own stream. With graphs the work of a run is recorded once and replayed, which
needs tensors that stay where they are on the device ("Using CUDA Graphs", onnxruntime.ai).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from counterpoint.engines.onnxruntime_binding import passes_on
from counterpoint.engines.onnxruntime_providers import GRAPHS, provider_named, provider_of
from counterpoint.engines.page_locked import can_lock, staging
from counterpoint.engines.protocol import Mover, Tensor
from counterpoint.network.graph import ITEM_BYTES, Subnetwork, TensorSpec
from counterpoint.platform.model import ComputeUnit


class DeviceTensors:
    """A binding whose tensors stay where they are, and the copies in and out of them.

    Args:
        library: ONNX Runtime.
        segment: Of known shapes.
        session: On the unit's provider.
        memory: Name of the device's memory where inputs and outputs shall be bound there;
            ``None``: in the host's, and the library copies.
        device_number: Of the device.
    """

    def __init__(
        self,
        library: Any,
        segment: Subnetwork,
        session: Any,
        *,
        memory: str | None,
        device_number: int,
    ) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._inputs = [staging(spec.shape or (), spec.dtype) for spec in segment.inputs]
        self._outputs = [staging(spec.shape or (), spec.dtype) for spec in segment.outputs]
        self._device_inputs: list[Any] = []
        self._device_outputs: list[Any] = []
        make = library.OrtValue
        for spec, array in zip(segment.inputs, self._inputs, strict=True):
            if memory is None:
                self._binding.bind_cpu_input(spec.name, array)
                continue
            value = make.ortvalue_from_numpy(array, memory, device_number)
            self._device_inputs.append(value)
            self._binding.bind_ortvalue_input(spec.name, value)
        for spec, array in zip(segment.outputs, self._outputs, strict=True):
            if memory is None:
                value = make.ortvalue_from_numpy(array)
            else:
                value = make.ortvalue_from_shape_and_type(
                    list(spec.shape or ()), np.dtype(spec.dtype).type, memory, device_number
                )
                self._device_outputs.append(value)
            self._binding.bind_ortvalue_output(spec.name, value)

    @classmethod
    def of(
        cls, library: Any, segment: Subnetwork, unit: ComputeUnit, session: Any
    ) -> DeviceTensors | None:
        """For units of a provider; ``None`` on the CPU's own and for tensors it cannot hold."""
        if unit.setting("provider") is None or passes_on(segment):
            return None
        if not all(_bindable(spec) for spec in (*segment.inputs, *segment.outputs)):
            return None
        graphs = unit.setting(GRAPHS) == "on"
        memory = provider_named(provider_of(unit)).memory if graphs else None
        number = unit.devices[0].name.partition(".")[2]
        return cls(
            library, segment, session, memory=memory, device_number=int(number) if number else 0
        )

    def run(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        for array, tensor in zip(self._inputs, inputs, strict=True):
            array[...] = tensor
        for value, array in zip(self._device_inputs, self._inputs, strict=False):
            value.update_inplace(array)
        self._session.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()
        made = [value.numpy() for value in self._device_outputs] or self._outputs
        if outputs is None:
            return [np.array(array) for array in made]
        for lent, array in zip(outputs, made, strict=True):
            lent[...] = array
        return outputs


def device_movers(library: Any, unit: ComputeUnit) -> tuple[Mover, ...]:
    """Copies between the host and the memory of a unit's device, by the library's own calls."""
    memory = provider_named(provider_of(unit)).memory
    if memory is None:
        return ()
    name = unit.devices[0].name
    number = int(name.partition(".")[2] or 0)

    def ready(size_bytes: int, pinned: bool, back: bool) -> Callable[[], object]:
        shape = (size_bytes,)
        host = staging(shape, "uint8") if pinned else np.zeros(shape, np.uint8)
        value = library.OrtValue.ortvalue_from_numpy(host, memory, number)
        # What comes back is an array that the library makes, in ordinary pages.
        return value.numpy if back else partial(value.update_inplace, host)

    movers = [Mover("host", name, "pageable", partial(ready, pinned=False, back=False))]
    if can_lock():
        movers.append(Mover("host", name, "pinned", partial(ready, pinned=True, back=False)))
    movers.append(Mover(name, "host", "pageable", partial(ready, pinned=False, back=True)))
    return tuple(movers)


def _bindable(spec: TensorSpec) -> bool:
    return spec.shape is not None and spec.dtype in ITEM_BYTES and spec.dtype != "bfloat16"
