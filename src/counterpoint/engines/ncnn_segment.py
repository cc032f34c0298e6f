"""A segment in ncnn: tensors in, tensors out, and where the time goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from counterpoint.engines.failures import run_failure
from counterpoint.engines.middle_runs import mean_over, middle_runs
from counterpoint.engines.ncnn_check import NO_BATCH
from counterpoint.engines.ncnn_net import OUT_OF_MEMORY, library
from counterpoint.engines.ncnn_profile import layer_times
from counterpoint.engines.pnnx import Converted
from counterpoint.engines.protocol import NodeProfile, NodeTime, Tensor
from counterpoint.network.graph import Subnetwork
from counterpoint.platform.model import ComputeUnit

AS_IT_IS = 1
"""``Extractor.extract``'s ``type``: leave the blob in ncnn's own layout and precision."""


class NcnnSegment:
    """An ncnn network; each run has an extractor of its own.

    Each input is copied to the device once and each output back once; what is between stays there.

    Args:
        segment: What it runs.
        unit: Where.
        net: Loaded for that unit; other segments may run it at the same time.
        converted: What was loaded.
        profiled: Time each layer in each run.
    """

    def __init__(
        self,
        segment: Subnetwork,
        unit: ComputeUnit,
        net: Any,
        converted: Converted,
        *,
        profiled: bool = False,
    ) -> None:
        self._segment = segment
        self._unit = unit
        self._net = net
        self._mat = library().Mat
        self._batch_axes = [0 if flag else NO_BATCH for flag in converted.batched]
        self._inserted = converted.inserted
        self._profiled = profiled
        self._taken: list[list[int]] = []
        self._calls_ns: list[int] = []
        self._runs_ns: list[int] = []

    def run(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor] | None = None
    ) -> Sequence[Tensor]:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        if self._net is None or len(inputs) != len(self._batch_axes):
            raise self._failure(
                f"it takes {len(self._batch_axes)} tensors and was given {len(inputs)}"
                if self._net is not None
                else "it is closed"
            )
        begin_run = time.perf_counter_ns()
        try:
            with self._net.create_extractor() as extractor:
                extractor.set_light_mode(not self._profiled)
                # ncnn reads them where they are, so they have to live until the end.
                given = [np.ascontiguousarray(tensor, np.float32) for tensor in inputs]
                for index, (tensor, axis) in enumerate(zip(given, self._batch_axes, strict=True)):
                    self._succeed(extractor.input(f"in{index}", self._mat(tensor, axis)))
                if self._profiled:
                    begin = time.perf_counter_ns()
                    self._taken.append(self._times(extractor))
                    self._calls_ns.append(time.perf_counter_ns() - begin)
                result = self._outputs(extractor, outputs)
            if self._profiled:
                self._runs_ns.append(time.perf_counter_ns() - begin_run)
            return result
        except (RuntimeError, ValueError, TypeError, MemoryError) as error:
            raise self._failure(error) from error

    def _outputs(self, extractor: Any, lent: Sequence[Tensor] | None) -> Sequence[Tensor]:
        made = []
        for index, spec in enumerate(self._segment.outputs):
            code, mat = extractor.extract(f"out{index}")
            self._succeed(code)
            view = mat.numpy(batch_index=0 if mat.n > 1 else NO_BATCH)
            shape = spec.shape or ()
            if view.size != np.prod(shape, dtype=np.int64):
                raise self._failure(f"it makes {view.size} values of {spec.name} for {shape}")
            if lent is None:
                made.append(view.reshape(shape).astype(spec.dtype))  # a copy
            else:
                lent[index][...] = view.reshape(shape)
        return made if lent is None else lent

    def _times(self, extractor: Any) -> list[int]:
        """Nanoseconds for each layer of the ncnn network, computed one by one."""
        taken = []
        for layer in self._net.layers():
            begin = time.perf_counter_ns()
            for blob in layer.tops:
                self._succeed(extractor.extract(blob, AS_IT_IS)[0])
            taken.append(time.perf_counter_ns() - begin)
        return taken

    def _succeed(self, code: int) -> None:
        if code == OUT_OF_MEMORY:
            raise self._failure("out of memory; give it fewer layers or a smaller batch")
        if code:
            raise self._failure(f"ncnn's code {code}")

    def _failure(self, reason: object) -> Exception:
        return run_failure(self._segment, self._unit, reason)

    def profile(self) -> NodeProfile | None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        if not self._profiled or not self._taken:
            return None
        self._profiled = False
        medians = [round(statistics.median(column)) for column in zip(*self._taken, strict=True)]
        kinds = [layer.type for layer in self._net.layers()]
        found = layer_times(self._segment, kinds, medians, self._inserted)
        middle = middle_runs(self._calls_ns)
        means = [mean_over(column, middle) for column in zip(*self._taken, strict=True)]
        mean = layer_times(self._segment, kinds, means, self._inserted)
        if found is None or mean is None:
            return None
        nodes = [NodeTime("", "", layer, time_ns) for layer, time_ns in mean.layer_ns.items()]
        nodes.append(NodeTime("", "Packing", None, mean.overhead_ns))
        return replace(
            found,
            nodes=tuple(nodes),
            call_ns=mean_over(self._calls_ns, middle),
            run_ns=mean_over(self._runs_ns, middle),
            instrument="ncnn's layers, extracted one by one",
        )

    def close(self) -> None:
        """See :class:`counterpoint.engines.protocol.CompiledSegment`."""
        self._net = None
        self._taken = []
