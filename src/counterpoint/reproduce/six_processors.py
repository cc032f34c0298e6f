"""Networks on six processors (Xu et al., NPC 2019): which orderings a roofline explains.

The model knows peak and bandwidth of a processor, and moves each operator's tensors, BatchNorm
unfused, as the paper's frameworks did. What it cannot know is the framework's time for each call;
the paper tells it for MobileNetV1 on the two CPUs only. Where an ordering needs such a time, the
figure's note says how much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from counterpoint.costs.models.roofline import Roofline
from counterpoint.errors import InternalError
from counterpoint.network.graph import Network
from counterpoint.network.loading import ZOO_PREFIX, load
from counterpoint.reproduce.figure import Figure, Reproduction, at_least, at_most, within

NAME = "six-processors"

TOLERANCE = 0.2
"""Of a latency by a roofline without fitted efficiencies."""

MOBILENET_MS = {"Xeon E5-2680 v4": (86.8, 40.0), "Core i5-6500": (68.8, 20.0)}
"""Latency of MobileNetV1, and the runtime overhead in it ("over 40", "about 20")."""


def _processor(tflop_per_s: float, gb_per_s: float) -> Roofline:
    """A multiply-add is two of the data sheets' operations."""
    return Roofline(
        peak_macs_per_s=tflop_per_s * 1e12 / 2,
        bandwidth_bytes_per_s=gb_per_s * 1e9,
        fused=False,
    )


PROCESSORS: Mapping[str, Roofline] = {
    "Xeon E5-2680 v4": _processor(2.15, 76.8),
    "Core i5-6500": _processor(0.20, 34.1),
    "Tesla P100": _processor(9.30, 732.0),
}
"""Peak and memory bandwidth as in the paper's table; the three of the six that it orders networks
on."""


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


def with_overhead(processor: str, mobilenet: Network) -> Roofline:
    """The processor with the published overhead, spread over MobileNetV1's calls; without any
    where none was published.
    """
    model = PROCESSORS[processor]
    if processor not in MOBILENET_MS:
        return model
    _, overhead_ms = MOBILENET_MS[processor]
    return replace(model, overhead_ns=round(1e6 * overhead_ms / calls(mobilenet, model)))


def six_processors() -> Reproduction:
    """Two latencies and four orderings."""
    names = sorted({name for one in ORDERINGS for name in (one.quick, one.slow)})
    networks = {name: load(f"{ZOO_PREFIX}{name}", keep_batchnorm=_has_norm(name)) for name in names}
    mobilenet = networks["mobilenet_v1"]
    return Reproduction(
        name=NAME,
        title="Orderings of networks on processors, batch 1",
        sources=("Xu et al., NPC 2019: its table of processors and its findings in words",),
        figures=(
            *(_latency(processor, mobilenet) for processor in MOBILENET_MS),
            *(_ordering(one, networks) for one in ORDERINGS),
        ),
        notes=(
            "Peak and bandwidth are data sheets'; no efficiency is fitted, since the paper gives "
            "too few values. So latencies come out too low: rooflines are what is possible.",
            "The overhead of a call on the two CPUs is the published one of MobileNetV1 over its "
            "number of operators: a constant tuned on one figure for each processor, which makes "
            "the latencies better by construction. On the GPU none was published and none is "
            "assumed.",
            "Time of a call beyond which an ordering turns: in the notes of the figures. No "
            "energy or throughput was told in numbers.",
        ),
    )


def _has_norm(name: str) -> bool:
    return name in ("mobilenet_v1", "resnet50")


def _latency(processor: str, mobilenet: Network) -> Figure:
    published_ms, overhead_ms = MOBILENET_MS[processor]
    plain_ms = latency_ns(mobilenet, PROCESSORS[processor]) / 1e6
    return Figure(
        what=f"MobileNetV1 on {processor}",
        unit="ms",
        published=published_ms,
        model=latency_ns(mobilenet, with_overhead(processor, mobilenet)) / 1e6,
        bar=within(published_ms, TOLERANCE),
        note=f"{plain_ms:.1f} ms by the roofline, {overhead_ms:g} ms of overhead as published",
    )


def _ordering(one: Ordering, networks: Mapping[str, Network]) -> Figure:
    """The ratio of two latencies, which has to be on the right side of 1."""
    plain = PROCESSORS[one.processor]
    model = with_overhead(one.processor, networks["mobilenet_v1"])
    first, second = sorted((one.quick, one.slow))
    ratio = latency_ns(networks[first], model) / latency_ns(networks[second], model)
    return Figure(
        what=f"{one.processor}: {first} over {second}; {one.quick} is quicker",
        unit="x",
        model=ratio,
        bar=at_most(1.0) if first == one.quick else at_least(1.0),
        note=_turning_point(networks[first], networks[second], plain, model.overhead_ns),
    )


def _turning_point(first: Network, second: Network, plain: Roofline, used_ns: int) -> str:
    """At which overhead of a call the two are equally quick."""
    first_ns, second_ns = latency_ns(first, plain), latency_ns(second, plain)
    more_calls = calls(second, plain) - calls(first, plain)
    told = f"{first_ns / second_ns:.2f} x without overhead"
    turns_ns = (first_ns - second_ns) / more_calls if more_calls else -1.0
    if turns_ns > 0:
        told += f", 1 x at {turns_ns / 1e3:.1f} us a call"
    return f"{told}; used are {used_ns / 1e3:.1f} us"
