from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterpoint.errors import UserInputError
from counterpoint.measure.confidence import drop
from counterpoint.tuning.accuracy import Accuracy, Judge, LabelledFrames
from counterpoint.tuning.budget import AccuracyBudget, split_images
from tests.tuning.small_classifier import CLASSES, images, small_classifier


def accuracy(lost: int, won: int, count: int, noise: float = 0.01) -> Accuracy:
    return Accuracy(noise, drop(lost, won, count))


def test_a_budget_is_broken_by_what_was_counted_not_by_what_might_be() -> None:
    budget = AccuracyBudget(max_drop=1.0)
    assert budget.broken_by(accuracy(0, 0, 32)) is None
    assert not budget.proven_by(accuracy(0, 0, 32))
    assert budget.proven_by(accuracy(0, 0, 400))
    reason = budget.broken_by(accuracy(1, 0, 32))
    assert reason == "it loses 3.1 points of top-1 on 32 images, 1 are allowed"
    assert budget.broken_by(accuracy(3, 3, 32)) is None
    assert budget.images_needed() == 381
    assert AccuracyBudget(max_drop=0).images_needed() is None


def test_a_budget_in_decibels() -> None:
    budget = AccuracyBudget(min_sqnr_db=30)
    assert budget.broken_by(accuracy(5, 0, 10, noise=0.0009)) is None
    assert budget.broken_by(accuracy(0, 0, 10, noise=0.002)) == (
        "its SQNR is 27.0 dB, 30 dB is wanted"
    )
    assert budget.broken_by(Accuracy(0.0, None)) is None
    both = AccuracyBudget(max_drop=1, min_sqnr_db=20)
    assert both.broken_by(accuracy(1, 0, 10)) is not None
    assert both.text == "a drop of at most 1 point and an SQNR of at least 20 dB"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_drop": -1.0},
        {"max_drop": 101.0},
        {"min_sqnr_db": 200.0},
        {"max_drop": float("nan")},
    ],
)
def test_impossible_budgets(options: dict[str, float]) -> None:
    with pytest.raises(UserInputError):
        AccuracyBudget(**options)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.sampled_from((2.0, 10.0, 30.0)))
def test_noise_of_the_planned_power_loses_about_the_budget(seed: int, points: float) -> None:
    """Oracle: noise drawn and added to the logits, many times."""
    random = np.random.default_rng(seed)
    logits = 3 * random.standard_normal((60, CLASSES))
    frames = LabelledFrames(tuple(images(60)))
    truth = [[row[None].astype(np.float32)] for row in logits]
    judge = Judge(small_classifier(softmax=False), frames, truth)
    noise = AccuracyBudget(max_drop=points).max_noise(judge)
    centred = logits - logits.mean(axis=1, keepdims=True)
    deviation = np.sqrt(noise * np.mean(centred**2))
    lost = [
        np.mean((logits + deviation * random.standard_normal(logits.shape)).argmax(1) != judge.top1)
        for _ in range(300)
    ]
    # The model looks at the second class alone: all others together may take some more.
    assert 0.8 * points <= 100 * np.mean(lost) <= 2.5 * points


def test_a_looser_budget_allows_more_noise() -> None:
    logits = np.random.default_rng(1).standard_normal((30, CLASSES))
    truth = [[row[None].astype(np.float32)] for row in logits]
    judge = Judge(small_classifier(softmax=False), LabelledFrames(tuple(images(30))), truth)
    noises = [AccuracyBudget(max_drop=points).max_noise(judge) for points in (0, 0.1, 1, 5, 100)]
    assert noises == sorted(noises)
    assert noises[0] < noises[1] / 2
    assert AccuracyBudget(max_drop=100, min_sqnr_db=20).max_noise(judge) == pytest.approx(0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 30), st.floats(0.01, 0.99), st.randoms(use_true_random=False))
def test_parts_do_not_depend_on_the_order(count: int, part: float, random: Random) -> None:
    frames = images(count)
    labels = list(range(count))
    found = split_images(LabelledFrames(tuple(frames), tuple(labels)), part)
    order = list(range(count))
    random.shuffle(order)
    shuffled = LabelledFrames(
        tuple(frames[index] for index in order), tuple(labels[index] for index in order)
    )
    again = split_images(shuffled, part)
    assert set(found.held_back.classes or ()) == set(again.held_back.classes or ())
    chosen = [*(found.calibration.classes or ()), *(found.held_back.classes or ())]
    assert sorted(chosen) == labels
    assert len(found.held_back.frames) == min(count - 1, max(1, round(part * count)))


def test_an_image_that_is_there_twice_never_judges_itself() -> None:
    frames = images(6)
    doubled = LabelledFrames((*frames, *frames), (*range(6), *range(6)))
    parts = split_images(doubled)
    first, second = set(parts.calibration.classes or ()), set(parts.held_back.classes or ())
    assert not first & second
    assert len(parts.calibration.frames) == len(parts.held_back.frames) == 6


def test_too_few_images() -> None:
    (frame,) = images(1)
    with pytest.raises(UserInputError, match="at least two different images"):
        split_images(LabelledFrames((frame, frame)))
    with pytest.raises(UserInputError, match="not between 0 and 1"):
        split_images(LabelledFrames(tuple(images(4))), 1.0)
