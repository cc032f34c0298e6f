"""What :mod:`counterpoint.engines.contract` checks when something has gone wrong.

A session that loses a segment, to an error or to a call that never comes back, goes on with the
others: those must not notice. The faults are injected by :class:`FaultyEngine` around the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import numpy as np

from counterpoint.engines.agreement import TOLERANCE, relative_error
from counterpoint.engines.contract_cases import ContractCase
from counterpoint.engines.contract_runs import check_error
from counterpoint.engines.faulty import FaultyEngine, Injection
from counterpoint.engines.protocol import CompiledSegment, Engine, Tensor
from counterpoint.errors import EngineError
from counterpoint.platform.model import ComputeUnit

LONGEST_CALL_S = 60.0
"""For a network of the contract: anything near this is a call that waits for another one."""


class FaultChecks:
    """All checks of one network on one unit. Each yields what is broken."""

    def __init__(self, engine: Engine, unit: ComputeUnit, case: ContractCase) -> None:
        self._engine = engine
        self._unit = unit
        self._case = case
        self._whole = case.network.whole()

    def broken(self) -> Iterator[str]:
        """Every broken promise."""
        checks: tuple[Callable[[], Iterator[str]], ...] = (
            self._refused,
            self._failed,
            self._hanging,
        )
        for check in checks:
            try:
                yield from check()
            except Exception as error:
                yield f"raised {type(error).__name__} after a fault elsewhere: {error}"

    def _refused(self) -> Iterator[str]:
        """A compilation fails: segments of before and after it do not notice."""
        faulty = self._faulty("compile", at=1)
        with closing(faulty.compile(self._whole, self._unit)) as before:
            yield from self._right(before, "before another compilation fails")
            try:
                faulty.compile(self._whole, self._unit)
            except EngineError as error:
                yield from check_error(error, self._whole, self._unit)
            yield from self._right(before, "after another compilation failed")
            with closing(faulty.compile(self._whole, self._unit)) as after:
                yield from self._right(after, "compiled after another compilation failed")

    def _failed(self) -> Iterator[str]:
        """A call fails, half of its outputs written: the next one gets the same memory."""
        faulty = self._faulty("transfer", at=1)
        lent = self._lent()
        with closing(faulty.compile(self._whole, self._unit)) as compiled:
            yield from self._right(compiled, "before a call fails", lent)
            try:
                compiled.run(self._frame(), lent)
            except EngineError as error:
                yield from check_error(error, self._whole, self._unit)
            yield from self._right(compiled, "after a failed call, with its memory", lent)
            yield from self._right(compiled, "after a failed call")
        with closing(faulty.compile(self._whole, self._unit)) as again:
            yield from self._right(again, "compiled again after a failed call")

    def _hanging(self) -> Iterator[str]:
        """A call hangs in another thread: segments are compiled, run and closed beside it."""
        faulty = self._faulty("hang", at=0)
        with ThreadPoolExecutor(1) as other, ExitStack() as stack:
            stack.callback(faulty.release)  # whatever happens: the thread is waited for
            hanging = faulty.compile(self._whole, self._unit)
            lent = self._lent()

            def call() -> Sequence[Tensor]:
                made = hanging.run(self._frame(), lent)
                hanging.close()
                return made

            late = other.submit(call)
            late.add_done_callback(lambda _: faulty.hung.set())  # it has failed before
            if not faulty.hung.wait(LONGEST_CALL_S):
                yield "a call in another thread does not come to its end"
            with closing(faulty.compile(self._whole, self._unit)) as beside:
                yield from self._right(beside, "while another call hangs")
            faulty.release()
            yield from self._differences(late.result(LONGEST_CALL_S), "of a call that came back")

    def _faulty(self, kind: str, at: int) -> FaultyEngine:
        injection = Injection(kind, self._unit.name, at, lasting=False)  # type: ignore[arg-type]
        return FaultyEngine(self._engine, [injection])

    def _frame(self) -> list[Tensor]:
        return [array.copy() for array in self._case.frames[0]]

    def _lent(self) -> list[Tensor]:
        return [np.full_like(array, 77) for array in self._case.expected[0]]

    def _right(
        self, compiled: CompiledSegment, when: str, lent: Sequence[Tensor] | None = None
    ) -> Iterator[str]:
        yield from self._differences(compiled.run(self._frame(), lent), when)

    def _differences(self, outputs: Sequence[Tensor], when: str) -> Iterator[str]:
        allowed = max(TOLERANCE.get(self._unit.precision, TOLERANCE["bf16"]), TOLERANCE["fp16"])
        for spec, output, wanted in zip(
            self._whole.outputs, outputs, self._case.expected[0], strict=True
        ):
            error = relative_error(output, wanted)
            if error is None or not error <= allowed:
                yield f"{spec.name} is wrong {when}"
