"""Which designs there are: kinds and sizes of cores, their number, and what they may take.

A single core, two equal ones, two unlike ones and more are designs of the same space: multisets of
cores on offer, within one budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from counterpoint.costs.models.overlay.area import PLAIN_SLICES, Slices
from counterpoint.costs.models.overlay.core import (
    DRAM_BYTES_PER_CYCLE,
    FEATURE_BUFFER_BYTES,
    MERGED,
    PUBLISHED_CORE,
    WEIGHT_BUFFER_BYTES,
    Core,
    CoreArrays,
    CoreKind,
    Design,
    check_dram,
)
from counterpoint.costs.models.overlay.cycles import cycles_table
from counterpoint.costs.models.overlay.shapes import Ints
from counterpoint.errors import UserInputError
from counterpoint.explore.catalogue import Catalogue
from counterpoint.explore.workload import Workload

MOST_CORES = 4
"""Of a design: beyond, even good bounds leave too much to try."""

MOST_AREA = 16_384
"""Largest budget. Designs are counted by each area up to it."""

MOST_ON_OFFER = 20_000
"""Cores of one number of cores: each takes a row in every table."""

PUBLISHED_SLICES = PUBLISHED_CORE.multipliers // PLAIN_SLICES.products[PUBLISHED_CORE.kind]

INPUTS: Mapping[CoreKind, tuple[int, ...]] = MappingProxyType(
    {
        CoreKind.OVERLAY: (8, 16, 32),
        CoreKind.CONVOLUTION: (4, 8, 12, 16, 24, 32, 48, 64),
        CoreKind.DEPTHWISE: (3, 4, 5, 8, 9, 16, 18, 25),
    }
)
"""Input sizes on offer. Channels come in eighths of a word, and windows in 3 x 3 and 5 x 5: a
depthwise element that takes a row of the window or all of it wastes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What may be built.

    Attributes:
        budget: Area of all cores together: DSP slices, or multipliers without ``slices``.
        slices: How many products a slice makes; ``None``: area is counted in multipliers.
        most_cores: Of a design; designs of 1 to so many cores are tried.
        pattern: Kind of each core; then only such designs are tried. ``None``: any.
        kinds: Of cores.
        inputs: Input sizes on offer, by kind.
        element_step: Numbers of elements on offer are its multiples.
        feature_buffer_bytes: One feature buffer, of all cores together if ``buffers_shared``.
        weight_buffer_bytes: Likewise, one weight buffer.
        buffers_shared: The buffers are those of a single core, and two cores get half each: equal
            area includes them. Else each core has them whole.
        dram_bytes_per_cycle: Bandwidths to try.
        duplex: The memory reads and writes in the same cycle.
        line_buffer: Depthwise cores have one; see :class:`Core`.

    Raises:
        UserInputError: A value out of range.
    """

    budget: int = PUBLISHED_SLICES
    slices: Slices | None = PLAIN_SLICES
    most_cores: int = 2
    pattern: tuple[CoreKind, ...] | None = None
    kinds: tuple[CoreKind, ...] = tuple(CoreKind)
    inputs: Mapping[CoreKind, tuple[int, ...]] = field(default_factory=lambda: INPUTS)
    element_step: int = 1
    feature_buffer_bytes: int = FEATURE_BUFFER_BYTES
    weight_buffer_bytes: int = WEIGHT_BUFFER_BYTES
    buffers_shared: bool = True
    dram_bytes_per_cycle: tuple[int, ...] = (DRAM_BYTES_PER_CYCLE,)
    duplex: bool = False
    line_buffer: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.budget <= MOST_AREA:
            raise UserInputError(
                f"an area of {self.budget} {self.area_unit}: it has to be from 1 to {MOST_AREA}"
            )
        if not 1 <= self.most_cores <= MOST_CORES:
            raise UserInputError(
                f"designs of {self.most_cores} cores: they may have from 1 to {MOST_CORES}"
            )
        for name, size in (
            ("feature", self.feature_buffer_bytes),
            ("weight", self.weight_buffer_bytes),
        ):
            if size < 1:
                raise UserInputError(f"a {name} buffer of {size} bytes: it holds no tile at all")
        if self.element_step < 1:
            raise UserInputError(f"elements in steps of {self.element_step}: at least 1 is needed")
        if not self.kinds or not self.dram_bytes_per_cycle:
            raise UserInputError("an empty space: name at least one kind of core and one bandwidth")
        for kind in self.pattern or self.kinds:
            sizes = self.inputs.get(kind, ())
            if not sizes or min(sizes) < 1:
                raise UserInputError(
                    f"{kind.name.lower()} cores of {', '.join(map(str, sizes)) or 'no'} inputs: "
                    "give sizes from 1"
                )
        for width in self.dram_bytes_per_cycle:
            check_dram(width)

        if self.pattern is not None and not 1 <= len(self.pattern) <= MOST_CORES:
            raise UserInputError(
                f"designs of {len(self.pattern)} cores: they may have from 1 to {MOST_CORES}"
            )

    @property
    def core_counts(self) -> tuple[int, ...]:
        """Numbers of cores that are tried."""
        if self.pattern is not None:
            return (len(self.pattern),)
        return tuple(range(1, self.most_cores + 1))

    @property
    def area_unit(self) -> str:
        """``DSP slices`` or ``multipliers``."""
        return "multipliers" if self.slices is None else "DSP slices"

    def area(self, cores: CoreArrays) -> Ints:
        """Of each core, ``int64[cores]``."""
        return cores.multipliers if self.slices is None else self.slices.of_cores(cores)

    def core(self, kind: CoreKind, elements: int, inputs: int, core_count: int) -> Core:
        """A core of a design of so many, with its part of the buffers.

        Raises:
            UserInputError: As :class:`Core`.
        """
        share = core_count if self.buffers_shared else 1
        return Core(
            kind=kind,
            elements=elements,
            inputs=inputs,
            feature_buffer_bytes=self.feature_buffer_bytes // share,
            weight_buffer_bytes=self.weight_buffer_bytes // share,
            line_buffer=self.line_buffer,
        )

    def reference(self) -> Design | None:
        """The published single core with as many elements as the budget allows: what designs are
        compared with at equal area. ``None`` where it allows none.
        """
        products = 1 if self.slices is None else self.slices.products[CoreKind.OVERLAY]
        elements = self.budget * products // PUBLISHED_CORE.inputs // MERGED * MERGED
        if not elements:
            return None
        core = self.core(CoreKind.OVERLAY, elements, PUBLISHED_CORE.inputs, 1)
        return Design(
            cores=(core,), dram_bytes_per_cycle=self.dram_bytes_per_cycle[0], duplex=self.duplex
        )

    def cores(self, core_count: int) -> tuple[Core, ...]:
        """All that fit the budget with the others of a design being as small as can be; by kind,
        and of neighbouring sizes side by side.

        Raises:
            UserInputError: None does, or the buffers hold no tile of any.
        """
        refused: UserInputError | None = None
        found: list[Core] = []
        for kind, inputs, elements in self._sizes():
            try:
                found.append(self.core(kind, elements, inputs, core_count))
            except UserInputError as error:
                refused = refused or error
        if refused is not None and not found:
            raise refused
        arrays = CoreArrays.of(found)
        area = self.area(arrays)
        least = {
            kind: int(area[arrays.kind == kind].min(initial=self.budget + 1))
            for kind in sorted(set(self.pattern or self.kinds))
        }
        smallest = min(least.values())
        wanted = self.pattern or (min(least, key=least.__getitem__),) * core_count
        total = sum(least[kind] for kind in wanted)
        if total > self.budget:
            raise UserInputError(
                f"no design of {core_count} {'core' if core_count == 1 else 'cores'} fits "
                f"{self.budget} {self.area_unit}: allow more, fewer cores, or smaller elements"
            )
        # Beside the smallest others that a design with it may have.
        own = np.array([least[kind] if self.pattern else smallest for kind in arrays.kind.tolist()])
        fitting = np.flatnonzero(area + total - own <= self.budget)
        if len(fitting) > MOST_ON_OFFER:
            raise UserInputError(
                f"{len(fitting)} sizes of cores: at most {MOST_ON_OFFER} can be explored; count "
                "elements in larger steps, or name fewer input sizes"
            )
        return tuple(found[core] for core in fitting)

    def _sizes(self) -> Iterator[tuple[CoreKind, int, int]]:
        """Kind, inputs and elements of cores that the budget may allow."""
        for kind in sorted(set(self.pattern or self.kinds)):
            products = 1 if self.slices is None else self.slices.products[kind]
            step = self.element_step
            if kind is CoreKind.OVERLAY:
                step = int(np.lcm(step, MERGED))
            for inputs in sorted(set(self.inputs[kind])):
                for elements in range(step, self.budget * products // inputs + 1, step):
                    yield kind, inputs, elements

    def catalogues(self, workload: Workload) -> tuple[Catalogue, ...]:
        """The space for a workload: one catalogue for each bandwidth and number of cores.

        Raises:
            UserInputError: As :meth:`cores`.
        """
        return tuple(
            self.catalogue(workload, core_count, width)
            for width in self.dram_bytes_per_cycle
            for core_count in self.core_counts
        )

    def catalogue(self, workload: Workload, core_count: int, width: int) -> Catalogue:
        """Designs of so many cores on a memory of that many bytes a cycle.

        Raises:
            UserInputError: As :meth:`cores`.
        """
        layers = workload.distinct_layers()
        cores = self.cores(core_count)
        arrays = CoreArrays.of(cores)
        table = cycles_table(layers.shapes, arrays, width, sharers=core_count, duplex=self.duplex)
        return Catalogue(
            core_count=core_count,
            dram_bytes_per_cycle=width,
            cores=cores,
            area=self.area(arrays),
            multipliers=arrays.multipliers,
            budget=self.budget,
            cycles=np.where(table.runs, table.total * layers.counts, np.inf),
            traffic=np.where(table.runs, table.dram * layers.counts, 0).astype(np.float64),
            pattern=self.pattern and tuple(sorted(self.pattern)),
        )
