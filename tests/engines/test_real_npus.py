"""NPUs of this machine, without one: what the libraries report was recorded, and what their
plugins refuse is checked as they check it.

Sources. OpenVINO: device ``NPU`` with capabilities FP16, INT8 and EXPORT_IMPORT; its plugin takes
INFERENCE_PRECISION_HINT f16 and i8 and nothing else (``intel_npu``, options). Qualcomm:
``onnxruntime_qnn`` 2 reports an NPU, a GPU and a CPU by ``get_ep_devices``, and refuses a session
that forbids falling back to the CPU while the first and last conversions are left to it
(``offload_graph_io_quantization``, on by default).
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from counterpoint.engines import onnxruntime, onnxruntime_plugins, openvino
from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.openvino import OpenVinoEngine
from counterpoint.errors import EngineError
from counterpoint.network.graph import Network
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from counterpoint.tuning.tune import chosen_units
from tests.engines.npu.quantised_networks import FOR_NVDLA, in_int8, residual_network

CPU = Device("CPU", DeviceKind.CPU)

REACHED = "the hardware is not here"
"""What the fake libraries say once they have accepted everything."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return residual_network(tmp_path_factory.mktemp("residual"))


@pytest.fixture(scope="module")
def quantised(network: Network) -> Network:
    return in_int8(network, FOR_NVDLA)


class MeteorLake:
    """OpenVINO's core on a Core Ultra, as it answers."""

    available_devices = ("CPU", "NPU")
    properties: Mapping[tuple[str, str], Any] = {
        ("CPU", "OPTIMIZATION_CAPABILITIES"): ("FP32", "INT8", "BIN", "EXPORT_IMPORT"),
        ("NPU", "OPTIMIZATION_CAPABILITIES"): ("FP16", "INT8", "EXPORT_IMPORT"),
        ("NPU", "FULL_DEVICE_NAME"): "Intel(R) AI Boost",
    }

    def get_property(self, device: str, name: str) -> Any:
        return self.properties[device, name]

    def read_model(self, path: Path) -> Path:
        return path

    def compile_model(self, model: Path, device: str, config: Mapping[str, Any]) -> None:
        if device == "NPU" and config["INFERENCE_PRECISION_HINT"] not in ("f16", "i8"):
            raise RuntimeError("Wrong value for INFERENCE_PRECISION_HINT. Supported: f16, i8")
        if device == "NPU" and {"NUM_STREAMS", "INFERENCE_NUM_THREADS"} & set(config):
            raise RuntimeError("option of another device")
        raise RuntimeError(f"{REACHED}: {device}")


@pytest.fixture
def core_ultra(monkeypatch: pytest.MonkeyPatch) -> OpenVinoEngine:
    core = MeteorLake()
    monkeypatch.setattr(openvino, "_core", lambda: core)
    return OpenVinoEngine()


def test_openvinos_npu_is_a_unit_in_each_of_its_precisions(core_ultra: OpenVinoEngine) -> None:
    units = {unit.name: unit for unit in core_ultra.units([CPU])}
    assert set(units) == {
        "openvino:CPU@fp32",
        "openvino:CPU@int8",
        "openvino:NPU@fp16",
        "openvino:NPU@int8",
    }
    (device,) = units["openvino:NPU@int8"].devices
    assert (device.kind, device.description) == (DeviceKind.NPU, "Intel(R) AI Boost")


def test_openvinos_npu_is_chosen_and_refuses(
    core_ultra: OpenVinoEngine, network: Network, quantised: Network
) -> None:
    units = core_ultra.units([CPU])
    names = {unit.name for unit in chosen_units(quantised, units, ("int8", "fp32"))}
    assert "openvino:NPU@int8" in names
    assert not any(
        unit.precision == "int8" for unit in chosen_units(network, units, ("int8", "fp32"))
    )
    npu = next(unit for unit in units if unit.name == "openvino:NPU@int8")
    half = next(unit for unit in units if unit.name == "openvino:NPU@fp16")
    for layer in network.layers:
        assert "not quantised" in str(core_ultra.unsupported_reason(layer, npu))
        assert core_ultra.unsupported_reason(layer, half) is None
    for layer in quantised.layers:
        assert core_ultra.unsupported_reason(layer, npu) is None


def test_openvinos_npu_is_asked_for_what_it_takes(
    core_ultra: OpenVinoEngine, quantised: Network
) -> None:
    for unit in core_ultra.units([CPU]):
        where = unit.devices[0].name
        with pytest.raises(EngineError, match=f"{REACHED}: {where}"):
            core_ultra.compile(quantised.whole(), unit)


class FakeOptions:
    """ONNX Runtime's SessionOptions, as far as it is used."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.added: list[tuple[Any, Mapping[str, str]]] = []
        self.log_severity_level = 0

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value

    def add_provider_for_devices(self, devices: list[Any], options: Mapping[str, str]) -> None:
        (device,) = devices
        self.added.append((device, options))


class Snapdragon:
    """ONNX Runtime on a Snapdragon with the plugin installed."""

    SessionOptions = FakeOptions
    GraphOptimizationLevel = SimpleNamespace(ORT_DISABLE_ALL=0)
    __version__ = "1.24.0"

    def __init__(self) -> None:
        self.registered: dict[str, str] = {}

    def get_available_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]

    def register_execution_provider_library(self, name: str, path: str) -> None:
        self.registered[name] = path

    def get_ep_devices(self) -> list[SimpleNamespace]:
        found = [("CPUExecutionProvider", "CPU", "Qualcomm")]
        if "QNNExecutionProvider" in self.registered:
            found += [("QNNExecutionProvider", kind, "Qualcomm") for kind in ("NPU", "GPU", "CPU")]
        return [
            SimpleNamespace(
                ep_name=name,
                device=SimpleNamespace(type=f"OrtHardwareDeviceType.{kind}", vendor=vendor),
            )
            for name, kind, vendor in found
        ]

    def InferenceSession(self, path: str, options: FakeOptions) -> None:
        ((device, given),) = options.added
        strict = options.entries.get("session.disable_cpu_ep_fallback") == "1"
        if strict and given.get("offload_graph_io_quantization", "1") != "0":
            raise RuntimeError("fallback is disabled and the graph's conversions are offloaded")
        wanted = {"NPU": "htp", "GPU": "gpu", "CPU": "cpu"}[device.device.type.rpartition(".")[2]]
        if given.get("backend_type", "htp") != wanted:
            raise RuntimeError("another backend than the device's")
        raise RuntimeError(f"{REACHED}: {wanted}")


@pytest.fixture
def snapdragon(monkeypatch: pytest.MonkeyPatch) -> Iterator[OnnxRuntimeEngine]:
    library = Snapdragon()
    finder: Any = None
    packages = [
        pkgutil.ModuleInfo(finder, name, True) for name in ("numpy", "onnxruntime_qnn", "qnn")
    ]
    plugin = SimpleNamespace(
        get_ep_name=lambda: "QNNExecutionProvider",
        get_library_path=lambda: "libonnxruntime_providers_qnn.so",
    )

    def imported(name: str) -> SimpleNamespace:
        assert name == "onnxruntime_qnn"
        return plugin

    monkeypatch.setattr(onnxruntime, "_library", lambda: library)
    monkeypatch.setattr(pkgutil, "iter_modules", lambda: iter(packages))
    monkeypatch.setattr(onnxruntime_plugins, "import_module", imported)
    yield OnnxRuntimeEngine()
    assert library.registered == {"QNNExecutionProvider": "libonnxruntime_providers_qnn.so"}


def qnn_units(engine: OnnxRuntimeEngine) -> dict[str, ComputeUnit]:
    return {
        f"{unit.devices[0].name}@{unit.precision}": unit
        for unit in engine.units([CPU])
        if unit.setting("provider") == "QNN"
    }


def test_qualcomms_plugin_brings_its_devices(snapdragon: OnnxRuntimeEngine) -> None:
    units = qnn_units(snapdragon)
    assert {"NPU.0@int8", "NPU.0@fp16", "GPU.0@fp16"} <= set(units)
    assert units["NPU.0@int8"].name == "onnxruntime:NPU.0@int8[provider=QNN]"
    assert units["NPU.0@int8"].devices[0].kind is DeviceKind.NPU


def test_qualcomms_npu_refuses_what_is_not_quantised(
    snapdragon: OnnxRuntimeEngine, network: Network, quantised: Network
) -> None:
    units = qnn_units(snapdragon)
    npu = units["NPU.0@int8"]
    for layer in network.layers:
        assert "not quantised" in str(snapdragon.unsupported_reason(layer, npu))
        assert snapdragon.unsupported_reason(layer, units["NPU.0@fp16"]) is None
    for layer in quantised.layers:
        assert snapdragon.unsupported_reason(layer, npu) is None


def test_qualcomms_sessions_run_where_they_say(
    snapdragon: OnnxRuntimeEngine, quantised: Network
) -> None:
    backends = {"NPU": "htp", "GPU": "gpu", "CPU": "cpu"}
    for place, unit in qnn_units(snapdragon).items():
        kind = place.partition("@")[0].partition(".")[0]
        other = replace(unit, settings=(*unit.settings, ("optimization", "off")))
        for each in (unit, other):
            with pytest.raises(EngineError, match=f"{REACHED}: {backends[kind]}"):
                snapdragon.compile(quantised.whole(), each)
