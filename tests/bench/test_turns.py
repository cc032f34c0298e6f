from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from counterpoint.bench.matrix.entrants import Entrant, FramesRun
from counterpoint.bench.matrix.turns import Turns, measured_rows
from counterpoint.bench.result import Basis, Contender, Control, Energy, Method, Metric, Row
from counterpoint.errors import EngineError, InternalError
from counterpoint.measure.sampling import Contender as Ready
from counterpoint.measure.sampling import Run, interleave
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.tuning.progress import Silence

TURNS = Turns(rounds=4, runs=2, turn_ns=10**9, warm_ns=0)


class Counted:
    """A contender that counts its runs, and fails at one of them."""

    def __init__(self, fails_at: int | None = None, error: Exception | None = None) -> None:
        self.runs = 0
        self.opened = 0
        self.closed = 0
        self._fails_at = fails_at
        self._error = error or EngineError("gone")

    @contextmanager
    def ready(self) -> Iterator[Run]:
        self.opened += 1
        try:
            yield self._run
        finally:
            self.closed += 1

    def _run(self) -> None:
        if self.runs == self._fails_at:
            raise self._error
        self.runs += 1


def entrant(name: str, ready: Ready) -> Entrant:
    return Entrant(contender=Contender(name, Method.UNIT, "fp32", "e 1"), ready=ready)


def measured(*entrants: Entrant, turns: Turns = TURNS, wanted: int = 8) -> list[Row]:
    found = measured_rows("net", Metric.LATENCY, entrants, turns, wanted=wanted, progress=Silence())
    return [row for row in found if isinstance(row, Row)]


@pytest.mark.parametrize("fails_at", range(9))
@pytest.mark.parametrize("alone", [False, True])
def test_who_fails_keeps_whole_turns_and_the_others_go_on(fails_at: int, alone: bool) -> None:
    bad, good = Counted(fails_at), Counted()
    turns = Turns(rounds=4, runs=2, turn_ns=10**9, one_in_memory=alone, warm_ns=0)
    lost, kept = measured(entrant("bad", bad.ready), entrant("good", good.ready), turns=turns)
    assert lost.failure == "gone"
    whole_turns = fails_at // 4  # two runs to be warm, two that count
    assert len(lost.samples_ns) == 2 * whole_turns
    assert len(lost.rounds_ns) == whole_turns
    assert kept.failure is None
    assert (len(kept.samples_ns), len(kept.rounds_ns)) == (8, 4)
    assert bad.opened == bad.closed
    assert good.opened == good.closed == (4 if alone else 2)


def test_all_may_fail() -> None:
    rows = measured(entrant("a", Counted(0).ready), entrant("b", Counted(3).ready))
    assert [row.failure for row in rows] == ["gone", "gone"]
    assert [row.samples_ns for row in rows] == [(), ()]


def test_a_bug_of_ours_is_not_a_row() -> None:
    with pytest.raises(InternalError):
        measured(entrant("a", Counted(2, InternalError("broken")).ready))
    (row,) = measured(entrant("a", Counted(2, MemoryError()).ready))
    assert row.failure == "not enough memory"


def test_when_it_is_late_three_rounds_are_enough() -> None:
    late = Turns(rounds=8, runs=2, turn_ns=10**9, limit=TimeLimit(0), warm_ns=0)
    bad, good = Counted(0), Counted()
    lost, kept = measured(entrant("bad", bad.ready), entrant("good", good.ready), turns=late)
    assert lost.failure == "gone"
    assert len(kept.rounds_ns) == 3
    assert kept.note == "6 images, not 8: no more fit into the time of a row"


def test_fewer_images_than_wanted_are_told() -> None:
    short, enough = (measured(entrant("a", Counted().ready), wanted=count)[0] for count in (9, 8))
    assert short.note == "8 images, not 9: no more fit into the time of a row"
    assert enough.note is None


def test_the_twin_is_a_control_and_no_row() -> None:
    one = entrant("one", Counted().ready)
    rows = measured_rows(
        "net", Metric.LATENCY, [one], TURNS, wanted=1, progress=Silence(), twin=one
    )
    row, control = rows
    assert isinstance(row, Row)
    assert isinstance(control, Control)
    assert control.contender == one.contender
    assert [len(rounds) for rounds in control.rounds_ns] == [4, 4]
    assert control.rounds_ns[0] == row.rounds_ns


def test_energy_is_asked_for_what_was_measured() -> None:
    asked: list[str] = []

    def energy(row: Row, ready: Ready) -> Energy | str:
        asked.append(row.contender.name)
        if row.contender.name == "none":
            return "no counter"
        with ready() as run:
            run()
        return Energy(5, Basis.MEASURED, "by hand")

    late = Counted(16)  # after the turns
    entrants = [
        entrant("some", Counted().ready),
        entrant("none", Counted().ready),
        entrant("failed", Counted(0).ready),
        entrant("late", late.ready),
    ]
    found = measured_rows(
        "net", Metric.LATENCY, entrants, TURNS, wanted=1, progress=Silence(), energy=energy
    )
    rows = {row.contender.name: row for row in found if isinstance(row, Row)}
    assert asked == ["some", "none", "late"]
    assert rows["some"].energy == Energy(5, Basis.MEASURED, "by hand")
    assert rows["none"].note == "no energy: no counter"
    assert rows["late"].note == "no energy: gone"
    assert rows["late"].failure is None


def test_a_run_of_many_frames_is_warm_after_a_few() -> None:
    streamed: list[int] = []

    @contextmanager
    def ready() -> Iterator[Run]:
        yield FramesRun(streamed.append, 10, 3)

    result = interleave({"a": ready}, rounds=2, block_ns=1, max_runs=1, warm_ns=0)
    # A sample that takes longer than a turn is counted once; a shorter one has its own warm-up.
    assert streamed[:2] == [3, 10]
    assert set(streamed) == {3, 10}
    assert streamed.count(3) == 2
    assert len(result.rounds["a"]) == 2


def test_who_raises_ends_a_comparison_that_does_not_ask() -> None:
    with pytest.raises(EngineError, match="gone"):
        interleave({"a": Counted(1).ready}, rounds=2)
