"""What is run: graph, layers, ONNX in and out, and the zoo of builders."""
