"""The exploration itself: the space in parts, each on a processor core, and what is done kept."""

from __future__ import annotations

import hashlib
import multiprocessing
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from counterpoint.errors import UserInputError
from counterpoint.explore.boxes import parts
from counterpoint.explore.catalogue import Boxes, Catalogue
from counterpoint.explore.findings import Findings
from counterpoint.explore.search import METHODS, NOTHING, Tried, Worth
from counterpoint.explore.space import Space
from counterpoint.explore.state import StateFile
from counterpoint.explore.workload import Workload
from counterpoint.tuning.progress import Progress, Silence

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import SynchronizedArray

MOST_DESIGNS = 5_000_000
"""To try one by one: more take hours, and more memory than there may be."""

STATE = "state.jsonl"
"""In the folder of an exploration, until it is done."""

PARTS = 64
"""Of each catalogue: enough to see how far it is, and to lose little by an interrupt."""

FEW_DESIGNS = 50_000
"""Up to so many one process is done before others have started."""


@dataclass(frozen=True, slots=True, eq=False)
class Exploration:
    """A space, a workload, and how the one is searched for the other.

    Attributes:
        space: Where.
        workload: For what.
        method: ``exhaustive`` tries every design; ``bound`` leaves out those that a bound proves
            to be no better than the best.
        catalogues: The space for the workload.
        parts: Position of the catalogue, and the boxes, of each part that is searched by itself.

    Raises:
        UserInputError: An unknown method, or a space too large for it; as
            :meth:`Space.catalogues`.
    """

    space: Space
    workload: Workload
    method: str
    catalogues: tuple[Catalogue, ...]
    parts: tuple[tuple[int, Boxes], ...]

    @classmethod
    def of(cls, workload: Workload, space: Space, method: str = "exhaustive") -> Exploration:
        """Costs all cores on offer, and cuts the space."""
        if method not in METHODS:
            raise UserInputError(
                f"unknown method {method!r} of exploration; known are: {', '.join(METHODS)}"
            )
        catalogues = space.catalogues(workload)
        count = sum(catalogue.design_count() for catalogue in catalogues)
        if method == "exhaustive" and count > MOST_DESIGNS:
            raise UserInputError(
                f"{count:,} designs are too many to try one by one (at most {MOST_DESIGNS:,}): "
                "use --method bound, fewer cores, or larger steps of elements"
            )
        cut = [
            (place, boxes)
            for place, catalogue in enumerate(catalogues)
            for boxes in parts(catalogue, PARTS)
        ]
        return cls(space, workload, method, catalogues, tuple(cut))

    @property
    def design_count(self) -> int:
        """Designs within the space."""
        return sum(catalogue.design_count() for catalogue in self.catalogues)

    @property
    def fingerprint(self) -> str:
        """Of all that decides what comes out of each part."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((self.space, self.method, self.workload.name, self.parts)).encode())
        for catalogue in self.catalogues:
            digest.update(repr(catalogue.cores).encode())
            for table in (catalogue.cycles, catalogue.traffic, catalogue.area):
                digest.update(np.ascontiguousarray(table).tobytes())
        return digest.hexdigest()

    def run(
        self,
        *,
        folder: Path | None = None,
        resume: bool = False,
        processes: int = 1,
        progress: Progress | None = None,
    ) -> Findings:
        """Searches what is left to search.

        Args:
            folder: Where what is done is kept until all is done; it exists.
            resume: Goes on with what is kept there.
            processes: How many search at once. With more than one, the calling program's main
                module has to be importable without side effects (``multiprocessing``, spawn).
            progress: Told about each part.

        Raises:
            UserInputError: There is nothing to resume, or something to resume without being asked
                to, or something else.
            MachineError: The state cannot be written.
        """
        told = progress or Silence()
        done: dict[int, Tried] = {}
        state = None
        if folder is not None:
            state = StateFile(folder / STATE, self.fingerprint, self.catalogues)
            if resume:
                done = state.read(tuple(place for place, _ in self.parts))
            elif state.path.exists():
                raise UserInputError(
                    f"{state.path} is what an interrupted exploration has done: go on with "
                    "--resume, or remove it"
                )
            state.begin(done)
        left = [number for number in range(len(self.parts)) if number not in done]
        told.begin("exploring", len(self.parts))
        for _ in done:
            told.step("kept")
        for number, tried in self._searched(self._promising(left), done, processes):
            if state is not None:
                state.add(number, tried)
            done[number] = tried
            told.step(f"{sum(len(one.designs) for one in done.values()):,} designs")
        if state is not None:
            state.path.unlink(missing_ok=True)
        return self._findings(done)

    def _promising(self, left: Sequence[int]) -> list[int]:
        """Parts in the order in which they are searched: for a bound the most promising first."""
        if self.method != "bound":
            return list(left)
        bounds = {
            number: int(self.catalogues[place].bounds([boxes])[0])
            for number, (place, boxes) in ((number, self.parts[number]) for number in left)
        }
        return sorted(left, key=lambda number: (self.parts[number][0], bounds[number]))

    def _searched(
        self, order: Sequence[int], done: Mapping[int, Tried], processes: int
    ) -> Iterator[tuple[int, Tried]]:
        """What comes out of each part, as it is done."""
        known = [NOTHING] * len(self.catalogues)
        for number, tried in done.items():
            place = self.parts[number][0]
            known[place] = min(known[place], tried.best(self.catalogues[place]))
        if processes == 1 or not order or self.design_count <= FEW_DESIGNS:
            for number in order:
                place, boxes = self.parts[number]
                tried = METHODS[self.method](self.catalogues[place], boxes, known[place])
                known[place] = min(known[place], tried.best(self.catalogues[place]))
                yield number, tried
            return
        context = multiprocessing.get_context("spawn")
        shared = context.Array("q", [value for worth in known for value in worth])
        # Leaving the block ends the processes, also when it is left by an interrupt.
        given = (self.method, self.catalogues, self.parts, shared)
        with context.Pool(min(processes, len(order)), _start, given) as pool:
            yield from pool.imap_unordered(_search_part, order)

    def _findings(self, done: Mapping[int, Tried]) -> Findings:
        merged = []
        for place, catalogue in enumerate(self.catalogues):
            own = [done[number] for number in sorted(done) if self.parts[number][0] == place]
            nothing = Tried(np.zeros((0, catalogue.core_count), np.int64), np.zeros(0, np.int64))
            merged.append(
                Tried(
                    np.concatenate([one.designs for one in (nothing, *own)]),
                    np.concatenate([one.intervals for one in (nothing, *own)]),
                    sum(one.bounded for one in own),
                )
            )
        return Findings(self.space, self.workload, self.method, self.catalogues, tuple(merged))


@dataclass(slots=True)
class _Worker:
    """What a process searches, and the best designs that any process knows: interval and area of
    each catalogue's.
    """

    method: str
    catalogues: tuple[Catalogue, ...]
    parts: tuple[tuple[int, Boxes], ...]
    known: SynchronizedArray[int]

    def search(self, number: int) -> Tried:
        """One part."""
        place, boxes = self.parts[number]
        tried = METHODS[self.method](self.catalogues[place], boxes, self._worth(place))
        with self.known.get_lock():
            best = min(self._worth(place), tried.best(self.catalogues[place]))
            self.known[2 * place], self.known[2 * place + 1] = best
        return tried

    def _worth(self, place: int) -> Worth:
        with self.known.get_lock():
            return self.known[2 * place], self.known[2 * place + 1]


_workers: list[_Worker] = []
"""The one of this process."""


def _start(
    method: str,
    catalogues: tuple[Catalogue, ...],
    parts: tuple[tuple[int, Boxes], ...],
    known: SynchronizedArray[int],
) -> None:
    """Prepares a process. An interrupt from the keyboard is for the one that asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _workers.append(_Worker(method, catalogues, parts, known))


def _search_part(number: int) -> tuple[int, Tried]:
    return number, _workers[-1].search(number)
