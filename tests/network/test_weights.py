"""The scratch folder: shared by all parts, whole files only, gone with the network."""

from __future__ import annotations

import errno
import gc
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from counterpoint.errors import MachineError
from counterpoint.network.weights import INLINE_BYTES, WeightFile
from tests.onnx_models import kernel, loaded, model

BODY = "a = Conv<pads=[1,1,1,1]>(x, w) y = Softmax(a)"


def test_folder_goes_with_its_network(tmp_path: Path) -> None:
    network = loaded(model(BODY, w=kernel(32)), tmp_path)
    folder = network.whole().onnx_path().parent
    part = network.subnetwork([0])
    del network
    gc.collect()
    assert folder.is_dir()
    assert part.onnx_path().parent == folder
    del part
    gc.collect()
    assert not folder.exists()


def test_folder_of_a_refused_file_is_gone_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(Exception, match="nobody makes"):
        loaded(model("y = Conv(x, missing) z = Relu(w)", w=kernel(32)), tmp_path)
    gc.collect()
    assert not list(tmp_path.glob("counterpoint-*"))


def test_no_scratch_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(MachineError, match="point TMPDIR"):
        loaded(model(BODY, w=kernel(32)), tmp_path)


@pytest.mark.parametrize("call", ["open", "write_bytes"])
def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    made = model(BODY, w=kernel(32))
    network = loaded(made, tmp_path)
    folder = network.whole().onnx_path().parent
    before = sorted(folder.iterdir())
    real = getattr(Path, call)

    def full(path: Path, *arguments: Any, **options: Any) -> Any:
        if "counterpoint-" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, call, full)
    with pytest.raises(MachineError, match="No space left on device"):
        if call == "open":
            WeightFile().add("w", kernel(32))
        else:
            network.subnetwork([0]).onnx_path()
    assert sorted(folder.iterdir()) == before


def test_threads_never_see_half_a_file(tmp_path: Path) -> None:
    network = loaded(model(BODY, w=kernel(32)), tmp_path)

    def load_part(index: int) -> int:
        path = network.subnetwork([index % 2]).onnx_path()
        return len(onnx.load(path).graph.node)

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(load_part, range(64))) == {1}
    folder = network.whole().onnx_path().parent
    assert {path.suffix for path in folder.iterdir()} == {".onnx", ".bin"}


@pytest.mark.parametrize("size", [1, INLINE_BYTES // 4, INLINE_BYTES // 4 + 1, 5000])
def test_tensors_come_back(size: int) -> None:
    weights = WeightFile()
    array = np.arange(size, dtype=np.float32)[::-1]
    tensor = weights.add("w", array)
    outside = tensor.data_location == onnx.TensorProto.EXTERNAL
    assert outside == (array.nbytes > INLINE_BYTES)
    if outside:
        onnx.external_data_helper.load_external_data_for_tensor(tensor, str(weights.scratch.path))
    assert np.array_equal(onnx.numpy_helper.to_array(tensor), array)
