"""ONNX Runtime's execution providers beside the CPU's: what they compute in, and their options.

One table for all of them, built in or plugged in. Option names are those of ONNX Runtime's pages
on each provider ("CUDA Execution Provider", "TensorRT Execution Provider", "QNN Execution Provider"
and so on, onnxruntime.ai).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from counterpoint.platform.model import ComputeUnit, Device, DeviceKind

GRAPHS = "graphs"
"""Setting of a unit that records its work once and replays it: CUDA graphs."""

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One execution provider.

    Attributes:
        kind: Of its device.
        options: For each precision that it computes float layers in, its options for that.
        device_option: Which option takes the device's number; ``None`` where there is none.
        graph_option: Which option turns graphs on; ``None`` where there is none.
        memory: ONNX Runtime's name of the device's memory, where tensors can be bound there.
    """

    kind: DeviceKind
    options: Mapping[str, Options] = field(default_factory=lambda: {"fp32": ()})
    device_option: str | None = None
    graph_option: str | None = None
    memory: str | None = None


QNN = "QNNExecutionProvider"
QNN_BACKENDS: Mapping[DeviceKind, str] = {
    DeviceKind.NPU: "htp",
    DeviceKind.GPU: "gpu",
    DeviceKind.CPU: "cpu",
}
"""Which of its libraries computes on a device (ONNX Runtime, "QNN Execution Provider")."""

_TENSORRT: Mapping[str, Options] = {
    "fp32": (),
    "fp16": (("trt_fp16_enable", "1"),),
    "int8": (("trt_int8_enable", "1"),),
}

PROVIDERS: Mapping[str, Provider] = {
    # By default it rounds fp32 products to TF32, which has 10 bits of fraction.
    "CUDAExecutionProvider": Provider(
        kind=DeviceKind.GPU,
        options={"fp32": (("use_tf32", "0"),)},
        device_option="device_id",
        graph_option="enable_cuda_graph",
        memory="cuda",
    ),
    "TensorrtExecutionProvider": Provider(
        kind=DeviceKind.GPU,
        options=_TENSORRT,
        device_option="device_id",
        graph_option="trt_cuda_graph_enable",
        memory="cuda",
    ),
    "NvTensorRTRTXExecutionProvider": Provider(
        kind=DeviceKind.GPU,
        device_option="device_id",
        graph_option="enable_cuda_graph",
        memory="cuda",
    ),
    "ROCMExecutionProvider": Provider(kind=DeviceKind.GPU, device_option="device_id"),
    "MIGraphXExecutionProvider": Provider(
        kind=DeviceKind.GPU,
        options={
            "fp32": (),
            "fp16": (("migraphx_fp16_enable", "1"),),
            "int8": (("migraphx_int8_enable", "1"),),
        },
        device_option="device_id",
    ),
    "DmlExecutionProvider": Provider(kind=DeviceKind.GPU, device_option="device_id"),
    "WebGpuExecutionProvider": Provider(kind=DeviceKind.GPU, device_option="deviceId"),
    "CoreMLExecutionProvider": Provider(
        kind=DeviceKind.NPU, options={"fp16": (("ModelFormat", "MLProgram"),)}
    ),
    QNN: Provider(kind=DeviceKind.NPU, options={"int8": (), "fp16": ()}),
    "VitisAIExecutionProvider": Provider(kind=DeviceKind.NPU, options={"int8": ()}),
    "NnapiExecutionProvider": Provider(kind=DeviceKind.NPU, options={"fp16": (), "int8": ()}),
}
"""Providers beside the CPU's. Only precisions that an option asks for, or that the provider always
computes in: CUDA's has fp16 only for networks that are in fp16."""

NO_DEVICE = frozenset({"AzureExecutionProvider"})
"""Providers that are no hardware of this machine."""


def provider_named(name: str, kind: DeviceKind = DeviceKind.GPU) -> Provider:
    """The provider, or one that computes in fp32 on a device of that kind where nobody knows it."""
    return PROVIDERS.get(name) or Provider(kind=kind)


def provider_of(unit: ComputeUnit) -> str:
    """Full name of the provider that a unit stands for."""
    return f"{unit.setting('provider') or 'CPU'}ExecutionProvider"


def provider_units(engine: str, name: str, device: Device) -> tuple[ComputeUnit, ...]:
    """The units of a provider on a device: each precision, with and without graphs."""
    provider = provider_named(name, device.kind)
    plain = ("provider", name.removesuffix("ExecutionProvider"))
    units = [ComputeUnit(engine, (device,), p, (plain,)) for p in provider.options]
    if provider.graph_option is not None:
        settings = ((GRAPHS, "on"), plain)
        units += [ComputeUnit(engine, (device,), p, settings) for p in provider.options]
    return tuple(units)


def provider_options(name: str, unit: ComputeUnit) -> dict[str, str]:
    """What a provider has to be told to run a unit's segments, all of them and nowhere else.

    Args:
        name: Of the provider.
        unit: One of its units.
    """
    if name == QNN:
        return _qnn_options(unit)
    provider = provider_named(name, unit.devices[0].kind)
    options = dict(provider.options.get(unit.precision, ()))
    number = unit.devices[0].name.partition(".")[2]
    if provider.device_option is not None and number:
        options[provider.device_option] = number
    if unit.setting(GRAPHS) == "on" and provider.graph_option is not None:
        options[provider.graph_option] = "1"
    return options


def _qnn_options(unit: ComputeUnit) -> dict[str, str]:
    options = {"backend_type": QNN_BACKENDS[unit.devices[0].kind]}
    # By default the first and last conversions go to the CPU, which here counts as falling back.
    options["offload_graph_io_quantization"] = "0"
    if options["backend_type"] == "htp":
        options["enable_htp_fp16_precision"] = "1"  # layers in float32, which it cannot run
    return options
