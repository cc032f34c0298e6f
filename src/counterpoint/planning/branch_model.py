"""The schedule of one frame as a constraint program: who runs what, in which call, and when.

Layers stand in run order. Each belongs to the segment of a *leader*, the first layer of that
segment; ``member[i, l, u]`` says that layer ``i`` runs in the segment of leader ``l`` on unit
``u``. A segment is one call: it starts when all that it reads from elsewhere is there, takes its
entry, its layers, its reads and its writes, and what it makes is there when it ends. A device and a
link do one thing at a time (optional intervals and no overlap; Laborie et al., *IBM ILOG CP
optimizer for scheduling*, Constraints 23, 2018, has the form).

The model leaves two things freer than the evaluator does, so that its bound holds for every lane
and a plan may turn out a little worse: a device may stay idle although something could start, and
of several segments that read a tensor on one unit any may be the one that reads it in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from counterpoint.costs.table import CostTable, HandOver
from counterpoint.network.graph import Network
from counterpoint.platform.model import Link

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

Leaders = Sequence[Sequence[int]]
"""For each layer those that may lead its segment, itself among them."""


def every_leader(network: Network, allowed: Sequence[Sequence[int]]) -> Leaders:
    """Any earlier layer that may run where the layer may: all segments there are."""
    return [
        [leader for leader in range(layer + 1) if set(allowed[leader]) & set(allowed[layer])]
        for layer in range(len(network.layers))
    ]


def single_layers(network: Network) -> Leaders:
    """Each layer a segment: enough where an entry costs nothing."""
    return [[layer] for layer in range(len(network.layers))]


class BranchModel:
    """One constraint program.

    Attributes:
        allowed: Columns of each layer.
        leaders: Of each layer.
        member: ``(layer, leader, unit)``: the layer runs in that segment on that unit.
        runs: ``(layer, unit)``: the layer runs on that unit.
        joins: ``(layer, leader)``: the layer runs in that segment.
        starts: For each layer when its segment starts.
        ends: For each layer when its segment ends.
        done: For each layer when it ends itself, at the earliest; only for good bounds.
        own: ``(leader, unit)`` to the terms of the time of that segment, if it is on that unit.
        spans: For each device and link the intervals in which it is busy.
        moved: For each device and link the terms of the time in which it moves what layers made.
    """

    def __init__(
        self,
        network: Network,
        table: CostTable,
        allowed: Sequence[Sequence[int]],
        leaders: Leaders,
        limit_ns: int,
    ) -> None:
        from ortools.sat.python import cp_model

        self.cp = cp_model
        self.model = cp_model.CpModel()
        self.network = network
        self.table = table
        self.limit_ns = limit_ns
        self.layers = range(len(network.layers))
        self.allowed = [
            [unit for unit in allowed[layer] if table.layer_ns[layer][unit] is not None]
            for layer in self.layers
        ]
        self.leaders = leaders
        self.member: dict[tuple[int, int, int], cp_model.IntVar] = {}
        self.runs: dict[tuple[int, int], cp_model.IntVar] = {}
        self.joins: dict[tuple[int, int], cp_model.IntVar] = {}
        self.starts = [self._time(f"start{layer}") for layer in self.layers]
        self.ends = [self._time(f"end{layer}") for layer in self.layers]
        self.done = [self._time(f"done{layer}") for layer in self.layers]
        self.makespan = self._time("makespan")
        self.own: dict[tuple[int, int], list[cp_model.LinearExprT]] = {}
        self.spans: dict[str, list[cp_model.IntervalVar]] = {}
        self.moved: dict[str, list[cp_model.LinearExprT]] = {}
        self._give_layers_to_segments()
        self._forbid_paths_that_come_back()
        self._let_segments_wait_for_what_they_read()
        self._hand_tensors_over()
        self._keep_devices_from_doing_two_things()
        self._bound_the_makespan()
        self.model.minimize(self.makespan)

    def _time(self, name: str) -> cp_model.IntVar:
        return self.model.new_int_var(0, self.limit_ns, name)

    def _flag(self, name: str) -> cp_model.IntVar:
        return self.model.new_bool_var(name)

    def _sum(self, terms: Sequence[cp_model.LinearExprT]) -> cp_model.LinearExprT:
        return self.cp.LinearExpr.sum(list(terms))

    def _give_layers_to_segments(self) -> None:
        for layer in self.layers:
            for leader in self.leaders[layer]:
                units = [unit for unit in self.allowed[layer] if unit in self.allowed[leader]]
                for unit in units:
                    flag = self._flag(f"member{layer},{leader},{unit}")
                    self.member[layer, leader, unit] = flag
                    time_ns = self.table.layer_ns[layer][unit] or 0
                    terms = self.own.setdefault((leader, unit), [])
                    terms.append(time_ns * flag)
                    if leader == layer:
                        terms.append(self.table.units[unit].entry_ns * flag)
                    else:
                        self.model.add_implication(flag, self.member[leader, leader, unit])
        for layer in self.layers:
            for unit in self.allowed[layer]:
                flags = [
                    self.member[layer, leader, unit]
                    for leader in self.leaders[layer]
                    if (layer, leader, unit) in self.member
                ]
                self.runs[layer, unit] = self._one_of(flags, f"runs{layer},{unit}")
            for leader in self.leaders[layer]:
                flags = [
                    self.member[layer, leader, unit]
                    for unit in self.allowed[layer]
                    if (layer, leader, unit) in self.member
                ]
                joins = self._one_of(flags, f"joins{layer},{leader}")
                self.joins[layer, leader] = joins
                if leader != layer:
                    same = [self.starts[layer] == self.starts[leader]]
                    same.append(self.ends[layer] == self.ends[leader])
                    for equal in same:
                        self.model.add(equal).only_enforce_if(joins)
            self.model.add_exactly_one(self.joins[layer, leader] for leader in self.leaders[layer])

    def _one_of(self, flags: Sequence[cp_model.IntVar], name: str) -> cp_model.IntVar:
        """A flag for: one of these, of which at most one can be."""
        if len(flags) == 1:
            return flags[0]
        flag = self._flag(name)
        self.model.add(self._sum(flags) == flag)
        return flag

    def edges(self) -> Iterable[tuple[int, int]]:
        """Layers that make and layers that read, each pair once."""
        producer = self.network.producer
        for layer in self.network.layers:
            makers = {producer[name] for name in layer.inputs if name in producer}
            for maker in sorted(makers):
                yield maker, layer.index

    def _apart(self, maker: int, reader: int) -> Iterable[list[cp_model.LiteralT]]:
        """Conditions, one of which holds when the two run in different segments."""
        for leader in self.leaders[reader]:
            if leader == reader and len(self.leaders[reader]) == 1:
                yield []
            elif (maker, leader) in self.joins:
                yield [self.joins[reader, leader], ~self.joins[maker, leader]]
            else:
                yield [self.joins[reader, leader]]

    def _forbid_paths_that_come_back(self) -> None:
        """Segments are convex; where all take time, that follows from their times."""
        if all(len(leaders) == 1 for leaders in self.leaders):
            return
        used = {unit for units in self.allowed for unit in units}
        if all(self.table.units[unit].entry_ns > 0 for unit in used):
            return
        rank = [
            self.model.new_int_var(0, len(self.layers) - 1, f"rank{layer}") for layer in self.layers
        ]
        for (layer, leader), joins in self.joins.items():
            if leader != layer:
                self.model.add(rank[layer] == rank[leader]).only_enforce_if(joins)
        for maker, reader in self.edges():
            for condition in self._apart(maker, reader):
                self.model.add(rank[reader] >= rank[maker] + 1).only_enforce_if(condition)

    def _let_segments_wait_for_what_they_read(self) -> None:
        for maker, reader in self.edges():
            for condition in self._apart(maker, reader):
                later = self.model.add(self.starts[reader] >= self.ends[maker])
                if condition:
                    later.only_enforce_if(condition)

    def _hand_tensors_over(self) -> None:
        producer, consumers = self.network.producer, self.network.consumers
        returned = {spec.name for spec in self.network.outputs}
        for name in [spec.name for spec in self.network.inputs] + list(producer):
            readers = sorted(set(consumers.get(name, ())))
            targets: list[int | None] = [
                *sorted({unit for reader in readers for unit in self.allowed[reader]})
            ]
            if name in returned and name in producer:
                targets.append(None)
            for target in targets:
                self._hand_over(name, readers, target)

    def _hand_over(self, name: str, readers: Sequence[int], target: int | None) -> None:
        """From wherever it is made to one unit, or to the caller (``None``)."""
        maker = self.network.producer.get(name)
        size_bytes = self.network.tensors[name].size_bytes or 0
        origins: list[int | None] = [None] if maker is None else [*self.allowed[maker]]
        there: list[cp_model.LinearExprT] = []  # it is there by one of these ways
        costly: list[tuple[cp_model.IntVar, int | None, HandOver]] = []
        for origin in origins:
            made_here = 1 if maker is None or origin is None else self.runs[maker, origin]
            handed = self.table.hand_over(size_bytes, origin, target)
            if handed is None:
                continue
            if handed.total_ns == 0 and handed.link is None:
                there.append(made_here)
                continue
            flag = self._flag(f"hands {name},{origin},{target}")
            self.model.add(flag <= made_here)
            there.append(flag)
            costly.append((flag, origin, handed))
        wants = [1 if target is None else self.runs.get((reader, target), 0) for reader in readers]
        for wanted in [1] if target is None else wants:
            self.model.add(self._sum(there) >= wanted)
        for flag, origin, handed in costly:
            if maker is not None and origin is not None and handed.write_ns:
                self._write(flag, maker, origin, handed.write_ns, f"{name},{target}")
            if handed.link is not None:
                arrival = self._transfer(flag, handed.link, handed.link_ns, maker)
                self._let_readers_wait(arrival, flag, readers, target)
        read_ns = max((handed.read_ns for _, _, handed in costly), default=0)
        if target is not None and read_ns:
            self._read([flag for flag, _, _ in costly], readers, target, read_ns, name)

    def _write(
        self, flag: cp_model.IntVar, maker: int, origin: int, write_ns: int, name: str
    ) -> None:
        """Part of the time of the maker's segment, whichever that is."""
        leaders = [at for at in self.leaders[maker] if (maker, at, origin) in self.member]
        if len(leaders) == 1:
            self.own[leaders[0], origin].append(write_ns * flag)
            return
        parts = []
        for leader in leaders:
            part = self._flag(f"writes {name},{origin},{leader}")
            self.model.add_implication(part, self.member[maker, leader, origin])
            self.own[leader, origin].append(write_ns * part)
            parts.append(part)
        self.model.add(self._sum(parts) == flag)

    def _read(
        self,
        flags: Sequence[cp_model.IntVar],
        readers: Sequence[int],
        target: int,
        read_ns: int,
        name: str,
    ) -> None:
        """Part of the time of one of the segments that read it there."""
        parts = []
        for leader in sorted({leader for reader in readers for leader in self.leaders[reader]}):
            here = [
                self.member[reader, leader, target]
                for reader in readers
                if (reader, leader, target) in self.member
            ]
            if not here:
                continue
            part = self._flag(f"reads {name},{target},{leader}")
            self.model.add_bool_or([~part, *here])
            self.own[leader, target].append(read_ns * part)
            parts.append(part)
        self.model.add(self._sum(parts) == self._sum(flags))

    def _transfer(
        self, flag: cp_model.IntVar, link: Link, time_ns: int, maker: int | None
    ) -> cp_model.IntVar:
        """Over the link, from the maker's end on; returns when the tensor arrives."""
        begin, end = self._time("departs"), self._time("arrives")
        span = self.model.new_optional_interval_var(begin, time_ns, end, flag, "transfer")
        for resource in (link.name, *link.occupies):
            self.spans.setdefault(resource, []).append(span)
            if maker is not None:
                self.moved.setdefault(resource, []).append(time_ns * flag)
        if maker is not None:
            self.model.add(begin >= self.ends[maker]).only_enforce_if(flag)
        return end

    def _let_readers_wait(
        self,
        arrival: cp_model.IntVar,
        flag: cp_model.IntVar,
        readers: Sequence[int],
        target: int | None,
    ) -> None:
        """For a tensor that is on its way, if it is."""
        if target is None:
            self.model.add(self.makespan >= arrival).only_enforce_if(flag)
            return
        for reader in readers:
            if (reader, target) in self.runs:
                here = self.runs[reader, target]
                self.model.add(self.starts[reader] >= arrival).only_enforce_if([flag, here])

    def _keep_devices_from_doing_two_things(self) -> None:
        for leader in self.layers:
            size = self._time(f"takes{leader}")
            units = self.allowed[leader]
            terms = [term for unit in units for term in self.own[leader, unit]]
            self.model.add(size == self._sum(terms))
            for unit in units:
                span = self.model.new_optional_interval_var(
                    self.starts[leader],
                    size,
                    self.ends[leader],
                    self.member[leader, leader, unit],
                    f"segment{leader},{unit}",
                )
                for device in self.table.occupied[unit]:
                    self.spans.setdefault(device, []).append(span)
        for spans in self.spans.values():
            self.model.add_no_overlap(spans)

    def _bound_the_makespan(self) -> None:
        """What follows from the above, told in a form that gives good bounds."""
        for layer in self.layers:
            self.model.add(self.makespan >= self.ends[layer])
            self.model.add(self.ends[layer] >= self.done[layer])
        times, entries = [], []
        for layer in self.layers:
            runs = [(unit, self.runs[layer, unit]) for unit in self.allowed[layer]]
            costs, rows = self.table.units, self.table.layer_ns
            times.append(self._sum([(rows[layer][unit] or 0) * flag for unit, flag in runs]))
            entries.append(self._sum([costs[unit].entry_ns * flag for unit, flag in runs]))
        for layer in self.layers:
            began = self._sum([self.starts[layer], entries[layer]])
            self.model.add(self.done[layer] >= self._sum([began, times[layer]]))
        for maker, reader in self.edges():
            self.model.add(self.done[reader] >= self._sum([self.done[maker], times[reader]]))
        first = self._depends_on(0)
        for resource in self.spans:
            load = list(self.moved.get(resource, ()))
            for (leader, unit), terms in self.own.items():
                if resource in self.table.occupied[unit] and not (first and leader == 0):
                    load += terms
            if first:
                load.append(self.ends[0])
            self.model.add(self.makespan >= self._sum(load))

    def _depends_on(self, layer: int) -> bool:
        """All other layers wait for that one."""
        behind = {layer}
        for maker, reader in self.edges():
            if maker in behind:
                behind.add(reader)
        return len(behind) == len(self.layers)
