"""The options that say which designs there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Option

from counterpoint.errors import UserInputError

if TYPE_CHECKING:  # loads NumPy
    from counterpoint.costs.models.overlay.area import Slices
    from counterpoint.costs.models.overlay.core import CoreKind, Design
    from counterpoint.explore.space import Space

_CORE = re.compile(r"([a-z]+):(-?[0-9]{1,9})x(-?[0-9]{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceOptions:
    """What may be built."""

    area: Annotated[
        int | None,
        Option("--area", metavar="SLICES", help="DSP slices of all cores. Default: 512."),
    ] = None
    multipliers: Annotated[
        int | None,
        Option("--multipliers", metavar="N", help="Count area in multipliers, at most N."),
    ] = None
    products: Annotated[
        str | None,
        Option(
            "--products",
            metavar="KIND=N,...",
            help="int8 products of a DSP slice. Default: overlay=2,convolution=2,depthwise=1.",
        ),
    ] = None
    cores: Annotated[
        str | None,
        Option(
            "--cores",
            metavar="N|KIND+KIND",
            help="Designs of 1 to N cores (default 2), or of exactly these kinds of core.",
        ),
    ] = None
    kinds: Annotated[
        str | None,
        Option(
            "--kinds",
            metavar="LIST",
            help="Kinds of cores: overlay,convolution,depthwise. Default: all.",
        ),
    ] = None
    inputs: Annotated[
        str | None,
        Option("--inputs", metavar="LIST", help="Input sizes of elements, e.g. 8,9,16,32."),
    ] = None
    step: Annotated[
        int, Option("--step", metavar="N", help="Numbers of elements are multiples of N.")
    ] = 1
    feature_buffer: Annotated[
        int | None,
        Option(
            "--feature-buffer",
            metavar="BYTES",
            help="One feature buffer of the single core; several cores share it. Default: 92416.",
        ),
    ] = None
    weight_buffer: Annotated[
        int | None,
        Option("--weight-buffer", metavar="BYTES", help="One weight buffer. Default: 36864."),
    ] = None
    own_buffers: Annotated[
        bool, Option("--own-buffers", help="Each core has buffers of that size, unshared.")
    ] = False
    dram: Annotated[
        str | None,
        Option("--dram", metavar="LIST", help="Memory bandwidths in bytes a cycle. Default: 64."),
    ] = None
    duplex: Annotated[
        bool, Option("--duplex", help="The memory reads and writes in the same cycle.")
    ] = False

    def space(self) -> Space:
        """The space.

        Raises:
            UserInputError: An option is wrong, or contradicts another.
        """
        from counterpoint.costs.models.overlay.core import (
            DRAM_BYTES_PER_CYCLE,
            FEATURE_BUFFER_BYTES,
            WEIGHT_BUFFER_BYTES,
            CoreKind,
        )
        from counterpoint.explore.space import INPUTS, PUBLISHED_SLICES, Space

        if self.multipliers is not None and (self.area is not None or self.products is not None):
            raise UserInputError("--multipliers excludes --area and --products: give one area")
        kinds = tuple(CoreKind) if self.kinds is None else _kinds("--kinds", self.kinds, ",")
        most_cores, pattern = self._cores()
        sizes = None if self.inputs is None else _numbers("--inputs", self.inputs)
        area = PUBLISHED_SLICES if self.area is None else self.area
        dram = (DRAM_BYTES_PER_CYCLE,) if self.dram is None else _numbers("--dram", self.dram)
        return Space(
            budget=area if self.multipliers is None else self.multipliers,
            slices=None if self.multipliers is not None else self._slices(),
            most_cores=most_cores,
            pattern=pattern,
            kinds=kinds,
            inputs=INPUTS if sizes is None else dict.fromkeys(CoreKind, sizes),
            element_step=self.step,
            feature_buffer_bytes=_given(self.feature_buffer, FEATURE_BUFFER_BYTES),
            weight_buffer_bytes=_given(self.weight_buffer, WEIGHT_BUFFER_BYTES),
            buffers_shared=not self.own_buffers,
            dram_bytes_per_cycle=dram,
            duplex=self.duplex,
        )

    def _cores(self) -> tuple[int, tuple[CoreKind, ...] | None]:
        if self.cores is None:
            return 2, None
        if re.fullmatch(r"-?[0-9]{1,9}", self.cores):
            return int(self.cores), None
        return 2, _kinds("--cores", self.cores, "+")

    def _slices(self) -> Slices:
        from counterpoint.costs.models.overlay.area import PLAIN_SLICES, Slices

        if self.products is None:
            return PLAIN_SLICES
        given: Mapping[str, str] = {
            name: value
            for name, _, value in (word.partition("=") for word in self.products.split(","))
        }
        products = dict(PLAIN_SLICES.products)
        for name, value in given.items():
            (kind,) = _kinds("--products", name, ",")
            (products[kind],) = _numbers("--products", value)
        return Slices(products)


def parse_design(text: str, space: Space) -> Design:
    """``convolution:28x32+depthwise:16x9``: kind, elements and inputs of each core.

    Args:
        text: As the user wrote it.
        space: Whose buffers and memory the cores have.

    Raises:
        UserInputError: It is no such text, or a core is impossible.
    """
    from counterpoint.costs.models.overlay.core import Design
    from counterpoint.explore.space import MOST_CORES

    words = text.split("+")
    if len(words) > MOST_CORES:
        raise UserInputError(f"--design has {len(words)} cores: at most {MOST_CORES} are possible")
    cores = []
    for word in words:
        found = _CORE.fullmatch(word)
        if found is None:
            raise UserInputError(
                f"--design {word[:40]!r}: a core is KIND:ELEMENTSxINPUTS, as in convolution:28x32"
            )
        (kind,) = _kinds("--design", found.group(1), "+")
        cores.append(space.core(kind, int(found.group(2)), int(found.group(3)), len(words)))
    return Design(
        cores=tuple(cores),
        dram_bytes_per_cycle=space.dram_bytes_per_cycle[0],
        duplex=space.duplex,
    )


def parse_weights(text: str | None, networks: int) -> tuple[int, ...]:
    """``2,1,1``: images of each network in a frame; one of each where nothing is given."""
    return (1,) * networks if text is None else _numbers("--weights", text)


def _given(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


def _kinds(option: str, text: str, separator: str) -> tuple[CoreKind, ...]:
    from counterpoint.costs.models.overlay.core import CoreKind

    known = {kind.name.lower(): kind for kind in CoreKind}
    words = [word.strip() for word in text.split(separator)]
    for word in words:
        if word not in known:
            raise UserInputError(
                f"{option}: unknown kind of core {word[:40]!r}; known are: {', '.join(known)}"
            )
    return tuple(known[word] for word in words)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not re.fullmatch(r"-?[0-9]{1,9}", word):
            raise UserInputError(f"{option}: {word[:40]!r} is no whole number")
    return tuple(int(word) for word in words)
