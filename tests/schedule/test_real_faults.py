"""Real engines that fail in the middle of a mixed plan, through the library's front door."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from counterpoint.api import Machine, Session, devices
from counterpoint.costs.objective import Objective
from counterpoint.engines.faulty import FaultyEngine, Injection, InjectionKind
from counterpoint.engines.protocol import Tensor
from counterpoint.engines.reference import ReferenceEngine
from counterpoint.network.graph import Network
from counterpoint.schedule.plan import Lane, Plan, Prediction, Segment
from counterpoint.schedule.trace import Incident
from counterpoint.schedule.watchdog import HangLimits
from counterpoint.tuning.frames import seeded_frame
from counterpoint.tuning.planned import plan_of_lanes
from tests.tuning.small_network import small_network

ORT, OPENVINO = "onnxruntime:CPU@fp32", "openvino:CPU@fp32"
FRAMES = 12


@pytest.fixture(scope="module")
def network() -> Network:
    return small_network()


@pytest.fixture(scope="module")
def right(network: Network) -> list[list[Tensor]]:
    """By the reference evaluator."""
    engine = ReferenceEngine()
    (unit,) = engine.units(devices().platform.devices)[:1]
    compiled = engine.compile(network.whole(), unit)
    return [
        list(compiled.run([seeded_frame(network.inputs, number)["input"]]))
        for number in range(FRAMES)
    ]


def mixed(network: Network, machine: Machine) -> Plan:
    """The two engines in turn."""
    count = len(network.layers)
    bounds = [0, count // 3, 2 * count // 3, count]
    segments = tuple(
        Segment(tuple(range(first, last)), unit)
        for first, last, unit in zip(bounds, bounds[1:], (ORT, OPENVINO, ORT), strict=False)
    )
    plan = plan_of_lanes(
        network,
        machine.platform,
        machine.engines,
        lanes=(Lane(segments),),
        prediction=Prediction(0, ((1000, 1000, 1000),)),
        objective=Objective.LATENCY,
    )
    return replace(plan, frames_in_flight=3)


def is_right(outputs: Sequence[Tensor], wanted: Sequence[Tensor]) -> bool:
    return all(
        np.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(outputs, wanted, strict=True)
    )


@pytest.mark.parametrize("kind", get_args(InjectionKind))
@pytest.mark.parametrize("unit", [ORT, OPENVINO])
def test_frames_are_answered_right_and_in_order(
    network: Network,
    right: list[list[Tensor]],
    kind: InjectionKind,
    unit: str,
    tmp_path: Path,
) -> None:
    before = set(threading.enumerate())
    here = devices(only=[ORT, OPENVINO])
    at = 0 if kind == "compile" else 5
    engines = {
        name: FaultyEngine(engine, [Injection(kind, unit, at)])
        for name, engine in here.engines.items()
    }
    machine = Machine(here.platform, engines)
    reported: list[Incident] = []
    with Session(
        network,
        mixed(network, here),
        machine=machine,
        allow_fallback=True,
        spot_check=1.0 if kind == "wrong numbers" else None,
        # Only the hang ends by it: no other call of these takes anything near two seconds.
        hang_limits=HangLimits(floor_ns=2_000_000_000 if kind == "hang" else 60_000_000_000),
        store=tmp_path / "empty.sqlite",
        report=reported.append,
    ) as session:
        frames = (seeded_frame(network.inputs, number) for number in range(FRAMES))
        results = list(session.stream(frames))
        assert session.units_lost == {unit}
    assert len(results) == FRAMES
    for outputs, wanted in zip(results, right, strict=True):
        assert is_right(outputs, wanted)
    told = [incident.kind for incident in reported]
    assert told[0] == ("run" if kind == "transfer" else kind)
    assert told[1:] == ([] if kind == "compile" else ["replanned"])
    for engine in engines.values():
        engine.release()
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
    assert all(engine.open == 0 for engine in engines.values())
    assert set(threading.enumerate()) <= before
