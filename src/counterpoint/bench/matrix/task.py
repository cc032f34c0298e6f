"""One network of a bench under way: what its stages share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counterpoint.bench.matrix.entrants import Frame
from counterpoint.bench.matrix.row_energy import RowEnergy
from counterpoint.bench.matrix.settings import BenchSettings
from counterpoint.bench.matrix.subject import Site
from counterpoint.bench.matrix.unit_ways import UnitWays
from counterpoint.measure.time_limit import TimeLimit
from counterpoint.network.graph import Network
from counterpoint.tuning.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A network to bench.

    Attributes:
        name: Of the network, as given.
        network: With one image in a frame.
        frames: Images, ready.
        ways: What units can do with it.
        site: Where.
        settings: How much.
        progress: Told how far it is.
        limit: Of this network.
        energy: Measures it; ``None``: nothing does.
    """

    name: str
    network: Network
    frames: Sequence[Frame]
    ways: UnitWays
    site: Site
    settings: BenchSettings
    progress: Progress
    limit: TimeLimit
    energy: RowEnergy | None = None
