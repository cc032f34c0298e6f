"""The ways in which frames may be spread over lanes; one function a method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from counterpoint.errors import InternalError
from counterpoint.planning.column_generation import (
    COARSE_TOLERANCE,
    TOLERANCE,
    Column,
    Pricing,
    Relaxation,
    relax,
)
from counterpoint.planning.evaluator import evaluate
from counterpoint.planning.lane_pricing import LanePricing
from counterpoint.planning.latency import merged
from counterpoint.planning.pipeline import best_pipeline
from counterpoint.planning.result import Segment
from counterpoint.planning.share_rounding import Shares, least_busy, whole_shares

LARGE = 2000
"""Layers times units from which the linear program is solved coarsely."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Lanes with shares, and the interval that nothing of the same method can be below."""

    shares: Shares
    bound_ns: Fraction
    pricings: int = 0


@dataclass(frozen=True, slots=True)
class Nothing:
    """Why there is no plan."""

    reason: str


class Search:
    """What the methods share: lanes to begin with, and the linear program over all lanes."""

    def __init__(self, pricing: LanePricing, max_pricings: int) -> None:
        self.pricing = pricing
        self.max_pricings = max_pricings
        self.refused: list[str] = []
        self.singles = self._singles()

    def _singles(self) -> list[Column]:
        """Lanes of one unit; the others' reasons go to ``refused``."""
        network, table = self.pricing.network, self.pricing.table
        limit_ns = self.pricing.max_latency_ns
        columns = {column for columns in self.pricing.allowed for column in columns}
        found = []
        for column in sorted(columns):
            unit = table.unit_names[column]
            segments: tuple[Segment, ...] = ((tuple(range(len(network.layers))), unit),)
            evaluation = evaluate(network, table, segments)
            elsewhere = [
                layer.name
                for layer, columns in zip(network.layers, self.pricing.allowed, strict=True)
                if column not in columns
            ]
            if elsewhere:
                self.refused.append(f"{unit} may not run layer {elsewhere[0]!r}")
            elif evaluation.latency_ns is None:
                self.refused.append(evaluation.violations[0])
            elif limit_ns is not None and evaluation.latency_ns > limit_ns:
                self.refused.append(f"{unit} takes {evaluation.latency_ns} ns for a frame")
            else:
                found.append(Column(segments, evaluation))
        return found

    @cached_property
    def relaxation(self) -> Relaxation:
        """Of all allowed lanes; those that it tells are within the limit on latency.

        The limit is first put on the mean of the mix, which gives the bound. Lanes beyond the limit
        are then left out, and others within it looked for.
        """
        limit_ns = self.pricing.max_latency_ns
        start = [self.pricing.quickest, *self.singles]
        size = len(self.pricing.network.layers) * len(self.pricing.table.units)
        loose = relax(
            start,
            self.pricing,
            max_pricings=self.max_pricings,
            max_latency_ns=limit_ns,
            tolerance=COARSE_TOLERANCE if size > LARGE else TOLERANCE,
        )
        if limit_ns is None:
            return loose
        within = [column for column in loose.columns if column.latency_ns <= limit_ns]
        strict = relax(within, self.pricing.within_limit, max_pricings=self.max_pricings)
        return Relaxation(
            strict.columns,
            max(loose.bound_ns, strict.bound_ns),
            loose.pricings + strict.pricings,
        )

    @cached_property
    def pipeline(self) -> tuple[Column | None, bool]:
        """A pipeline of one segment for each unit; whether none is better."""
        pricing = self.pricing
        best = min(self.singles, key=lambda column: column.busiest_ns, default=None)
        found = best_pipeline(
            pricing.network,
            pricing.table,
            pricing.allowed,
            ceiling_ns=None if best is None else best.busiest_ns,
            max_latency_ns=pricing.max_latency_ns,
        )
        if found.labels is None:
            return best, found.exact
        segments = merged(pricing.table, found.labels)
        evaluation = evaluate(pricing.network, pricing.table, segments)
        if evaluation.latency_ns is None:
            raise InternalError(f"pipeline of {pricing.network.name}: {evaluation.violations[0]}")
        return Column(segments, evaluation), found.exact

    def no_single(self) -> Nothing:
        """Why no unit runs everything."""
        return Nothing(
            f"no unit runs all of {self.pricing.network.name}: " + "; ".join(self.refused)
        )


def _auto(search: Search) -> Answer:
    relaxation = search.relaxation
    shares = whole_shares(relaxation.columns)
    return Answer(shares, relaxation.bound_ns, relaxation.pricings)


def _switch(search: Search) -> Answer:
    relaxation = search.relaxation
    lane, _ = search.pipeline
    lanes = [*relaxation.columns, lane] if lane else relaxation.columns
    return Answer(least_busy(lanes), relaxation.bound_ns, relaxation.pricings)


def _replicate(search: Search) -> Answer | Nothing:
    singles = search.singles
    if not singles:
        return search.no_single()

    def cheapest(weights: Mapping[str, int]) -> Pricing:
        column = min(singles, key=lambda column: column.price(weights))
        total = max(1, sum(weights.values()))
        return Pricing((column,), Fraction(column.price(weights), total))

    relaxation = relax(singles, cheapest, max_pricings=search.max_pricings)
    return Answer(whole_shares(singles), relaxation.bound_ns, relaxation.pricings)


def _pipeline(search: Search) -> Answer | Nothing:
    lane, is_best = search.pipeline
    if lane is None:
        pricing = search.pricing
        limit = pricing.max_latency_ns
        within = "" if limit is None else f" in {limit} ns for a frame"
        found = "is possible" if is_best else "was found"
        return Nothing(
            f"no pipeline of {pricing.network.name} with one segment for each unit {found}{within}"
        )
    if is_best:
        return Answer(((lane, 1),), Fraction(lane.busiest_ns))
    return Answer(((lane, 1),), search.relaxation.bound_ns, search.relaxation.pricings)


def _single(search: Search) -> Answer | Nothing:
    if not search.singles:
        return search.no_single()
    shares = least_busy(search.singles)
    return Answer(shares, Fraction(shares[0][0].busiest_ns))


METHODS: Mapping[str, Callable[[Search], Answer | Nothing]] = {
    "auto": _auto,
    "single": _single,
    "replicate": _replicate,
    "pipeline": _pipeline,
    "switch": _switch,
}
"""By name; :func:`counterpoint.planning.throughput.plan_throughput` says what each does."""
