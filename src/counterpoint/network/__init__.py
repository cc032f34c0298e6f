"""What is run: graph, layers, ONNX in and out, the zoo of builders."""
