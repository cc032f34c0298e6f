"""The generated code is that of the schema."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import counterpoint

SOURCE = Path(counterpoint.__file__).parents[1]
SCHEMA = Path("counterpoint/network/caffe/schema/caffe.proto")


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools", reason="protobuf's compiler (grpcio-tools) is not installed")
    if importlib.metadata.version("grpcio-tools") != "1.62.3":
        pytest.skip("the code was generated with grpcio-tools 1.62.3")
    outputs = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", *outputs, str(SCHEMA)]
    subprocess.run(command, cwd=SOURCE, check=True)
    for name in ("caffe_pb2.py", "caffe_pb2.pyi"):
        fresh = (tmp_path / SCHEMA).with_name(name).read_text()
        assert (SOURCE / SCHEMA).with_name(name).read_text() == fresh
