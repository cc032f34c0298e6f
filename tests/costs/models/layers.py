"""Single layers to ask a model about."""

from __future__ import annotations

from math import prod

from counterpoint.network.graph import Layer, LoopNest


def layer_of(
    nest: LoopNest | None = None,
    *,
    kind: str = "Conv",
    operators: tuple[str, ...] | None = None,
    items: int = 1000,
    name: str = "layer",
) -> Layer:
    """A float32 layer of that convolution, or of another kind with ``items`` in and out."""
    read = made = items * 4
    weights = 0
    if nest is not None:
        read = nest.batch * nest.in_channels * prod(nest.input_size) * 4
        made = nest.batch * nest.out_channels * prod(nest.output_size) * 4
        weights = nest.macs // max(1, nest.batch * prod(nest.output_size)) * 4
    return Layer(
        index=0,
        name=name,
        kind=kind,
        operators=operators or (kind,),
        nodes=(0,),
        inputs=("in",),
        outputs=("out",),
        macs=0 if nest is None else nest.macs,
        weight_bytes=weights,
        input_bytes=read,
        output_bytes=made,
        quantised=False,
        signature=kind,
        loops=nest,
    )


def conv(into: int, out: int, edge: int, kernel: int = 3, stride: int = 1) -> LoopNest:
    """A square convolution that keeps the size, but for the stride."""
    pad = kernel // 2
    size = -(-edge // stride)
    return LoopNest(
        batch=1,
        in_channels=into,
        out_channels=out,
        input_size=(edge, edge),
        output_size=(size, size),
        kernel=(kernel, kernel),
        stride=(stride, stride),
        pads=(pad, pad, pad, pad),
    )
