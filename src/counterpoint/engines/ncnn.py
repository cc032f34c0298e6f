"""ncnn: the CPU, and every GPU that has a Vulkan driver."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from counterpoint.engines.cpu_threads import thread_count
from counterpoint.engines.failures import compile_failure
from counterpoint.engines.ncnn_net import LoadFailure, library, load
from counterpoint.engines.ncnn_segment import NcnnSegment
from counterpoint.engines.ncnn_transfers import download, upload
from counterpoint.engines.pnnx import Converted, Converter, Refused, program, program_version
from counterpoint.engines.protocol import InstalledStream, Mover
from counterpoint.engines.sharing import SharedModels
from counterpoint.engines.vulkan import VulkanDevice, vulkan_devices
from counterpoint.errors import EngineError
from counterpoint.network.graph import Layer, Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind

ARM = frozenset({"aarch64", "arm64"})
"""Where ncnn stores and computes fp16 on the CPU; on x86 it does not, and that option does
nothing."""

QUANTISING = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})

SIZES = frozenset({"float32", "float16"})
"""Types of tensors that come in and go out; fp16 is widened on the way."""

MOST_DIMENSIONS = 5
"""ncnn's four and the batch."""


class NcnnEngine:
    """ncnn as an engine.

    Args:
        converter: From ONNX; shared by all that this engine compiles.
    """

    name = "ncnn"

    def __init__(self, converter: Converter | None = None) -> None:
        self._converter = converter or Converter()
        self._nets = SharedModels()

    def version(self) -> str:
        """Of ncnn, and of pnnx, whose graphs decide speed as well."""
        return f"{_version()}, pnnx {program_version()}"

    def missing_reason(self) -> str | None:
        """See :class:`counterpoint.engines.protocol.Engine`."""
        if not _installed():
            return "not installed: pip install 'counterpoint[ncnn]'"
        if program() is None:
            return (
                "not usable without its converter pnnx: pip install --no-deps pnnx (the program "
                "in it needs none of its dependencies)"
            )
        return None

    def absent(self) -> tuple[str, ...]:
        """See :class:`counterpoint.engines.protocol.TellsAbsent`."""
        if self.missing_reason() is not None:
            return ()
        missing = vulkan_devices(_version()).missing
        return () if missing is None else (f"Vulkan: {missing}",)

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        """Each CPU group in fp32 and bf16 (fp16 on Arm), each Vulkan device in fp32 and fp16.

        A software device computes on the cores of the CPU and occupies them.
        """
        if self.missing_reason() is not None:
            return ()
        cpus = [device for device in devices if device.kind is DeviceKind.CPU]
        on_cpu = ("fp32", "bf16", "fp16") if platform.machine() in ARM else ("fp32", "bf16")
        units = [ComputeUnit(self.name, (cpu,), p) for cpu in cpus for p in on_cpu]
        for number, found in enumerate(vulkan_devices(_version()).devices):
            gpu = Device(
                f"GPU.{number}",
                DeviceKind.GPU,
                cores=_all_cores(cpus) if found.software else (),
                description=_described(found),
                likeness=hashlib.blake2b(
                    f"{found.name} {found.identity}".encode(), digest_size=4
                ).hexdigest(),
            )
            units += [ComputeUnit(self.name, (gpu,), p) for p in ("fp32", "fp16")]
        return tuple(units)

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        """See :class:`counterpoint.engines.protocol.Engine`."""
        for operator in layer.operators:
            if ":" in operator:
                return f"operator {operator} is not in the ONNX standard, and pnnx reads no other"
            if operator in QUANTISING or operator.startswith("QLinear"):
                return f"pnnx does not convert {operator}: ncnn has int8 only of its own making"
        if layer.quantised:
            return "the layer is quantised to int8; pnnx converts float layers only"
        return None

    def prepare(self, segments: Sequence[Subnetwork]) -> None:
        """See :class:`counterpoint.engines.protocol.PreparesSegments`."""
        self._converter.prepare([segment for segment in segments if _odd(segment) is None])

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> NcnnSegment:
        """See :class:`counterpoint.engines.protocol.Engine`.

        ``exclusive`` changes nothing: how long OpenMP's threads spin is a setting of the process.
        """
        reason = self.missing_reason() or self._refusal(segment, unit) or _odd(segment)
        if reason is not None:
            raise compile_failure(segment, unit, reason)
        converted = self._converted(segment, unit)
        threads = thread_count(unit) or len(unit.devices[0].cores)
        device = unit.devices[0].name if unit.devices[0].kind is DeviceKind.GPU else "CPU"
        try:
            net = self._nets.get(
                segment, (device, unit.precision, threads), lambda: load(converted, unit)
            )
        except LoadFailure as failure:
            self._converter.forget(segment)
            raise compile_failure(segment, unit, failure) from failure
        except RuntimeError as error:  # ncnn's own word for what a driver refuses
            raise compile_failure(segment, unit, error) from error
        return NcnnSegment(segment, unit, net, converted, profiled=profile)

    def as_installed(self, network: Network, *, any_precision: bool) -> NcnnSegment | None:
        """``Net()``, ``load_param``, ``load_model`` and an extractor, with the default options: on
        the CPU, with as many threads as ncnn likes.
        """
        if self.missing_reason() is not None:
            return None
        segment = network.whole()
        unit = ComputeUnit(self.name, (Device("CPU", DeviceKind.CPU),), "fp32")
        converted = self._converted(segment, unit)
        net = library().Net()
        if not any_precision:
            net.opt.use_fp16_packed = net.opt.use_fp16_storage = False
            net.opt.use_fp16_arithmetic = False
        if net.load_param(str(converted.param_path)) or net.load_model(str(converted.weights_path)):
            raise EngineError(f"ncnn refuses {network.name}: it cannot load what pnnx made of it")
        return NcnnSegment(segment, unit, net, converted)

    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], InstalledStream]]:
        """None: ncnn documents none."""
        return {}

    def movers(self, unit: ComputeUnit) -> tuple[Mover, ...]:
        """See :class:`counterpoint.engines.protocol.MovesTensors`.

        ncnn copies from the caller's pages to pinned ones of its own; it takes no others.
        """
        if unit.devices[0].kind is not DeviceKind.GPU:
            return ()
        name = unit.devices[0].name
        return (
            Mover("host", name, "pageable", lambda size: upload(unit, size)),
            Mover(name, "host", "pageable", lambda size: download(unit, size)),
        )

    def _refusal(self, segment: Subnetwork, unit: ComputeUnit) -> str | None:
        reasons = (self.unsupported_reason(layer, unit) for layer in segment.layers)
        return next((reason for reason in reasons if reason is not None), None)

    def _converted(self, segment: Subnetwork, unit: ComputeUnit) -> Converted:
        try:
            return self._converter.convert(segment)
        except Refused as refusal:
            failure = compile_failure(segment, unit, refusal)
            if refusal.layer is not None:
                name = segment.network.layers[refusal.layer].name
                failure = EngineError(
                    f"{unit.name} cannot compile layer {name}: {refusal}",
                    layer=name,
                    unit=unit.name,
                )
            raise failure from refusal


def _odd(segment: Subnetwork) -> str | None:
    """Why its tensors cannot go in or out; ``None`` where they can."""
    made = {spec.name for spec in segment.outputs}
    for spec in (*segment.inputs, *segment.outputs):
        if spec.dtype not in SIZES:
            return f"tensor {spec.name} is {spec.dtype}, and ncnn takes floating-point numbers"
        if spec.shape is None or len(spec.shape) > MOST_DIMENSIONS or 0 in spec.shape:
            return f"tensor {spec.name} has a shape that ncnn does not take: {spec.shape}"
    passed = [spec.name for spec in segment.inputs if spec.name in made]
    return f"input {passed[0]} is an output as well, which pnnx drops" if passed else None


def _described(found: VulkanDevice) -> str:
    text = found.name
    if found.memory_bytes is not None:
        text += f", {found.memory_bytes / 2**30:.3g} GiB"
    return f"{text}, in software on the CPU" if found.software else text


def _all_cores(cpus: Sequence[Device]) -> tuple[int, ...]:
    """Of all CPU groups; of this process where they list none."""
    cores = {core for cpu in cpus for core in cpu.cores}
    if not cores and hasattr(os, "sched_getaffinity"):
        cores = os.sched_getaffinity(0)
    return tuple(sorted(cores or range(os.cpu_count() or 1)))


@cache
def _installed() -> bool:
    return find_spec("ncnn") is not None


@cache
def _version() -> str:
    try:
        return version("ncnn")
    except PackageNotFoundError:
        module: Any = library()
        return str(module.__version__) if module else "missing"
