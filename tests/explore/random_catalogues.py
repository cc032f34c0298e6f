"""Catalogues of made-up costs: no network and no model behind them."""

from __future__ import annotations

from random import Random

import numpy as np

from counterpoint.costs.models.overlay.core import Core, CoreKind
from counterpoint.explore.catalogue import Catalogue


def random_catalogue(
    rng: Random, *, core_count: int, cores: int = 6, layers: int = 4, never: float = 0.1
) -> Catalogue:
    """Few cores of small areas; larger ones tend to be quicker, some cannot run everything."""
    area = np.array([rng.randint(1, 8) for _ in range(cores)], dtype=np.int64)
    work = np.array([rng.randint(0, 200) for _ in range(layers)])
    speed = np.array([[rng.uniform(0.3, 1.0) for _ in range(layers)] for _ in range(cores)])
    cycles = np.ceil(work / (speed * area[:, None]))
    traffic = np.floor(cycles * np.array([[rng.random() for _ in range(layers)]]))
    if rng.random() < 0.5:
        traffic = np.floor(cycles * rng.random())
    for core in range(cores):
        for layer in range(layers):
            if rng.random() < never:
                cycles[core, layer], traffic[core, layer] = np.inf, 0.0
    return Catalogue(
        core_count=core_count,
        dram_bytes_per_cycle=64,
        cores=tuple(Core(kind=CoreKind.CONVOLUTION, elements=int(one), inputs=1) for one in area),
        area=area,
        multipliers=area.copy(),
        budget=rng.randint(1, 8 * core_count),
        cycles=cycles,
        traffic=traffic,
    )
