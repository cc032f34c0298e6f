"""Layers costed by our model and by zigzag-dse, for one array of 16 x 64 multipliers.

zigzag-dse (Mei et al., "ZigZag: Enlarging Joint Architecture-Mapping Design Space Exploration for
DNN Accelerators", IEEE TC 2021) searches loop orders over a memory hierarchy. The array and the
memories are those of a convolution core of 16 elements of 64 inputs with the published buffers:
features and weights each behind a double buffer, sums in a buffer of their own, and one memory port
of 64 bytes a cycle for reads and writes. A small first layer goes to both as the 1 x 1 convolution
that ours makes of it. zigzag-dse does not say that it needs six.

Run: python benchmarks/dual_core_zigzag.py [NETWORK] [--layers N]     (needs zigzag-dse and six)
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import io
import logging
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from counterpoint.costs.models.overlay.core import Core, CoreKind
from counterpoint.costs.models.overlay.cycles import layer_cycles, rewritten
from counterpoint.costs.models.overlay.shapes import LayerKind, LayerShapes, layer_shapes
from counterpoint.network.loading import load

CORE = Core(kind=CoreKind.CONVOLUTION, elements=16, inputs=64)
WORD_BYTES = 64
SUM_BITS = 32


def memory(
    name: str,
    size_bytes: int,
    operands: dict[str, str],
    read_bits: int,
    write_bits: int,
    *,
    one: bool,
) -> str:
    """A memory in zigzag's notation; ``operands`` maps each to its directions through the ports."""
    reads = [f"{o}, {d}" for o, ds in operands.items() for d in ds.split() if d in ("tl", "th")]
    writes = [f"{o}, {d}" for o, ds in operands.items() for d in ds.split() if d in ("fh", "fl")]
    ports = (
        [("rw", "read_write", read_bits, reads + writes)]
        if one
        else [
            ("r", "read", read_bits, reads),
            ("w", "write", write_bits, writes),
        ]
    )
    lines = [f"  {name}:", f"    size: {size_bytes * 8}", "    r_cost: 1", "    w_cost: 1"]
    lines += [
        "    area: 0",
        "    latency: 1",
        f"    operands: [{', '.join(operands)}]",
        "    ports:",
    ]
    for port, kind, bits, allocation in ports:
        lines += [f"      - name: {port}_port_1", f"        type: {kind}"]
        lines += [f"        bandwidth_min: {WORD_BYTES * 8}", f"        bandwidth_max: {bits}"]
        lines += ["        allocation:", *(f"          - {entry}" for entry in allocation)]
    lines += ["    served_dimensions: [D1, D2]"]
    lines += [] if one or name == "sums" else ["    force_double_buffering: True"]
    return "\n".join(lines)


def accelerator() -> str:
    word = WORD_BYTES * 8
    sums = CORE.elements * SUM_BITS
    size = 2 * CORE.feature_buffer_bytes
    memories = [
        memory("features", size, {"I1": "tl fh"}, word, word, one=False),
        memory(
            "weights",
            2 * CORE.weight_buffer_bytes,
            {"I2": "tl fh"},
            CORE.multipliers * 8,
            word,
            one=False,
        ),
        memory(
            "sums",
            CORE.feature_buffer_bytes * SUM_BITS // 8,
            {"O": "tl th fh fl"},
            sums,
            sums,
            one=False,
        ),
        memory(
            "dram",
            1 << 30,
            {"I1": "tl fh", "I2": "tl fh", "O": "tl th fh fl"},
            word,
            word,
            one=True,
        ),
    ]
    array = [
        "operational_array:",
        "  unit_energy: 1",
        "  unit_area: 1",
        "  dimensions: [D1, D2]",
        f"  sizes: [{CORE.elements}, {CORE.inputs}]",
    ]
    return "\n".join(["name: convolution_core", "memories:", *memories, *array]) + "\n"


def mapping(*, depthwise: bool) -> str:
    outer, inner = ("G", "C") if depthwise else ("K", "C")
    return (
        "- name: default\n  spatial_mapping:\n"
        f"    D1:\n      - {outer}, {CORE.elements}\n"
        f"    D2:\n      - {inner}, {1 if depthwise else CORE.inputs}\n"
        "  memory_operand_links:\n    O: O\n    W: I2\n    I: I1\n"
    )


def workload(shapes: LayerShapes, layer: int) -> list[dict[str, Any]]:
    """One layer in zigzag's notation."""
    depthwise = shapes.kind[layer] == LayerKind.DEPTHWISE
    sizes = {
        "B": 1,
        "G" if depthwise else "K": int(shapes.out_channels[layer]),
        "C": 1 if depthwise else int(shapes.in_channels[layer]),
        "OY": int(shapes.out_height[layer]),
        "OX": int(shapes.out_width[layer]),
        "FY": int(shapes.kernel_height[layer]),
        "FX": int(shapes.kernel_width[layer]),
    }
    equation = "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]"
    if depthwise:
        equation = "O[b][g][oy][ox]+=W[g][c][fy][fx]*I[b][g][iy][ix]"
    down, right = int(shapes.stride_height[layer]), int(shapes.stride_width[layer])
    return [
        {
            "id": 0,
            "name": "layer",
            "operator_type": "Conv",
            "equation": equation,
            "dimension_relations": [f"ix={right}*ox+1*fx", f"iy={down}*oy+1*fy"],
            "loop_dims": list(sizes),
            "loop_sizes": list(sizes.values()),
            "operand_precision": {"W": 8, "I": 8, "O": SUM_BITS, "O_final": 8},
            "operand_source": {"I": 0, "W": 0},
        }
    ]


def zigzag_cycles(shapes: LayerShapes, layer: int, folder: Path) -> float:
    performance = importlib.import_module("zigzag.api").get_hardware_performance_zigzag
    depthwise = bool(shapes.kind[layer] == LayerKind.DEPTHWISE)
    (folder / "accelerator.yaml").write_text(accelerator())
    (folder / "mapping.yaml").write_text(mapping(depthwise=depthwise))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        _, latency, _ = performance(
            workload(shapes, layer),
            str(folder / "accelerator.yaml"),
            str(folder / "mapping.yaml"),
            opt="latency",
            dump_folder=str(folder / "out"),
            loma_show_progress_bar=False,
        )
    return float(latency)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", nargs="?", default="zoo:mobilenet_v2")
    parser.add_argument("--layers", type=int, default=100, help="unlike layers, from the first")
    options = parser.parse_args()
    if importlib.util.find_spec("zigzag") is None or importlib.util.find_spec("six") is None:
        sys.exit("skipped: zigzag-dse is not installed (pip install zigzag-dse six)")
    logging.disable(logging.CRITICAL)
    os.environ.setdefault("MPLBACKEND", "Agg")
    shapes = layer_shapes(load(options.network))
    whole, _ = shapes.take([i for i in range(len(shapes)) if shapes.has_macs[i]]).distinct()
    shapes = whole.take(sorted(range(len(whole)), key=lambda i: int(whole.index[i])))
    shapes = rewritten(shapes.take(range(min(options.layers, len(shapes)))), WORD_BYTES)
    ratios, ours_s, theirs_s = [], [], []
    print(f"{'layer':34} {'ours':>9} {'compute':>9} {'zigzag':>9} {'ratio':>6} {'s':>7}")
    for layer in range(len(shapes)):
        started = time.perf_counter()
        (ours,) = layer_cycles(shapes.take([layer]), CORE, WORD_BYTES)
        ours_s.append(time.perf_counter() - started)
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            theirs = zigzag_cycles(shapes, layer, Path(folder))
        theirs_s.append(time.perf_counter() - started)
        ratios.append(ours.total / theirs)
        print(
            f"{shapes.names[layer][:34]:34} {ours.total:9,d} {ours.compute:9,d} {theirs:9,.0f} "
            f"{ratios[-1]:6.2f} {theirs_s[-1]:7.2f}",
            flush=True,
        )
    print(
        f"ours / zigzag: median {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}); time per layer: ours "
        f"{statistics.median(ours_s) * 1e3:.1f} ms, zigzag {statistics.median(theirs_s):.2f} s"
    )


if __name__ == "__main__":
    main()
