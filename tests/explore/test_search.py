from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.costs.models.overlay.cycles import NEVER
from counterpoint.explore.boxes import halves, parts, size
from counterpoint.explore.catalogue import Boxes, Catalogue
from counterpoint.explore.interval import least_interval
from counterpoint.explore.search import NOTHING, branch_and_bound, exhaustive
from tests.explore.random_catalogues import random_catalogue

randoms = st.integers(0, 2**32 - 1).map(Random)
counts = st.integers(1, 3)


def all_designs(catalogue: Catalogue) -> set[tuple[int, ...]]:
    """Every multiset of cores within the budget, one by one."""
    return {
        design
        for design in combinations_with_replacement(
            range(len(catalogue.cores)), catalogue.core_count
        )
        if sum(int(catalogue.area[core]) for core in design) <= catalogue.budget
    }


def listed(catalogue: Catalogue, boxes: Boxes) -> list[tuple[int, ...]]:
    return [tuple(design) for batch in catalogue.designs(boxes) for design in batch.tolist()]


@settings(max_examples=60, deadline=None)
@given(randoms, counts, st.integers(1, 12))
def test_parts_hold_every_design_once(rng: Random, core_count: int, count: int) -> None:
    catalogue = random_catalogue(rng, core_count=core_count, cores=5)
    expected = all_designs(catalogue)
    assert catalogue.design_count() == len(expected)
    assert sorted(listed(catalogue, catalogue.root)) == sorted(expected)
    found = [design for part in parts(catalogue, count) for design in listed(catalogue, part)]
    assert sorted(tuple(sorted(design)) for design in found) == sorted(expected)


@settings(max_examples=60, deadline=None)
@given(randoms, counts)
def test_halves_have_no_smaller_bound(rng: Random, core_count: int) -> None:
    catalogue = random_catalogue(rng, core_count=core_count)
    boxes = catalogue.root
    assert size(boxes) == len(
        list(combinations_with_replacement(range(len(catalogue.cores)), core_count))
    )
    while smaller := halves(boxes):
        assert sum(map(size, smaller)) == size(boxes)
        bounds = catalogue.bounds([boxes, *smaller])
        assert (bounds[1:] >= bounds[0]).all()
        boxes = rng.choice(smaller)
    design = np.array([[low for low, _ in boxes]])
    assert catalogue.bounds([boxes]).tolist() == catalogue.intervals(design).tolist()


@settings(max_examples=60, deadline=None)
@given(randoms, counts)
def test_every_design_is_worth_what_the_solver_says(rng: Random, core_count: int) -> None:
    catalogue = random_catalogue(rng, core_count=core_count, cores=4)
    tried = exhaustive(catalogue, catalogue.root)
    known = {
        tuple(design): interval
        for design, interval in zip(tried.designs.tolist(), tried.intervals.tolist(), strict=True)
    }
    for design in all_designs(catalogue):
        cores = list(design)
        exact = least_interval(catalogue.cycles[cores], catalogue.traffic[cores]).interval
        assert (design in known) == bool(np.isfinite(exact))
        if design in known:
            assert known[design] - 1 <= exact * (1 + 1e-6) + 1e-6
            assert exact <= known[design] * (1 + 1e-6) + 1e-6


@settings(max_examples=100, deadline=None)
@given(randoms, counts, st.integers(1, 4))
def test_branch_and_bound_proves_the_optimum_of_the_exhaustive_search(
    rng: Random, core_count: int, count: int
) -> None:
    catalogue = random_catalogue(rng, core_count=core_count)
    expected = exhaustive(catalogue, catalogue.root).best(catalogue)
    best = NOTHING
    for part in parts(catalogue, count):
        tried = branch_and_bound(catalogue, part, best)
        assert (tried.intervals < NEVER).all()
        best = min(best, tried.best(catalogue))
    assert best == expected


def test_a_bound_rules_most_designs_out() -> None:
    catalogue = random_catalogue(Random(5), core_count=2, cores=40, never=0.0)
    catalogue = replace(catalogue, budget=12)
    everything = exhaustive(catalogue, catalogue.root)
    some = branch_and_bound(catalogue, catalogue.root)
    assert 0 < len(some.designs) < len(everything.designs) / 4
    assert some.bounded > 0


def test_a_better_known_design_leaves_nothing_to_try() -> None:
    catalogue = replace(random_catalogue(Random(5), core_count=2, never=0.0), budget=12)
    assert exhaustive(catalogue, catalogue.root).best(catalogue) < NOTHING
    tried = branch_and_bound(catalogue, catalogue.root, (0, 0))
    assert len(tried.designs) == 0
    assert tried.best(catalogue) == NOTHING
