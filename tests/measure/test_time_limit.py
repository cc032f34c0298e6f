from __future__ import annotations

from counterpoint.measure.time_limit import TimeLimit


class Clock:
    def __init__(self) -> None:
        self.now_ns = 5

    def __call__(self) -> int:
        return self.now_ns


def test_it_is_over_at_its_end_and_stays_so() -> None:
    clock = Clock()
    limit = TimeLimit(2e-9, clock)
    seen = []
    for clock.now_ns in (5, 6, 7, 8):
        seen.append((limit.spent_ns, limit.left_ns, limit.is_over))
    assert seen == [(0, 2, False), (1, 1, False), (2, 0, True), (3, 0, True)]


def test_a_part_is_of_what_is_left() -> None:
    clock = Clock()
    whole = TimeLimit(100e-9, clock)
    clock.now_ns += 40
    assert whole.part(0.5).left_ns == 30
    clock.now_ns += 60
    assert whole.part(0.5).is_over


def test_without_a_number_it_is_never_over() -> None:
    assert not TimeLimit().is_over
    assert not TimeLimit().part(0.01).is_over
