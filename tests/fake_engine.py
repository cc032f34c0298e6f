"""An engine, a network and a machine that exist only in tests, with exact results.

A fake layer makes tensor ``t<index>`` from what it reads by arithmetic that tells the order of its
inputs and its own index, so any tensor that goes astray changes the network's outputs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from counterpoint.engines.protocol import InstalledStream, NodeProfile, Tensor
from counterpoint.network.graph import Layer, Network, Subnetwork, TensorSpec
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform

SHAPE = (1, 4)


class NoSource:
    """A source for networks whose nodes nobody reads."""

    def write_onnx(
        self, nodes: Sequence[int], inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Path:
        raise AssertionError("a fake network has no file")

    def node_labels(self, node: int) -> tuple[str, ...]:
        return (f"node{node}",)


def fake_network(
    reads: Sequence[Sequence[str]],
    *,
    inputs: Sequence[str] = ("x",),
    outputs: Sequence[str] | None = None,
    shape: tuple[int, ...] | None = SHAPE,
    name: str = "fake",
) -> Network:
    """A network whose layer ``i`` reads the tensors ``reads[i]`` and makes ``t<i>``.

    Returned are ``outputs``, or else the tensors that no layer reads.
    """
    read = {tensor for row in reads for tensor in row}
    made = [f"t{index}" for index in range(len(reads))]
    returned = [tensor for tensor in made if tensor not in read] if outputs is None else outputs
    specs = {tensor: TensorSpec(tensor, "float32", shape) for tensor in [*inputs, *made]}
    size = specs[inputs[0]].size_bytes
    layers = tuple(
        Layer(
            index=index,
            name=f"layer{index}",
            kind="Add",
            operators=("Add",),
            nodes=(index,),
            inputs=tuple(row),
            outputs=(f"t{index}",),
            macs=0,
            weight_bytes=0,
            input_bytes=None if size is None else size * len(row),
            output_bytes=size,
            quantised=False,
            signature=f"fake{len(row)}",
        )
        for index, row in enumerate(reads)
    )
    structure = f"{name}|{[list(row) for row in reads]}|{list(inputs)}|{list(returned)}|{shape}"
    return Network(
        name=name,
        inputs=tuple(specs[tensor] for tensor in inputs),
        outputs=tuple(specs[tensor] for tensor in returned),
        layers=layers,
        tensors=specs,
        content_hash=structure,
        source=NoSource(),
    )


def run_layer(layer: Layer, tensors: Mapping[str, Tensor]) -> Tensor:
    """What a fake layer computes."""
    total = np.full(tensors[layer.inputs[0]].shape, layer.index, np.float32)
    for position, name in enumerate(layer.inputs, start=1):
        total += tensors[name].astype(np.float32) * np.float32(position / len(layer.inputs))
    return total


def reference_outputs(network: Network, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    """The network's outputs, layer by layer, without any engine or plan."""
    tensors = dict(inputs)
    for layer in network.layers:
        tensors[layer.outputs[0]] = run_layer(layer, tensors)
    return [tensors[spec.name] for spec in network.outputs]


def fake_frame(network: Network, number: int = 0) -> dict[str, Tensor]:
    """Inputs that tell frames and input names apart."""
    return {
        spec.name: np.full(spec.shape or (), number * 10 + position, np.float32)
        for position, spec in enumerate(network.inputs)
    }


def fake_platform(*devices: str | Device, engine: str = "fake") -> Platform:
    """A machine with one fp32 unit on each device, all of one engine.

    Devices given by name are NPUs, which share nothing with each other.
    """
    made = tuple(
        Device(device, DeviceKind.NPU) if isinstance(device, str) else device for device in devices
    )
    units = tuple(ComputeUnit(engine, (device,), "fp32") for device in made)
    return Platform("fake machine", "fake-fingerprint", made, units)


Hook = Callable[[Subnetwork, Mapping[str, Tensor]], None]
"""Called inside each run with the segment and its inputs; may raise or wait."""


class FakeSegment:
    """A compiled segment that checks the promises callers make.

    Attributes:
        runs: How often it was run.
        closed: Whether it was closed.
        threads: Names of the threads that ran it.
    """

    def __init__(self, engine: FakeEngine, segment: Subnetwork, unit: ComputeUnit) -> None:
        self.engine = engine
        self.segment = segment
        self.unit = unit
        self.runs = 0
        self.closed = False
        self.threads: set[str] = set()

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        assert not self.closed, "run after close"
        if len(inputs) != len(self.segment.inputs):
            raise ValueError(f"{len(inputs)} inputs instead of {len(self.segment.inputs)}")
        tensors = {}
        for spec, array in zip(self.segment.inputs, inputs, strict=True):
            assert array.flags.c_contiguous
            assert spec.shape in (None, array.shape)
            assert array.dtype == np.dtype(spec.dtype)
            tensors[spec.name] = array
        self.engine.occupy(self.unit)
        try:
            self.threads.add(threading.current_thread().name)
            self.runs += 1
            if self.engine.hook is not None:
                self.engine.hook(self.segment, tensors)
            for layer in self.segment.layers:
                tensors[layer.outputs[0]] = run_layer(layer, tensors)
        finally:
            self.engine.release(self.unit)
        made = [tensors[spec.name] for spec in self.segment.outputs]
        if outputs is None:
            return made
        for spec, lent, output in zip(self.segment.outputs, outputs, made, strict=True):
            assert lent.flags.c_contiguous
            assert lent.flags.writeable
            assert lent.shape == spec.shape
            assert lent.dtype == np.dtype(spec.dtype)
            assert not any(np.may_share_memory(lent, array) for array in inputs)
            lent[...] = output
        return outputs

    def profile(self) -> NodeProfile | None:
        return None

    def close(self) -> None:
        self.closed = True


class FakeEngine:
    """Runs fake networks; a test may look at what was compiled and step into each run.

    Attributes:
        compiled: Every segment compiled, in order, with its ``exclusive``.
        hook: See :data:`Hook`.
        refuse: Raised by ``compile``, when set.
    """

    def __init__(self, hook: Hook | None = None, name: str = "fake") -> None:
        self.name = name
        self.hook = hook
        self.refuse: Exception | None = None
        self.compiled: list[tuple[FakeSegment, bool]] = []
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def version(self) -> str:
        return "1.0"

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        return tuple(ComputeUnit(self.name, (device,), "fp32") for device in devices)

    def missing_reason(self) -> str | None:
        return None

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        return None

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> FakeSegment:
        if self.refuse is not None:
            raise self.refuse
        made = FakeSegment(self, segment, unit)
        self.compiled.append((made, exclusive))
        return made

    def as_installed(self, network: Network, *, any_precision: bool) -> FakeSegment | None:
        return None

    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], InstalledStream]]:
        return {}

    def occupy(self, unit: ComputeUnit) -> None:
        names = {device.name for device in unit.devices}
        with self._lock:
            assert not self._busy & names, f"{sorted(self._busy & names)} do two things at once"
            self._busy |= names

    def release(self, unit: ComputeUnit) -> None:
        with self._lock:
            self._busy -= {device.name for device in unit.devices}
