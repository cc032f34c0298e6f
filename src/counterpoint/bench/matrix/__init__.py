"""The matrix: networks, units, precisions and methods, by latency and throughput."""
