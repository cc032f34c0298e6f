"""ONNX Runtime: its CPU provider, and any other provider that it reports, as compute units."""

from __future__ import annotations

import itertools
import json
import time
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
from counterpoint.engines.onnxruntime_profile import attribute_events
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

Bound = BoundTensors | DeviceTensors
"""Tensors that a session reads and writes without being told again where they are."""

_SESSIONS = SharedModels()

_PROFILES = itertools.count()
"""Numbers the profiles, so that two of one segment never share a file."""


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
        made = ProfiledOnnxRuntimeSegment if profile else OnnxRuntimeSegment
        return made(segment, unit, session, bound=bound, lent=lent)

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
        bound: Bound | None = None,
        lent: LentOutputs | None = None,
    ) -> None:
        self._segment = segment
        self._unit = unit
        self._session = session
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
        """Not measured."""
        return None

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        self._session = self._bound = self._lent = None


class ProfiledOnnxRuntimeSegment(OnnxRuntimeSegment):
    """One whose session writes events to a file, which is gone when they are read."""

    def __init__(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        session: Any,
        *,
        bound: Bound | None = None,
        lent: LentOutputs | None = None,
    ) -> None:
        super().__init__(segment, unit, session, bound=bound, lent=lent)
        self._ended = False
        self._runs_ns: list[int] = []

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        begin = time.perf_counter_ns()
        result = super().run(inputs, outputs)
        if not self._ended:
            self._runs_ns.append(time.perf_counter_ns() - begin)
        return result

    def profile(self) -> NodeProfile | None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        if self._ended or self._session is None:
            return None
        self._ended = True
        path = Path(self._session.end_profiling())
        try:
            events = json.loads(path.read_text())
        finally:
            path.unlink(missing_ok=True)
        return attribute_events(events, self._segment.layer_of_label(), self._runs_ns)

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        self.profile()
        super().close()
