"""What VTA's GEMM core and ALU do to its scratchpads, whole instructions at once.

The hardware runs micro-op by micro-op. Sums are integers modulo 2**32, so the order of additions
does not matter, and an instruction whose steps touch each result once may be done in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from counterpoint.engines.npu.vta_instructions import Indices, Loops, Operator

Int8 = npt.NDArray[np.int8]
Int32 = npt.NDArray[np.int32]

_EXACT_IN_FLOAT32 = 2**24
_LARGEST_PRODUCT = 128 * 128

_OPERATORS: Mapping[Operator, Callable[[Int32, Int32], npt.NDArray[np.integer]]] = {
    Operator.MIN: np.minimum,
    Operator.MAX: np.maximum,
    Operator.ADD: np.add,
    Operator.MUL: np.multiply,
    Operator.SHR: lambda left, right: np.where(
        right >= 0, left >> np.clip(right, 0, 31), left << -np.clip(right, -31, 0)
    ),
}


def turns(loops: Loops, moves: tuple[int, int]) -> Indices:
    """``(outer * inner,)``: what each turn adds to an index."""
    outer = np.arange(loops.outer, dtype=np.int64)[:, None] * moves[0]
    return np.asarray(outer + np.arange(loops.inner, dtype=np.int64) * moves[1]).reshape(-1)


def reset(sums: Int32, uops: Indices, loops: Loops) -> Indices:
    """GEMM that clears. Returns the indices of the results."""
    targets = (uops[:, 0, None] + turns(loops, loops.target)).reshape(-1)
    sums[targets] = 0
    return targets


def gemm(sums: Int32, inputs: Int8, weights: Int8, uops: Indices, loops: Loops) -> Indices:
    """``sums[target] += weights[weight] @ inputs[source]`` for all steps.

    Args:
        sums: ``(depth, block)``; changed.
        inputs: ``(depth, block)``.
        weights: ``(depth, block out, block in)``.
        uops: ``(count, 3)``: target, source, weight.
        loops: How far each turn moves them.

    Returns:
        Indices of the results.
    """
    targets, sources = turns(loops, loops.target), turns(loops, loops.source)
    moved = turns(loops, loops.weight)
    if moved.any():  # weights change from turn to turn: a product for each
        here = np.zeros(1, np.int64)
        every = [
            _product(sums, (inputs, weights), uops + move, here, here)
            for move in np.stack([targets, sources, moved], axis=1)
        ]
        return np.concatenate(every)
    return _product(sums, (inputs, weights), uops, targets, sources)


def _product(
    sums: Int32, operands: tuple[Int8, Int8], uops: Indices, targets: Indices, sources: Indices
) -> Indices:
    """Results that read the same inputs become the columns of one matrix product."""
    order = np.argsort(uops[:, 0], kind="stable")
    firsts = np.flatnonzero(np.diff(uops[order, 0], prepend=-1))
    alike: dict[bytes, list[Indices]] = {}
    for group in np.split(order, firsts[1:]):
        alike.setdefault(uops[group, 1].tobytes(), []).append(uops[group])
    touched = []
    inputs, weights = operands
    block = inputs.shape[1]
    for groups in alike.values():
        read = groups[0][:, 1]
        exact = len(read) * block * _LARGEST_PRODUCT < _EXACT_IN_FLOAT32
        kind = np.float32 if exact else np.float64
        left = inputs[sources[:, None] + read].reshape(len(sources), -1).astype(kind)
        right = weights[np.stack([group[:, 2] for group in groups])].astype(kind)
        right = right.transpose(1, 3, 0, 2).reshape(len(read) * block, -1)
        made = (left @ right).astype(np.int64).reshape(len(sources), len(groups), block)
        where = targets[:, None] + np.array([group[0, 0] for group in groups])
        if np.bincount(where.reshape(-1)).max() > 1:
            wide = sums.astype(np.int64)
            np.add.at(wide, where, made)
            sums[...] = wide.astype(np.int32)
        else:
            sums[where] = (sums[where] + made).astype(np.int32)  # the low 32 bits, as in hardware
        touched.append(where.reshape(-1))
    return np.concatenate(touched)


def alu(
    sums: Int32, operator: Operator, uops: Indices, loops: Loops, immediate: int | None
) -> Indices:
    """``sums[target] = operator(sums[target], sums[source] or immediate)`` for all steps.

    Args:
        sums: ``(depth, block)``; changed.
        operator: What is done.
        uops: ``(count, 3)``: target, source, and nothing.
        loops: How far each turn moves them.
        immediate: The second operand; ``None``: another sum.

    Returns:
        Indices of the results.
    """
    targets = (turns(loops, loops.target)[:, None] + uops[:, 0]).reshape(-1)
    sources = (turns(loops, loops.source)[:, None] + uops[:, 1]).reshape(-1)
    apply = _OPERATORS[operator]
    once = np.bincount(targets).max() == 1
    if immediate is None and np.intersect1d(targets, sources).size:
        once = once and bool((targets == sources).all())
    if once:
        right = sums[sources] if immediate is None else np.full((1, 1), immediate, np.int32)
        sums[targets] = apply(sums[targets], right).astype(np.int32)
        return targets
    for target, source in zip(targets, sources, strict=True):  # results that are read again
        right = sums[source] if immediate is None else np.full(1, immediate, np.int32)
        sums[target] = apply(sums[target], right).astype(np.int32)
    return targets
