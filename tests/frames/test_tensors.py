from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from counterpoint.errors import FrameError, MachineError
from counterpoint.frames.tensors import numpy_dtype, read_tensor, write_tensor
from counterpoint.network.graph import ITEM_BYTES, TensorSpec

SPEC = TensorSpec("data", "float32", (1, 3, 4, 5))
VALUES = np.arange(60, dtype=np.float32).reshape(1, 3, 4, 5)
same_folder = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100
)


def npy(values: npt.NDArray[Any], *, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=allow_pickle)
    return buffer.getvalue()


def npy_declaring(header: str, version: int = 1) -> bytes:
    text = header.encode("latin1") + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes((version, 0)) + length + text


@pytest.mark.parametrize("ending", [".npy", ".f32", ".NPY"])
def test_there_and_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    write_tensor(path, VALUES)
    tensor = read_tensor(path, SPEC)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert tensor.flags.writeable
    np.testing.assert_array_equal(tensor, VALUES)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@given(
    hnp.arrays(
        st.sampled_from(("float16", "float32", "float64", "int8", "uint8", "int64", "bool")),
        hnp.array_shapes(min_dims=0, max_dims=4, max_side=4),
    )
)
@same_folder
def test_every_type_and_shape_as_npy(tmp_path: Path, values: npt.NDArray[Any]) -> None:
    write_tensor(tmp_path / "x.npy", values)
    spec = TensorSpec("data", values.dtype.name, values.shape)
    np.testing.assert_array_equal(read_tensor(tmp_path / "x.npy", spec), values)


def test_columns_first_files_come_out_rows_first(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.asfortranarray(VALUES))
    tensor = read_tensor(path, SPEC)
    assert tensor.flags.c_contiguous
    np.testing.assert_array_equal(tensor, VALUES)


def test_f32_is_raw_little_endian(tmp_path: Path) -> None:
    path = tmp_path / "x.f32"
    write_tensor(path, np.array([1.0, -2.5], np.float64))
    assert path.read_bytes() == struct.pack("<ff", 1.0, -2.5)
    for dtype in ("float16", "bfloat16", "float64"):
        tensor = read_tensor(path, TensorSpec("data", dtype, (2,)))
        assert tensor.dtype == numpy_dtype(TensorSpec("data", dtype, (2,)))
        assert tensor.astype(float).tolist() == [1.0, -2.5]


def test_bfloat16_is_written_as_float32(tmp_path: Path) -> None:
    values = VALUES.astype(ml_dtypes.bfloat16)
    for ending in (".npy", ".f32"):
        write_tensor(tmp_path / f"x{ending}", values)
        np.testing.assert_array_equal(read_tensor(tmp_path / f"x{ending}", SPEC), VALUES)


def test_every_type_of_a_network_has_a_numpy_type() -> None:
    for dtype, item_bytes in ITEM_BYTES.items():
        assert numpy_dtype(TensorSpec("data", dtype, ())).itemsize == item_bytes
    with pytest.raises(FrameError, match="unknown type int4"):
        numpy_dtype(TensorSpec("data", "int4", ()))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            npy(VALUES.astype(np.float64)),
            "float64 .*, but input 'data' takes float32",
        ),
        (npy(VALUES.astype(">f4")), ">f4 \\(1, 3, 4, 5\\), but input"),
        (npy(VALUES[0]), "float32 \\(3, 4, 5\\), but input 'data' takes float32 \\(1,"),
        (npy(VALUES)[:-1], "longer or shorter than it says"),
        (npy(VALUES) + b"x", "longer or shorter than it says"),
        (npy(np.array([{}], object), allow_pickle=True), "object .*, but input"),
        (b"", "empty"),
        (b"PK\x03\x04 an npz", "not a readable .npy"),
        (b"\x93NUMPY\x03\x00\x05\x00", "not a readable .npy"),
        (npy_declaring("__import__('os').system('true')"), "not a readable .npy"),
        (npy_declaring("[" * 3000), "not a readable .npy"),
        (
            npy_declaring("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 4, 5)}"),
            "longer",
        ),
        (
            npy_declaring("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999,)}"),
            "float32 \\(9999999999999,\\), but input",
        ),
        (npy_declaring(" " * 60000), "not a readable .npy"),
        (npy_declaring("{}", version=2), "not a readable .npy"),
    ],
)
def test_npy_that_does_not_fit(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    with pytest.raises(FrameError, match=reason) as caught:
        read_tensor(path, SPEC)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()


@given(
    st.one_of(st.binary(max_size=300), st.binary(max_size=120).map(lambda x: npy(VALUES)[:90] + x))
)
@same_folder
def test_hostile_npy_is_a_frame_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    with pytest.raises(FrameError):
        read_tensor(path, SPEC)


@given(st.integers(10, 127), st.integers(0, 255))
@same_folder
def test_damaged_header_is_a_frame_error_or_harmless(
    tmp_path: Path, place: int, value: int
) -> None:
    data = bytearray(npy(VALUES))
    data[place] = value
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    try:
        assert read_tensor(path, SPEC).shape == SPEC.shape
    except FrameError as error:
        assert str(error).isprintable()


def test_a_declared_size_alone_allocates_nothing(tmp_path: Path) -> None:
    huge = TensorSpec("data", "float32", (1, 2**20, 2**20))
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {huge.shape}}}"
    (tmp_path / "x.npy").write_bytes(npy_declaring(header))
    (tmp_path / "x.f32").write_bytes(bytes(8))
    for ending in (".npy", ".f32"):
        with pytest.raises(FrameError):
            read_tensor(tmp_path / f"x{ending}", huge)


def test_values_that_the_type_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "x.f32"
    path.write_bytes(struct.pack("<ff", 1e5, float("inf")))
    with pytest.raises(FrameError, match="too large for float16"):
        read_tensor(path, TensorSpec("data", "float16", (2,)))
    assert np.isinf(read_tensor(path, TensorSpec("data", "float32", (2,)))[1])


def test_f32_that_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "x.f32"
    path.write_bytes(bytes(239))
    with pytest.raises(FrameError, match=r"239 bytes, but input 'data' \(1, 3, 4, 5\) takes 240"):
        read_tensor(path, SPEC)
    with pytest.raises(FrameError, match=r"takes int8; give it as .npy"):
        read_tensor(path, TensorSpec("data", "int8", (239,)))
    with pytest.raises(FrameError, match="no known shape"):
        read_tensor(path, TensorSpec("data", "float32", None))


def test_endings(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"ends in .npy or .f32"):
        read_tensor(tmp_path / "x.bin", SPEC)
    with pytest.raises(FrameError, match=r"ends in .npy or .f32"):
        write_tensor(tmp_path / "x.pkl", VALUES)
    with pytest.raises(FrameError, match=r"int64 tensors are written as .npy"):
        write_tensor(tmp_path / "x.f32", np.arange(3))


def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npy"
    write_tensor(path, VALUES)
    before = path.read_bytes()

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(MachineError, match=r"x.npy: cannot be written \(No space left"):
        write_tensor(path, VALUES + 1)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.npy"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match="there is no folder"):
        write_tensor(tmp_path / "missing" / "x.npy", VALUES)
    (tmp_path / "x.npy").mkdir()
    with pytest.raises(FrameError, match="is a folder"):
        write_tensor(tmp_path / "x.npy", VALUES)
