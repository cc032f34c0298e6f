"""Neural processors as engines: what they compute, bit by bit, without the hardware."""
