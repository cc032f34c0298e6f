"""Random plans on devices that fail at random places: every frame is answered once, right and in
order, or there is one clear error when no device is left; and nothing is left behind.

    python -m tests.schedule.kill --seeds 1000
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from random import Random
from typing import get_args

from counterpoint.engines.faulty import FaultyEngine, Injection, InjectionKind
from counterpoint.engines.protocol import Tensor
from counterpoint.errors import EngineError, NoUnitLeftError, UserInputError
from counterpoint.network.graph import Subnetwork
from counterpoint.platform.model import ComputeUnit, Device, DeviceKind, Platform
from counterpoint.schedule.checked_assembly import Checking
from counterpoint.schedule.faults import casualties
from counterpoint.schedule.plan import Plan
from counterpoint.schedule.recovery import Fallback
from counterpoint.schedule.session import Session
from counterpoint.schedule.spot_check import SpotCheck
from counterpoint.schedule.trace import Incident
from tests.fake_engine import FakeEngine, fake_frame, reference_outputs
from tests.schedule.hanging import LIMITS, HangingEngine, sure_watchdog
from tests.schedule.seeded_plans import random_network, random_plan

NUMBERS = 23
"""Frames that differ; more than any session holds at once, so one out of turn is noticed."""
MOST_FRAMES = 30
LATEST = 25
"""An injection strikes at most so many calls late."""
PATIENCE_S = 60.0

CPU = Device("CPU", DeviceKind.CPU)
NPUS = tuple(Device(f"NPU.{index}", DeviceKind.NPU) for index in range(3))


def random_platform(random: Random) -> Platform:
    """Up to three NPUs, and a CPU for which there are two engines."""
    npus = NPUS[: random.randint(0, 3)]
    units = [ComputeUnit("fake", (device,), "fp32") for device in npus]
    devices = list(npus)
    if not npus or random.random() < 0.6:
        devices.append(CPU)
        units += [ComputeUnit(engine, (CPU,), "fp32") for engine in ("fake", "other")]
    return Platform("fake machine", "fake-fingerprint", tuple(devices), tuple(units))


class Case:
    """A random network, plan and machine, and what goes wrong.

    Attributes:
        told: How often each thing happened, over all cases.
    """

    def __init__(self, seed: int, told: Counter[str]) -> None:
        self.random = Random(seed)
        self.told = told
        self.threads_before = set(threading.enumerate())
        self.network = random_network(self.random)
        self.platform = random_platform(self.random)
        self.plan = random_plan(self.random, self.network, self.platform)
        kinds = get_args(InjectionKind)
        units = [unit.name for unit in self.platform.units]
        injections = [
            Injection(
                self.random.choice(kinds),
                self.random.choice(units),
                self.random.randrange(self.random.choice([1, LATEST])),
                lasting=self.random.random() < 0.5,
            )
            for _ in range(self.random.randint(1, 4))
        ]
        self.engines = {
            name: HangingEngine(FakeEngine(self.dawdle, name), injections)
            for name in ("fake", "other")
        }
        self.arbiter = FaultyEngine(FakeEngine(name="reference"))
        can_err = any(injection.kind == "wrong numbers" for injection in injections)
        rate = 1.0 if can_err else self.random.choice([None, 0.3, 1.0])
        self.checking = None if rate is None else Checking(SpotCheck(rate), self.arbiter)
        self.frames = [fake_frame(self.network, number) for number in range(NUMBERS)]
        self.wanted = [reference_outputs(self.network, frame) for frame in self.frames]
        self.reported: list[Incident] = []
        self.asked = 0
        self.replies: Counter[int] = Counter()

    def dawdle(self, segment: Subnetwork, inputs: Mapping[str, Tensor]) -> None:
        if self.random.random() < 0.3:
            os.sched_yield()

    def replan(self, lost: frozenset[str]) -> Plan | str:
        if lost >= {unit.name for unit in self.platform.units}:
            return "every unit has failed"
        return random_plan(self.random, self.network, self.platform, lost)

    def open(self) -> Session:
        return Session(
            self.network,
            self.plan,
            engines=self.engines,
            platform=self.platform,
            trace=self.random.random() < 0.5,
            fallback=Fallback(self.replan, LIMITS, self.reported.append),
            checking=self.checking,
            watchdog=sure_watchdog(*self.engines.values()),
        )

    def play(self) -> None:
        """Until everything is answered, or no unit is left."""
        self.told["cases"] += 1
        try:
            session = self.open()
        except NoUnitLeftError as error:
            self.check_end(error, frozenset(unit.name for unit in self.platform.units))
        else:
            with session:
                try:
                    self.drive(session)
                except NoUnitLeftError as error:
                    self.check_end(error, session.units_lost)
                self.check_lost(session)
        self.check_nothing_is_left()

    def drive(self, session: Session) -> None:
        loads = [self.runs, self.streams, self.futures]
        for _ in range(self.random.randint(1, 3)):
            self.random.choice(loads)(session, self.random.randint(1, MOST_FRAMES))
        if self.random.random() < 0.2:
            session.restore()
            self.told["restored"] += 1
            assert session.plan is self.plan or session.units_lost
            self.random.choice(loads)(session, self.random.randint(1, MOST_FRAMES))
        if self.random.random() < 0.2:
            self.close_under_way(session)
        self.told["finished"] += 1

    def runs(self, session: Session, count: int) -> None:
        for number in range(count):
            self.check(number, session.run(None, self.frames[number % NUMBERS]))

    def streams(self, session: Session, count: int) -> None:
        taken = 0
        for number, outputs in enumerate(
            session.stream(self.frames[number % NUMBERS] for number in range(count))
        ):
            self.check(number, outputs)
            taken += 1
        assert taken == count

    def futures(self, session: Session, count: int) -> None:
        futures: list[Future[list[Tensor]]] = []
        for number in range(count):
            future = session.run_async(None, self.frames[number % NUMBERS])
            future.add_done_callback(partial(self.count_reply, self.asked))
            futures.append(future)
            self.asked += 1
        results = [future.exception(PATIENCE_S) for future in futures]
        for number, (future, error) in enumerate(zip(futures, results, strict=True)):
            if error is None:
                self.check(number, future.result())
        for error in results:
            if error is not None:
                raise error

    def count_reply(self, asked: int, _: Future[list[Tensor]]) -> None:
        self.replies[asked] += 1

    def close_under_way(self, session: Session) -> None:
        futures = [session.run_async(None, frame) for frame in self.frames[:3]]
        session.close()
        for number, future in enumerate(futures):
            error = future.exception(PATIENCE_S)
            if error is None:
                self.check(number, future.result())
            else:
                assert isinstance(error, UserInputError | EngineError), error
        self.told["closed under way"] += 1

    def check(self, number: int, outputs: Sequence[Tensor]) -> None:
        wanted = self.wanted[number % NUMBERS]
        assert len(outputs) == len(wanted)
        for output, right in zip(outputs, wanted, strict=True):
            assert output.tolist() == right.tolist(), f"frame {number} is wrong"
        self.told["frames"] += 1

    def check_end(self, error: NoUnitLeftError, lost: frozenset[str]) -> None:
        """It is clear, and true."""
        assert "\n" not in str(error)
        assert str(error).startswith("nothing is left to run fake: ")
        assert str(error).endswith("every unit has failed")
        assert lost >= {unit.name for unit in self.platform.units}
        self.told["no unit left"] += 1

    def check_lost(self, session: Session) -> None:
        """No unit is given up for nothing, and each one with a word."""
        blamed = {struck.unit for engine in self.engines.values() for struck in engine.struck}
        explained = {name for unit in blamed for name in casualties(unit, self.platform)}
        assert session.units_lost <= explained
        told = {incident.unit for incident in session.incidents if incident.unit is not None}
        assert session.units_lost <= {
            name for unit in told for name in casualties(unit, self.platform)
        }
        assert [i.message for i in session.incidents] == [i.message for i in self.reported]
        for incident in session.incidents:
            self.told[incident.kind] += 1

    def check_nothing_is_left(self) -> None:
        for hanging in self.engines.values():
            hanging.release()
        for thread in set(threading.enumerate()) - self.threads_before:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), f"{thread.name} is left"
        assert self.replies == Counter(range(self.asked)), "a future is told once"
        everyone: list[FaultyEngine] = [*self.engines.values(), self.arbiter]
        for engine in everyone:
            assert engine.open == 0, f"{engine.open} segments of {engine.name} are left"


def play(seeds: Sequence[int], told: Counter[str]) -> None:
    """Plays a case for each seed; the session of every tenth one must be collectable."""
    for seed in seeds:
        case = Case(seed, told)
        try:
            case.play()
        except BaseException:
            sys.stderr.write(f"seed {seed}\n")
            raise
        if seed % 10 == 0:
            gone = weakref.ref(case)
            del case
            gc.collect()
            assert gone() is None, f"seed {seed}: something still holds the case"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    told: Counter[str] = Counter()
    begin = time.perf_counter()
    play(range(chosen.first, chosen.first + chosen.seeds), told)
    taken_s = time.perf_counter() - begin
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for key, count in sorted(told.items()):
        print(f"{key:18} {count:8}")  # noqa: T201
    print(f"{taken_s:.1f} s, at most {memory_mib:.0f} MiB")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
