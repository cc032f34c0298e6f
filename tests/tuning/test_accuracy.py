from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from counterpoint.errors import FrameError, UserInputError
from counterpoint.measure.confidence import drop
from counterpoint.tuning.accuracy import Judge, LabelledFrames, sqnr_db
from tests.tuning.small_classifier import CLASSES, images, small_classifier
from tests.tuning.small_network import CHANNELS, EDGE, small_network

Rows = npt.NDArray[np.float64]


def softmax(logits: Rows) -> Rows:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def outputs(logits: Rows, *, probable: bool) -> list[list[npt.NDArray[np.float32]]]:
    values = softmax(logits) if probable else logits
    return [[row[None].astype(np.float32)] for row in values]


@pytest.fixture
def logits() -> Rows:
    return 4 * np.random.default_rng(3).standard_normal((20, CLASSES))


def judge(logits: Rows, *, probable: bool, classes: tuple[int, ...] | None = None) -> Judge:
    frames = LabelledFrames(tuple(images(len(logits))), classes)
    return Judge(small_classifier(softmax=probable), frames, outputs(logits, probable=probable))


@pytest.mark.parametrize("probable", [True, False])
def test_noise_is_that_of_centred_logits(logits: Rows, probable: bool) -> None:
    wrong = logits + np.random.default_rng(4).standard_normal(logits.shape)
    accuracy = judge(logits, probable=probable).accuracy(outputs(wrong, probable=probable))
    centred = logits - logits.mean(axis=1, keepdims=True)
    error = (wrong - wrong.mean(axis=1, keepdims=True)) - centred
    assert accuracy.noise == pytest.approx((error**2).sum() / (centred**2).sum(), rel=1e-3)
    assert accuracy.sqnr_db == pytest.approx(-10 * np.log10(accuracy.noise))


def test_a_shift_of_all_logits_is_no_noise(logits: Rows) -> None:
    accuracy = judge(logits, probable=False).accuracy(outputs(logits + 7, probable=False))
    assert accuracy.noise < 1e-10
    assert sqnr_db(0.0) is None


def test_without_labels_every_change_of_the_best_class_is_lost(logits: Rows) -> None:
    changed = logits.copy()
    for row in (2, 5, 11):
        changed[row, np.argmin(changed[row])] = 99
    accuracy = judge(logits, probable=True).accuracy(outputs(changed, probable=True))
    assert accuracy.drop == drop(3, 0, 20)
    assert not accuracy.labelled
    assert accuracy.right is None


def test_with_labels_wins_make_up_for_losses(logits: Rows) -> None:
    best, second = np.argsort(-logits, axis=1)[:, :2].T
    truth = best.copy()
    truth[:4] = second[:4]  # the reference gets these wrong
    changed = logits.copy()
    for row in (0, 1, 7, 8, 9):  # two wins, three losses
        changed[row, second[row]] = 99
    labelled = judge(logits, probable=False, classes=tuple(map(int, truth)))
    accuracy = labelled.accuracy(outputs(changed, probable=False))
    assert accuracy.drop == drop(3, 2, 20)
    assert (accuracy.reference_right, accuracy.right) == (16, 15)
    surer = accuracy.best_of(5).drop
    assert surer is not None
    assert surer.confidence == pytest.approx(0.99)
    assert surer.high > drop(3, 2, 20).high
    margins, _ = labelled.margins()
    assert np.isinf(margins[:4]).all()
    assert np.isfinite(margins[4:]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_outputs_that_are_not_finite_are_all_lost(logits: Rows, bad: float) -> None:
    accuracy = judge(logits, probable=False).accuracy(
        outputs(np.full_like(logits, bad), probable=False)
    )
    assert accuracy.noise == pytest.approx(2)
    assert accuracy.drop == drop(20, 0, 20)


def test_outputs_of_another_shape_are_noise(logits: Rows) -> None:
    made = [[np.zeros((1, 3), np.float32)]] * len(logits)
    assert judge(logits, probable=False).accuracy(made).noise == pytest.approx(2)


def test_labels_that_do_not_fit(logits: Rows) -> None:
    with pytest.raises(
        UserInputError, match=r"label 10 does not fit classifier, whose classes are 0 to 9"
    ):
        judge(logits, probable=True, classes=(10,) * 20)
    wrong = tuple(int(row.argmin()) for row in logits)
    with pytest.raises(UserInputError, match="none of 20 images right"):
        judge(logits, probable=True, classes=wrong)
    with pytest.raises(UserInputError, match="3 labels for 20 images"):
        judge(logits, probable=True, classes=(1, 2, 3))
    with pytest.raises(UserInputError, match="no image"):
        LabelledFrames(())


def test_networks_without_scores_have_noise_alone() -> None:
    network = small_network()
    shape = (1, CHANNELS, EDGE, EDGE)
    truth = [[np.ones(shape, np.float32)], [np.ones(shape, np.float32)]]
    frames = tuple({"input": array} for (array,) in truth)
    found = Judge(network, LabelledFrames(frames), truth)
    accuracy = found.accuracy([[1.1 * array for array in each] for each in truth])
    assert accuracy.noise == pytest.approx(0.01, rel=1e-4)
    assert accuracy.drop is None
    with pytest.raises(UserInputError, match="give a budget as --min-sqnr-db"):
        found.margins()
    with pytest.raises(UserInputError, match="no top-1"):
        Judge(network, LabelledFrames(frames, (0, 0)), truth)


def test_frames_are_checked_when_they_come_in() -> None:
    network = small_classifier()
    array = images(1)[0]["input"]
    assert LabelledFrames.of(network, [array]).frames[0]["input"] is array
    with pytest.raises(FrameError, match="input"):
        LabelledFrames.of(network, [array[:, :2]])
    with pytest.raises(FrameError):
        LabelledFrames.of(network, [{"other": array}])
