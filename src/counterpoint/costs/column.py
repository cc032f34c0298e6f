"""One column of a cost table: what the layers of a network cost on one unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Column:
    """Costs on one unit, a value a layer.

    Attributes:
        layer_ns: Times; ``None`` where the unit refuses the layer.
        energy_pj: Above idle; ``None`` where nobody knows.
        refusals: For each ``None`` in ``layer_ns`` the reason, by layer index.
        input_ns: Bringing a frame in from the caller; ``None`` where nobody measured it.
        output_ns: Handing the result back to the caller.
        memory_ns: For how long each layer keeps the unit's memory busy; ``None`` where nobody
            knows.
    """

    layer_ns: Sequence[int | None]
    energy_pj: Sequence[int | None]
    refusals: Mapping[int, str] = field(default_factory=dict)
    input_ns: int | None = None
    output_ns: int | None = None
    memory_ns: Sequence[int | None] = ()
