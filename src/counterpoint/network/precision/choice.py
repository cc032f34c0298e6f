"""Which layers run in int8: the part of a plan that :mod:`quantise` rewrites its network by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from counterpoint.network.precision.ranges import Ranges
from counterpoint.network.precision.scheme import Scheme


@dataclass(frozen=True, slots=True)
class PrecisionChoice:
    """Which layers run in int8, and how.

    Attributes:
        int8: Names of the layers in the network as it is loaded, at the plan's batch. All others
            are computed in the precision of the unit that they run on.
        scheme: How values become int8.
        ranges: Of the tensors that do. Ranges of others are not used.

    Raises:
        ValueError: There is no layer, or one twice.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = {"extra": "forbid", "strict": True}

    int8: tuple[str, ...]
    scheme: Scheme
    ranges: Ranges

    def __post_init__(self) -> None:
        if not self.int8 or len(set(self.int8)) < len(self.int8):
            raise ValueError("a choice of precision has no int8 layer, or one twice")
