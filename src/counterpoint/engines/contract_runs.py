"""What :mod:`counterpoint.engines.contract` checks of one network on one unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np

from counterpoint.engines.contract_cases import ContractCase
from counterpoint.engines.protocol import CompiledSegment, Engine, Tensor
from counterpoint.errors import EngineError
from counterpoint.network.graph import Subnetwork
from counterpoint.platform.model import ComputeUnit

TOLERANCE: Mapping[str, float] = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 5e-2, "int8": 5e-2}
"""Euclidean norm of the error over that of the reference, by the unit's precision; others are
held to bf16's. Rounding to 8 bits (bf16's fraction, int8's values) costs 0.4 % a layer at most."""

RUNS_PROFILED = 3


def check_error(error: EngineError, segment: Subnetwork, unit: ComputeUnit) -> Iterator[str]:
    """It names the unit and a layer of the segment, in one line."""
    if error.unit != unit.name or unit.name not in str(error):
        yield f"an EngineError does not name the unit: {error}"
    if error.layer not in {layer.name for layer in segment.layers}:
        yield f"an EngineError does not name a layer of its segment: {error}"
    if len(str(error).splitlines()) != 1:
        yield f"an EngineError is not one line: {error}"


class RunChecks:
    """All checks of one network on one unit. Each yields what is broken."""

    def __init__(self, engine: Engine, unit: ComputeUnit, case: ContractCase) -> None:
        self.engine = engine
        self.unit = unit
        self.case = case
        self.whole = case.network.whole()
        self.tolerance = TOLERANCE.get(unit.precision, TOLERANCE["bf16"])
        if any(spec.dtype == "float16" for spec in self.whole.inputs):
            self.tolerance = max(self.tolerance, TOLERANCE["fp16"])

    def broken(self) -> Iterator[str]:
        """Every broken promise."""
        for check in (
            self._outputs,
            self._ownership,
            self._lent_outputs,
            self._input_count,
            self._threads,
            self._segments,
            self._profile,
            self._closing,
        ):
            yield from self._guarded(check)

    def _frames(self) -> tuple[list[Tensor], list[Tensor]]:
        """Copies: an engine that writes to its inputs must not spoil the other checks."""
        first, second = self.case.frames
        return [array.copy() for array in first], [array.copy() for array in second]

    def _guarded(self, check: Callable[[], Iterator[str]]) -> Iterator[str]:
        try:
            yield from check()
        except EngineError as error:
            yield f"refuses what unsupported_reason allows: {error}"
        except Exception as error:
            yield f"raised {type(error).__name__}, which is no EngineError: {error}"

    def _compiled(self, segment: Subnetwork | None = None) -> closing[CompiledSegment]:
        return closing(self.engine.compile(segment or self.whole, self.unit))

    def _outputs(self) -> Iterator[str]:
        with self._compiled() as compiled:
            for frame, expected in zip(self._frames(), self.case.expected, strict=True):
                yield from self._differences(compiled.run(frame), expected)
        shared = self.engine.compile(self.whole, self.unit, exclusive=False)
        with closing(shared) as compiled:
            yield from self._differences(
                compiled.run(self._frames()[0]), self.case.expected[0], "not exclusive"
            )

    def _ownership(self) -> Iterator[str]:
        first, second = self._frames()
        for array in (*first, *second):
            array.flags.writeable = False
        with self._compiled() as compiled:
            outputs = compiled.run(first)
            copies = [np.array(output) for output in outputs]
            compiled.run(second)
            if not _same(outputs, copies):
                yield "a later run changes the outputs of an earlier one"
        if not _same(outputs, copies):
            yield "close changes the outputs of a run"
        if not _same(first, self.case.frames[0]):
            yield "run writes to its inputs"
        if any(np.shares_memory(a, b) for a in outputs for b in first):
            yield "an output shares memory with an input"

    def _lent_outputs(self) -> Iterator[str]:
        """Runs with other arrays, and with none, leave alone what was lent for an earlier run."""
        frames = self._frames()
        here, there = self._garbage(), self._garbage()
        with self._compiled() as compiled:
            for turn, lent in enumerate((here, there, None, here, here, there)):
                others = [array for some in (here, there) if some is not lent for array in some]
                before = [array.copy() for array in others]
                outputs = compiled.run(frames[turn % 2], lent)
                yield from self._differences(
                    outputs, self.case.expected[turn % 2], "with lent outputs" if lent else ""
                )
                if lent and any(one is not other for one, other in zip(outputs, lent, strict=True)):
                    yield "run does not return the arrays that it was lent"
                if not _same(others, before):
                    yield "a run writes to arrays that were lent to an earlier one"
                if not lent and any(np.shares_memory(a, b) for a in outputs for b in others):
                    yield "run returns memory that was lent to an earlier run"
        yield from self._differences(there, self.case.expected[1], "with lent outputs, when closed")

    def _garbage(self) -> list[Tensor]:
        """Arrays for all outputs, with nothing in them that could be right."""
        return [np.full_like(array, 77) for array in self.case.expected[0]]

    def _input_count(self) -> Iterator[str]:
        frame = self._frames()[0]
        with self._compiled() as compiled:
            for wrong in (frame[:-1], [*frame, frame[0]]):
                try:
                    compiled.run(wrong)
                except ValueError:
                    continue
                except EngineError as error:
                    yield from check_error(error, self.whole, self.unit)
                else:
                    yield f"run accepts {len(wrong)} inputs instead of {len(frame)}"
            yield from self._differences(
                compiled.run(frame), self.case.expected[0], "after a failed run"
            )

    def _threads(self) -> Iterator[str]:
        with self._compiled() as compiled, ThreadPoolExecutor(1) as other:
            for frame, expected in zip(self._frames(), self.case.expected, strict=True):
                outputs = other.submit(compiled.run, frame).result()
                yield from self._differences(outputs, expected, "in another thread")

    def _segments(self) -> Iterator[str]:
        """Two parts of one network, both compiled at once, make the whole."""
        network = self.case.network
        count = len(network.layers)
        if count < 2:
            return
        head, tail = (
            network.subnetwork(range(count // 2)),
            network.subnetwork(range(count // 2, count)),
        )
        with self._compiled(head) as first, self._compiled(tail) as second:
            for frame, expected in zip(self._frames(), self.case.expected, strict=True):
                names = [spec.name for spec in network.inputs]
                tensors = dict(zip(names, frame, strict=True))
                for compiled, part in ((first, head), (second, tail)):
                    outputs = compiled.run([tensors[spec.name] for spec in part.inputs])
                    if len(outputs) != len(part.outputs):
                        yield f"{len(outputs)} outputs instead of {len(part.outputs)}, in two parts"
                        return
                    tensors |= {
                        spec.name: output
                        for spec, output in zip(part.outputs, outputs, strict=True)
                    }
                result = [tensors[spec.name] for spec in network.outputs]
                yield from self._differences(result, expected, "in two parts")

    def _profile(self) -> Iterator[str]:
        with self._compiled() as plain:
            plain.run(self._frames()[0])
            if plain.profile() is not None:
                yield "a segment compiled without profile=True has a profile"
        layers = set(range(len(self.case.network.layers)))
        profiling = self.engine.compile(self.whole, self.unit, profile=True)
        with closing(profiling) as compiled:
            for _ in range(RUNS_PROFILED):
                yield from self._differences(
                    compiled.run(self._frames()[0]), self.case.expected[0], "while profiling"
                )
            profile = compiled.profile()
        if profile is None:
            return
        if not profile.layer_ns.keys() <= layers:
            yield f"the profile has layers {set(profile.layer_ns) - layers} of no such segment"
        if profile.overhead_ns < 0 or any(time_ns < 0 for time_ns in profile.layer_ns.values()):
            yield "the profile has a time below 0"

    def _closing(self) -> Iterator[str]:
        with self._compiled() as unused:
            unused.close()
        compiled = self.engine.compile(self.whole, self.unit, profile=True)
        compiled.run(self._frames()[0])
        compiled.close()
        compiled.close()
        return iter(())  # an exception is the only way to fail

    def _differences(
        self, outputs: Sequence[Tensor], expected: Sequence[Tensor], when: str = ""
    ) -> Iterator[str]:
        told = f" {when}" if when else ""
        specs = self.whole.outputs
        if len(outputs) != len(specs):
            yield f"{len(outputs)} outputs instead of {len(specs)}{told}"
            return
        for spec, output, wanted in zip(specs, outputs, expected, strict=True):
            if output.shape != wanted.shape or output.dtype != wanted.dtype:
                yield (
                    f"{spec.name} is {output.dtype}{list(output.shape)} instead of "
                    f"{wanted.dtype}{list(wanted.shape)}{told}"
                )
                continue
            error = _relative_error(output, wanted)
            if not error <= self.tolerance:  # written so that a NaN fails
                yield f"{spec.name} is off by {error:.2g}, allowed {self.tolerance:.2g}{told}"


def _relative_error(output: Tensor, wanted: Tensor) -> float:
    exact = wanted.astype(np.float64)
    scale = float(np.linalg.norm(exact)) or 1.0
    return float(np.linalg.norm(output.astype(np.float64) - exact)) / scale


def _same(left: Sequence[Tensor], right: Sequence[Tensor]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))
