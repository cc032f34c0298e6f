"""What values tensors take: measured on calibration frames, or read from a plan."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

GREATEST = (2 - 2**-23) * 2.0**127
"""Of float32 (IEEE 754, binary32)."""

_FROM_FILE: Mapping[str, object] = {"extra": "forbid", "strict": True}


@dataclass(frozen=True, slots=True)
class TensorRange:
    """Values of one tensor over all calibration frames.

    Attributes:
        minimum: Smallest value seen.
        maximum: Largest value seen.
        low: Lower end of the range whose clipping and rounding to 8 bits make the least error. At
            least ``minimum``.
        high: Upper end of that range, at most ``maximum``.

    Raises:
        ValueError: A value is not finite in float32, or they are not in the order minimum, low,
            high, maximum.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    minimum: float
    maximum: float
    low: float
    high: float

    def __post_init__(self) -> None:
        values = (self.minimum, self.low, self.high, self.maximum)
        if not all(abs(value) <= GREATEST for value in values):
            raise ValueError("a range is not within what float32 holds")
        if not self.minimum <= self.low <= self.high <= self.maximum:
            raise ValueError("minimum <= low <= high <= maximum does not hold")

    def union(self, other: TensorRange) -> TensorRange:
        """The range of both tensors together."""
        return TensorRange(
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
            min(self.low, other.low),
            max(self.high, other.high),
        )

    @property
    def is_constant(self) -> bool:
        """Every value was the same."""
        return self.minimum == self.maximum


@dataclass(frozen=True, slots=True)
class Ranges:
    """Ranges of a network's tensors.

    Attributes:
        frames: How many calibration frames they were measured on, at least 1.
        tensors: By name.

    Raises:
        ValueError: There is no frame.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _FROM_FILE

    frames: int
    tensors: Mapping[str, TensorRange]

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError("ranges are measured on one frame at least")

    @property
    def constant(self) -> tuple[str, ...]:
        """Tensors that had one value everywhere: dead channels, or frames that are blank."""
        return tuple(name for name, found in self.tensors.items() if found.is_constant)

    def only(self, names: Iterable[str]) -> Ranges:
        """The ranges of those tensors, as far as they are known."""
        wanted = set(names)
        kept = {name: found for name, found in self.tensors.items() if name in wanted}
        return Ranges(self.frames, kept)

    def digest(self) -> str:
        """Hash of all values, to keep by what was measured with them."""
        digest = hashlib.blake2b(digest_size=16)
        for name, found in sorted(self.tensors.items()):
            values = (found.minimum, found.maximum, found.low, found.high)
            digest.update(f"{name}:{' '.join(float(v).hex() for v in values)};".encode())
        return digest.hexdigest()
