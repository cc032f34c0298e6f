"""How much slower a unit runs while others use the same DRAM.

The three-region form of PCCS (Xu, Belviranli, Shen, Vetter, "PCCS: Processor-Centric
Contention-aware Slowdown Model for Heterogeneous System-on-Chips", MICRO 2021), which HaX-CoNN
(PPoPP 2024) schedules with. x is the unit's own demand when alone, y what the others demand, both
in GB/s; the unit's speed falls by a share L(x, y) that is piecewise linear in both:

    minor      (x <= minor)      L = a * y / peak
    normal     (x <= intensive)  L = rate * (x + min(y, balance) - threshold), and never below the
                                 minor one: the fall begins where x + y reaches the threshold
    intensive  (beyond, or beyond the threshold)
                                 L = rate * (x + balance - threshold) * min(y, balance) / balance:
                                 it begins at once and ends where the normal region's does
    slow-down  1 / (1 - L)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

_LEAST_SPEED = 0.05
"""A unit is never starved entirely: memory controllers serve everybody in the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """One unit's parameters. Losses are shares of its speed alone.

    Attributes:
        peak_gb_per_s: Of the shared memory.
        minor_gb_per_s: Own demand up to which others hardly matter; 0 where there is no such.
        intensive_gb_per_s: Own demand beyond which others matter at once.
        minor_loss: In the minor region when the others take the whole peak.
        threshold_gb_per_s: Total demand at which the normal region's fall begins (TBWDC).
        balance_gb_per_s: Others' demand beyond which it gets no worse (CBP).
        loss_per_gb_per_s: Slope of the normal region.

    Raises:
        ValueError: A number outside its range.
    """

    peak_gb_per_s: float
    minor_gb_per_s: float
    intensive_gb_per_s: float
    minor_loss: float
    threshold_gb_per_s: float
    balance_gb_per_s: float
    loss_per_gb_per_s: float

    def __post_init__(self) -> None:
        values = (
            self.minor_gb_per_s,
            self.intensive_gb_per_s - self.minor_gb_per_s,
            self.minor_loss,
            self.threshold_gb_per_s,
            self.loss_per_gb_per_s,
        )
        if not all(isfinite(value) and value >= 0 for value in values) or self.minor_loss >= 1:
            raise ValueError("contention: demands in order and losses from 0 to 1 expected")
        if not (0 < self.balance_gb_per_s < float("inf") and 0 < self.peak_gb_per_s < float("inf")):
            raise ValueError("contention: peak_gb_per_s and balance_gb_per_s must be above 0")

    def slow_down(self, own_gb_per_s: float, others_gb_per_s: float) -> float:
        """By what the time grows, at least 1; grows with the others' demand.

        Args:
            own_gb_per_s: What the unit moves when it runs alone, at least 0.
            others_gb_per_s: The sum over those that run at the same time, at least 0.
        """
        others = min(others_gb_per_s, self.peak_gb_per_s)
        minor = self.minor_loss * others / self.peak_gb_per_s
        pressure = min(others, self.balance_gb_per_s)
        if own_gb_per_s <= self.minor_gb_per_s:
            loss = minor
        elif own_gb_per_s <= min(self.intensive_gb_per_s, self.threshold_gb_per_s):
            beyond = own_gb_per_s + pressure - self.threshold_gb_per_s
            loss = max(minor, self.loss_per_gb_per_s * beyond)
        else:
            most = own_gb_per_s + self.balance_gb_per_s - self.threshold_gb_per_s
            share = pressure / self.balance_gb_per_s
            loss = max(minor, self.loss_per_gb_per_s * most * share)
        return 1 / max(_LEAST_SPEED, 1 - loss)


@dataclass(frozen=True, slots=True)
class Load:
    """Something that runs.

    Attributes:
        devices: That it occupies.
        demand_gb_per_s: What it moves when alone; 0 for what never leaves its caches.
    """

    devices: tuple[str, ...]
    demand_gb_per_s: float


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """Devices that share one DRAM.

    Attributes:
        contention: By name of the device; devices that are not named share nothing.
    """

    contention: Mapping[str, Contention]

    def slow_downs(self, running: Sequence[Load]) -> tuple[float, ...]:
        """Slow-down of each, for all running at once; of several devices the slowest counts."""
        sharing = [any(name in self.contention for name in load.devices) for load in running]
        total = sum(
            load.demand_gb_per_s for load, shares in zip(running, sharing, strict=True) if shares
        )
        return tuple(
            max(
                (
                    self.contention[name].slow_down(
                        load.demand_gb_per_s, max(0.0, total - load.demand_gb_per_s)
                    )
                    for name in load.devices
                    if name in self.contention
                ),
                default=1.0,
            )
            for load in running
        )


XAVIER_GPU = Contention(
    peak_gb_per_s=127.5,
    minor_gb_per_s=38.1,
    intensive_gb_per_s=96.2,
    minor_loss=0.049,
    threshold_gb_per_s=87.2,
    balance_gb_per_s=45.3,
    loss_per_gb_per_s=0.0111,
)
"""Jetson AGX Xavier's GPU: ismetdagli/HaX-CoNN ``src/z3_solver_multi_dnn.py``, ``slowdown_acc1``
(38.1, 96.2, 4.9 / 127.5, (x - 41.9) * 1.11). How 41.9 parts into 87.2 - 45.3 is not in the
artefact: assumed."""

XAVIER_DLA = Contention(
    peak_gb_per_s=127.5,
    minor_gb_per_s=0.0,
    intensive_gb_per_s=27.9,
    minor_loss=0.0,
    threshold_gb_per_s=0.0,
    balance_gb_per_s=49.0,
    loss_per_gb_per_s=0.0035,
)
"""Its DLA: same file, ``slowdown_acc2`` (27.9, (x + 49) * 0.35). That 49 is a balance over a
threshold of 0 is assumed; below 27.9 the artefact's own line gives a loss of x %, unlike any
region of the model, and is not taken over."""
