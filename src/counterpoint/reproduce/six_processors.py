"""Networks on six processors (Xu et al., NPC 2019): which orderings a roofline explains.

The processors are shipped platforms: peak and bandwidth of the paper's table, and each operator's
tensors moved by themselves, BatchNorm unfused, as the paper's frameworks did. What a roofline
cannot know is the framework's time for each call; the paper tells it for MobileNetV1 on the two
CPUs only, and these platforms have it. Where an ordering needs such a time, the figure's note says
how much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from counterpoint.costs.modelled import unit_model
from counterpoint.costs.models.roofline import Roofline
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.network.loading import ZOO_PREFIX, load
from counterpoint.platform.platform_file import load_platform
from counterpoint.reproduce.figure import Figure, Reproduction, at_least, at_most, within

NAME = "six-processors"

TOLERANCE = 0.2
"""Of a latency by a roofline without fitted efficiencies."""

PLATFORMS: Mapping[str, str] = {
    "Xeon E5-2680 v4": "xeon_e5_2680v4",
    "Core i5-6500": "core_i5_6500",
    "Tesla P100": "tesla_p100",
}
"""The shipped platform of each processor, by the paper's name: the three of the six that it orders
networks on. Nothing was told of the others (GTX 970, Cambricon, TPUv2)."""

MOBILENET_MS: Mapping[str, tuple[float, float]] = {
    "Xeon E5-2680 v4": (86.8, 40.0),
    "Core i5-6500": (68.8, 20.0),
}
"""Latency of MobileNetV1, and the runtime overhead in it ("over 40", "about 20")."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """A finding in words: ``quick`` has the lower latency on the processor."""

    processor: str
    quick: str
    slow: str


ORDERINGS = (
    Ordering("Xeon E5-2680 v4", "alexnet", "mobilenet_v1"),
    Ordering("Core i5-6500", "mobilenet_v1", "alexnet"),
    Ordering("Tesla P100", "vgg16", "resnet50"),
    Ordering("Tesla P100", "alexnet", "mobilenet_v1"),
)


@cache
def roofline(processor: str) -> Roofline:
    """The model of the processor's platform.

    Raises:
        InternalError: The shipped file has another model.
    """
    platform = load_platform(PLATFORMS[processor])
    model = unit_model(platform, platform.units[0])
    if not isinstance(model, Roofline):
        raise InternalError(f"{platform.name} is no roofline")
    return model


def latency_ns(network: Network, model: Roofline) -> int:
    """Sum over the layers.

    Raises:
        InternalError: The model refuses a layer of a network whose shapes are all known.
    """
    total_ns = 0
    for layer in network.layers:
        cost = model.cost(layer)
        if isinstance(cost, str):
            raise InternalError(f"{network.name}: {cost}")
        total_ns += cost.time_ns
    return total_ns


def calls(network: Network, model: Roofline) -> int:
    """Operators that a framework calls for one frame."""
    return sum(model.calls(layer) for layer in network.layers)


def six_processors() -> Reproduction:
    """Two latencies and four orderings."""
    names = sorted({name for one in ORDERINGS for name in (one.quick, one.slow)})
    networks = {name: load(f"{ZOO_PREFIX}{name}", keep_batchnorm=_has_norm(name)) for name in names}
    orderings = [_ordering(one, networks) for one in ORDERINGS]
    return Reproduction(
        name=NAME,
        title="Orderings of networks on processors, batch 1",
        sources=("Xu et al., NPC 2019: its table of processors and its findings in words",),
        figures=(
            *(_latency(processor, networks["mobilenet_v1"]) for processor in MOBILENET_MS),
            *orderings,
        ),
        notes=(
            f"{sum(one.holds is True for one in orderings)} of the {len(orderings)} orderings "
            "follow from the model.",
            "Peak and bandwidth are data sheets'; no efficiency is fitted, since the paper gives "
            "too few values. So latencies come out too low: rooflines are what is possible.",
            "The overhead of a call on the two CPUs is the published one of MobileNetV1 over its "
            "number of operators: a constant tuned on one figure for each processor, which makes "
            "the latencies better by construction. On the GPU none was published and none is "
            "assumed.",
            "Why not the others. On the i5, AlexNet's 60 M weights are bound by memory and "
            "MobileNetV1 is the quicker one by 1.8 x without overhead; the overhead that the paper "
            "itself tells turns it. On the P100 a frame by the roofline takes a few ms or less, so "
            "that some us a call, which nobody published, decide: the notes of the figures say how "
            "many would turn each ordering. MobileNetV1's latencies miss what the frameworks lost "
            "in depthwise convolutions; a constant for that would be tuned on these very figures.",
            "No energy or throughput was told in numbers.",
        ),
    )


def _has_norm(name: str) -> bool:
    return name in ("mobilenet_v1", "resnet50")


def _latency(processor: str, mobilenet: Network) -> Figure:
    published_ms, overhead_ms = MOBILENET_MS[processor]
    model = roofline(processor)
    plain_ms = latency_ns(mobilenet, replace(model, overhead_ns=0)) / 1e6
    return Figure(
        what=f"MobileNetV1 on {processor}",
        unit="ms",
        published=published_ms,
        model=latency_ns(mobilenet, model) / 1e6,
        bar=within(published_ms, TOLERANCE),
        note=f"{plain_ms:.1f} ms by the roofline, {overhead_ms:g} ms of overhead as published",
    )


def _ordering(one: Ordering, networks: Mapping[str, Network]) -> Figure:
    """The ratio of two latencies, which has to be on the right side of 1."""
    model = roofline(one.processor)
    first, second = sorted((one.quick, one.slow))
    times_ms = {name: latency_ns(networks[name], model) / 1e6 for name in (first, second)}
    turn = _turning_point(networks[first], networks[second], model)
    return Figure(
        what=f"{one.processor}: {first} over {second}; {one.quick} is quicker",
        unit="x",
        model=times_ms[first] / times_ms[second],
        bar=at_most(1.0) if first == one.quick else at_least(1.0),
        note=f"{times_ms[first]:.3g} ms and {times_ms[second]:.3g} ms; {turn}",
    )


def _turning_point(first: Network, second: Network, model: Roofline) -> str:
    """At which overhead of a call the two are equally quick."""
    plain = replace(model, overhead_ns=0)
    first_ns, second_ns = latency_ns(first, plain), latency_ns(second, plain)
    more_calls = calls(second, plain) - calls(first, plain)
    told = f"{first_ns / second_ns:.2f} x without overhead"
    turns_ns = (first_ns - second_ns) / more_calls if more_calls else -1.0
    if turns_ns > 0:
        told += f", 1 x at {turns_ns / 1e3:.1f} us a call"
    return f"{told}; used are {model.overhead_ns / 1e3:.1f} us"
