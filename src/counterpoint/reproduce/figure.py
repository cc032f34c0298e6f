"""A published figure, what we predict for it, and what our planner finds beyond it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bar:
    """Where a value has to lie, ends included.

    Attributes:
        low: In the figure's unit; ``None``: as low as it likes.
        high: Likewise.
        text: The same for people: ``within 3 %``.
    """

    low: float | None
    high: float | None
    text: str

    def holds(self, value: float) -> bool:
        """The value is where it has to be."""
        above = self.low is None or value >= self.low
        return above and (self.high is None or value <= self.high)


def within(published: float, part: float) -> Bar:
    """At most that part of the published value away from it."""
    slack = abs(published) * part
    return Bar(published - slack, published + slack, f"within {100 * part:g} %")


def at_least(value: float) -> Bar:
    """That much or more."""
    return Bar(value, None, f"at least {value:.3g}")


def at_most(value: float) -> Bar:
    """That much or less."""
    return Bar(None, value, f"at most {value:.3g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of a publication and its counterparts here, all in one unit.

    Attributes:
        what: What is told, one line.
        unit: ``ms``, ``x`` (times the reference) or ``%``.
        published: By the source; ``None`` where it tells nothing, or tells it in words.
        model: Predicted for what the source did.
        planner: Predicted for what our planner would do instead; ``None``: nothing to plan.
        bound: Nothing is better under the same costs; ``None``: not known.
        bar: What has to hold for :attr:`judged`; ``None``: it is told, not judged.
        judges_planner: The bar is for :attr:`planner` and not for :attr:`model`.
        note: What else there is to know, one line.
    """

    what: str
    unit: str
    published: float | None = None
    model: float | None = None
    planner: float | None = None
    bound: float | None = None
    bar: Bar | None = None
    judges_planner: bool = False
    note: str = ""

    @property
    def error(self) -> float | None:
        """Of the prediction: a part of the published value, or points where the unit is ``%``.
        Positive when the prediction is more.
        """
        if self.model is None or self.published is None:
            return None
        if self.unit == "%":
            return self.model - self.published
        return self.model / self.published - 1 if self.published else None

    @property
    def judged(self) -> float | None:
        """The value that the bar is for."""
        return self.planner if self.judges_planner else self.model

    @property
    def holds(self) -> bool | None:
        """The bar is met; ``None`` where there is no bar or no value."""
        if self.bar is None or self.judged is None:
            return None
        return self.bar.holds(self.judged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """A publication and all its figures here.

    Attributes:
        name: On the command line.
        title: What was published, one line.
        sources: Where, one line each.
        figures: In the order in which they are shown.
        notes: How the model works, what it assumes, and what it cannot tell; one line each.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def missed(self) -> tuple[Figure, ...]:
        """Figures whose bar is not met."""
        return tuple(figure for figure in self.figures if figure.holds is False)
