"""Caffe's messages: ``caffe.proto``, and what protobuf's compiler makes of it."""
