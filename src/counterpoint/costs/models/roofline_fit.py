"""Fits a roofline to measured layers, and says how well it fits.

Least squares of the relative error, so that short layers count like long ones. With all but one
parameter held, the sum is piecewise quadratic in the one that is left, and its least value is
found exactly; the parameters take turns until nothing improves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from counterpoint.costs.models.protocol import Cost
from counterpoint.costs.models.roofline import Roofline, layer_types
from counterpoint.errors import UserInputError
from counterpoint.network.graph import Layer

_ROUNDS = 100
_SMALLEST_GAIN = 1e-9


@dataclass(frozen=True, slots=True)
class Measured:
    """A layer and how long it took, at least 1 ns."""

    layer: Layer
    time_ns: int


@dataclass(frozen=True, slots=True)
class RooflineFit:
    """A fitted model and its error over the samples it was fitted to.

    Attributes:
        model: The fitted roofline.
        mean_error: Mean of ``|predicted - measured| / measured``.
        worst_error: The largest of those.
        total_error: Signed, of the sum over all samples.
        samples: How many there were.
    """

    model: Roofline
    mean_error: float
    worst_error: float
    total_error: float
    samples: int


def fit(start: Roofline, samples: Sequence[Measured]) -> RooflineFit:
    """Fits bandwidth, overhead and the efficiency of each kind of layer; the peak stays.

    Args:
        start: Peak and precision are taken over, the rest is where the search starts.
        samples: Measured layers with known shapes; at least one.

    Raises:
        UserInputError: No sample, a time below 1 ns, or a layer of unknown shapes.
    """
    if not samples:
        raise UserInputError("nothing to fit a roofline to: give at least one measured layer")
    for sample in samples:
        if sample.time_ns < 1 or start.moved_bytes(sample.layer) is None:
            raise UserInputError(
                f"layer {sample.layer.name} cannot be fitted: it needs known shapes and a time "
                f"of at least 1 ns, not {sample.time_ns} ns"
            )
    state = _Search(start, samples)
    loss = state.loss()
    for _ in range(_ROUNDS):
        state.improve()
        before, loss = loss, state.loss()
        if before - loss <= _SMALLEST_GAIN * before:
            break
    return evaluate(state.model(), samples)


def evaluate(model: Roofline, samples: Sequence[Measured]) -> RooflineFit:
    """The model's error over measured layers, also over others than it was fitted to."""
    predicted = [model.cost(sample.layer) for sample in samples]
    times = [cost.time_ns for cost in predicted if isinstance(cost, Cost)]
    if len(times) != len(samples) or not samples:
        raise UserInputError("a roofline's error needs measured layers of known shapes")
    errors = [
        abs(time_ns - sample.time_ns) / sample.time_ns
        for time_ns, sample in zip(times, samples, strict=True)
    ]
    measured_ns = sum(sample.time_ns for sample in samples)
    return RooflineFit(
        model,
        sum(errors) / len(errors),
        max(errors),
        sum(times) / measured_ns - 1,
        len(samples),
    )


class _Search:
    """Where the search stands: seconds as unit, one slope for each parameter.

    Attributes:
        per_byte: One over the bandwidth.
        per_mac: One over the reached rate, by kind of layer.
        overhead: Of one call.
    """

    def __init__(self, start: Roofline, samples: Sequence[Measured]) -> None:
        self.start = start
        self.macs = [sample.layer.macs for sample in samples]
        self.moved = [start.moved_bytes(sample.layer) or 0.0 for sample in samples]
        self.calls = [start.calls(sample.layer) for sample in samples]
        self.times = [sample.time_ns * 1e-9 for sample in samples]
        self.kinds = [layer_types(sample.layer)[-1] for sample in samples]
        self.least_per_mac = 1 / start.peak_macs_per_s
        self.per_byte = 1 / start.bandwidth_bytes_per_s
        self.overhead = start.overhead_ns * 1e-9
        self.per_mac = {
            kind: self.least_per_mac / start.efficiency_of(sample.layer)
            for kind, sample in zip(self.kinds, samples, strict=True)
        }

    def improve(self) -> None:
        """Each parameter once, each at its best for the others' present values."""
        places = range(len(self.times))
        for kind in self.per_mac:
            own = [i for i in places if self.kinds[i] == kind and self.macs[i] > 0]
            if own:
                self.per_mac[kind] = _best_slope(
                    [self.moved[i] * self.per_byte for i in own],
                    [float(self.macs[i]) for i in own],
                    [self.times[i] - self.calls[i] * self.overhead for i in own],
                    [self.times[i] for i in own],
                    self.least_per_mac,
                )
        rest = [
            time - calls * self.overhead for time, calls in zip(self.times, self.calls, strict=True)
        ]
        compute = [self.macs[i] * self.per_mac[self.kinds[i]] for i in places]
        if any(self.moved):
            self.per_byte = _best_slope(compute, self.moved, rest, self.times, 1e-15)
        work = [max(compute[i], self.moved[i] * self.per_byte) for i in places]
        above = sum(self.calls[i] * (self.times[i] - work[i]) / self.times[i] ** 2 for i in places)
        below = sum((self.calls[i] / self.times[i]) ** 2 for i in places)
        self.overhead = max(0.0, above / below)

    def loss(self) -> float:
        """Sum of squared relative errors."""
        total = 0.0
        for i, time in enumerate(self.times):
            work = max(self.macs[i] * self.per_mac[self.kinds[i]], self.moved[i] * self.per_byte)
            total += ((work + self.calls[i] * self.overhead - time) / time) ** 2
        return total

    def model(self) -> Roofline:
        """The roofline of the present values."""
        return replace(
            self.start,
            bandwidth_bytes_per_s=1 / self.per_byte,
            efficiency={
                kind: min(1.0, self.least_per_mac / slope)
                for kind, slope in sorted(self.per_mac.items())
            },
            overhead_ns=round(self.overhead * 1e9),
        )


def _best_slope(
    floors: Sequence[float],
    sizes: Sequence[float],
    targets: Sequence[float],
    scales: Sequence[float],
    least: float,
) -> float:
    """The ``x >= least`` with the least ``sum(((max(floor, size * x) - target) / scale) ** 2)``.

    Between two neighbouring values of ``floor / size`` the same terms hang on ``x``, so that the
    sum is a parabola there.
    """

    def loss(x: float) -> float:
        terms = zip(floors, sizes, targets, scales, strict=True)
        return sum(
            ((max(floor, size * x) - target) / scale) ** 2 for floor, size, target, scale in terms
        )

    turns = sorted(
        (floor / size, place)
        for place, (floor, size) in enumerate(zip(floors, sizes, strict=True))
        if size > 0
    )
    candidates = [least, *(turn for turn, _ in turns if turn >= least)]
    square = product = 0.0  # of the terms that hang on x from this turn on
    for position, (turn, place) in enumerate(turns):
        square += (sizes[place] / scales[place]) ** 2
        product += sizes[place] * targets[place] / scales[place] ** 2
        after = turns[position + 1][0] if position + 1 < len(turns) else float("inf")
        best = product / square
        if turn <= best <= after and best >= least:
            candidates.append(best)
    return min(candidates, key=loss)
