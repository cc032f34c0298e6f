"""Which layer types there are, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from counterpoint.network.caffe import (
    convolution,
    detection,
    elementwise,
    normalisation,
    pooling,
    priors,
    resize,
    shape,
    yolo_output,
)
from counterpoint.network.caffe.scope import Converter

CONVERTERS: Mapping[str, Converter] = MappingProxyType(
    {
        **convolution.CONVERTERS,
        **detection.CONVERTERS,
        **elementwise.CONVERTERS,
        **normalisation.CONVERTERS,
        **pooling.CONVERTERS,
        **priors.CONVERTERS,
        **resize.CONVERTERS,
        **shape.CONVERTERS,
        **yolo_output.CONVERTERS,
    }
)

SOURCES = frozenset(
    {
        *("AnnotatedData", "Data", "DummyData", "HDF5Data", "ImageData", "Input", "MemoryData"),
        "WindowData",
    }
)
"""Layers without an input: their first output becomes an input of the network."""

DROPPED = frozenset(
    {
        *("Accuracy", "ContrastiveLoss", "DetectionEvaluate", "EuclideanLoss", "HDF5Output"),
        *("HingeLoss", "InfogainLoss", "MultiBoxLoss", "MultinomialLogisticLoss"),
        *("SigmoidCrossEntropyLoss", "SmoothL1Loss", "SoftmaxWithLoss"),
    }
)
"""Layers that compare with labels: no part of inference. What they read is returned instead."""

PADDING = "Padding"
"""Only in the oldest files; joins the layer behind it."""


def known_types() -> list[str]:
    """Every type that a network may hold."""
    return sorted({*CONVERTERS, *SOURCES, *DROPPED})
