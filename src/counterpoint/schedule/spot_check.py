"""Some frames computed twice: each segment again on another unit, and the two compared.

A checked frame takes a lane of its own: the plan's, with a check behind each segment. So the
dispatcher keeps the checking unit's devices for it like for any segment, and no result of a
checked frame is handed out before all its checks are done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from counterpoint.engines.agreement import TOLERANCE, relative_error
from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError, UserInputError
from counterpoint.platform.model import ComputeUnit
from counterpoint.schedule.arbitration import Judge
from counterpoint.schedule.faults import WrongNumbersError
from counterpoint.schedule.wiring import Slots, Step

FINEST_RATE = 10_000
"""One frame in so many is the least that is checked."""


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """How often results are checked.

    Attributes:
        rate: Part of the frames, above 0 and at most 1; evenly spread.
        tolerance: Relative error (Euclidean norm) between two units that counts as agreement;
            ``None``: what the coarser of their precisions may always make.

    Raises:
        UserInputError: One of them is out of range.
    """

    rate: float
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise UserInputError(f"spot checks of {self.rate} of all frames: give 0 to 1")
        if self.tolerance is not None and not self.tolerance > 0:
            raise UserInputError(f"tolerance of spot checks: {self.tolerance} is not above 0")

    @property
    def part(self) -> Fraction:
        """The rate as whole numbers of frames; not 0."""
        least = Fraction(1, FINEST_RATE)
        return max(least, Fraction(self.rate).limit_denominator(FINEST_RATE))

    def allowed(self, precision: str) -> float:
        """By how much a unit of that precision may be off."""
        if self.tolerance is not None:
            return self.tolerance
        return TOLERANCE.get(precision, TOLERANCE["bf16"])


def witnesses(
    unit: ComputeUnit, others: Sequence[ComputeUnit], *, quantised: bool
) -> list[ComputeUnit]:
    """The units that may check one, best first: on other devices, by another engine, on true
    hardware, in the network's own precision.

    The same engine on the same device would make the same mistake.

    Args:
        unit: Whose results are checked.
        others: All that are left; may have it among them.
        quantised: The layers are, so that ``int8`` is their own precision.
    """

    def remoteness(other: ComputeUnit) -> tuple[bool, bool, bool, bool, int, str]:
        return (
            bool(set(unit.devices) & set(other.devices)),
            other.engine == unit.engine,
            any(device.is_software for device in other.devices),
            other.precision != ("int8" if quantised else "fp32"),
            len(other.settings),
            other.name,
        )

    return sorted(
        (
            other
            for other in others
            if (quantised or other.precision != "int8") and remoteness(other)[:2] != (True, True)
        ),
        key=remoteness,
    )


class CheckStep(Step):
    """Computes a segment again on another unit and compares; makes no tensor.

    Args:
        subject: The segment's own step.
        run: The other unit's call.
        settings: How closely.
        unit: The segment's own.
        witness: The other.
        judge: Asked when they do not agree; ``None``: the other unit is right.
    """

    __slots__ = ("_allowed", "_between", "_judge", "_made", "_settings", "_subject", "_units")

    def __init__(
        self,
        subject: Step,
        run: Callable[..., Sequence[Tensor]],
        *,
        settings: SpotCheck,
        unit: ComputeUnit,
        witness: ComputeUnit,
        judge: Judge | None,
    ) -> None:
        super().__init__(
            run=run,
            reads=(*subject.reads, *subject.writes),
            writes=(),
            lends=None,
            name=check_name(subject.name),
            layer=subject.layer,
            unit=witness.name,
        )
        self._made = len(subject.writes)
        self._subject = subject.name
        self._settings = settings
        self._units = (unit, witness)
        self._allowed = [settings.allowed(one.precision) for one in self._units]
        self._between = max(self._allowed)
        self._judge = judge

    def advance(self, slots: Slots) -> None:
        """See :class:`Step`.

        Raises:
            WrongNumbersError: The two units do not agree; names the one that is to blame.
            EngineError: The other unit failed.
        """
        tensors: list[Tensor] = [slots[slot] for slot in self.reads]  # type: ignore[misc]
        inputs, made = tensors[: -self._made], tensors[-self._made :]
        try:
            expected = self.run(inputs)
        except Exception as error:
            self.blame(error)
        apart = difference(made, expected, self._between)
        if apart is None:
            return
        blamed = self._blamed(inputs, made, expected)
        if blamed is None:
            return
        other = self._units[blamed is self._units[0]]
        raise WrongNumbersError(
            f"{blamed.name} computed other numbers than {other.name} in segment {self._subject}: "
            f"{apart}",
            layer=self.layer,
            unit=blamed.name,
        )

    def _blamed(
        self, inputs: Sequence[Tensor], made: Sequence[Tensor], expected: Sequence[Tensor]
    ) -> ComputeUnit | None:
        """Who of the two is wrong; ``None`` where both are as near to the truth as they can be."""
        if self._judge is None:
            return self._units[0]
        try:
            truth = self._judge.truth(inputs)
            for index, (unit, outputs) in enumerate(
                zip(self._units, (made, expected), strict=True)
            ):
                if difference(outputs, truth, self._allowed[index]) is None:
                    continue
                if self._settings.tolerance is None:
                    allowance = self._judge.allowance(inputs, truth, unit.precision)
                    self._allowed[index] = max(self._allowed[index], allowance)
                if difference(outputs, truth, self._allowed[index]) is not None:
                    return unit
        except EngineError:
            return self._units[0]  # it is word against word, and the checking unit is believed
        # This segment is more sensitive than most: the judge need not be asked each time.
        self._between = max(self._between, sum(self._allowed))
        return None


def difference(made: Sequence[Tensor], expected: Sequence[Tensor], allowed: float) -> str | None:
    """What is wrong with the first tensor that is off by more than that; ``None``: all agree."""
    if len(made) != len(expected):
        return f"{len(made)} tensors instead of {len(expected)}"
    for one, other in zip(made, expected, strict=True):
        if one.shape != other.shape:
            return f"a shape of {list(one.shape)} instead of {list(other.shape)}"
        error = relative_error(one, other)
        if error is None:
            return "not finite"
        if not error <= allowed:
            return f"off by {error:.2g}, {allowed:.2g} is allowed"
    return None


def check_name(segment: str) -> str:
    """What a check is called in traces."""
    return f"check of {segment}"
