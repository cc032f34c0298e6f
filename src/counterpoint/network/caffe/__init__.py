"""Caffe networks in: prototxt and caffemodel become an ONNX model at the door."""

from counterpoint.network.caffe.reader import caffe_model, read_caffe

__all__ = ["caffe_model", "read_caffe"]
