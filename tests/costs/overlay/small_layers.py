"""Random layers small enough to be computed cycle by cycle, and what they must come to."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from counterpoint.costs.models.overlay.core import Core, CoreKind
from counterpoint.costs.models.overlay.shapes import LayerShapes, shapes_of
from counterpoint.costs.models.overlay.stepped import Int32s, SmallLayer
from counterpoint.network.graph import LoopNest
from tests.costs.models.layers import layer_of


@st.composite
def small_layers(draw: st.DrawFn) -> SmallLayer:
    groups, into, out = draw(
        st.one_of(
            st.tuples(st.just(1), st.integers(1, 20), st.integers(1, 20)),
            st.tuples(st.integers(2, 3), st.integers(1, 5), st.integers(1, 5)),
            st.tuples(st.integers(2, 20), st.just(1), st.just(1)),
        )
    )
    kernel = draw(st.sampled_from([(1, 1), (3, 3), (1, 3), (2, 2)]))
    stride = draw(st.sampled_from([(1, 1), (2, 2), (2, 1), (3, 3)]))
    dilation = draw(st.sampled_from([(1, 1), (1, 1), (2, 2)]))
    pads = draw(st.tuples(*[st.integers(0, 1)] * 4))
    images = draw(st.sampled_from([1, 1, 2]))
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    if groups == 1 and (rows, columns) == kernel == (1, 1):
        images = 1  # a product, whose batch counts as rows
    tall, wide = (rows - 1) * stride[0] + span[0], (columns - 1) * stride[1] + span[1]
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    features = rng.integers(-128, 128, (images, groups * into, tall, wide), dtype=np.int8)
    above, left, below, right = pads  # padding lies in memory as zeros
    features[:, :, :above], features[:, :, :, :left] = 0, 0
    features[:, :, tall - below :], features[:, :, :, wide - right :] = 0, 0
    weights = rng.integers(-128, 128, (groups * out, into, *kernel), dtype=np.int8)
    layer = SmallLayer(
        features=features, weights=weights, stride=stride, dilation=dilation, groups=groups
    )
    if not draw(st.booleans()):
        return layer
    return SmallLayer(
        features=features,
        weights=weights,
        stride=stride,
        dilation=dilation,
        groups=groups,
        residual=rng.integers(-128, 128, layer.out_shape, dtype=np.int8),
    )


@st.composite
def small_cores(draw: st.DrawFn) -> Core:
    kind = draw(st.sampled_from(CoreKind))
    elements = draw(st.sampled_from([4, 8, 68]) if kind is CoreKind.OVERLAY else st.integers(1, 9))
    if kind is CoreKind.DEPTHWISE:
        elements = draw(st.sampled_from([1, 3, 4, 130, 200]))
    inputs = draw(st.integers(1, 5))
    return Core(
        kind=kind,
        elements=elements,
        inputs=inputs,
        feature_buffer_bytes=draw(st.integers(64, 1500)),
        weight_buffer_bytes=elements * inputs * draw(st.integers(1, 20)) + 64,
    )


def shapes_of_small(layer: SmallLayer) -> LayerShapes:
    images, out_channels, rows, columns = layer.out_shape
    _, channels, tall, wide = layer.features.shape
    nest = LoopNest(
        batch=images,
        groups=layer.groups,
        in_channels=channels,
        out_channels=out_channels,
        input_size=(tall, wide),
        output_size=(rows, columns),
        kernel=(layer.weights.shape[2], layer.weights.shape[3]),
        stride=layer.stride,
        dilation=layer.dilation,
    )
    operators = ("Conv", "Add") if layer.residual is not None else ("Conv",)
    return shapes_of([(layer_of(nest, operators=operators), nest)])


def reference(layer: SmallLayer) -> Int32s:
    """The convolution by its definition."""
    _, out_channels, rows, columns = layer.out_shape
    into = layer.features.shape[1] // layer.groups
    out = out_channels // layer.groups
    features, weights = layer.features.astype(np.int64), layer.weights.astype(np.int64)
    result = np.zeros(layer.out_shape, dtype=np.int64)
    for k in range(out_channels):
        first = k // out * into
        for y in range(rows):
            for x in range(columns):
                top, left = y * layer.stride[0], x * layer.stride[1]
                window = features[
                    :,
                    first : first + into,
                    top : top + layer.span[0] : layer.dilation[0],
                    left : left + layer.span[1] : layer.dilation[1],
                ]
                result[:, k, y, x] = (window * weights[k]).sum(axis=(1, 2, 3))
    if layer.residual is not None:
        result += layer.residual
    return result.astype(np.int32)
