"""Plans that choose a precision: what they run, and what they may be off by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from counterpoint.api import as_planned
from counterpoint.engines.agreement import relative_error, rounded_otherwise
from counterpoint.engines.registry import all_engines
from counterpoint.errors import UserInputError
from counterpoint.network.batching import with_batch
from counterpoint.network.graph import Network
from counterpoint.network.precision.quantise import choice_of, quantise
from counterpoint.network.precision.ranges import Ranges
from counterpoint.network.precision.scheme import Scheme
from counterpoint.network.split import Split
from counterpoint.network.splitting import split
from counterpoint.platform.model import ComputeUnit, Platform
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session
from counterpoint.tuning.calibration import calibrate
from counterpoint.tuning.frames import ordered, seeded_frame
from counterpoint.tuning.planned import plan_on_unit
from counterpoint.tuning.reference import Reference
from tests.engine_runs import CPU
from tests.tuning.small_network import small_network

ENGINES = all_engines()
INT8 = ComputeUnit("onnxruntime", (CPU,), "int8")
HERE = Platform("here", "f", (CPU,), (INT8, ComputeUnit("openvino", (CPU,), "int8")))
SCHEME = Scheme()


def ranges_of(network: Network) -> Ranges:
    return calibrate(network, [seeded_frame(network.inputs, seed) for seed in range(3)])


def plan_for(rewritten: Network, **fields: object) -> Plan:
    return replace(plan_on_unit(rewritten, HERE, ENGINES, INT8.name), **fields)  # type: ignore[arg-type]


def test_a_plan_rewrites_its_network_again() -> None:
    network = small_network()
    ranges = ranges_of(network)
    batched = with_batch(network, 2)
    splits = (Split(("conv1",), "channels", (1, 1)),)
    rewritten = split(quantise(batched, [1, 2, 3], ranges, SCHEME), splits)
    chosen = choice_of(batched, [1, 2, 3], ranges, SCHEME)
    plan = plan_for(rewritten, precision=chosen, batch=2, splits=splits)
    again = as_planned(network, plan)
    assert again.content_hash == rewritten.content_hash == plan.network_hash
    assert as_planned(again, plan) is again
    frame = seeded_frame(batched.inputs)
    with Session(again, plan, engines=ENGINES, platform=HERE) as session:
        (made,) = session.run(None, frame)
    with Session(batched, on_float(batched), engines=ENGINES, platform=float_platform()) as session:
        (wanted,) = session.run(None, frame)
    error = relative_error(made, wanted)
    assert error is not None
    assert 0 < error < 0.1


def float_platform() -> Platform:
    return replace(HERE, units=(ComputeUnit("onnxruntime", (CPU,), "fp32"),))


def on_float(network: Network) -> Plan:
    return plan_on_unit(network, float_platform(), ENGINES, "onnxruntime:CPU@fp32")


def test_an_int8_unit_is_no_place_for_a_float_network() -> None:
    with pytest.raises(UserInputError, match="small is not quantised, so onnxruntime:CPU@int8"):
        plan_on_unit(small_network(), HERE, ENGINES, INT8.name)


def test_integers_rounded_otherwise_are_off_as_much_as_a_rounding_is() -> None:
    values = np.random.default_rng(0).integers(1, 255, (64, 64, 64)).astype(np.uint8)
    moved = rounded_otherwise(values)
    off = moved.astype(int) - values
    assert set(np.unique(off)) == {-1, 0, 1}
    assert (off**2).mean() == pytest.approx(1 / 12, rel=0.03)
    assert abs(off.mean()) < 0.003
    np.testing.assert_array_equal(rounded_otherwise(values), moved)
    ends = np.array([-128, 127] * 500, np.int8)
    assert rounded_otherwise(ends).dtype == np.int8
    assert np.abs(rounded_otherwise(ends).astype(int) - ends).max() == 1


def test_a_quantised_network_is_allowed_what_other_rounding_makes() -> None:
    network = small_network()
    rewritten = quantise(network, range(5), ranges_of(network), SCHEME)
    frames = [ordered(network, seeded_frame(network.inputs, 7))]
    reference = Reference(rewritten, HERE, ENGINES, frames)
    tolerance = reference.tolerance([INT8])
    assert 0.1 <= tolerance < 0.3
    assert reference.tolerance([replace(INT8, precision="bf16")]) >= tolerance
    for unit in HERE.units:
        plan = plan_on_unit(rewritten, HERE, ENGINES, unit.name)
        with Session(rewritten, plan, engines=ENGINES, platform=HERE) as session:
            outputs = [list(session.run(None, seeded_frame(network.inputs, 7)))]
        assert reference.verify(outputs, [unit]).passed
        wrong = [[outputs[0][0][:, ::-1]]]
        assert not reference.verify(wrong, [unit]).passed
