"""Segments converted from ONNX to ncnn's own files, by pnnx.

pnnx is a program: it runs in a child process, in a private temporary folder, with a time limit.
What it made is loaded and run once in another child and compared with ONNX Runtime, because a wrong
conversion looks like a right one. Then it is kept, by content, in the folder of the measurements,
and so are refusals: what was refused is refused again at once.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from counterpoint.engines.conversion_cache import ConversionCache, Kept
from counterpoint.engines.pnnx_reference import expected_outputs, seeded_inputs, widen
from counterpoint.engines.pnnx_rewrites import (
    inserted_positions,
    rewrite_old_softmax,
    rewrite_space_to_depth,
)
from counterpoint.engines.probing import ask, run_child
from counterpoint.engines.protocol import Tensor
from counterpoint.network.graph import Subnetwork

LIMIT_S = 120.0
"""For one conversion; ResNet-50 takes 2 s here."""

MOST_MODEL_BYTES = 2**31 - 1
"""Protobuf's limit, and so pnnx's."""

MOST_ERROR = 0.05
"""Relative error of a conversion against ONNX Runtime in fp32. Other orders of summing are off by
1e-5, and by up to 1e-2 behind dozens of layers of random weights; a lost padding or a mistaken axis
by more than 0.1."""

ALLOCATOR = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:"
    f"glibc.malloc.trim_threshold={2**33}"
}
"""pnnx copies all weights in each pass, and gives the memory of each copy back to the system
at once: three quarters of its time. With memory kept, in large pages, AlexNet takes 3.4 s and not
9.8 s, and 1.2 GB and not 0.95 (own measurement; glibc 2.35 and later, others do not look)."""

_FORMAT = "2"
_QUIET = ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx")
_BATCH_INDEX = re.compile(r'ex\.input\("in(\d+)", ncnn\.Mat\(.*?batch_index=(\d+)\)')
"""How the script that pnnx writes beside the model calls it."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A segment in ncnn's form. Blobs are called ``in0`` ... and ``out0`` ...

    Attributes:
        param_path: The graph.
        weights_path: The weights, in fp32.
        batched: For each input: its first dimension is ncnn's batch.
        inserted: Which of its convolutions and products, by number, the segment does not have.
    """

    param_path: Path
    weights_path: Path
    batched: tuple[bool, ...]
    inserted: tuple[int, ...]


class Refused(Exception):  # noqa: N818 - a result, caught by the engine
    """pnnx or ncnn cannot convert the segment.

    Attributes:
        layer: Index of the layer to blame in the network; ``None`` when nobody knows.
    """

    def __init__(self, reason: str, layer: int | None = None) -> None:
        super().__init__(reason)
        self.layer = layer


def program() -> Path | None:
    """The program: that of the package, which is not imported (it would load PyTorch), or one on
    the path; ``None`` where there is none.
    """
    spec = find_spec("pnnx")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for name in ("pnnx", "pnnx.exe"):
            found = Path(folder) / name
            if found.is_file():
                return found
    on_path = shutil.which("pnnx")
    return Path(on_path) if on_path else None


@cache
def program_version() -> str:
    """The package's version, or the size and date of a program without one."""
    try:
        return version("pnnx")
    except PackageNotFoundError:
        path = program()
        found = path.stat() if path else None
        return f"{found.st_size}-{int(found.st_mtime)}" if found else "missing"


class Converter:
    """Converts segments, several at once, each once. Used from any thread.

    Args:
        cache: Where results are kept; ``None`` for the folder of the measurements.
    """

    def __init__(self, cache: ConversionCache | None = None) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._running: dict[str, Future[Kept]] = {}
        self._threads: ThreadPoolExecutor | None = None

    def prepare(self, segments: Sequence[Subnetwork]) -> None:
        """Starts converting in the background."""
        for segment in segments:
            self._start(segment)

    def convert(self, segment: Subnetwork) -> Converted:
        """The segment in ncnn's form.

        Raises:
            Refused: It cannot be converted.
            MachineError: No room for it.
        """
        kept = self._start(segment).result()
        if kept.folder is None:
            layer = kept.about.get("layer")
            raise Refused(str(kept.about.get("refusal")), layer if type(layer) is int else None)
        batched = _list_of(bool, kept.about.get("batched"))
        inserted = _list_of(int, kept.about.get("inserted"))
        if len(batched) != len(segment.inputs):
            raise Refused("what is kept of its conversion is damaged")
        return Converted(
            kept.folder / "model.param",
            kept.folder / "model.bin",
            tuple(batched),
            tuple(inserted),
        )

    def forget(self, segment: Subnetwork) -> None:
        """Drops what is kept of it, because it is damaged."""
        key = _key(segment)
        with self._lock:
            self._running.pop(key, None)
            self._kept().drop(key)

    def _start(self, segment: Subnetwork) -> Future[Kept]:
        key = _key(segment)
        with self._lock:
            running = self._running.get(key)
            if running is not None and not _is_gone(running):
                return running
            if self._threads is None:
                self._threads = ThreadPoolExecutor(
                    max(1, min(4, os.cpu_count() or 1)), thread_name_prefix="pnnx"
                )
            started = self._threads.submit(self._get, key, segment)
            self._running[key] = started
            return started

    def _get(self, key: str, segment: Subnetwork) -> Kept:
        kept = self._kept().get(key)
        if kept is not None:
            return kept
        with tempfile.TemporaryDirectory(prefix="counterpoint-pnnx-") as scratch:
            folder = Path(scratch)
            try:
                about = _convert(segment, folder)
                files = [folder / "model.param", folder / "model.bin"]
            except Refused as refusal:
                about = {"refusal": str(refusal), "layer": refusal.layer}
                files = []
            return self._kept().put(key, about, files)

    def _kept(self) -> ConversionCache:
        if self._cache is None:
            self._cache = ConversionCache.of_user("ncnn")
        return self._cache


def _is_gone(running: Future[Kept]) -> bool:
    """It is done, and failed, or what it made was deleted since."""
    if not running.done():
        return False
    if running.exception() is not None:
        return True
    folder = running.result().folder
    return folder is not None and not (folder / "model.bin").is_file()


def _key(segment: Subnetwork) -> str:
    """Of the segment's content, weights included, and of what converts it."""
    layers = ",".join(str(layer.index) for layer in segment.layers)
    try:
        ncnn = version("ncnn")
    except PackageNotFoundError:
        ncnn = "missing"
    text = f"{_FORMAT}|{program_version()}|{ncnn}|{segment.network.content_hash}|{layers}"
    return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


def _list_of(kind: type, value: Any) -> list[Any]:
    """The list out of a file; an empty one if it is something else."""
    is_one = isinstance(value, list) and all(type(item) is kind for item in value)
    return value if is_one else []


def _convert(segment: Subnetwork, folder: Path) -> dict[str, Any]:
    """Makes ``model.param`` and ``model.bin`` in a folder; the facts of :class:`Converted`."""
    inserted = _write_whole(segment, folder / "segment.onnx")
    _run_pnnx(segment, folder)
    batched = [False] * len(segment.inputs)
    for index, axis in _BATCH_INDEX.findall((folder / "model.py").read_text()):
        if int(index) < len(batched):
            batched[int(index)] = axis == "0"
    _check(segment, folder, batched)
    return {"batched": batched, "inserted": inserted}


def _write_whole(segment: Subnetwork, path: Path) -> list[int]:
    """One file with its weights inside, in fp32 and operators that pnnx reads.

    Returns:
        Numbers of the convolutions that are new.
    """
    import onnx
    from google.protobuf.message import EncodeError

    model = onnx.load(str(segment.onnx_path()))
    widen(model)
    rewrite_old_softmax(model)
    rewrite_space_to_depth(model)
    try:
        content = model.SerializeToString()
    except (ValueError, EncodeError):  # which of them depends on protobuf's implementation
        content = None
    if content is None or len(content) > MOST_MODEL_BYTES:
        raise Refused("it has more than 2 GB of weights, which pnnx cannot read")
    path.write_bytes(content)
    return inserted_positions(model)


def _run_pnnx(segment: Subnetwork, folder: Path) -> None:
    pnnx = program()
    if pnnx is None:
        raise Refused("pnnx is not installed: pip install pnnx")
    command = [str(pnnx), "segment.onnx", "fp16=0", "ncnnparam=model.param", "ncnnbin=model.bin"]
    command += ["ncnnpy=model.py", *(f"{name}={os.devnull}" for name in _QUIET)]
    ended = run_child(command, limit_s=LIMIT_S, folder=folder, environment=ALLOCATOR)
    made = [folder / name for name in ("model.param", "model.bin", "model.py")]
    if ended.failure is not None or not all(path.is_file() for path in made):
        raise Refused(f"pnnx {ended.failure or 'made nothing of it'}{_blame(segment)}")


def _check(segment: Subnetwork, folder: Path, batched: Sequence[bool]) -> None:
    inputs = seeded_inputs(segment)
    arrays: dict[str, Tensor] = {f"in{index}": tensor for index, tensor in enumerate(inputs)}
    outputs = expected_outputs(segment, inputs)
    for index, (spec, output) in enumerate(zip(segment.outputs, outputs, strict=True)):
        if output is None:
            arrays[f"size{index}"] = np.array(np.prod(spec.shape or (), dtype=np.int64))
        else:
            arrays[f"out{index}"] = output
    np.savez(folder / "check.npz", **arrays)  # type: ignore[arg-type] # its stubs lack arrays
    flags = [str(int(flag)) for flag in batched]
    answer = ask("counterpoint.engines.ncnn_check", *flags, limit_s=LIMIT_S, folder=folder)
    if answer.failure is not None:
        raise Refused(f"ncnn {answer.failure} with what pnnx made of it{_blame(segment)}")
    unknown = answer.facts.get("unknown")
    if isinstance(unknown, list) and unknown:
        raise _unknown_operator(segment, [str(kind) for kind in unknown])
    refusal = answer.facts.get("refusal")
    if refusal is not None:
        raise Refused(f"{refusal}{_blame(segment)}")
    error = answer.facts.get("relative_error")
    if not isinstance(error, float | int) or not error <= MOST_ERROR:
        raise Refused(f"pnnx converts it into something else (off by {error}){_blame(segment)}")


def _blame(segment: Subnetwork) -> str:
    """The operators of a segment of one layer; a larger one is told by its first layer."""
    if len(segment.layers) > 1:
        return ""
    return f" (operators {', '.join(segment.layers[0].operators)})"


def _unknown_operator(segment: Subnetwork, kinds: Sequence[str]) -> Refused:
    """Names the first layer with an operator that pnnx left as it was, with a prefix at times."""
    for kind in kinds:
        plain = re.split(r"[.:]", kind)[-1].lower()
        for layer in segment.layers:
            for operator in layer.operators:
                if operator.lower() == plain:
                    return Refused(f"pnnx does not convert {operator}", layer.index)
    layer_index = segment.layers[0].index if len(segment.layers) == 1 else None
    return Refused(f"pnnx makes {kinds[0]} of it, which ncnn does not have", layer_index)
