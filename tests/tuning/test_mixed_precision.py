"""Tuning under an accuracy budget, on real engines that may be spoilt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from counterpoint.api import as_planned
from counterpoint.costs.objective import Objective
from counterpoint.costs.store import Store
from counterpoint.engines.onnxruntime import OnnxRuntimeEngine
from counterpoint.engines.protocol import CompiledSegment, Engine, NodeProfile, Tensor
from counterpoint.errors import FrameError, UserInputError
from counterpoint.measure.sampling import SamplingSettings
from counterpoint.network.graph import Layer, Network, Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from counterpoint.schedule.plan import Plan, check_plan
from counterpoint.schedule.session import Session
from counterpoint.tuning.accuracy import LabelledFrames
from counterpoint.tuning.budget import AccuracyBudget
from counterpoint.tuning.mixed_precision import PrecisionSearch
from counterpoint.tuning.precision_tuning import (
    Latency,
    PrecisionResult,
    Throughput,
    tune_precision,
)
from counterpoint.tuning.tune import tune
from tests.tuning.small_classifier import images, small_classifier

CPU = Device("CPU", DeviceKind.CPU)
QUICK = SamplingSettings(warmup_ns=0, budget_ns=2_000_000, min_count=3, max_count=3)
ONE = (("threads", "1"),)


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contenders differ by tens of times here."""
    monkeypatch.setattr("counterpoint.tuning.precision_tuning.ROUNDS", 2)
    monkeypatch.setattr("counterpoint.tuning.mix_bench.ROUNDS", 2)
    monkeypatch.setattr("counterpoint.tuning.tune.DUEL_ROUNDS", 2)
    monkeypatch.setattr("counterpoint.tuning.tune.AGREEMENT", 1e9)


@dataclass
class Altered:
    """A segment of ONNX Runtime whose outputs somebody alters, and that may be slow."""

    inner: CompiledSegment
    alter: Callable[[Tensor], Tensor]
    repeats: int

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        for _ in range(self.repeats):
            made = self.inner.run(inputs)
        results = [np.ascontiguousarray(self.alter(np.asarray(array))) for array in made]
        if outputs is None:
            return results
        for lent, result in zip(outputs, results, strict=True):
            lent[...] = result
        return outputs

    def profile(self) -> NodeProfile | None:
        return self.inner.profile()

    def close(self) -> None:
        self.inner.close()


@dataclass
class AlteredEngine:
    """ONNX Runtime under another name, in one precision or several.

    Attributes:
        alter: What becomes of each output of a segment in int8.
        slow: How often a segment without any int8 layer runs.
    """

    name: str
    precisions: tuple[str, ...] = ("fp32", "int8")
    alter: Callable[[Tensor], Tensor] = lambda tensor: tensor
    slow: int = 1
    base: OnnxRuntimeEngine = field(default_factory=OnnxRuntimeEngine)

    def version(self) -> str:
        return "1"

    def missing_reason(self) -> str | None:
        return None

    def units(self, devices: Sequence[Device]) -> tuple[ComputeUnit, ...]:
        return tuple(ComputeUnit(self.name, (d,), p) for d in devices for p in self.precisions)

    def unsupported_reason(self, layer: Layer, unit: ComputeUnit) -> str | None:
        return self.base.unsupported_reason(layer, unit)

    def compile(self, segment: Subnetwork, unit: ComputeUnit, **options: Any) -> Altered:
        plain = replace(unit, engine="onnxruntime", settings=ONE)
        coarse = any(layer.quantised for layer in segment.layers)
        return Altered(
            self.base.compile(segment, plain, **options),
            self.alter if coarse else lambda tensor: tensor,
            1 if coarse else self.slow,
        )

    def as_installed(self, network: Network, *, any_precision: bool) -> None:
        return None

    def throughput_modes(self, *, any_precision: bool) -> Mapping[str, Any]:
        return {}


def search_of(
    *engines: AlteredEngine,
    budget: AccuracyBudget,
    network: Network | None = None,
    shown: LabelledFrames | None = None,
    store: Store | None = None,
) -> PrecisionSearch:
    by_name: dict[str, Engine] = {engine.name: engine for engine in engines}
    by_name["onnxruntime"] = OnnxRuntimeEngine()  # the reference's; it offers no unit
    units = tuple(unit for engine in engines for unit in engine.units([CPU]))
    return PrecisionSearch(
        network or small_classifier(),
        shown or LabelledFrames(tuple(images(24))),
        budget,
        platform=Platform("test", "test", (CPU,), units),
        engines=by_name,
        store=store or Store.in_memory(),
        settings=QUICK,
    )


def tuned(search: PrecisionSearch) -> PrecisionResult:
    return tune_precision(search, Latency(compare_installed=False))


def outputs_by(search: PrecisionSearch, plan: Plan) -> list[list[Tensor]]:
    network = as_planned(search.network, plan)
    check_plan(plan, network, search.platform)
    with Session(network, plan, engines=search.engines, platform=search.platform) as session:
        return [session.run(None, frame) for frame in search.verification.images.frames]


def test_a_loose_budget_gives_int8_and_the_plan_says_all_that_it_takes() -> None:
    search = search_of(AlteredEngine("quick", slow=30), budget=AccuracyBudget(min_sqnr_db=10))
    result = tuned(search)
    assert result.plan.precision is not None
    assert len(result.plan.precision.int8) == 6
    assert result.plan.units == ("quick:CPU@int8",)
    again = search.verification.accuracy(outputs_by(search, result.plan))
    assert again.noise == pytest.approx(result.accuracy.noise)
    assert (again.sqnr_db or 0) > 10
    assert result.verification_images == result.calibration_images == 12
    assert result.found.best is not None
    predicted = result.found.best.predicted_noise
    assert predicted is not None
    assert 0.2 < again.noise / predicted < 5


def test_a_tight_budget_takes_fewer_layers() -> None:
    loose = tuned(search_of(AlteredEngine("quick", slow=30), budget=AccuracyBudget(min_sqnr_db=5)))
    whole = loose.found.uniform[0].accuracy
    assert whole is not None
    assert whole.sqnr_db is not None
    limit = whole.sqnr_db + 3
    search = search_of(AlteredEngine("quick", slow=30), budget=AccuracyBudget(min_sqnr_db=limit))
    result = tuned(search)
    assert result.plan.precision is not None
    assert 0 < len(result.plan.precision.int8) < 6
    assert (search.verification.accuracy(outputs_by(search, result.plan)).sqnr_db or 0) >= limit
    broken = [mix for mix in result.found.mixes if mix.reason is not None]
    assert broken
    assert any(f"{limit:g} dB is wanted" in line for line in result.plan.notes)


def test_more_is_tried_between_what_keeps_the_budget_and_what_breaks_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("counterpoint.tuning.mixed_precision.SWEEP", (0.3, 64.0))
    monkeypatch.setattr("counterpoint.tuning.mixed_precision.TIGHTEN", 0.3)
    loose = tuned(search_of(AlteredEngine("quick", slow=30), budget=AccuracyBudget(min_sqnr_db=5)))
    whole = loose.found.uniform[0].accuracy
    assert whole is not None
    budget = AccuracyBudget(min_sqnr_db=(whole.sqnr_db or 0) + 3)
    layers: dict[int, set[tuple[int, ...]]] = {}
    for refinements in (0, 3):
        monkeypatch.setattr("counterpoint.tuning.mixed_precision.REFINEMENTS", refinements)
        engine = AlteredEngine("quick", slow=30)
        found = tuned(search_of(engine, budget=budget)).found
        assert found.best is not None
        assert found.best.reason is None
        layers[refinements] = {mix.layers for mix in found.mixes if mix.accuracy is not None}
    fewest, most = min(map(len, layers[0])), max(map(len, layers[0]))
    between = layers[3] - layers[0]
    assert between
    assert all(fewest <= len(each) <= most for each in between)


def test_a_budget_that_no_mix_keeps_leaves_the_network_as_it_is() -> None:
    search = search_of(AlteredEngine("quick", slow=30), budget=AccuracyBudget(min_sqnr_db=90))
    result = tuned(search)
    assert result.plan.precision is None
    assert result.plan.units == ("quick:CPU@fp32",)
    assert result.network is search.network
    assert all(mix.reason for mix in result.found.mixes if mix.accuracy is not None)


def wrong_layout(tensor: Tensor) -> Tensor:
    """Channels last, taken for channels first; of scores: the order of the classes."""
    if tensor.ndim != 4:
        return tensor[..., ::-1]
    return np.moveaxis(tensor, 1, -1).reshape(tensor.shape)


def wrong_scale(tensor: Tensor) -> Tensor:
    """The scale of another tensor; where the result is a softmax, it is flattened."""
    if tensor.ndim == 4:
        return 3 * tensor
    powers = np.asarray(tensor, np.float32) ** np.float32(0.2)
    return np.asarray(powers / powers.sum())


def wrong_order(tensor: Tensor) -> Tensor:
    """The neighbours of a list of outputs change places."""
    axis = 1 if tensor.ndim > 1 else 0
    return np.roll(tensor, 1, axis=axis)


SPOILT = [wrong_layout, wrong_scale, wrong_order]


@pytest.mark.parametrize("alter", SPOILT)
def test_what_is_wrong_at_a_boundary_never_becomes_the_plan(
    alter: Callable[[Tensor], Tensor],
) -> None:
    """An engine that is much faster, and wrong in int8 alone: as with the 69 % that became 0 %."""
    wrong = AlteredEngine("wrong", alter=alter, slow=30)
    right = AlteredEngine("right", precisions=("fp32",), slow=30)
    search = search_of(wrong, right, budget=AccuracyBudget(max_drop=5, min_sqnr_db=15))
    result = tuned(search)
    assert "wrong:CPU@int8" not in result.plan.units
    assert (
        search.budget.broken_by(search.verification.accuracy(outputs_by(search, result.plan)))
        is None
    )
    assert any(mix.reason is not None for mix in result.found.mixes)


@pytest.mark.parametrize("alter", SPOILT)
def test_the_reference_of_the_rewritten_network_catches_it_too(
    alter: Callable[[Tensor], Tensor],
) -> None:
    """Without any budget: a network that comes quantised, cut between two engines."""
    search = search_of(AlteredEngine("quick"), budget=AccuracyBudget(min_sqnr_db=5))
    mixed = tuned(search)
    quantised = mixed.found.uniform[0].network
    wrong = AlteredEngine("wrong", precisions=("int8",), alter=alter)
    slow = AlteredEngine("right", precisions=("int8",))
    engines: dict[str, Engine] = {
        "wrong": wrong,
        "right": slow,
        "onnxruntime": OnnxRuntimeEngine(),
    }
    platform = Platform("test", "test", (CPU,), (*wrong.units([CPU]), *slow.units([CPU])))
    fixed = {
        layer.index: f"{'wrong' if layer.index < 3 else 'right'}:CPU@int8"
        for layer in quantised.layers
    }
    with pytest.raises(Exception, match="computes what the reference does"):
        tune(
            quantised,
            platform=platform,
            engines=engines,
            store=Store.in_memory(),
            frames=images(2),
            fixed=fixed,
            settings=QUICK,
            compare_installed=False,
        )


def test_throughput_keeps_the_budget_at_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("counterpoint.tuning.stream_meter.STREAM_NS", 1_000_000)
    monkeypatch.setattr("counterpoint.tuning.stream_comparison.RUN_NS", 1_000_000)
    search = search_of(AlteredEngine("quick", slow=30), budget=AccuracyBudget(min_sqnr_db=10))
    goal = Throughput(batches=(4,), compare_installed=False)
    result = tune_precision(search, goal)
    assert result.plan.objective is Objective.THROUGHPUT
    assert result.plan.batch == 4
    assert result.plan.measured_interval is not None
    assert result.plan.precision is not None
    check_plan(result.plan, as_planned(search.network, result.plan), search.platform)
    assert (result.accuracy.sqnr_db or 0) > 10


def test_points_of_top_1_with_labels() -> None:
    frames = tuple(images(30))
    network = small_classifier()
    unlabelled = search_of(AlteredEngine("quick"), budget=AccuracyBudget(max_drop=50))
    truth = unlabelled.calibration
    assert truth.has_scores
    names = search_of(
        AlteredEngine("quick"),
        budget=AccuracyBudget(max_drop=50),
        shown=LabelledFrames(frames),
    )
    by_digest = {
        id(frame): int(best)
        for judge in (names.calibration, names.verification)
        for frame, best in zip(judge.images.frames, judge.top1, strict=True)
    }
    labels = tuple(by_digest[id(frame)] for frame in frames)
    labels = ((labels[0] + 1) % 10, *labels[1:])  # the network gets the first one wrong
    result = tuned(
        search_of(
            AlteredEngine("quick", slow=30),
            budget=AccuracyBudget(max_drop=50),
            network=network,
            shown=LabelledFrames(frames, labels),
        )
    )
    assert result.accuracy.labelled
    assert result.accuracy.reference_right is not None
    assert result.accuracy.reference_right >= result.verification_images - 1
    assert result.accuracy.drop is not None
    assert result.accuracy.drop.value <= 0.5


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (lambda: LabelledFrames(tuple(images(1))), "at least two different images"),
        (
            lambda: LabelledFrames(
                ({"input": np.full((1, 3, 12, 12), np.nan, np.float32)}, *images(3))
            ),
            "not finite of image 1",
        ),
        (lambda: LabelledFrames(tuple(images(24)), (77,) * 24), "label 77 does not fit"),
    ],
)
def test_images_and_labels_that_do_not_fit(shown: Callable[[], LabelledFrames], told: str) -> None:
    with pytest.raises(UserInputError, match=told) as raised:
        search_of(AlteredEngine("quick"), budget=AccuracyBudget(max_drop=1), shown=shown())
    assert "\n" not in str(raised.value)


def test_several_images_a_frame_are_refused() -> None:
    with pytest.raises(UserInputError, match="one image a frame"):
        search_of(
            AlteredEngine("quick"),
            budget=AccuracyBudget(max_drop=1),
            network=small_classifier(batch=4),
        )


def test_a_dead_layer_is_told() -> None:
    """Constant activations: a plan all the same, and a sentence about them."""
    search = search_of(
        AlteredEngine("quick"),
        budget=AccuracyBudget(max_drop=100),
        network=small_classifier(dead=True),
    )
    result = tuned(search)
    assert any("'r2'" in line and "everywhere" in line for line in result.plan.notes)


def test_frames_that_do_not_fit() -> None:
    with pytest.raises(FrameError):
        LabelledFrames.of(small_classifier(), [np.zeros((1, 3, 5, 5), np.float32)])
