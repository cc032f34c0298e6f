"""What users of the engines run today, as contenders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from counterpoint.bench.matrix.entrants import Entrant, Frame, installed_one_by_one
from counterpoint.bench.matrix.settings import BenchSettings
from counterpoint.bench.matrix.subject import Site
from counterpoint.bench.result import Contender, Method
from counterpoint.engines.protocol import Engine, InstalledStream
from counterpoint.network.graph import Network

AS_INSTALLED = {"openvino": "openvino latency hint"}
"""OpenVINO's default performance hint is latency: what ``benchmark_app -hint latency`` measures."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An engine as installed, in its own precision or in the network's.

    Attributes:
        engine: Which.
        any_precision: The engine chooses the precision.
        precision: For tables.
    """

    engine: Engine
    any_precision: bool
    precision: str

    def contender(self, mode: str, platform: str) -> Contender:
        """Who it is.

        Args:
            mode: What of the engine is run, with its name.
            platform: Name of this machine.
        """
        name = mode if self.any_precision else f"{mode}, {self.precision}"
        software = f"{self.engine.name} {self.engine.version()}"
        return Contender(name, Method.PEER, self.precision, software, platform=platform)

    def streams(self) -> Iterator[tuple[str, Callable[[Network], InstalledStream]]]:
        """Its throughput modes, by name."""
        modes = self.engine.throughput_modes(any_precision=self.any_precision)
        for label, make in modes.items():
            yield f"{self.engine.name} {label}", make


def peers(site: Site, network: Network, settings: BenchSettings) -> tuple[Peer, ...]:
    """The engines; those that may change the precision by themselves twice.

    Args:
        site: Where.
        network: What is run.
        settings: With the network's own precision alone, engines keep to it.
    """
    own = "int8" if network.is_quantised else "fp32"
    coarser = {unit.engine for unit in site.platform.units if unit.precision in ("bf16", "fp16")}
    found = []
    for engine in site.engines.values():
        if engine.name not in coarser:
            found.append(Peer(engine, True, own))
            continue
        by_itself = bool(set(settings.precisions) & {"bf16", "fp16"})
        if by_itself:
            found.append(Peer(engine, True, "default"))
        if not by_itself or settings.peers_twice:
            found.append(Peer(engine, False, own))
    return tuple(found)


def peers_one_by_one(
    site: Site, network: Network, frames: Sequence[Frame], settings: BenchSettings
) -> list[Entrant]:
    """Each engine's documented default call."""

    def entrant(peer: Peer) -> Entrant:
        engine = peer.engine
        mode = AS_INSTALLED.get(engine.name, f"{engine.name} as installed")
        return Entrant(
            contender=peer.contender(mode, site.platform.name),
            ready=installed_one_by_one(
                lambda: engine.as_installed(network, any_precision=peer.any_precision),
                network,
                frames,
                engine.name,
            ),
        )

    return [entrant(peer) for peer in peers(site, network, settings)]
