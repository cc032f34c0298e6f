"""Ctrl-C while a command measures."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

PROGRAM = """
import signal, sys
from counterpoint.cli.main import main
from counterpoint.tuning.profiler import Profiler

measure = Profiler.unit_profile
done = []

def measure_then_wait(self, unit, limit=None):
    if done:
        print("measured", flush=True)
        while True:
            signal.pause()
    done.append(measure(self, unit, limit))
    return done[0]

Profiler.unit_profile = measure_then_wait
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("verb", ["tune", "profile"])
def test_an_interrupt_keeps_what_was_measured(model: Path, tmp_path: Path, verb: str) -> None:
    store, plan = tmp_path / "store.sqlite", tmp_path / "plan.json"
    words = [verb, str(model), "--store", str(store)]
    words += ["-o", str(plan)] if verb == "tune" else []
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "measured\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert err == ("counterpoint: interrupted; what was measured is kept, run it again to go on\n")
    assert not plan.exists()
    with closing(sqlite3.connect(store)) as connection:
        (kept,) = connection.execute("SELECT count(*) FROM measurement").fetchone()
    assert kept >= 1
