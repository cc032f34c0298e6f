"""The longest way through a network: no frame is quicker, however much runs at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from counterpoint.costs.table import CostTable
from counterpoint.network.graph import Network


def critical_path_ns(network: Network, table: CostTable, allowed: Sequence[Sequence[int]]) -> int:
    """A lower bound of the makespan of every lane that gives each layer one of those columns.

    Layer by layer and unit by unit: the earliest end, if each maker of what the layer reads was on
    whatever unit is best for this reader alone. A change of units takes the maker's write, the link
    and an entry, as a segment is one call; the read counts where the layer is the only reader.

    Args:
        network: What is run.
        table: What it costs; it need not be able to run every layer somewhere.
        allowed: Columns of each layer, cells without a time excepted.
    """
    ends: list[dict[int, int]] = []
    for layer in network.layers:
        ends.append({})
        for unit in allowed[layer.index]:
            ready_ns: list[int | None] = [table.units[unit].entry_ns if not layer.inputs else 0]
            for name in layer.inputs:
                maker = network.producer.get(name)
                before = {None: 0} if maker is None else ends[maker]
                alone = len(set(network.consumers[name])) == 1
                size_bytes = network.tensors[name].size_bytes or 0
                ready_ns.append(_arrival_ns(table, size_bytes, before, unit, alone))
            if None not in ready_ns:
                latest_ns = max(time_ns or 0 for time_ns in ready_ns)
                ends[-1][unit] = latest_ns + (table.layer_ns[layer.index][unit] or 0)
    returned = {spec.name for spec in network.outputs}
    finishes = [min(end.values(), default=0) for end in ends]
    finishes += [
        _arrival_ns(table, network.tensors[name].size_bytes or 0, ends[maker], None, False) or 0
        for name, maker in network.producer.items()
        if name in returned
    ]
    return max(finishes, default=0)


def _arrival_ns(
    table: CostTable,
    size_bytes: int,
    ends: Mapping[int, int] | Mapping[None, int],
    target: int | None,
    alone: bool,
) -> int | None:
    """The earliest time at which a tensor can be on a unit, entered; ``None``: never."""
    found = []
    for origin, end_ns in ends.items():
        handed = table.hand_over(size_bytes, origin, target)
        if handed is None:
            continue
        time_ns = end_ns + handed.write_ns + handed.link_ns
        if target is not None and origin != target:
            time_ns += table.units[target].entry_ns + (handed.read_ns if alone else 0)
        found.append(time_ns)
    return min(found, default=None)
