"""Rows of one network and metric: all contenders in turn, so that each spell of the machine hits
them all; whoever fails is marked, and the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from counterpoint.bench.matrix.entrants import Entrant
from counterpoint.bench.matrix.failed_rows import reason_of
from counterpoint.bench.matrix.row_energy import RowEnergy
from counterpoint.bench.result import Basis, Control, Metric, Row
from counterpoint.errors import CounterpointError
from counterpoint.measure.sampling import WARM_NS, Comparison, interleave
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.tuning.progress import Progress

TWIN = " (again)"
"""Behind the name of the contender that stands for the machine's noise."""

FEWEST_ROUNDS = 3
"""However late it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """How contenders take turns.

    Attributes:
        rounds: How often each gets its turn.
        runs: At most so many samples a turn.
        turn_ns: A turn has no more samples than fit in; one at least.
        starts: All are made ready so often: two starts of one session differ by some per cent.
        one_in_memory: There is room for one contender at a time: each is made ready every turn.
        limit: No round after the third begins when it is over.
        warm_ns: Each turn warms up for so long.
    """

    rounds: int
    runs: int
    turn_ns: int
    starts: int = 2
    one_in_memory: bool = False
    limit: TimeLimit = field(default_factory=TimeLimit)
    warm_ns: int = WARM_NS

    def are_enough(self, so_far: Comparison) -> bool:
        """It is late, and there are rounds to compare."""
        done = max(map(len, so_far.rounds.values()), default=0)
        return self.limit.is_over and done >= FEWEST_ROUNDS


def measured_rows(
    network: str,
    metric: Metric,
    entrants: Sequence[Entrant],
    turns: Turns,
    *,
    wanted: int,
    progress: Progress,
    twin: Entrant | None = None,
    energy: RowEnergy | None = None,
) -> tuple[Row | Control, ...]:
    """A row for each, in their order, and the control at the end.

    Args:
        network: Name as given.
        metric: What is measured.
        entrants: Who.
        turns: How.
        wanted: Images that each is to see; a row with fewer says so.
        progress: Told of each round.
        twin: One of the entrants that takes part twice.
        energy: Measures it after the turns.
    """
    contenders = {entrant.contender.name: entrant.ready for entrant in entrants}
    if twin is not None:
        contenders[twin.contender.name + TWIN] = twin.ready
    failures: dict[str, str] = {}
    progress.begin(f"{metric} in turn", turns.rounds)
    comparison = interleave(
        contenders,
        rounds=turns.rounds,
        block_ns=turns.turn_ns,
        max_runs=turns.runs,
        renew_every=1 if turns.one_in_memory else -(-turns.rounds // turns.starts),
        warm_ns=turns.warm_ns,
        settled=turns.are_enough,
        report=lambda done, rounds: progress.step(f"round {done} of {rounds}"),
        failed=lambda name, error: failures.update({name: reason_of(error)}),
    )
    rows = []
    for entrant in entrants:
        name = entrant.contender.name
        samples = comparison.samples.get(name)
        rows.append(
            _with_note(
                Row(
                    network=network,
                    contender=entrant.contender,
                    metric=metric,
                    basis=Basis.MEASURED,
                    batch=entrant.batch,
                    images_per_sample=entrant.batch * entrant.frames_per_sample,
                    samples_ns=() if samples is None else samples.times_ns,
                    rounds_ns=comparison.rounds.get(name, ()),
                    predicted_ns=entrant.predicted_ns,
                    failure=failures.get(name),
                    note=entrant.note,
                ),
                wanted,
            )
        )
    if energy is not None:
        rows = [
            _with_energy(row, entrant, energy) for row, entrant in zip(rows, entrants, strict=True)
        ]
    return (*rows, *_control(network, twin, comparison.rounds))


def _control(
    network: str, twin: Entrant | None, rounds: Mapping[str, tuple[int, ...]]
) -> tuple[Control, ...]:
    if twin is None:
        return ()
    name = twin.contender.name
    pair = rounds.get(name, ()), rounds.get(name + TWIN, ())
    return (Control(network, twin.contender, pair),) if all(pair) else ()


def _with_note(row: Row, wanted: int) -> Row:
    images = len(row.samples_ns) * row.images_per_sample
    if row.failure is not None or images >= wanted:
        return row
    return noted(row, f"{images} images, not {wanted}: no more fit into the time of a row")


def noted(row: Row, note: str) -> Row:
    """The row with one more note."""
    return replace(row, note=note if row.note is None else f"{row.note}; {note}")


def _with_energy(row: Row, entrant: Entrant, energy: RowEnergy) -> Row:
    if row.failure is not None:
        return row
    try:
        found = energy(row, entrant.ready)
    except CounterpointError as error:
        return noted(row, f"no energy: {reason_of(error)}")
    return (
        noted(row, f"no energy: {found}") if isinstance(found, str) else replace(row, energy=found)
    )
