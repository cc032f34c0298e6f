"""What to split: the part of a plan that rewrites its network. :mod:`splitting` does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

Axis = Literal["channels", "rows"]


@dataclass(frozen=True, slots=True)
class Split:
    """What to split, and how.

    Attributes:
        layers: Names; several are a chain, each the only reader of the one before.
        axis: Of the output: its channels or its rows. Chains are split by rows.
        parts: Relative sizes of the parts, two at least; each part has one channel or row at least.

    Raises:
        ValueError: There is no layer, fewer than two parts, or a size below 1; or a chain is to be
            split by channels.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = {"extra": "forbid", "strict": True}

    layers: tuple[str, ...]
    axis: Axis
    parts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.layers or len(set(self.layers)) < len(self.layers):
            raise ValueError("a split has no layer, or one twice")
        if self.axis not in get_args(Axis):
            raise ValueError(f"a layer is split by channels or rows, not by {self.axis}")
        if len(self.parts) < 2 or min(self.parts) < 1:
            raise ValueError("a split has two parts at least, each of a size of 1 at least")
        if len(self.layers) > 1 and self.axis == "channels":
            raise ValueError("a chain of layers is split by rows")
