from __future__ import annotations

import pytest

from counterpoint.errors import UserInputError
from counterpoint.reproduce.catalogue import reproduce
from counterpoint.reproduce.figure import Figure, Reproduction, at_least, at_most, within


def test_a_bar_holds_up_to_its_ends() -> None:
    bar = within(200.0, 0.03)
    assert [bar.holds(value) for value in (193.9, 194.0, 206.0, 206.1)] == [
        False,
        True,
        True,
        False,
    ]
    assert at_least(2.0).holds(2.0)
    assert not at_least(2.0).holds(1.9)
    assert at_most(2.0).holds(-5.0)
    assert not at_most(2.0).holds(2.1)
    assert within(-10.0, 0.1).holds(-11.0)


def test_errors_are_parts_or_points() -> None:
    assert Figure(what="", unit="ms", published=200.0, model=206.0).error == pytest.approx(0.03)
    assert Figure(what="", unit="%", published=0.01, model=-1.6).error == pytest.approx(-1.61)
    assert Figure(what="", unit="ms", published=200.0).error is None
    assert Figure(what="", unit="ms", model=200.0).error is None


def test_a_bar_is_for_the_model_or_the_planner() -> None:
    bar = at_least(2.0)
    of_model = Figure(what="a", unit="x", model=1.0, planner=3.0, bar=bar)
    of_planner = Figure(what="b", unit="x", model=1.0, planner=3.0, bar=bar, judges_planner=True)
    told = Figure(what="c", unit="x", model=1.0, planner=3.0)
    unknown = Figure(what="d", unit="x", bar=bar)
    assert [one.holds for one in (of_model, of_planner, told, unknown)] == [
        False,
        True,
        None,
        None,
    ]
    figures = (of_model, of_planner, told, unknown)
    whole = Reproduction(name="n", title="t", sources=("s",), figures=figures)
    assert whole.missed == (of_model,)


def test_one_is_reproduced_by_its_name() -> None:
    assert [one.name for one in reproduce("two-googlenets")] == ["two-googlenets"]
    with pytest.raises(UserInputError, match=r"'nothing'.* there are: layer-switching, "):
        reproduce("nothing")
