"""ONNX Runtime: its CPU provider, and any other provider that it reports, as compute units."""

from __future__ import annotations

import itertools
import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from counterpoint.engines.cpu_threads import thread_count
from counterpoint.engines.failures import compile_failure, run_failure, told
from counterpoint.engines.onnxruntime_binding import BoundTensors, LentOutputs
from counterpoint.engines.onnxruntime_device import DeviceTensors, device_movers
from counterpoint.engines.onnxruntime_here import absent_lines, providers_here
from counterpoint.engines.onnxruntime_plugins import plugin_devices, plugin_failures
from counterpoint.engines.onnxruntime_providers import (
    NO_DEVICE,
    provider_named,
    provider_of,
    provider_options,
    provider_units,
)
from counterpoint.engines.onnxruntime_throughput import OnnxRuntimeSessions
from counterpoint.engines.precisions import precision_refusal
from counterpoint.engines.protocol import Mover, NodeProfile, Tensor
from counterpoint.engines.sharing import SharedModels
from counterpoint.errors import EngineError
from counterpoint.network.graph import Layer, Network, Subnetwork
from counterpoint.platform.cpu_groups import default_cpu_group
from counterpoint.platform.host_description import read_host
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind

SINGLE_THREAD = (("threads", "1"),)

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"})

PROFILE_WARMUP_RUNS = 2

Bound = BoundTensors | DeviceTensors
"""Tensors that a session reads and writes without being told again where they are."""

_SESSIONS = SharedModels()

_PROFILES = itertools.count()
"""Numbers the profiles, so that two of one segment never share a file."""

_KERNEL = "_kernel_time"
_INSERTED = re.compile(r"^(InsertedPrecisionFreeCast_|InsertedCast_)+")


@cache
def _library() -> Any:
    """The module, or ``None`` where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        return None
    # The library warns about harmless matters on stderr; errors come as exceptions.
    onnxruntime.set_default_logger_severity(3)
    return onnxruntime


class OnnxRuntimeEngine:
    """ONNX Runtime as an engine."""

    name = "onnxruntime"

    def version(self) -> str:
        """Version of the installed package."""
        library = _library()
        return str(library.__version__) if library else "missing"

    def missing_reason(self) -> str | None:
        """See :class:`counterpoint.engines.protocol.Engine`."""
        return None if _library() else "not installed: pip install onnxruntime"

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        """One unit for each CPU group and precision, and for each other provider's device.

        A group of several cores is also offered with a single thread: waking a second one costs
        more than it brings where layers are tiny (MNIST: 31 us instead of 32 to 53 us, own
        measurement).
        """
        library = _library()
        if library is None:
            return ()
        units = []
        for device in devices:
            if device.kind is DeviceKind.CPU:
                units += [ComputeUnit(self.name, (device,), p) for p in ("fp32", "int8")]
                if len(device.cores) > 1:
                    units += [
                        ComputeUnit(self.name, (device,), p, SINGLE_THREAD)
                        for p in ("fp32", "int8")
                    ]
        for provider in providers_here(tuple(library.get_available_providers())).usable:
            kind = provider_named(provider).kind
            device = Device(f"{kind}.0", kind, description=provider)
            units += provider_units(self.name, provider, device)
        own = {device.name: device for device in devices}
        for (provider, name), (device, _) in plugin_devices(library).items():
            if device.kind is DeviceKind.CPU and name not in own:
                continue  # plugins know the CPU as a whole only
            units += provider_units(self.name, provider, own.get(name, device))
        return tuple(units)

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        """See :class:`counterpoint.engines.protocol.Engine`."""
        foreign = [op for op in layer.operators if op.rpartition(":")[0] not in DOMAINS]
        if foreign:
            return f"operator {foreign[0]} is in an extension library that is not loaded"
        return precision_refusal(layer, unit)

    def compile(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        *,
        exclusive: bool = True,
        profile: bool = False,
    ) -> OnnxRuntimeSegment:
        """See :class:`counterpoint.engines.protocol.Engine`."""
        library = _library()
        if library is None:
            raise compile_failure(segment, unit, self.missing_reason())
        options = _options(library, unit, exclusive)
        if profile:
            options.enable_profiling = True
            prefix = segment.onnx_path().with_suffix(f".{next(_PROFILES)}")
            options.profile_file_prefix = str(prefix)
        if thread_count(unit) == 1 and not profile:
            # A session of one thread computes in the thread that calls it, and may be called from
            # several at once.
            session = _SESSIONS.get(
                segment,
                (unit.precision, unit.settings, exclusive),
                lambda: _session(library, segment, unit, options),
            )
        else:
            session = _session(library, segment, unit, options)
        bound: Bound | None = BoundTensors.of(library, segment, unit, session)
        bound = bound or DeviceTensors.of(library, segment, unit, session)
        lent = None if bound else LentOutputs.of(library, segment, unit, session)
        return OnnxRuntimeSegment(segment, unit, session, profiled=profile, bound=bound, lent=lent)

    def absent(self) -> tuple[str, ...]:
        """See :class:`counterpoint.engines.protocol.TellsAbsent`."""
        library = _library()
        if library is None:
            return ()
        return absent_lines(tuple(library.get_available_providers()), plugin_failures(library))

    def movers(self, unit: ComputeUnit) -> tuple[Mover, ...]:
        """See :class:`counterpoint.engines.protocol.MovesTensors`."""
        return device_movers(_library(), unit)

    def as_installed(self, network: Network, *, any_precision: bool) -> OnnxRuntimeSegment | None:
        """``InferenceSession(path)`` with every provider that is installed, then ``run``.

        The library never changes a network's precision by itself, so ``any_precision`` is moot.
        """
        library = _library()
        if library is None:
            return None
        segment = network.whole()
        device = Device("CPU", DeviceKind.CPU)
        unit = ComputeUnit(self.name, (device,), "int8" if network.is_quantised else "fp32")
        providers = [p for p in library.get_available_providers() if p not in NO_DEVICE]
        options = library.SessionOptions()
        options.log_severity_level = 3
        try:
            session = library.InferenceSession(
                str(segment.onnx_path()), options, providers=providers
            )
        except Exception as error:
            raise EngineError(f"ONNX Runtime refuses {network.name}: {told(error)}") from error
        return OnnxRuntimeSegment(segment, unit, session)

    def throughput_modes(
        self, *, any_precision: bool
    ) -> Mapping[str, Callable[[Network], OnnxRuntimeSessions]]:
        """One session with the default options, and one of a single thread for each core."""
        library = _library()
        if library is None:
            return {}
        cores = len(default_cpu_group(read_host()))
        return {
            "one session": partial(_sessions, library, count=1, threads=0),
            "a session for each core": partial(_sessions, library, count=cores, threads=1),
        }


def _sessions(library: Any, network: Network, *, count: int, threads: int) -> OnnxRuntimeSessions:
    options = library.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    path = str(network.whole().onnx_path())
    providers = [p for p in library.get_available_providers() if p not in NO_DEVICE]
    try:
        sessions = [
            library.InferenceSession(path, options, providers=providers) for _ in range(count)
        ]
    except Exception as error:
        raise EngineError(f"ONNX Runtime refuses {network.name}: {told(error)}") from error
    return OnnxRuntimeSessions(sessions, network)


def _session(library: Any, segment: Subnetwork, unit: ComputeUnit, options: Any) -> Any:
    path = str(segment.onnx_path())
    provider = provider_of(unit)
    plugin = plugin_devices(library).get((provider, unit.devices[0].name))
    how = provider_options(provider, unit)
    try:
        if plugin is None:
            return library.InferenceSession(path, options, providers=[(provider, how)])
        options.add_provider_for_devices([plugin[1]], how)
        return library.InferenceSession(path, options)
    except Exception as error:
        raise compile_failure(segment, unit, error) from error


def _options(library: Any, unit: ComputeUnit, exclusive: bool) -> Any:
    options = library.SessionOptions()
    options.log_severity_level = 3
    device = unit.devices[0]
    if device.kind is DeviceKind.CPU:
        count = thread_count(unit)
        if count is not None:
            options.intra_op_num_threads = count
        if device.is_part and len(device.cores) > 1:
            # The calling thread is the first and is pinned by its caller.
            places = ";".join(str(core + 1) for core in device.cores[1 : count or 1])
            options.add_session_config_entry("session.intra_op_thread_affinities", places)
    else:
        # What the provider cannot run must not slip to the CPU unseen.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    if unit.setting("optimization") == "off":
        options.graph_optimization_level = library.GraphOptimizationLevel.ORT_DISABLE_ALL
    if not exclusive:
        options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


class OnnxRuntimeSegment:
    """An inference session with its input and output names bound."""

    def __init__(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        session: Any,
        *,
        profiled: bool = False,
        bound: Bound | None = None,
        lent: LentOutputs | None = None,
    ) -> None:
        self._segment = segment
        self._unit = unit
        self._session = session
        self._profiled = profiled
        self._bound = bound
        self._lent = lent
        self._input_names = tuple(spec.name for spec in segment.inputs)
        self._output_names = [spec.name for spec in segment.outputs]

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        try:
            if self._bound is not None:
                return self._bound.run(inputs, outputs)
            if outputs is not None and self._lent is not None:
                return self._lent.run(inputs, outputs)
            result: Sequence[Tensor] = self._session.run(
                self._output_names, dict(zip(self._input_names, inputs, strict=True))
            )
            if outputs is None:
                return result
            for buffer, made in zip(outputs, result, strict=True):
                buffer[...] = made
            return outputs
        except Exception as error:
            raise run_failure(self._segment, self._unit, error) from error

    def profile(self) -> NodeProfile | None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        if not self._profiled or self._session is None:
            return None
        self._profiled = False
        path = Path(self._session.end_profiling())
        try:
            events = json.loads(path.read_text())
        finally:
            path.unlink(missing_ok=True)
        return attribute_events(events, self._segment.layer_of_label())

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        if self._profiled and self._session is not None:
            self.profile()
        self._session = self._bound = self._lent = None


def attribute_events(
    events: Sequence[Mapping[str, Any]], layer_of_label: Mapping[str, int]
) -> NodeProfile | None:
    """Per-layer times out of ONNX Runtime's trace events.

    A fused node is called after one of the nodes or tensors that went into it, with a suffix; a
    reorder that has no such name is charged to the layer before it.
    """
    kernels = [event for event in events if event.get("cat") == "Node"]
    runs = sum(1 for event in events if event.get("name") == "model_run") or 1
    per_run = len(kernels) // runs
    if per_run == 0:
        return None
    first = min(PROFILE_WARMUP_RUNS, runs - 1)
    layer_ns: dict[int, int] = {}
    overhead_ns = 0
    current: int | None = None
    for position in range(per_run):
        event = kernels[position]
        durations = [
            kernels[run * per_run + position]["dur"]
            for run in range(first, runs)
            if run * per_run + position < len(kernels)
        ]
        time_ns = round(statistics.median(durations) * 1000)
        found = layer_named(str(event["name"]).removesuffix(_KERNEL), layer_of_label)
        current = current if found is None else found
        if current is None:
            overhead_ns += time_ns
        else:
            layer_ns[current] = layer_ns.get(current, 0) + time_ns
    return NodeProfile(layer_ns, overhead_ns)


def layer_named(name: str, layer_of_label: Mapping[str, int]) -> int | None:
    """The layer whose label the name begins with, the longest such; suffixes follow ``_``."""
    name = _INSERTED.sub("", name)
    while name:
        if name in layer_of_label:
            return layer_of_label[name]
        name, _, suffix = name.rpartition("_")
        if not suffix:
            return None
    return None
