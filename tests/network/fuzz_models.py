"""Fuzzes the Caffe and Darknet readers: ``python -m tests.network.fuzz_models --seconds 600``.

A damaged model is read, or refused in one line that names the file. Anything else is a finding:
another exception, a warning, a dead process, more than 10 s, or more than 1 GiB above the start.
Findings are kept, as they are, in a folder that is named at the end.

Inputs with a new outcome (other lines of code refuse them, or they are read with other kinds of
layers) are damaged further.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from random import Random
from unittest.mock import patch

from counterpoint.errors import MachineError, ModelFileError
from counterpoint.network.caffe import parameters
from counterpoint.network.darknet import weights_file
from counterpoint.network.loading import load
from tests.network.every_layer import CFG, PROTOTXT, caffemodel, darknet_weights
from tests.network.mutations import CAFFE, DARKNET, LONGEST_TEXT, WEIGHTS, Case, mutated

CORPUS = Path(__file__).parent / "corpus"

SECONDS_PER_INPUT = 10
SPARE_BYTES = 1 << 30
SEEDED_BYTES = 4 << 20
"""Seeded weights may have 2 GB; so many random numbers would be all that is tested here."""

LONGEST_REASON = 2500


def outcome(case: Case, folder: Path) -> str:
    """What loading came to: the kinds of layers, or the lines of code that refused it.

    Raises:
        AssertionError: The reason is not one line, does not name the file, or hides that memory
            ran out.
        Exception: Whatever else loading raises.
    """
    path = folder / f"victim{case.suffix}"
    path.write_bytes(case.text)
    weights = None
    if case.weights is not None:
        weights = path.with_suffix(WEIGHTS[case.suffix])
        weights.write_bytes(case.weights)
    try:
        network = load(
            path,
            weights=weights,
            batch=case.batch,
            input_shapes=None if case.shape is None else {"data": case.shape},
            seed=0 if weights is None else None,
            keep_batchnorm=case.keep_batchnorm,
        )
    except (ModelFileError, MachineError) as error:
        line = str(error)
        assert str(folder) in line, f"the file is not named: {line}"
        assert line.isprintable(), f"not one printable line: {line!r}"
        assert len(line) < LONGEST_REASON, f"too long: {line}"
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
            assert not isinstance(cause, MemoryError), f"memory ran out: {line}"
        return "refused: " + " ".join(_lines(cause)[-4:])
    return "read: " + " ".join(sorted({layer.kind for layer in network.layers}))


def _lines(error: BaseException) -> list[str]:
    """The lines of code through which an error came."""
    frames = traceback.walk_tb(error.__traceback__)
    return [f"{Path(frame.f_code.co_filename).name}:{line}" for frame, line in frames]


def seeds(folder: Path, *, kept: bool = True) -> list[Case]:
    """Every small network with seeded and with trained weights, and the corpus where ``kept``."""
    cases = []
    for text in PROTOTXT.values():
        cases += [Case(CAFFE, text.encode()), Case(CAFFE, text.encode(), caffemodel(text, folder))]
    for text in CFG.values():
        weights = darknet_weights(text, folder)
        cases += [Case(DARKNET, text.encode()), Case(DARKNET, text.encode(), weights)]
    files = sorted(path for path in CORPUS.iterdir() if path.suffix in WEIGHTS) if kept else []
    return cases + [case_of(path) for path in files]


def case_of(path: Path, *, keep_batchnorm: bool = False) -> Case:
    """An architecture's file, with the weights of the same name where there are such."""
    weights = path.with_suffix(WEIGHTS[path.suffix])
    held = weights.read_bytes() if weights.exists() else None
    return Case(path.suffix, path.read_bytes(), held, keep_batchnorm=keep_batchnorm)


def save(case: Case, stem: Path) -> None:
    """Writes the files as the corpus has them; what else was asked for goes into a third."""
    stem.with_suffix(case.suffix).write_bytes(case.text)
    if case.weights is not None:
        stem.with_suffix(WEIGHTS[case.suffix]).write_bytes(case.weights)
    asked = {"batch": case.batch, "shape": case.shape, "keep_batchnorm": case.keep_batchnorm}
    stem.with_suffix(".json").write_text(json.dumps(asked), encoding="utf-8")


@dataclass
class Hunt:
    """One process that damages and reads until its time is over.

    Attributes:
        folder: Holds the input that is being read (``current.*``), and ``findings``.
        random: Decides everything.
        executions: Inputs read so far.
    """

    folder: Path
    random: Random
    executions: int = 0

    def run(self, seconds: float) -> None:
        """Hunts; a finding is saved and the hunt goes on."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process even inside of C
        pool = seeds(self.folder)
        known: set[str] = set()
        _limit_memory()
        end = time.monotonic() + seconds
        waiting = list(pool)  # first as they are
        while time.monotonic() < end:
            if waiting:
                case = waiting.pop()
            else:
                origin = pool[-1 - int(len(pool) * self.random.random() ** 2)]
                case = mutated(origin, pool, self.random)
            if len(case.text) > LONGEST_TEXT:
                continue
            found = self._read(case)
            self.executions += 1
            if found is not None and found not in known:
                known.add(found)
                pool.append(case)
        print(json.dumps({"executions": self.executions, "outcomes": len(known)}))  # noqa: T201

    def _read(self, case: Case) -> str | None:
        for path in self.folder.glob("current.*"):
            path.unlink()
        save(case, self.folder / "current")
        (self.folder / "executions").write_text(str(self.executions), encoding="ascii")
        signal.alarm(SECONDS_PER_INPUT)
        try:
            return outcome(case, self.folder)
        except Exception as error:
            reason = str(error).partition(":")[0][:60]
            place = f"{type(error).__name__} at {' '.join(_lines(error)[-3:])}: {reason}"
            keep(self.folder, place, traceback.format_exc())
            return None
        finally:
            signal.alarm(0)


def keep(folder: Path, place: str, story: str) -> None:
    """Saves the current input as a finding, one for each place."""
    name = hashlib.blake2b(place.encode(), digest_size=6).hexdigest()
    findings = folder / "findings"
    if not (findings / f"{name}.txt").exists():
        for path in folder.glob("current.*"):
            shutil.copy(path, findings / f"{name}{path.suffix}")
        (findings / f"{name}.txt").write_text(f"{place}\n{story}", encoding="utf-8")


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + SPARE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def hunt(seconds: float, seed: int) -> int:
    """Runs hunts, a new one where one died; returns how many findings there are."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    (folder / "findings").mkdir()
    end = time.monotonic() + seconds
    executions = outcomes = 0
    while (left := end - time.monotonic()) > 1:
        command = [sys.executable, "-m", __spec__.name, "--hunt", str(folder)]
        command += ["--seconds", str(left), "--seed", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seed += 1
        if done.returncode == 0:
            told = json.loads(done.stdout.splitlines()[-1])
            executions, outcomes = executions + told["executions"], outcomes + told["outcomes"]
            continue
        executions += int((folder / "executions").read_text(encoding="ascii"))
        keep(folder, f"the process ended with {done.returncode}", done.stderr[-3000:])
    findings = sorted((folder / "findings").glob("*.txt"))
    for path in findings:
        print(path, path.read_text(encoding="utf-8").splitlines()[0])  # noqa: T201
    print(  # noqa: T201
        f"{executions} inputs in {seconds:.0f} s, {outcomes} different outcomes, "
        f"{len(findings)} findings{f' in {folder}' if findings else ''}"
    )
    if not findings:
        shutil.rmtree(folder)
    return len(findings)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hunt", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.hunt is None:
        return 1 if hunt(given.seconds, given.seed) else 0
    warnings.simplefilter("error", RuntimeWarning)
    with (
        patch.object(parameters, "LARGEST_SEEDED_BYTES", SEEDED_BYTES),
        patch.object(weights_file, "LARGEST_SEEDED_BYTES", SEEDED_BYTES),
    ):
        Hunt(given.hunt, Random(given.seed)).run(given.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
