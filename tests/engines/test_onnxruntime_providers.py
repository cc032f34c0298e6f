"""Providers beside the CPU's: units and options by what a library reports; no GPU is needed."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from counterpoint.engines import onnxruntime, onnxruntime_here
from counterpoint.engines.contract import check_engine
from counterpoint.engines.onnxruntime_device import DeviceTensors, device_movers
from counterpoint.engines.onnxruntime_here import ProvidersHere, absent_lines, providers_here
from counterpoint.engines.onnxruntime_providers import (
    PROVIDERS,
    provider_of,
    provider_options,
    provider_units,
)
from counterpoint.engines.page_locked import staging
from counterpoint.engines.probing import Answer, ask
from counterpoint.engines.registry import all_engines
from counterpoint.measure.transfers import line_through, transfer_costs
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind
from tests.tuning.small_network import small_network

CPU = Device("CPU", DeviceKind.CPU)
GPU = Device("GPU.1", DeviceKind.GPU)
CUDA = "CUDAExecutionProvider"


def unit(name: str, units: Sequence[ComputeUnit]) -> ComputeUnit:
    return next(unit for unit in units if unit.name == name)


def test_cuda_in_fp32_is_not_tf32() -> None:
    units = provider_units("onnxruntime", CUDA, GPU)
    assert [u.name for u in units] == [
        "onnxruntime:GPU.1@fp32[provider=CUDA]",
        "onnxruntime:GPU.1@fp32[graphs=on,provider=CUDA]",
    ]
    plain, graphs = (provider_options(CUDA, u) for u in units)
    assert plain == {"use_tf32": "0", "device_id": "1"}
    assert graphs == plain | {"enable_cuda_graph": "1"}
    assert {provider_of(u) for u in units} == {CUDA}


def test_a_precision_is_offered_where_an_option_asks_for_it() -> None:
    name = "TensorrtExecutionProvider"
    units = provider_units("onnxruntime", name, GPU)
    half = unit("onnxruntime:GPU.1@fp16[provider=Tensorrt]", units)
    assert provider_options(name, half) == {"trt_fp16_enable": "1", "device_id": "1"}
    assert {u.precision for u in units} == {"fp32", "fp16", "int8"}


@pytest.mark.parametrize(
    ("kind", "backend"),
    [(DeviceKind.NPU, "htp"), (DeviceKind.GPU, "gpu"), (DeviceKind.CPU, "cpu")],
)
def test_qnn_takes_the_library_of_its_device(kind: DeviceKind, backend: str) -> None:
    name = "QNNExecutionProvider"
    for made in provider_units("onnxruntime", name, Device(f"{kind}.0", kind)):
        options = provider_options(name, made)
        assert options["backend_type"] == backend
        assert ("enable_htp_fp16_precision" in options) == (backend == "htp")


def test_names_of_units_are_unique_and_options_are_text() -> None:
    for name, provider in PROVIDERS.items():
        units = provider_units("onnxruntime", name, Device(f"{provider.kind}.0", provider.kind))
        assert len({u.name for u in units}) == len(units) > 0
        for made in units:
            options = provider_options(name, made)
            assert all(isinstance(value, str) for value in options.values()), name


def test_an_unknown_provider_is_a_gpu_in_fp32() -> None:
    (made,) = provider_units("onnxruntime", "NewExecutionProvider", GPU)
    assert made.name == "onnxruntime:GPU.1@fp32[provider=New]"
    assert provider_options("NewExecutionProvider", made) == {}


def test_the_probe_says_why_a_provider_does_not_run() -> None:
    answer = ask("counterpoint.engines.onnxruntime_probe", "NewExecutionProvider", limit_s=60)
    assert answer.failure is None
    reason = answer.facts["NewExecutionProvider"]
    assert isinstance(reason, str)
    assert reason


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, ...]]]:
    """Providers that children were asked for; of two one takes the other along."""
    calls: list[tuple[str, ...]] = []

    def answer(module: str, *names: str, limit_s: float) -> Answer:
        calls.append(names)
        if len(names) > 1 or names == ("BadExecutionProvider",):
            return Answer({}, "crashed (SIGSEGV)")
        reason = None if names == (CUDA,) else "no driver"
        return Answer({names[0]: reason})

    monkeypatch.setattr(onnxruntime_here, "ask", answer)
    providers_here.cache_clear()
    yield calls
    providers_here.cache_clear()


def test_a_provider_that_crashes_does_not_take_others_along(
    asked: list[tuple[str, ...]],
) -> None:
    found = providers_here(
        ("BadExecutionProvider", CUDA, "SadExecutionProvider", "CPUExecutionProvider")
    )
    assert found == ProvidersHere(
        (CUDA,),
        (
            ("BadExecutionProvider", "it crashed (SIGSEGV) when it was tried"),
            ("SadExecutionProvider", "no driver"),
        ),
    )
    assert len(asked) == 4


def test_no_child_is_asked_for_the_cpu_alone(asked: list[tuple[str, ...]]) -> None:
    assert providers_here(("AzureExecutionProvider", "CPUExecutionProvider")) == ProvidersHere(
        (), ()
    )
    assert asked == []


def test_a_line_for_each_thing_that_is_absent(asked: list[tuple[str, ...]]) -> None:
    lines = absent_lines(("SadExecutionProvider", CUDA), {"onnxruntime_ep_x": "broken"})
    assert lines == (
        "Sad by ONNX Runtime: no driver",
        "onnxruntime_ep_x: broken",
    )
    (line,) = absent_lines(("CPUExecutionProvider",), {})
    assert line.startswith("CUDA: ")


def test_units_of_a_provider_that_works_here(
    asked: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = SimpleNamespace(
        get_available_providers=lambda: [CUDA, "CPUExecutionProvider"], get_ep_devices=list
    )
    monkeypatch.setattr(onnxruntime, "_library", lambda: library)
    monkeypatch.setattr(onnxruntime, "plugin_devices", lambda library: {})
    names = {made.name for made in all_engines()["onnxruntime"].units([CPU])}
    assert "onnxruntime:GPU.0@fp32[provider=CUDA]" in names
    assert "onnxruntime:CPU@fp32" in names


class FakeValue:
    """A tensor on a device: what is written to it is a copy."""

    def __init__(self, array: Any, memory: str) -> None:
        self.array = np.array(array) if memory != "cpu" else array
        self.memory = memory

    def update_inplace(self, array: Any) -> None:
        self.array[...] = array

    def numpy(self) -> Any:
        return np.array(self.array)


class FakeLibrary:
    """Doubles its input, on the device or on the host, where it was bound."""

    class OrtValue:
        @staticmethod
        def ortvalue_from_numpy(array: Any, memory: str = "cpu", number: int = 0) -> FakeValue:
            return FakeValue(array, memory)

        @staticmethod
        def ortvalue_from_shape_and_type(
            shape: list[int], dtype: Any, memory: str, number: int
        ) -> FakeValue:
            return FakeValue(np.empty(shape, dtype), memory)

    def __init__(self) -> None:
        self.bound: dict[str, Any] = {}

    def io_binding(self) -> FakeLibrary:
        return self

    def bind_cpu_input(self, name: str, array: Any) -> None:
        self.bound[name] = FakeValue(array, "cpu")

    def bind_ortvalue_input(self, name: str, value: FakeValue) -> None:
        self.bound[name] = value

    bind_ortvalue_output = bind_ortvalue_input

    def run_with_iobinding(self, binding: FakeLibrary) -> None:
        self.bound["output"].array[...] = 2 * self.bound["input"].array

    def synchronize_outputs(self) -> None:
        pass


@pytest.mark.parametrize("graphs", [False, True])
def test_tensors_stay_where_they_are_bound(graphs: bool) -> None:
    library = FakeLibrary()
    segment = small_network().whole()
    made = provider_units("onnxruntime", CUDA, GPU)[int(graphs)]
    bound = DeviceTensors.of(library, segment, made, library)
    assert bound is not None
    places = {value.memory for value in library.bound.values()}
    assert places == ({"cuda"} if graphs else {"cpu"})
    before = dict(library.bound)
    frames = [
        np.random.default_rng(seed).standard_normal(segment.inputs[0].shape).astype(np.float32)
        for seed in (1, 2)
    ]
    lent = np.empty_like(frames[0])
    (first,) = bound.run([frames[0]], None)
    (second,) = bound.run([frames[1]], [lent])
    assert second is lent
    np.testing.assert_array_equal(first, 2 * frames[0])
    np.testing.assert_array_equal(lent, 2 * frames[1])
    assert library.bound == before, "graphs replay with the tensors that they were recorded with"


def test_the_cpu_provider_is_bound_otherwise() -> None:
    made = ComputeUnit("onnxruntime", (CPU,), "fp32")
    assert DeviceTensors.of(FakeLibrary(), small_network().whole(), made, FakeLibrary()) is None


def test_pages_are_locked_and_given_back() -> None:
    calls: list[tuple[str, int]] = []

    class Runtime:
        def cudaHostRegister(self, address: Any, size: Any, flags: Any) -> int:
            assert (size.value, flags.value) == (64, 0)
            calls.append(("lock", address.value))
            return 0

        def cudaHostUnregister(self, address: ctypes.c_void_p) -> int:
            calls.append(("unlock", address.value or 0))
            return 0

    array = staging((4, 4), "float32", Runtime())
    address = array.ctypes.data
    assert calls == [("lock", address)]
    del array
    assert calls == [("lock", address), ("unlock", address)]


def test_pages_that_cannot_be_locked_are_ordinary_ones() -> None:
    refusing = SimpleNamespace(cudaHostRegister=lambda *_: 2)
    array = staging((2,), "float32", refusing)
    assert array.tolist() == [0.0, 0.0]


def test_transfers_of_a_device() -> None:
    made = provider_units("onnxruntime", CUDA, GPU)[0]
    movers = device_movers(FakeLibrary(), made)
    ways = {(mover.origin, mover.target) for mover in movers}
    assert ways == {("host", "GPU.1"), ("GPU.1", "host")}
    for mover in movers:
        mover.ready(64)()
    assert device_movers(FakeLibrary(), ComputeUnit("onnxruntime", (CPU,), "fp32")) == ()


def test_a_cpu_has_no_transfers() -> None:
    engines = {"onnxruntime": all_engines()["onnxruntime"]}
    assert transfer_costs([ComputeUnit("onnxruntime", (CPU,), "fp32")], engines) == ()


@pytest.mark.parametrize(
    ("points", "line"),
    [
        ([(0, 1000), (1000, 2000), (10_000, 11_000)], (1000, 1e9)),
        ([(1000, 500), (100_000, 50_000)], (0, 2e9)),
        ([(1000, 500), (100_000, 400)], (500, None)),
        ([(1000, 500)], (500, None)),
    ],
)
def test_setup_and_bandwidth(points: list[tuple[int, int]], line: tuple[int, float | None]) -> None:
    assert line_through(points) == pytest.approx(line)


def test_contract_on_real_devices() -> None:
    engine = all_engines()["onnxruntime"]
    real = [made for made in engine.units([CPU]) if made.setting("provider")]
    if not real:
        pytest.skip("no provider of ONNX Runtime but the CPU's runs here")

    class OnDevices(onnxruntime.OnnxRuntimeEngine):
        def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
            return tuple(real)

    assert check_engine(OnDevices(), [CPU]) == ()
