"""Darknet networks in: cfg and weights become an ONNX model at the door."""

from counterpoint.network.darknet.reader import darknet_model, read_darknet

__all__ = ["darknet_model", "read_darknet"]
