"""What a plan is best at, and the unit in which that is told."""

from __future__ import annotations

from enum import StrEnum


class Objective(StrEnum):
    """What is made least. Each has one whole number, and less is better."""

    LATENCY = "latency"
    """Time of one frame alone, in nanoseconds."""
    THROUGHPUT = "throughput"
    """Mean time from one frame's end to the next one's with many under way, in nanoseconds."""
    ENERGY = "energy"
    """Energy of one frame, in picojoules (a milliwatt for a nanosecond)."""
    ENERGY_DELAY = "energy-delay"
    """Energy times latency of one frame alone, in picojoules times nanoseconds."""

    @property
    def unit(self) -> str:
        """Of its value: ``ns``, ``pJ`` or ``pJ*ns``."""
        return {Objective.ENERGY: "pJ", Objective.ENERGY_DELAY: "pJ*ns"}.get(self, "ns")
