"""The store under several processes, kills, full disks and missing rights: real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from counterpoint.costs.store import Key, Store

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")

PRELUDE = """
import json, os, sys
from pathlib import Path
from counterpoint.costs.store import Key, Store
from counterpoint.errors import StoreError

def key(number, who="child"):
    return Key(f"{who}{number}", "unit", "1", "here")

path = Path(sys.argv[1])
"""


def start(script: str, path: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def key(number: int, who: str = "child") -> Key:
    return Key(f"{who}{number}", "unit", "1", "here")


def test_two_processes_write_and_read_one_store(tmp_path: Path) -> None:
    """Both meet a file that isn't there yet, and both overwrite and read what the other writes."""
    script = """
me = sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
with Store.open(path) as store:
    for number in range(150):
        store.put(key(number, me), [number], {"by": me})
        store.put(key(number % 7, "both"), [number], {"by": me, "number": number})
        shared = store.get(key(number % 7, "both"))
        assert shared.median_ns == shared.meta["number"]
print("done", flush=True)
"""
    path = tmp_path / "store"
    children = [start(script, path, who) for who in ("a", "b")]
    assert [line(child) for child in children] == ["ready", "ready"]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        output, _ = child.communicate(timeout=60)
        assert (output.strip(), child.returncode) == ("done", 0)
    with Store.open(path) as store:
        for who in ("a", "b"):
            found = store.get_many(key(number, who) for number in range(150))
            assert [found[key(number, who)].median_ns for number in range(150)] == list(range(150))


def test_many_open_a_new_store_at_once(tmp_path: Path) -> None:
    def open_and_put(path: Path, barrier: threading.Barrier, number: int) -> None:
        barrier.wait()
        with Store.open(path) as store:
            store.put(key(number), [number])

    with ThreadPoolExecutor(4) as pool:
        for turn in range(10):
            path = tmp_path / f"store{turn}"
            barrier = threading.Barrier(4)
            for job in [pool.submit(open_and_put, path, barrier, each) for each in range(4)]:
                job.result(timeout=60)
            with Store.open(path) as store:
                assert len(store.get_many(key(number) for number in range(4))) == 4


@pytest.mark.parametrize("puts", [1, 40, 300])
def test_killed_writer_loses_nothing_that_it_put(tmp_path: Path, puts: int) -> None:
    script = """
store = Store.open(path)
number = 0
while True:
    store.put(key(number), [number], {"padding": "x" * (number % 2000)})
    print(number, flush=True)
    number += 1
"""
    path = tmp_path / "store"
    child = start(script, path)
    last = -1
    while last < puts:
        last = int(line(child))
    child.kill()
    output, _ = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    complete = [int(text) for text in output.split("\n")[:-1] if text]
    last = max([last, *complete])
    with Store.open(path) as store:
        found = store.get_many(key(number) for number in range(last + 1))
        assert [found[key(n)].median_ns for n in range(last + 1)] == list(range(last + 1))
        store.put(key(0), [5])


def test_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """A limit on the file size stands for the full disk: the same failing write."""
    script = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
store = Store.open(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
kept = 0
try:
    while True:
        store.put(key(kept), [kept], {"padding": "x" * 3000})
        kept += 1
except StoreError as error:
    message = str(error)
before = [store.get(key(number)).median_ns for number in range(kept)] == list(range(kept))
absent = store.get(key(kept)) is None
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
store.put(key(kept), [kept])
store.close()
print(json.dumps([kept, message, before, absent]), flush=True)
"""
    path = tmp_path / "store"
    child = start(script, path)
    output, _ = child.communicate(timeout=60)
    kept, message, before, absent = json.loads(output)
    assert kept > 10
    assert str(path) in message
    assert "give room or access" in message
    assert before
    assert absent
    with Store.open(path) as store:
        assert len(store.get_many(key(number) for number in range(kept + 1))) == kept + 1


def test_full_disk_at_the_very_start(tmp_path: Path) -> None:
    script = """
import resource
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
try:
    Store.open(path)
except StoreError as error:
    print(error, flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
with Store.open(path) as store:
    store.put(key(0), [1])
print("recovered", flush=True)
"""
    child = start(script, tmp_path / "store")
    output, _ = child.communicate(timeout=60)
    message, recovered = output.splitlines()
    assert "cannot" in message
    assert recovered == "recovered"


@pytest.mark.parametrize("there", [False, True], ids=["new file", "file there"])
def test_folder_without_write_access(tmp_path: Path, there: bool) -> None:
    """Root may write anywhere: the child gives up its rights first."""
    script = """
folder = path.parent
folder.chmod(0o555)
os.chdir(folder)
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    with Store.open(Path(path.name)) as store:
        store.put(key(0), [1])
except StoreError as error:
    print(error, flush=True)
"""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "store"
    if there:
        Store.open(path).close()
        path.chmod(0o444)
    child = start(script, path)
    output, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert output.startswith("store store cannot be ")
    assert output.count("\n") == 1
    folder.chmod(0o755)
    assert sorted(entry.name for entry in folder.iterdir()) == (["store"] if there else [])
