"""Model files that once were read wrongly, or that are easily: read, or refused in one line."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from counterpoint.network.caffe import parameters
from counterpoint.network.caffe.registry import CONVERTERS
from counterpoint.network.darknet import weights_file
from counterpoint.network.darknet.layers import _CONVERTERS as SECTIONS
from tests.network.every_layer import CFG, PROTOTXT
from tests.network.fuzz_models import CORPUS, SEEDED_BYTES, case_of, outcome, seeds
from tests.network.mutations import WEIGHTS, mutated

FILES = sorted(path.name for path in CORPUS.iterdir() if path.suffix in WEIGHTS)


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few seeded weights, and NumPy's warnings are failures."""
    monkeypatch.setattr(parameters, "LARGEST_SEEDED_BYTES", SEEDED_BYTES)
    monkeypatch.setattr(weights_file, "LARGEST_SEEDED_BYTES", SEEDED_BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # protobuf's, of broken escapes
        yield


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep_batchnorm", [False, True])
def test_kept_files(tmp_path: Path, name: str, keep_batchnorm: bool) -> None:
    case = case_of(CORPUS / name, keep_batchnorm=keep_batchnorm)
    wanted = name.partition("-")[0]
    assert wanted in ("read", "refused")
    assert outcome(case, tmp_path).startswith(f"{wanted}:")


def test_every_layer_type_is_a_seed_that_is_read(tmp_path: Path) -> None:
    types = {name for text in PROTOTXT.values() for name in re.findall(r'type: "(\w+)"', text)}
    assert CONVERTERS.keys() <= types
    sections = {name for text in CFG.values() for name in re.findall(r"\[(\w+)\]", text)}
    assert SECTIONS.keys() <= sections
    for case in seeds(tmp_path, kept=False):
        assert outcome(case, tmp_path).startswith("read:"), case.text


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_are_read_or_refused(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    pool = seeds(tmp_path)
    for _ in range(60):
        outcome(mutated(random.choice(pool), pool, random), tmp_path)
