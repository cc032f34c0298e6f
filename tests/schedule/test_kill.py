"""The kill test, short; the whole one is ``python -m tests.schedule.kill --seeds 1000``."""

from __future__ import annotations

import threading
from collections import Counter

from tests.schedule.kill import play

SEEDS = 200


def test_frames_survive_devices_that_fail() -> None:
    before = set(threading.enumerate())
    told: Counter[str] = Counter()
    play(range(SEEDS), told)
    assert set(threading.enumerate()) <= before
    assert told["cases"] == SEEDS
    happened = ("compile", "run", "hang", "wrong numbers", "replanned", "no unit left", "finished")
    assert all(told[key] > SEEDS // 20 for key in happened), told
