from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from counterpoint.cli.frame_source import NamedFrame
from counterpoint.cli.running import predicted_trace, run_one_by_one, run_together
from counterpoint.costs.objective import Objective
from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import Network
from counterpoint.schedule.plan import Lane, Plan, Prediction, Segment
from counterpoint.schedule.session import Session
from tests.fake_engine import FakeEngine, fake_frame, fake_network, fake_platform, reference_outputs

PLATFORM = fake_platform("NPU.0", "NPU.1")


def chain() -> Network:
    return fake_network([["x"], ["t0"]])


def two_stages(network: Network, times: tuple[int, int] | None = (3, 5)) -> Plan:
    return Plan(
        network_name=network.name,
        network_hash=network.content_hash,
        platform_name=PLATFORM.name,
        platform_fingerprint=PLATFORM.fingerprint,
        objective=Objective.LATENCY,
        lanes=(
            Lane((Segment((0,), PLATFORM.units[0].name), Segment((1,), PLATFORM.units[1].name))),
        ),
        frames_in_flight=2,
        layer_names=tuple(layer.name for layer in network.layers),
        engines={"fake": "1.0"},
        prediction=Prediction(8, None if times is None else (times,)),
    )


def frames(network: Network, count: int) -> Iterator[NamedFrame]:
    for number in range(count):
        yield NamedFrame((f"frame{number}",), fake_frame(network, number))


@pytest.mark.parametrize("together", [False, True])
def test_every_frame_is_kept_once_with_a_time_for_each_repetition(together: bool) -> None:
    network = chain()
    kept: list[tuple[str, list[Tensor]]] = []

    def keep(frame: NamedFrame, outputs: list[Tensor]) -> None:
        kept.append((frame.names[0], outputs))

    with Session(
        network,
        two_stages(network),
        engines={"fake": FakeEngine()},
        platform=PLATFORM,
        trace=together,
    ) as session:
        drive = run_together if together else run_one_by_one
        times = drive(session, frames(network, 4), 3, keep)
    assert [name for name, _ in kept] == ["frame0", "frame1", "frame2", "frame3"]
    for number, (_, outputs) in enumerate(kept):
        expected = reference_outputs(network, fake_frame(network, number))
        np.testing.assert_array_equal(outputs[0], expected[0])
    assert [len(row) for row in times.frame_ns] == [3, 3, 3, 3]
    assert all(taken > 0 for row in times.frame_ns for taken in row)
    assert times.frames_per_s == pytest.approx(12e9 / times.busy_ns)


def test_the_predicted_trace_lies_beside_the_measured_one() -> None:
    network = chain()
    trace = predicted_trace(network, two_stages(network), PLATFORM, 3)
    assert trace is not None
    assert (trace.kind, len(trace.spans)) == ("predicted", 6)
    assert predicted_trace(network, two_stages(network, times=None), PLATFORM, 3) is None
