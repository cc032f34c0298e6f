"""The best contiguous pipeline: layers in run order, cut into runs, each unit at most once.

Layer by layer, each partial pipeline goes on with the unit of the last layer, or with one that it
has not used. Two partial pipelines that have the same units left, and whose live tensors lie on the
same units, have the same future. It can only add time to resources that are still *open*. So of
two such pipelines one is not needed if its open resources, and its busiest one so far, are all at
least as busy as the other's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network
from counterpoint.planning.charges import Charges

MAX_STATES = 4_000
"""Partial pipelines kept at a layer; three units on fifty layers need some hundreds."""

_BEAM = 100
"""So many are kept once there were too many: then the answer is no longer exact."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The answer.

    Attributes:
        labels: Unit (column) of each layer; ``None`` when none was found.
        exact: No pipeline has a less busy resource; without labels: there is none.
    """

    labels: tuple[int, ...] | None
    exact: bool


@dataclass(frozen=True, slots=True)
class _State:
    """A partial pipeline.

    Attributes:
        unused: Units left, ascending.
        unit: Of the last layer; ``None`` before the first.
        makers: Live tensors and who made each (``None``: the caller).
        here: Live tensors that the last unit has been handed.
        busiest_ns: Of all resources so far.
        latency_ns: Sum of all parts so far.
        load_ns: Of each resource; 0 where it is closed.
        cuts: First layer and unit of each run.
    """

    unused: tuple[int, ...]
    unit: int | None
    makers: tuple[tuple[str, int | None], ...]
    here: frozenset[str]
    busiest_ns: int
    latency_ns: int
    load_ns: tuple[int, ...]
    cuts: tuple[tuple[int, int], ...]


def best_pipeline(
    network: Network,
    table: CostTable,
    allowed: Sequence[Sequence[int]],
    *,
    ceiling_ns: int | None = None,
    max_latency_ns: int | None = None,
    max_states: int = MAX_STATES,
) -> Pipeline:
    """The pipeline whose busiest device or link is least busy for a frame.

    Args:
        network: What is run.
        table: What it costs.
        allowed: For each layer the columns that it may be given.
        ceiling_ns: Pipelines whose busiest resource is busier than this are of no interest.
        max_latency_ns: Of one frame alone; ``None``: no limit.
        max_states: See ``MAX_STATES``; at least 1.
    """
    search = _Search(network, table, allowed, ceiling_ns, max_latency_ns)
    states = [search.start()]
    exact = True
    for layer in range(len(network.layers)):
        grown = (more for state in states for more in search.grown(state, layer))
        states = _undominated(grown, with_latency=max_latency_ns is not None)
        if len(states) > max_states:
            exact = False
        if not exact:
            # Sums of equals stay in the order of their making, so that answers repeat.
            states.sort(key=lambda state: search.likely_ns(state, layer + 1))
            del states[min(_BEAM, max_states) :]
    if not states:
        return Pipeline(None, exact)
    best = min(states, key=lambda state: state.busiest_ns)
    ends = [first for first, _ in best.cuts[1:]] + [len(network.layers)]
    labels = [
        unit for (first, unit), end in zip(best.cuts, ends, strict=True) for _ in range(first, end)
    ]
    return Pipeline(tuple(labels), exact)


class _Search:
    """What does not change while partial pipelines grow.

    Attributes:
        charges: Who pays for hand-overs, by the positions in ``_State.load_ns``.
        last_reader: Last layer that reads each tensor.
        rest_ns: For each layer the least time that it and all later ones take together.
        alone_ns: The same on each unit alone, where layers that it refuses count as the slowest.
    """

    def __init__(
        self,
        network: Network,
        table: CostTable,
        allowed: Sequence[Sequence[int]],
        ceiling_ns: int | None,
        max_latency_ns: int | None,
    ) -> None:
        self.network = network
        self.table = table
        self.allowed = allowed
        self.ceiling_ns = ceiling_ns
        self.max_latency_ns = max_latency_ns
        self.charges = Charges(table)
        self.last_reader = {name: readers[-1] for name, readers in network.consumers.items()}
        self.returned = {spec.name for spec in network.outputs}
        self.rest_ns = [0]
        for row, columns in zip(reversed(table.layer_ns), reversed(allowed), strict=True):
            times = [time_ns for time_ns in map(row.__getitem__, columns) if time_ns is not None]
            self.rest_ns.append(self.rest_ns[-1] + min(times, default=0))
        self.rest_ns.reverse()
        self.alone_ns = self._alone_ns()

    def start(self) -> _State:
        units = tuple(sorted({column for columns in self.allowed for column in columns}))
        makers = tuple(
            (spec.name, None) for spec in self.network.inputs if spec.name in self.last_reader
        )
        return _State(
            units, None, makers, frozenset(), 0, 0, (0,) * len(self.charges.resources), ()
        )

    def grown(self, state: _State, layer: int) -> Iterator[_State]:
        """The ways to give the layer a unit that may still become the best pipeline."""
        for unit in self.allowed[layer]:
            if unit == state.unit:
                entered = state
            elif unit in state.unused:
                entered = replace(
                    state,
                    unused=tuple(other for other in state.unused if other != unit),
                    unit=unit,
                    here=frozenset(),
                    cuts=(*state.cuts, (layer, unit)),
                )
            else:
                continue
            more = self._with_layer(entered, layer, unit, enters=entered is not state)
            if more is None:
                continue
            late = self.max_latency_ns is not None and more.latency_ns > self.max_latency_ns
            busy = (
                self.ceiling_ns is not None
                and self.optimistic_ns(more, layer + 1) > self.ceiling_ns
            )
            if not late and not busy:
                yield more

    def _with_layer(self, state: _State, layer: int, unit: int, *, enters: bool) -> _State | None:
        """The state after the layer; ``None`` when it cannot run there."""
        time_ns = self.table.layer_ns[layer][unit]
        if time_ns is None:
            return None
        own_ns = time_ns + (self.table.units[unit].entry_ns if enters else 0)
        load_ns = list(state.load_ns)
        latency_ns = state.latency_ns + own_ns
        for device in self.charges.devices[unit]:
            load_ns[device] += own_ns
        for resource, part_ns in self.charges.shared(layer, unit):
            load_ns[resource] += part_ns
        makers = dict(state.makers)
        read = self.network.layers[layer].inputs
        made = self.network.layers[layer].outputs
        arriving = [
            (name, makers[name], unit)
            for name in dict.fromkeys(read)
            if makers[name] != unit and name not in state.here
        ]
        leaving = [(name, unit, None) for name in made if name in self.returned]
        for name, origin, target in (*arriving, *leaving):
            charges = self.charges.hand_over(
                self.network.tensors[name].size_bytes or 0, origin, target
            )
            if charges is None:
                return None
            for resources, part_ns in charges:
                latency_ns += part_ns
                for resource in resources:
                    load_ns[resource] += part_ns
        makers.update(dict.fromkeys(made, unit))
        live = tuple(
            (name, maker)
            for name, maker in makers.items()
            if self.last_reader.get(name, -1) > layer
        )
        names = {name for name, _ in live}
        is_open = self.charges.is_open(state.unused, unit, frozenset(maker for _, maker in live))
        return replace(
            state,
            makers=live,
            here=frozenset(names & {*state.here, *read}),
            busiest_ns=max(state.busiest_ns, *load_ns),
            latency_ns=latency_ns,
            load_ns=tuple(
                part_ns if stays else 0 for part_ns, stays in zip(load_ns, is_open, strict=True)
            ),
        )

    def optimistic_ns(self, state: _State, layer: int) -> int:
        """No pipeline that begins so has a less busy resource.

        The unit of the last run and those left share the layers to come; none does better
        than its even part.
        """
        if state.unit is None:
            return 0
        load_ns = state.load_ns[self.charges.devices[state.unit][0]]
        even_ns = -(-(load_ns + self.rest_ns[layer]) // (1 + len(state.unused)))
        return max(state.busiest_ns, even_ns)

    def likely_ns(self, state: _State, layer: int) -> float:
        """How busy the busiest resource may become: as if layers could be cut at will.

        In a time ``t`` each unit left runs ``t / alone_ns`` of the layers to come, and the unit of
        the last run a part less, for what it has to do already.
        """
        if state.unit is None or not self.rest_ns[layer]:
            return float(state.busiest_ns)
        alone_ns = self.alone_ns[layer]
        speed = sum(1 / alone_ns[unit] for unit in (state.unit, *state.unused))
        done = state.load_ns[self.charges.devices[state.unit][0]] / alone_ns[state.unit]
        return max(float(state.busiest_ns), (1 + done) / speed)

    def _alone_ns(self) -> list[list[int]]:
        sums = [[1] * len(self.table.units)]
        for row in reversed(self.table.layer_ns):
            slowest_ns = max((time_ns for time_ns in row if time_ns is not None), default=0)
            times = (slowest_ns if time_ns is None else time_ns for time_ns in row)
            sums.append([before + time_ns for before, time_ns in zip(sums[-1], times, strict=True)])
        return sums[::-1]


def _undominated(states: Iterable[_State], *, with_latency: bool) -> list[_State]:
    """The states that are needed, of equals the first."""
    alike: dict[object, list[_State]] = defaultdict(list)
    for state in states:
        alike[state.unused, state.unit, state.makers, state.here].append(state)
    kept: list[_State] = []
    for group in alike.values():
        group.sort(key=lambda state: (state.busiest_ns, sum(state.load_ns), state.latency_ns))
        needed: list[tuple[int, ...]] = []
        for state in group:
            latency_ns = state.latency_ns if with_latency else 0
            costs = (state.busiest_ns, latency_ns, *state.load_ns)
            if not any(all(map(int.__le__, other, costs)) for other in needed):
                needed.append(costs)
                kept.append(state)
    return kept
