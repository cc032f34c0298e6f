"""Loads a converted segment in ncnn and runs it once: run in a child by :mod:`.pnnx`.

The working folder holds ``model.param``, ``model.bin`` and ``check.npz``: the inputs ``in0``,
``in1`` ... and what ought to come out, ``out0``, ``out1`` ... ; outputs whose values nobody knows
are given by their sizes, ``size0`` ... One argument for each input: ``1`` where its first dimension
is ncnn's batch, otherwise ``0``.

Prints the types of layers that ncnn does not have as ``unknown``; or what else is wrong as
``refusal``; or the greatest relative error of an output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

NO_BATCH = 233
"""What ncnn's Python layer takes for "no dimension is the batch" (``pybind11_mat.h``)."""


def main(arguments: Sequence[str]) -> dict[str, Any]:
    """Checks what is in the working folder."""
    import ncnn

    kinds = dict.fromkeys(layer_types(Path("model.param").read_text()))
    unknown = [k for k in kinds if ncnn.layer_to_index(k) < 0 or ncnn.create_layer(k) is None]
    if unknown:
        return {"unknown": unknown}
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    if net.load_param("model.param") or net.load_model("model.bin"):
        return {"refusal": "ncnn cannot load what pnnx made of it"}
    with np.load("check.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    count = sum(name.startswith(("out", "size")) for name in arrays)
    if len(net.input_names()) != len(arguments) or len(net.output_names()) != count:
        return {"refusal": "pnnx leaves out an input or an output"}
    with net.create_extractor() as extractor:
        mats = []
        for index, batched in enumerate(arguments):
            tensor = arrays[f"in{index}"]
            mats.append(ncnn.Mat(tensor, batch_index=0 if batched == "1" else NO_BATCH))
            extractor.input(f"in{index}", mats[-1])
        worst = 0.0
        for index in range(count):
            code, mat = extractor.extract(f"out{index}")
            if code:
                return {"refusal": f"ncnn fails in it (code {code})"}
            made = mat.numpy(batch_index=0 if mat.n > 1 else NO_BATCH)
            told = _difference(made, arrays, index)
            if isinstance(told, str):
                return {"refusal": told}
            worst = max(worst, told)
    return {"relative_error": worst}


def layer_types(param: str) -> tuple[str, ...]:
    """The types of all layers of a ``.param`` file (ncnn's wiki, "Param and model file structure").

    Raises:
        ValueError: It is none.
    """
    lines = param.split("\n")
    if len(lines) < 3 or lines[0].strip() != "7767517":
        raise ValueError("not a param file of ncnn")
    return tuple(line.split(maxsplit=1)[0] for line in lines[2:] if line.strip())


def _difference(made: Any, arrays: Mapping[str, Any], index: int) -> float | str:
    """The relative error of an output, or what is wrong with its size."""
    expected = arrays.get(f"out{index}")
    size = int(arrays[f"size{index}"]) if expected is None else expected.size
    if made.size != size:
        return f"ncnn makes {made.size} values of output {index} instead of {size}"
    if expected is None or not np.isfinite(expected).all():
        return 0.0
    exact = expected.astype(np.float64).ravel()
    scale = max(float(np.linalg.norm(exact)), 1e-12)
    error = float(np.linalg.norm(made.astype(np.float64).ravel() - exact)) / scale
    return error if np.isfinite(error) else "ncnn's values are not finite"


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))  # noqa: T201 - this is how it answers
