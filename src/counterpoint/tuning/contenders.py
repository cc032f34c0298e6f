"""What can be timed in turn: a plan in a session, and what an engine does as installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from counterpoint.engines.protocol import Engine, Tensor
from counterpoint.errors import EngineError
from counterpoint.measure.sampling import Comparison, Contender, Run, interleave
from counterpoint.network.graph import Network
from counterpoint.platform.model import Platform
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.session import Session
from counterpoint.tuning.frames import ordered
from counterpoint.tuning.progress import Progress

LARGE_BYTES = 200 * 2**20
"""Networks with more weights than this are compared with one contender in memory at a time."""

RENEW_EVERY = 5
"""Rounds between two starts of all contenders: two starts of one session differ by up to 3 % (own
measurement, MLPerf Tiny's image classification on ONNX Runtime)."""

Frame = Mapping[str, Tensor]


def plan_contender(
    network: Network, plan: Plan, platform: Platform, engines: Mapping[str, Engine], frame: Frame
) -> Contender:
    """``Session.run`` of a plan on that frame."""

    @contextmanager
    def ready() -> Iterator[Run]:
        with Session(network, plan, engines=engines, platform=platform) as session:
            yield lambda: session.run(None, frame)

    return ready


def installed_contenders(
    network: Network, engines: Mapping[str, Engine], frame: Frame, *, any_precision: bool
) -> tuple[dict[str, Contender], list[str]]:
    """What a user of each engine gets today, by label; and why an engine is not among them."""
    found: dict[str, Contender] = {}
    reasons = []
    for name, engine in engines.items():
        ready = partial(_installed, network, engine, frame, any_precision)
        try:
            with ready():
                found[f"{name} as installed"] = ready
        except EngineError as error:
            reasons.append(str(error))
    return found, reasons


@contextmanager
def _installed(
    network: Network, engine: Engine, frame: Frame, any_precision: bool
) -> Iterator[Run]:
    default = engine.as_installed(network, any_precision=any_precision)
    if default is None:
        raise EngineError(f"{engine.name} has no default way to run a network")
    inputs = ordered(network, frame)
    try:
        yield lambda: default.run(inputs)
    finally:
        default.close()


def compare_in_turn(
    network: Network,
    contenders: Mapping[str, Contender],
    *,
    rounds: int,
    progress: Progress,
    block_ns: int = 40_000_000,
    settled: Callable[[Comparison], bool] | None = None,
) -> Comparison:
    """Times contenders in turn, all in memory at once unless the network is large.

    Each is made ready anew some times, so that no contender is judged by one lucky start.
    """
    large = network.weight_bytes > LARGE_BYTES
    rounds = max(3, rounds // 3) if large else rounds
    progress.begin("comparing", rounds)
    return interleave(
        contenders,
        rounds=rounds,
        block_ns=block_ns,
        renew_every=1 if large else RENEW_EVERY,
        settled=settled,
        report=lambda done, _: progress.step(f"round {done}"),
    )
