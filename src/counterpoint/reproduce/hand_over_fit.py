"""What a hand-over costs, by the runs in which there were some.

A hand-over has a reason to take time: the receiving component is woken and caches are flushed,
which takes a time of its own in each direction, and the tensor is moved, at some rate. So a run's
time is that of its stages, plus ``to_gpu`` and ``to_cpu`` for each change in these directions, plus
``per_megabyte`` for what is handed over. The three are fitted to measured runs by least squares of
the relative errors, none below 0. Each run can be left out of its own prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from counterpoint.errors import InternalError

_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True)
class HandOvers:
    """A run with changes of its component.

    Attributes:
        to_gpu: How many hand-overs go to the GPU.
        to_cpu: How many leave it.
        moved_bytes: By all of them.
        stages_ms: Time of the stages as predicted without any hand-over.
        measured_ms: What the run took.
    """

    to_gpu: int
    to_cpu: int
    moved_bytes: int
    stages_ms: float
    measured_ms: float


@dataclass(frozen=True, slots=True)
class HandOverFit:
    """What was found.

    Attributes:
        to_gpu_ms: Each hand-over to the GPU.
        to_cpu_ms: Each one from it.
        per_megabyte_ms: 10^6 bytes.
    """

    to_gpu_ms: float
    to_cpu_ms: float
    per_megabyte_ms: float

    def predicted_ms(self, run: HandOvers) -> float:
        """Stages and hand-overs."""
        return run.stages_ms + float(_row(run) @ self._costs())

    def _costs(self) -> npt.NDArray[np.float64]:
        return np.array([self.to_gpu_ms, self.to_cpu_ms, self.per_megabyte_ms])


def fit_hand_overs(runs: Sequence[HandOvers]) -> HandOverFit:
    """The costs, none of them below 0, with the least sum of squared relative errors.

    Exact: the best of the plain least-squares answers over every choice of costs that are not 0,
    among those without a negative one (the optimum is one of them).

    Raises:
        InternalError: No run.
    """
    if not runs:
        raise InternalError("hand-overs fitted to no run")
    measured = np.array([run.measured_ms for run in runs])
    rows = np.array([_row(run) for run in runs]) / measured[:, None]
    missing = 1 - np.array([run.stages_ms for run in runs]) / measured
    best, least = np.zeros(3), float(missing @ missing)
    for count in (1, 2, 3):
        for columns in combinations(range(3), count):
            found = np.linalg.lstsq(rows[:, columns], missing, rcond=None)[0]
            left = rows[:, columns] @ found - missing
            if min(found) >= 0 and float(left @ left) < least:
                best, least = np.zeros(3), float(left @ left)
                best[list(columns)] = found
    return HandOverFit(float(best[0]), float(best[1]), float(best[2]))


def left_out_errors(runs: Sequence[HandOvers]) -> tuple[float, ...]:
    """Relative error of each run as predicted by a fit to all the others."""
    errors = []
    for place, run in enumerate(runs):
        fitted = fit_hand_overs([*runs[:place], *runs[place + 1 :]])
        errors.append(fitted.predicted_ms(run) / run.measured_ms - 1)
    return tuple(errors)


def _row(run: HandOvers) -> npt.NDArray[np.float64]:
    return np.array([run.to_gpu, run.to_cpu, run.moved_bytes / _MEGABYTE])
