"""Where a thread spends its time, seen from outside: by Linux's ``perf``, by library.

``perf`` interrupts the thread in fixed steps of its processor time and writes down in which
library it is. A library of threads (OpenMP, TBB) computes nothing: whoever is found in it waits
for others, or gives them work.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

SAMPLES_PER_S = 1999
"""Not a multiple of anything periodic that runs beside."""

LEAST_SAMPLES = 100
"""Of fewer, a share of a half has a standard error above five points."""

THREAD_LIBRARIES = re.compile(r"^lib(gomp|omp|iomp5|tbb|pthread|onnxruntime_thread)\b")

_TIMEOUT_S = 20.0
_LINE = re.compile(r"^\s*([0-9.]+)%\s+(\S+(?: tid)?)")
_COUNT = re.compile(r"^# Samples: (\d+)([KM]?) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ThreadSamples:
    """Shares of the thread's processor time.

    Attributes:
        shares: By library, the largest first; machine code made at run time is ``[JIT]``.
        count: Samples taken, as ``perf`` rounds it.
    """

    shares: Mapping[str, float]
    count: int

    @property
    def waiting_share(self) -> float:
        """Part of the time in libraries of threads."""
        return sum(share for name, share in self.shares.items() if THREAD_LIBRARIES.match(name))

    def line(self) -> str:
        """For people."""
        shown = [f"{share:.0%} {name}" for name, share in list(self.shares.items())[:4]]
        return f"perf: {self.count} samples of the calling thread: {', '.join(shown)}"


def sample_thread(run: Callable[[], object], budget_ns: int = 800_000_000) -> ThreadSamples | str:
    """Runs something again and again for so long, and samples the thread that calls this.

    Returns:
        Why there are no samples, where there are none: no ``perf``, a kernel that forbids it, or
        too few of them.
    """
    program = shutil.which("perf")
    if program is None:
        return "perf is not installed"
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "perf.data"
        thread = str(threading.get_native_id())
        recording = subprocess.Popen(  # noqa: S603 - no shell, fixed words
            [
                *(program, "record", "-q", "-e", "cpu-clock", "-F", str(SAMPLES_PER_S)),
                *("-t", thread, "-o", str(data)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            end = time.perf_counter_ns() + budget_ns
            while recording.poll() is None and time.perf_counter_ns() < end:
                run()
        finally:
            if recording.poll() is None:
                recording.send_signal(signal.SIGINT)
            try:
                _, told = recording.communicate(timeout=_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                recording.kill()
                _, told = recording.communicate()
        if not data.is_file():
            return f"perf cannot sample here: {_one_line(told.decode(errors='replace'))}"
        try:
            shown = subprocess.run(  # noqa: S603 - no shell, fixed words
                [program, "report", "-i", str(data), "--stdio", "--sort", "dso"],
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "perf takes too long to report"
    return read_report(shown.stdout.decode(errors="replace"))


def read_report(text: str) -> ThreadSamples | str:
    """What ``perf report --stdio --sort dso`` prints."""
    found = _COUNT.search(text)
    count = 0
    if found is not None:
        count = int(found[1]) * {"": 1, "K": 1000, "M": 1_000_000}[found[2]]
    if count < LEAST_SAMPLES:
        return f"perf took {count} samples, too few to tell"
    shares: dict[str, float] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is not None:
            name = match[2].split()[0]
            shares[name] = shares.get(name, 0.0) + float(match[1]) / 100
    return ThreadSamples(dict(sorted(shares.items(), key=lambda item: -item[1])), count)


def _one_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:200] if lines else "it gives no reason"
