from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from counterpoint.measure.sampling import Comparison, Samples
from counterpoint.planning.result import PlanResult, Status
from counterpoint.report.document import to_json
from counterpoint.report.tuning import tune_document, tune_tables
from counterpoint.report.verdict import verdict
from counterpoint.schedule.plan import Prediction, Segment
from counterpoint.tuning.candidates import Candidate
from counterpoint.tuning.tune import TuneResult
from counterpoint.tuning.verification import Verification
from tests.report.costed import A, B, chain, costs, plan
from tests.report.rendering import rendered

WHOLE = tuple(range(4))
ON_A = Candidate((Segment(WHOLE, A.name),), (100,))
ON_B = Candidate((Segment(WHOLE, B.name),), (150,))
MIX = Candidate((Segment((0, 1), A.name), Segment((2, 3), B.name)), (40, 40))


def result(
    winner: Candidate,
    times: Mapping[str, Sequence[int]],
    *,
    candidates: Sequence[Candidate] = (ON_A, ON_B),
    installed: Sequence[str] = (),
    rejected: Sequence[str] = (),
) -> TuneResult:
    network = chain()
    return TuneResult(
        plan=plan(
            network,
            winner.segments,
            prediction=Prediction(winner.latency_ns, (winner.segment_ns,), winner.latency_ns),
        ),
        table=costs(network),
        planned=PlanResult(planner="labelling", status=Status.OPTIMAL, value=80, lower_bound=80),
        candidates=tuple(candidates),
        comparison=Comparison(
            {label: Samples(tuple(values)) for label, values in times.items()},
            {label: tuple(values) for label, values in times.items()},
        ),
        winner=winner.label,
        installed=tuple(installed),
        verification=Verification(1e-6, 1e-3),
        rejected=tuple(rejected),
        time_spent_ns=5_000_000_000,
    )


def test_one_unit_alone_is_said_to_be_best() -> None:
    told = verdict(result(ON_A, {ON_A.label: [100] * 5}))
    assert told == "a:NPU.0@fp32 alone is best: no mix of units is faster by the measured costs."


def test_a_mix_that_lost_on_the_clock_is_told() -> None:
    times = {ON_A.label: [100] * 5, MIX.label: [120] * 5}
    told = verdict(result(ON_A, times, candidates=(ON_A, MIX)))
    assert "alone is best: the best mix (2 segments on a:NPU.0@fp32 + b:NPU.1@fp32) takes " in told
    assert "1.20 times as long" in told


def test_a_faster_mix_that_computes_something_else_is_told() -> None:
    told = verdict(
        result(
            ON_A,
            {ON_A.label: [100] * 5},
            candidates=(MIX, ON_A),
            rejected=[f"{MIX.label} is off by 0.3 (allowed 0.001)"],
        )
    )
    assert "compute something else" in told


def test_a_mix_that_was_too_slow_to_be_compared_is_told() -> None:
    slow = Candidate(MIX.segments, (150, 150))
    told = verdict(result(ON_A, {ON_A.label: [100] * 5}, candidates=(ON_A, slow)))
    assert "takes 3.00 times as long" in told


def test_a_mix_is_compared_with_the_best_unit_on_the_clock() -> None:
    times = {MIX.label: [80, 80, 80], ON_A.label: [100, 96, 104], ON_B.label: [200] * 3}
    told = verdict(result(MIX, times, candidates=(MIX, ON_A, ON_B)))
    assert told == (
        "A mix of units is best: 2 segments on a:NPU.0@fp32 + b:NPU.1@fp32, "
        "1.25 times (1.20 to 1.30) as fast as a:NPU.0@fp32 alone."
    )


def test_a_mix_where_no_unit_ran_alone_on_the_clock() -> None:
    times = {MIX.label: [80] * 3}
    assert "1.25 times as fast as a:NPU.0@fp32 alone" in verdict(
        result(MIX, times, candidates=(MIX, ON_A))
    )
    assert "no unit runs the whole network alone" in verdict(result(MIX, times, candidates=(MIX,)))


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ([150, 160, 140], "It is 1.50 times (1.40 to 1.60) as fast as x as installed."),
        ([99, 100, 101], "Against x as installed there is no clear difference"),
        ([50, 50, 50], "But x as installed is 2.00 times (2.00 to 2.00) as fast as this plan."),
    ],
)
def test_todays_defaults_are_compared_honestly(installed: list[int], expected: str) -> None:
    times = {ON_A.label: [100] * 3, "x as installed": installed}
    assert expected in verdict(result(ON_A, times, installed=["x as installed"]))


def test_the_report_has_what_was_found() -> None:
    found = result(
        MIX,
        {MIX.label: [80_000] * 3, ON_A.label: [100_000] * 3, "x as installed": [90_000] * 3},
        candidates=(MIX, ON_A),
        installed=["x as installed"],
        rejected=["b refuses layer0: no such operator"],
    )
    text = rendered(tune_tables(chain(), found, "some.plan.json", "2 seeded frames"))
    for expected in (
        "(this plan)",
        "1.25x",
        "some.plan.json",
        "1e-06 relative to the reference, 0.001 allowed (2 seeded frames)",
        "b refuses layer0: no such operator",
    ):
        assert expected in text
    document = tune_document(found, "some.plan.json", "2 seeded frames")
    to_json(document)
    contenders = document["comparison"]
    assert isinstance(contenders, list)
    assert [(row["label"], row["is_plan"], row["as_installed"]) for row in contenders] == [  # type: ignore[index,call-overload]
        (MIX.label, True, False),
        (ON_A.label, False, False),
        ("x as installed", False, True),
    ]
    assert document["verdict"] == verdict(found)
