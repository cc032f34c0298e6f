from __future__ import annotations

from counterpoint.measure.peak import UnitPeak
from counterpoint.planning.result import PlanResult, Status
from counterpoint.report.document import to_json
from counterpoint.report.layers import network_document, network_tables
from counterpoint.report.machine import MachineReport, machine_document, machine_tables
from counterpoint.report.plans import bound_sentence, plan_document, plan_tables
from counterpoint.schedule.plan import Prediction, Segment
from tests.fake_engine import fake_network, fake_platform
from tests.report.costed import A, B, chain, plan
from tests.report.rendering import rendered


def test_a_strangers_names_are_shown_harmlessly() -> None:
    text = rendered(network_tables(fake_network([["x"]], name="a\x1b[31m[bold]b\nc")))
    assert "\x1b[31m" not in text
    assert "[bold]b" in text


def test_the_layers_of_a_network() -> None:
    network = chain()
    text = rendered(network_tables(network, limit=1))
    assert "layer0" in text
    assert "layer1" not in text
    assert "and 3 more" in text
    assert "takes   x float32 1x4" in text
    document = network_document(network)
    to_json(document)
    assert len(document["layers"]) == 4  # type: ignore[arg-type]


def test_a_machine_with_and_without_measured_peaks() -> None:
    platform = fake_platform("NPU.0", "NPU.1")
    first, second = (unit.name for unit in platform.units)
    report = MachineReport(
        platform=platform,
        engine_versions={"fake": "1.0"},
        missing={"other": "not installed: pip install other"},
        peaks=(UnitPeak(first, 2.5e11), UnitPeak(second, None, "it refused")),
        copy_bytes_per_s=2e10,
    )
    text = rendered(machine_tables(report))
    for expected in (
        "250 GFLOP/s",
        "not measured: it refused",
        "20 GB/s",
        "other is not installed: pip install other",
    ):
        assert expected in text
    document = machine_document(report)
    to_json(document)
    assert document["missing_engines"] == {"other": "not installed: pip install other"}
    bare = MachineReport(platform=platform, engine_versions={}, missing={})
    assert "GFLOP/s" not in rendered(machine_tables(bare))


def planned(**values: object) -> PlanResult:
    given: dict[str, object] = {"planner": "p", "status": Status.FEASIBLE, "value": 100}
    return PlanResult(**{**given, **values})  # type: ignore[arg-type]


def test_a_plan_shows_its_segments_and_how_good_it_is() -> None:
    network = chain()
    made = plan(
        network,
        (Segment((0, 1), A.name), Segment((2, 3), B.name)),
        prediction=Prediction(100_000, ((60_000, 40_000),), 90_000),
    )
    text = rendered(plan_tables(network, made, planned(lower_bound=90)))
    for expected in ("layer0..layer1", "60.0 us", "b:NPU.1@fp32", "100 us a frame", "10.0 %"):
        assert expected in text
    document = plan_document(made, planned(), None)
    to_json(document)
    assert document["gap"] is None
    assert document["file"] is None


def test_a_bound_is_proven_known_or_unknown() -> None:
    assert "proven" in bound_sentence(planned(status=Status.OPTIMAL, lower_bound=100))
    assert "faster than 50 ns (gap 50.0 %)" in bound_sentence(planned(lower_bound=50))
    assert "not known" in bound_sentence(planned())
