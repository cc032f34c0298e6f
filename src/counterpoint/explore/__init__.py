"""Design-space exploration: which cores, of which size, for which networks, within which area."""
