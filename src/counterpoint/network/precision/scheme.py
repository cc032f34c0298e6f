"""How real numbers become int8: the choices that quantisation leaves open.

A real number ``x`` is kept as ``q = clip(round(x / scale) + zero_point)``, rounded half to even
(ONNX, operator QuantizeLinear).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

Weights = Literal["per_channel", "per_tensor"]
Activations = Literal["asymmetric", "symmetric", "signed"]
Clipping = Literal["least_noise", "min_max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How weights and activations become int8.

    Attributes:
        weights: Always int8 in -127..127 with zero point 0. ``per_channel``: a scale for each
            output channel; ``per_tensor``: one for all.
        activations: One scale and zero point a tensor. ``asymmetric``: uint8 with a zero point.
            ``symmetric``: zero point 0; uint8 where the tensor is never negative, int8 where it
            is. ``signed``: int8 with zero point 0 always, for accelerators without uint8.
        clipping: Of a tensor's range: ``least_noise`` where clipping and rounding together make
            the least error on the calibration frames, ``min_max`` all that was seen there.
        power_of_two: Every scale is a power of two, for accelerators that rescale by shifts.

    Raises:
        ValueError: One of the words is unknown.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = {"extra": "forbid", "strict": True}

    weights: Weights = "per_channel"
    activations: Activations = "asymmetric"
    clipping: Clipping = "least_noise"
    power_of_two: bool = False

    def __post_init__(self) -> None:
        for value, known in (
            (self.weights, get_args(Weights)),
            (self.activations, get_args(Activations)),
            (self.clipping, get_args(Clipping)),
        ):
            if value not in known:
                raise ValueError(f"{value!r} is none of {', '.join(known)}")
