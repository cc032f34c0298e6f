from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.overlay.core import CoreKind
from counterpoint.errors import UserInputError
from counterpoint.explore import exploration as module
from counterpoint.explore.exploration import STATE, Exploration
from counterpoint.explore.findings import Findings, undominated
from counterpoint.explore.search import Tried
from counterpoint.explore.space import Space
from counterpoint.explore.state import StateFile
from tests.explore.networks import workload

SMALL = Space(budget=32, inputs=dict.fromkeys(CoreKind, (8, 9)), element_step=2)


def explored(method: str = "exhaustive") -> Exploration:
    return Exploration.of(workload("squeezenet_v1.1"), SMALL, method)


def all_of(findings: Findings) -> list[tuple[str, int, int]]:
    return [(one.cores_text, one.interval_cycles, one.area) for one in findings.points()]


def best_of(findings: Findings) -> list[tuple[int, int] | None]:
    return [None if one is None else (one.interval_cycles, one.area) for one in findings.best()]


def test_several_processes_find_what_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW_DESIGNS", 0)
    alone = explored().run()
    assert all_of(explored().run(processes=2)) == all_of(alone)
    bound = explored("bound").run(processes=2)
    assert best_of(bound) == best_of(alone)
    assert bound.tried_count < alone.tried_count == explored().design_count


class _StopError(Exception):
    """In the middle of an exploration."""


class _StopsAt:
    def __init__(self, steps: int) -> None:
        self.left = steps

    def begin(self, title: str, total: int) -> None:
        assert total > self.left

    def step(self, done: str) -> None:
        self.left -= 1
        if not self.left:
            raise _StopError


@pytest.mark.parametrize("method", ["exhaustive", "bound"])
def test_a_resumed_exploration_finds_the_same(tmp_path: Path, method: str) -> None:
    whole = explored(method).run()
    with pytest.raises(_StopError):
        explored(method).run(folder=tmp_path, progress=_StopsAt(10))
    state = tmp_path / STATE
    lines = state.read_text().splitlines()
    assert len(lines) == 11
    with state.open("a") as stream:
        stream.write(lines[-1][: len(lines[-1]) // 2])  # as a crash would leave it
    resumed = explored(method).run(folder=tmp_path, resume=True)
    assert best_of(resumed) == best_of(whole)
    assert all_of(resumed) == all_of(whole)
    assert not state.exists()


def damaged(lines: list[str], **changes: object) -> str:
    part = json.loads(lines[1])
    return "\n".join([lines[0], json.dumps({**part, **changes})]) + "\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"part": -1},
        {"part": 10**9},
        {"part": True},
        {"part": "0"},
        {"bounded": None},
        {"bounded": -1},
        {"designs": None},
        {"designs": [[10**6]]},
        {"designs": [[-1]]},
        {"designs": [[2**70]]},
        {"designs": [[[0]]]},
        {"designs": [[0], [0, 1]]},
        {"designs": {"a": 1}},
        {"intervals": [0]},
        {"intervals": [2**62]},
        {"intervals": ["x"]},
        {"intervals": []},
        {"intervals": 5},
        {"intervals": [[5]]},
    ],
    ids=str,
)
def test_a_hostile_state_is_refused_in_one_line(tmp_path: Path, changes: dict[str, object]) -> None:
    made = explored()
    with pytest.raises(_StopError):
        made.run(folder=tmp_path, progress=_StopsAt(1))
    state = tmp_path / STATE
    lines = state.read_text().splitlines()
    content = json.loads(lines[1])
    number = next(n for n, (place, _) in enumerate(made.parts) if place == 0)
    content |= {"part": number, "designs": [[0]], "intervals": [5]}
    lines[1] = json.dumps(content)
    file = StateFile(state, made.fingerprint, made.catalogues)
    places = tuple(place for place, _ in made.parts)
    state.write_text("\n".join(lines) + "\n")
    assert file.read(places)[number].intervals.tolist() == [5]
    state.write_text(damaged(lines, **changes))
    with pytest.raises(UserInputError, match="is damaged") as caught:
        file.read(places)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]\n", "{}\n", "\x00\n", "[" * 100_000 + "\n"])
def test_a_file_that_is_no_state_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE).write_text(text)
    with pytest.raises(UserInputError, match="is no state of an exploration"):
        explored().run(folder=tmp_path, resume=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(*(st.integers(0, 6),) * 3), max_size=25))
def test_the_front_is_what_nothing_is_better_than(rows: list[tuple[int, int, int]]) -> None:
    keys = np.array(rows, dtype=np.int64).reshape(len(rows), 3)
    kept = undominated(keys).tolist()
    assert len({rows[row] for row in kept}) == len(kept)
    assert [rows[row][0] for row in kept] == sorted(rows[row][0] for row in kept)

    def is_beaten(row: tuple[int, ...]) -> bool:
        return any(
            other != row and all(a <= b for a, b in zip(other, row, strict=True)) for other in rows
        )

    assert {rows[row] for row in kept} == {row for row in rows if not is_beaten(row)}


def test_the_front_of_an_exploration_has_its_best_designs() -> None:
    findings = explored().run()
    front = findings.front()
    best = findings.overall_best()
    assert best is not None
    assert front[0].interval_cycles == best.interval_cycles
    assert min(point.area for point in front) == min(point.area for point in findings.points())
    most = max(point.efficiency for point in findings.points())
    assert max(point.efficiency for point in front) == most


def test_a_space_in_which_nothing_runs_has_no_best_design() -> None:
    made = explored()
    nothing = tuple(
        Tried(np.zeros((0, catalogue.core_count), np.int64), np.zeros(0, np.int64))
        for catalogue in made.catalogues
    )
    findings = Findings(made.space, made.workload, made.method, made.catalogues, nothing)
    assert findings.best() == (None,) * len(nothing)
    assert findings.overall_best() is None
    assert findings.front() == ()
    assert list(findings.points()) == []
