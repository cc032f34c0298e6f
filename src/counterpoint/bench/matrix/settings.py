"""How much a bench measures."""

from __future__ import annotations

from dataclasses import dataclass

from counterpoint.bench.result import Method, Metric
from counterpoint.measure.sampling import WARM_NS

ALL_PRECISIONS = ("fp32", "bf16", "fp16", "int8")

PUBLISHED_FIVE = ("alexnet", "mobilenet_v1", "resnet50", "vgg16", "yolov2")
"""The zoo's builders of the networks of Xu et al. (NPC 2019), YOLOv2 at 416 x 416."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSettings:
    """What is measured, and how long.

    Attributes:
        metrics: Which.
        methods: Which.
        precisions: What units may compute in. Units in int8 get a quantised copy of networks that
            are not quantised.
        latency_images: One at a time, for each row: 100 in Xu et al. (NPC 2019, section 3.2).
        throughput_images: For each row: 1000 there.
        batches: Images in a frame to try for throughput, ascending.
        row_ns: The counted runs of a row take no longer where a frame takes long; then the row has
            fewer images, and says so.
        latency_rounds: So often each contender gets its turn.
        throughput_rounds: Likewise; fewer where frames take long.
        warm_ns: Each turn warms up for so long.
        starts: So often all contenders are made ready for their turns.
        converters: Also engines that convert a network first, which takes up to a minute each.
        peers_twice: Peers that may change the precision also in the network's own.
        explain: Also break down the time and look at each layer's roofline.
        time_limit_s: Of the whole bench.
    """

    metrics: tuple[Metric, ...] = (Metric.LATENCY, Metric.THROUGHPUT)
    methods: tuple[Method, ...] = (Method.UNIT, Method.PLAN, Method.PEER)
    precisions: tuple[str, ...] = ALL_PRECISIONS
    latency_images: int = 100
    throughput_images: int = 1000
    batches: tuple[int, ...] = (1, 4, 16)
    row_ns: int = 2_500_000_000
    latency_rounds: int = 10
    throughput_rounds: int = 6
    warm_ns: int = WARM_NS
    starts: int = 2
    converters: bool = True
    peers_twice: bool = True
    explain: bool = True
    time_limit_s: float = 960.0


FULL = BenchSettings()

QUICK = BenchSettings(
    methods=(Method.UNIT, Method.PEER),
    precisions=("fp32", "bf16", "fp16"),
    latency_images=24,
    throughput_images=60,
    batches=(1,),
    row_ns=250_000_000,
    latency_rounds=3,
    throughput_rounds=3,
    starts=1,
    converters=False,
    peers_twice=False,
    explain=False,
    time_limit_s=110.0,
)
"""Under two minutes for five networks: no plans are tuned, nothing is quantised, converted or
explained, and frames are of one image."""
