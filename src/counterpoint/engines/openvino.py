"""OpenVINO: CPU, GPU and NPU devices as it reports them."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from counterpoint.engines.cpu_threads import thread_count
from counterpoint.engines.failures import MAX_REASON_CHARACTERS, compile_failure, run_failure
from counterpoint.engines.middle_runs import mean_over, middle_runs
from counterpoint.engines.openvino_default import OpenVinoDefault
from counterpoint.engines.openvino_throughput import OpenVinoQueue
from counterpoint.engines.precisions import precision_refusal
from counterpoint.engines.protocol import NodeProfile, NodeTime, Tensor
from counterpoint.engines.sharing import SharedModels
from counterpoint.errors import EngineError
from counterpoint.network.graph import Layer, Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind

PRECISION_HINT: Mapping[str, str] = {"fp32": "f32", "bf16": "bf16", "fp16": "f16", "int8": "f32"}
"""Counterpoint's precisions as OpenVINO's INFERENCE_PRECISION_HINT. Layers that the network
quantises run in int8 under any of them; the rest of an int8 network runs in fp32."""

NPU_PRECISION_HINT = "f16"
"""The NPU computes what is not int8 in fp16, and its plugin refuses to be asked for f32 (OpenVINO,
``intel_npu``, options: "Supported values: f16, i8")."""

CAPABILITY: Mapping[str, str] = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16", "int8": "INT8"}

STREAMS = "streams"
"""Setting of a unit on one of several parts of the CPU that are alike: segments that all of them
run are one compiled model with so many streams, and share its weights."""

COPY_BYTES = 64 * 1024
"""Tensors up to this size are copied into or out of the request's own: binding a new one costs
about 4 us, copying 64 KB about 3 us (own measurement, EPYC, OpenVINO 2026.4)."""

_CONVOLUTION_SUFFIX = "/WithoutBiases"


_MODELS = SharedModels()


@cache
def _core() -> Any:
    """The library's core object, or ``None`` where it is not installed."""
    try:
        import openvino
    except ImportError:
        return None
    return openvino.Core()


class OpenVinoEngine:
    """OpenVINO as an engine."""

    name = "openvino"

    def version(self) -> str:
        """Version of the installed package, without its build number."""
        if _core() is None:
            return "missing"
        import openvino

        return str(openvino.__version__).partition("-")[0]

    def missing_reason(self) -> str | None:
        """See :class:`counterpoint.engines.protocol.Engine`."""
        return None if _core() else "not installed: pip install openvino"

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        """One unit for each CPU group, GPU and NPU, and each precision that it computes in."""
        core = _core()
        if core is None:
            return ()
        units = []
        for reported in core.available_devices:
            capabilities = core.get_property(reported, "OPTIMIZATION_CAPABILITIES")
            precisions = [p for p, word in CAPABILITY.items() if word in capabilities]
            if reported == "CPU":
                places = [device for device in devices if device.kind is DeviceKind.CPU]
            else:
                kind = DeviceKind.NPU if reported.startswith("NPU") else DeviceKind.GPU
                name = reported if "." in reported or kind is DeviceKind.NPU else f"{reported}.0"
                described = str(core.get_property(reported, "FULL_DEVICE_NAME"))
                places = [Device(name, kind, description=described)]
            units += [ComputeUnit(self.name, (d,), p) for d in places for p in precisions]
            units += [
                ComputeUnit(self.name, (device,), precision, ((STREAMS, str(count)),))
                for device, count in _alike(places)
                for precision in precisions
            ]
        return tuple(units)

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        """See :class:`counterpoint.engines.protocol.Engine`."""
        from counterpoint.network.precision.from_qlinear import QDQ_FORMS

        for operator in layer.operators:
            if operator in QDQ_FORMS:
                continue
            if operator.startswith(("QLinear", "com.microsoft:QLinear")):
                return (
                    f"OpenVINO does not read {operator} of this form; "
                    "a network in QDQ form would run"
                )
            if ":" in operator and not operator.startswith("com.microsoft:"):
                return f"operator {operator} is in an extension library that is not loaded"
        return precision_refusal(layer, unit)

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> OpenVinoSegment:
        """See :class:`counterpoint.engines.protocol.Engine`.

        ``exclusive`` changes nothing: the library's threads go to sleep after each call.
        """
        core = _core()
        if core is None:
            raise compile_failure(segment, unit, self.missing_reason())
        try:
            if unit.setting(STREAMS) and not profile:
                how = (unit.precision, unit.settings, unit.devices[0].likeness)
                compiled = _MODELS.get(
                    segment, how, lambda: _compiled(core, segment, unit, profile)
                )
            else:
                compiled = _compiled(core, segment, unit, profile)
            made = ProfiledOpenVinoSegment if profile else OpenVinoSegment
            return made(segment, unit, compiled)
        except Exception as error:
            raise compile_failure(segment, unit, _reason(error)) from error

    def as_installed(self, network: Network, *, any_precision: bool) -> OpenVinoDefault | None:
        """``compile_model(model, "CPU")`` and one request, its documented quick way.

        Without a device's name the library would choose the best one itself; on a machine with
        a CPU alone that is the CPU.
        """
        core = _core()
        if core is None:
            return None
        import openvino

        device = "CPU" if core.available_devices == ["CPU"] else "AUTO"
        config = {} if any_precision or device == "AUTO" else {"INFERENCE_PRECISION_HINT": "f32"}
        try:
            model = core.read_model(network.whole().onnx_path())
            return OpenVinoDefault(openvino, core.compile_model(model, device, config), network)
        except Exception as error:
            raise EngineError(f"OpenVINO refuses {network.name}: {_reason(error)}") from error

    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], OpenVinoQueue]]:
        """``PERFORMANCE_HINT`` ``THROUGHPUT`` on the CPU, with the requests it calls optimal."""
        core = _core()
        if core is None or "CPU" not in core.available_devices:
            return {}
        import openvino

        config = {"PERFORMANCE_HINT": "THROUGHPUT"}
        if not any_precision:
            config["INFERENCE_PRECISION_HINT"] = "f32"

        def make(network: Network) -> OpenVinoQueue:
            try:
                model = core.read_model(network.whole().onnx_path())
                compiled = core.compile_model(model, "CPU", config)
            except Exception as error:
                raise EngineError(f"OpenVINO refuses {network.name}: {_reason(error)}") from error
            return OpenVinoQueue(openvino, compiled, network.name)

        return {"throughput hint": make}


def _alike(places: Sequence[Device]) -> list[tuple[Device, int]]:
    """Parts of the CPU of which there are several alike, and how many."""
    counts = Counter(device.likeness for device in places if device.is_part)
    return [
        (device, counts[device.likeness])
        for device in places
        if device.is_part and device.likeness and counts[device.likeness] > 1
    ]


def _compiled(core: Any, segment: Subnetwork, unit: ComputeUnit, profile: bool) -> Any:
    from counterpoint.network.precision.from_qlinear import qdq_onnx_path

    model = core.read_model(qdq_onnx_path(segment))
    return core.compile_model(model, _device_name(unit), _config(unit, profile))


def _device_name(unit: ComputeUnit) -> str:
    device = unit.devices[0]
    return "CPU" if device.kind is DeviceKind.CPU else device.name


def _config(unit: ComputeUnit, profile: bool) -> dict[str, Any]:
    config: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": PRECISION_HINT[unit.precision],
    }
    device = unit.devices[0]
    if device.kind is DeviceKind.NPU:
        config["INFERENCE_PRECISION_HINT"] = NPU_PRECISION_HINT
    if device.kind is DeviceKind.CPU:
        count = thread_count(unit)
        if count is not None:
            config["INFERENCE_NUM_THREADS"] = count
        if device.is_part:
            # The library's own pinning puts every model's first thread on the same core. A
            # call runs on the calling thread, which its caller pins to the device's cores.
            config["ENABLE_CPU_PINNING"] = False
        streams = unit.setting(STREAMS)
        if streams is not None:
            # Requests of one model run side by side in the library's own threads.
            config["NUM_STREAMS"] = int(streams)
            config["INFERENCE_NUM_THREADS"] = int(streams) * len(device.cores)
    if profile:
        config["PERF_COUNT"] = True
    return config


def _reason(error: Exception) -> str:
    """The lines of an OpenVINO message that say something; those of its summary if it has one."""
    text = str(error).rpartition("Summary:")[2]
    lines = [line.strip(" -") for line in text.splitlines() if line.strip()]
    told = [
        line for line in lines if not line.startswith(("Exception from", "Check '", "FrontEnd"))
    ]
    return " ".join((told or lines or ["no reason given"])[:2])[:MAX_REASON_CHARACTERS]


class OpenVinoSegment:
    """A compiled model with one inference request.

    Its small tensors are bound once and copied. Large ones are bound where the caller has them, and
    bound anew only when that is another array than in the run before.
    """

    def __init__(self, segment: Subnetwork, unit: ComputeUnit, compiled: Any) -> None:
        import openvino

        self._tensor = openvino.Tensor
        self._segment = segment
        self._unit = unit
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        # Ports keep the model's order, and the model file was written in the segment's order.
        self._own_inputs: list[Tensor | None] = [
            self._request.get_input_tensor(index).data if self._is_small(index) else None
            for index in range(len(compiled.inputs))
        ]
        self._bound_inputs: list[Tensor | None] = [None] * len(compiled.inputs)
        static = all(not port.partial_shape.is_dynamic for port in compiled.outputs)
        own = [self._request.get_output_tensor(i) for i in range(len(compiled.outputs) * static)]
        self._own_outputs: list[Tensor] | None = [tensor.data for tensor in own] if static else None
        self._large_outputs = tuple(
            (index, tensor)
            for index, (tensor, spec) in enumerate(zip(own, segment.outputs, strict=False))
            if tensor.byte_size > COPY_BYTES and str(tensor.data.dtype) == spec.dtype
        )
        self._bound_outputs: list[Tensor | None] = [None] * len(compiled.outputs)
        self._lent = False

    def _is_small(self, index: int) -> bool:
        size = self._segment.inputs[index].size_bytes
        return size is not None and size <= COPY_BYTES

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        request = self._request
        if len(inputs) != len(self._own_inputs):  # also after close
            raise run_failure(
                self._segment,
                self._unit,
                f"it takes {len(self._own_inputs)} tensors and was given {len(inputs)}",
            )
        try:
            for index, own in enumerate(self._own_inputs):
                array = inputs[index]
                if own is not None:
                    own[...] = array
                elif array is not self._bound_inputs[index]:
                    self._bind_input(index, array)
            if outputs is not None or self._lent:
                self._bind_outputs(outputs)
            request.infer(share_outputs=True)
            own_outputs = self._own_outputs
            if own_outputs is None:
                own_outputs = [
                    request.get_output_tensor(index).data
                    for index in range(len(self._segment.outputs))
                ]
            if outputs is None:
                return [tensor.copy() for tensor in own_outputs]
            for lent, bound, own in zip(outputs, self._bound_outputs, own_outputs, strict=True):
                if lent is not bound:
                    lent[...] = own
            return outputs
        except Exception as error:
            raise run_failure(self._segment, self._unit, _reason(error)) from error

    def _bind_input(self, index: int, array: Tensor) -> None:
        self._bound_inputs[index] = None
        # The library takes only what it could write to.
        shared = array if array.flags.writeable else array.copy()
        self._request.set_input_tensor(index, self._tensor(shared, shared_memory=True))
        self._bound_inputs[index] = shared

    def _bind_outputs(self, lent: Sequence[Tensor] | None) -> None:
        """Lets the request write its large outputs there; into its own tensors for ``None``."""
        self._lent = True
        for index, own in self._large_outputs:
            wanted = None if lent is None else lent[index]
            if self._bound_outputs[index] is not wanted:
                tensor = own if wanted is None else self._tensor(wanted, shared_memory=True)
                self._request.set_output_tensor(index, tensor)
                self._bound_outputs[index] = wanted
        self._lent = lent is not None

    def profile(self) -> NodeProfile | None:
        """Not measured."""
        return None

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        self._own_inputs, self._own_outputs = [], None
        self._bound_inputs, self._bound_outputs, self._large_outputs = [], [], ()
        self._request = self._compiled = None


class ProfiledOpenVinoSegment(OpenVinoSegment):
    """One whose library keeps the mean time of each node over all runs (``PERF_COUNT``)."""

    def __init__(self, segment: Subnetwork, unit: ComputeUnit, compiled: Any) -> None:
        super().__init__(segment, unit, compiled)
        self._calls_ns: list[float] = []
        self._runs_ns: list[int] = []

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        begin = time.perf_counter_ns()
        result = super().run(inputs, outputs)
        self._runs_ns.append(time.perf_counter_ns() - begin)
        self._calls_ns.append(self._request.latency * 1e6)
        return result

    def profile(self) -> NodeProfile | None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        if not self._runs_ns or self._request is None:
            return None
        labels = self._segment.layer_of_label()
        origin = self._origins(labels)
        middle = middle_runs(self._calls_ns)
        call_ns = mean_over(self._calls_ns, middle)
        # The nodes' means are over all runs, the first and the disturbed ones among them.
        scale = call_ns / statistics.fmean(self._calls_ns)
        layer_ns: dict[int, int] = {}
        overhead_ns = 0
        nodes: list[NodeTime] = []
        current: int | None = None
        for info in self._request.get_profiling_info():
            time_ns = round(info.real_time.total_seconds() * 1e9)
            if not time_ns:
                continue
            found = origin.get(info.node_name)
            if found is None:
                found = layer_behind(info.node_name, labels)
            current = current if found is None else found
            nodes.append(NodeTime(info.node_name, info.node_type, current, round(time_ns * scale)))
            if current is None:
                overhead_ns += time_ns
            else:
                layer_ns[current] = layer_ns.get(current, 0) + time_ns
        return NodeProfile(
            layer_ns,
            overhead_ns,
            tuple(nodes),
            call_ns=call_ns,
            run_ns=mean_over(self._runs_ns, middle),
            instrument="OpenVINO's performance counters",
        )

    def _origins(self, labels: Mapping[str, int]) -> dict[str, int]:
        """Layer of each executed node, from the names that the library says it fused."""
        origins: dict[str, int] = {}
        for node in self._compiled.get_runtime_model().get_ordered_ops():
            info = node.get_rt_info()
            if "originalLayersNames" not in info:
                continue
            for name in str(info["originalLayersNames"].astype(str)).split(","):
                plain = name.removesuffix(_CONVOLUTION_SUFFIX)
                if plain in labels:
                    origins[node.get_friendly_name()] = labels[plain]
                    break
        return origins


def layer_behind(name: str, layer_of_label: Mapping[str, int]) -> int | None:
    """The layer whose label ends the name of an inserted node (``x_abcd_acdb_conv1``)."""
    plain = name.removesuffix(_CONVOLUTION_SUFFIX)
    while plain:
        if plain in layer_of_label:
            return layer_of_label[plain]
        _, _, plain = plain.partition("_")
    return None
