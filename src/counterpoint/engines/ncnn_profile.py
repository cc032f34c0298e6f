"""Which of a network's layers the layers of its ncnn form are.

pnnx renames and fuses everything, but keeps the order of the graph and never merges two
convolutions or products. So these are matched one to one, in order, and what stands between two of
them belongs to the layers between.
"""

from __future__ import annotations

from collections.abc import Sequence

from counterpoint.engines.protocol import NodeProfile
from counterpoint.network.graph import Subnetwork

HEAVY = frozenset(
    {
        "Convolution",
        "Convolution1D",
        "Convolution3D",
        "ConvolutionDepthWise",
        "ConvolutionDepthWise1D",
        "ConvolutionDepthWise3D",
        "Deconvolution",
        "DeconvolutionDepthWise",
        "InnerProduct",
        "Gemm",
        "MatMul",
    }
)
"""ncnn's layers with multiply-adds."""


def layer_times(
    segment: Subnetwork,
    kinds: Sequence[str],
    times_ns: Sequence[int],
    inserted: Sequence[int] = (),
) -> NodeProfile | None:
    """The time of each of the segment's layers.

    Args:
        segment: What was converted.
        kinds: The types of the ncnn network's layers, in order.
        times_ns: What each took.
        inserted: Which of the convolutions and products, by number, the segment does not have.

    Returns:
        ``None`` where there are not as many convolutions and products on either side.
    """
    heavy = [layer.index for layer in segment.layers if layer.macs]
    places = [place for place, kind in enumerate(kinds) if kind in HEAVY]
    own = {place for number, place in enumerate(places) if number not in inserted}
    if len(own) != len(heavy):
        return None
    # Slot 0 is before the first heavy layer, slot k between the k-th and the next one.
    pooled_ns = [0] * (len(heavy) + 1)
    taken: dict[int, int] = {}
    slot = 0
    for place, time_ns in enumerate(times_ns):
        if place in own:
            taken[heavy[slot]] = time_ns
            slot += 1
        else:
            pooled_ns[slot] += time_ns
    between: list[list[int]] = [[] for _ in pooled_ns]
    slot = 0
    for layer in segment.layers:
        if layer.macs:
            slot += 1
        else:
            between[slot].append(layer.index)
    overhead_ns = 0
    for slot, (time_ns, layers) in enumerate(zip(pooled_ns, between, strict=True)):
        if layers:
            for index in layers:
                taken[index] = time_ns // len(layers)
        elif slot:
            taken[heavy[slot - 1]] += time_ns
        else:
            overhead_ns += time_ns
    return NodeProfile(taken, overhead_ns)
