"""Which devices and links a hand-over keeps busy, and which of them are still to be used."""

from __future__ import annotations

from functools import lru_cache

from counterpoint.costs.table import CostTable

Charge = tuple[tuple[int, ...], int]
"""Positions of resources, and the time for which they are busy."""


class Charges:
    """Devices and links of a cost table by position.

    Attributes:
        resources: Position of each device and link, by name.
        devices: For each column the positions of the devices that are busy while the unit runs.
    """

    def __init__(self, table: CostTable) -> None:
        self._table = table
        names = [name for occupied in table.occupied for name in occupied]
        for link in table.links:
            names += [link.name, *link.occupies]
        names += table.shared_ns
        self.resources = {name: index for index, name in enumerate(dict.fromkeys(names))}
        self.devices = [
            tuple(self.resources[name] for name in occupied) for occupied in table.occupied
        ]
        # The same few questions are asked again and again.
        self.hand_over = lru_cache(maxsize=None)(self._hand_over)
        self.is_open = lru_cache(maxsize=None)(self._is_open)
        self._shared = [(self.resources[name], rows) for name, rows in table.shared_ns.items()]

    def shared(self, layer: int, column: int) -> tuple[tuple[int, int], ...]:
        """Positions of the resources that units share, and how long the layer needs each."""
        return tuple((position, rows[layer][column]) for position, rows in self._shared)

    def _hand_over(
        self, size_bytes: int, origin: int | None, target: int | None
    ) -> tuple[Charge, ...] | None:
        """What it takes, as resources and time; ``None`` when nothing joins the two places."""
        handed = self._table.hand_over(size_bytes, origin, target)
        if handed is None:
            return None
        charges: list[Charge] = []
        if origin is not None:
            charges.append((self.devices[origin], handed.write_ns))
        if target is not None:
            charges.append((self.devices[target], handed.read_ns))
        if handed.link is not None:
            names = dict.fromkeys((handed.link.name, *handed.link.occupies))
            charges.append((tuple(self.resources[name] for name in names), handed.link_ns))
        return tuple(charges)

    def _is_open(
        self, unused: tuple[int, ...], unit: int, makers: frozenset[int | None]
    ) -> tuple[bool, ...]:
        """For each resource whether layers to come may use it.

        Args:
            unused: Columns of units that they may begin to use.
            unit: Column of the unit that they may go on with.
            makers: Columns of the units whose tensors they may read; ``None``: the caller.
        """
        targets = {unit, *unused}
        origins = {*targets, *makers}
        is_open = [False] * len(self.resources)
        for position, _ in self._shared:
            is_open[position] = True
        for place in origins:
            for device in () if place is None else self.devices[place]:
                is_open[device] = True
        memories = [costs.unit.memory for costs in self._table.units]
        from_memories = {"host" if place is None else memories[place] for place in origins}
        to_memories = {"host", *(memories[place] for place in targets)}
        for link in self._table.links:
            if link.origin in from_memories and link.target in to_memories:
                for name in (link.name, *link.occupies):
                    is_open[self.resources[name]] = True
        return tuple(is_open)
