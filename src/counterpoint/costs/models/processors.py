"""The six processors of Xu et al. (NPC 2019) as rooflines, from the paper's own table.

Peak: half of the table's FLOP/s, a multiply-add being two. Bandwidth: the table's. fp32, and each
operator a call of its own, as in the framework of the time (BatchNorm and activations are not
fused, which is why BatchNorm takes a share of the time out of proportion to its computation).

Overhead: the paper says how much of MobileNetV1's time is the runtime's on the two CPUs ("over 40"
of 86.8 ms, "about 20" of 68.8 ms); over the network's 84 operators that is 476 and 238 us a call.
Nothing is published for the others, so that theirs is 0. No number here is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping

from counterpoint.costs.models.roofline import Roofline

MOBILENET_OPERATORS = 84
"""Of MobileNetV1 with its BatchNorms, as the zoo builds it (``keep_batchnorm``)."""


def _processor(
    peak_tflop_per_s: float, bandwidth_gb_per_s: float, overhead_ms: int = 0
) -> Roofline:
    return Roofline(
        peak_macs_per_s=peak_tflop_per_s * 1e12 / 2,
        bandwidth_bytes_per_s=bandwidth_gb_per_s * 1e9,
        overhead_ns=round(overhead_ms * 1e6 / MOBILENET_OPERATORS),
        fused=False,
    )


SIX_PROCESSORS: Mapping[str, Roofline] = {
    "Xeon E5-2680 v4": _processor(2.15, 76.8, overhead_ms=40),
    "Core i5-6500": _processor(0.20, 34.1, overhead_ms=20),
    "Tesla P100": _processor(9.30, 732.0),
    "GTX 970": _processor(3.50, 224.0),
    "Cambricon (Kirin 970)": _processor(1.92, 27.8),
    "TPUv2": _processor(180.0, 600.0),
}
"""By the paper's name."""
