from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.costs.store import Key, Sample, Store, default_store_path
from counterpoint.costs.store_schema import VERSION
from counterpoint.errors import InternalError, StoreError


def key(subject: str = "layer", unit: str = "openvino:CPU@fp32") -> Key:
    return Key(subject, unit, "2025.2", "f" * 64)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "measurements.sqlite"


def filled(path: Path, count: int = 1) -> Path:
    with Store.open(path) as store:
        for number in range(count):
            store.put(key(f"layer{number}"), [100 + number, 90, 110 + number], {"runs": number})
    return path


def alter(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_keeps_measurements_over_closing(path: Path) -> None:
    with Store.open(path) as store:
        assert store.get(key()) is None
        put = store.put(key(), [30, 10, 20], {"threads": 2, "how": ["in", "context"]})
        assert store.get(key()) == put
    with Store.open(path) as store:
        assert store.get(key()) == put
    assert (put.low_ns, put.median_ns, put.high_ns, put.count) == (10, 20, 30, 3)
    assert put.meta == {"threads": 2, "how": ["in", "context"]}
    assert put.measured_at_unix_s > 1.7e9


def test_every_field_of_the_key_counts() -> None:
    keys = [
        Key("a", "b", "c", "d"),
        Key("x", "b", "c", "d"),
        Key("a", "x", "c", "d"),
        Key("a", "b", "x", "d"),
        Key("a", "b", "c", "x"),
        Key("b", "a", "c", "d"),
    ]
    with Store.in_memory() as store:
        for number, each in enumerate(keys):
            store.put(each, [number])
        assert [store.get_many(keys)[each].median_ns for each in keys] == list(range(len(keys)))


def test_get_many_gives_what_there_is() -> None:
    with Store.in_memory() as store:
        store.put(key("a"), [1])
        store.put(key("b"), [2])
        found = store.get_many([key("a"), key("c"), key("b"), key("a")])
    assert {each.subject: sample.median_ns for each, sample in found.items()} == {"a": 1, "b": 2}


def test_later_measurement_takes_the_place_of_the_earlier() -> None:
    with Store.in_memory() as store:
        store.put(key(), [1, 2, 3], {"first": True})
        store.put(key(), [7])
        sample = store.get(key())
    assert sample is not None
    assert (sample.median_ns, sample.count, sample.meta) == (7, 1, {})


@pytest.mark.parametrize(
    ("samples_ns", "meta"),
    [([], {}), ([-1], {}), ([10**16], {}), ([1.5], {}), ([1], {"a": float("nan")})],
)
def test_impossible_measurement_is_our_own_bug(samples_ns: list[int], meta: dict[str, Any]) -> None:
    with Store.in_memory() as store:
        with pytest.raises(InternalError, match="measurement of layer on openvino:CPU@fp32"):
            store.put(key(), samples_ns, meta)
        assert store.get(key()) is None


def test_close_twice_and_use_after_it(path: Path) -> None:
    store = Store.open(path)
    store.close()
    store.close()
    with pytest.raises(InternalError, match="misused"):
        store.get(key())


def test_nothing_stays_beside_the_file(path: Path) -> None:
    filled(path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory", "a b%20c#.db"])
def test_any_file_name_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    filled(Path(name))
    assert (tmp_path / name).stat().st_size > 0


def test_default_path() -> None:
    home = Path("~").expanduser()
    last = Path("counterpoint") / "measurements.sqlite"
    assert default_store_path({"COUNTERPOINT_STORE": "here.db"}) == Path("here.db")
    assert default_store_path({"COUNTERPOINT_STORE": "~/x.db"}) == home / "x.db"
    assert default_store_path({"XDG_CACHE_HOME": "/cache"}) == Path("/cache") / last
    assert default_store_path({"XDG_CACHE_HOME": "relative"}) == home / ".cache" / last
    assert default_store_path({"COUNTERPOINT_STORE": ""}) == home / ".cache" / last


def test_open_takes_the_path_from_the_environment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERPOINT_STORE", str(path))
    with Store.open() as store:
        store.put(key(), [1])
    assert path.exists()


def refused(path: Path, match: str) -> None:
    """Opening and reading fails in one line that names the file, and the file stays as it is."""
    before = path.read_bytes()
    with pytest.raises(StoreError, match=match) as caught, Store.open(path) as store:
        store.get(key("layer0"))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "--store" in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"a line of text\n", b"\0" * 100, b"text " * 5000, b"SQLite format 3\0" + b"\xff" * 99],
)
def test_file_that_is_no_database(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    refused(path, "damaged or no measurement store")


def test_empty_file_is_a_new_store(tmp_path: Path) -> None:
    """SQLite makes an empty file first: a process killed right then must not lock us out."""
    path = tmp_path / "store"
    path.touch()
    filled(path)


@pytest.mark.parametrize("left", [50, 100, 511, 4096, 5000, 20_000])
def test_truncated_file(path: Path, left: int) -> None:
    filled(path, 300)
    os.truncate(path, left)
    refused(path, "damaged")


def test_overwritten_pages(path: Path) -> None:
    filled(path, 300)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * 8192)
    refused(path, "damaged")


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    damage=st.lists(
        st.tuples(st.integers(0, 1 << 14), st.binary(min_size=1, max_size=8)),
        min_size=1,
        max_size=6,
    )
)
def test_any_damage_gives_a_sample_or_a_store_error(
    tmp_path: Path, damage: list[tuple[int, bytes]]
) -> None:
    pristine = tmp_path / "pristine"
    if not pristine.exists():
        filled(pristine, 40)
    content = bytearray(pristine.read_bytes())
    for place, data in damage:
        start = place % len(content)
        content[start : start + len(data)] = data[: len(content) - start]
    path = tmp_path / "damaged"
    for leftover in tmp_path.glob("damaged-*"):
        leftover.unlink()
    path.write_bytes(content)
    try:
        with Store.open(path, busy_timeout_ms=0) as store:
            for number in range(40):
                assert isinstance(store.get(key(f"layer{number}")), Sample | None)
    except StoreError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    "change",
    [
        "median_ns = 'abc'",
        "median_ns = -1, low_ns = -1",
        "median_ns = 100.5",
        "median_ns = x'00'",
        "high_ns = 9000000000000000000",
        "high_ns = 1",
        "low_ns = 1000",
        "count = 0",
        "count = 'many'",
        "meta = '[1]'",
        "meta = 'NaN'",
        "meta = '{\"a\":NaN}'",
        "meta = 5",
        "meta = x'7b7d'",
        "meta = CAST(x'7bff7d' AS TEXT)",
        "meta = replace(hex(zeroblob(50000)), '0', '[')",
        "meta = '\"' || hex(zeroblob(700000)) || '\"'",
        "meta = hex(zeroblob(3000000))",
        "measured_at_unix_s = 'yesterday'",
        "measured_at_unix_s = -1",
        "measured_at_unix_s = 9e999",
    ],
)
def test_values_that_nobody_measured(path: Path, change: str) -> None:
    filled(path)
    alter(path, f"UPDATE measurement SET {change}")  # noqa: S608
    refused(path, "damaged")


def test_schema_that_is_no_text(path: Path) -> None:
    filled(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CREATE TABLE", b"CREAT\x80 TABLE"))
    refused(path, "damaged")


def test_message_does_not_pass_on_what_the_file_says(path: Path) -> None:
    filled(path)
    alter(path, "UPDATE measurement SET meta = CAST(x'1b5b326a0a80' || zeroblob(9999) AS TEXT)")
    refused(path, "damaged")
    with Store.open(path) as store, pytest.raises(StoreError) as caught:
        store.get(key("layer0"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300 + len(str(path))


def test_key_that_is_no_text() -> None:
    with Store.in_memory() as store, pytest.raises(InternalError, match="misused"):
        store.put(key("\ud800"), [1])


def test_newer_version(path: Path) -> None:
    filled(path)
    alter(path, f"PRAGMA user_version = {VERSION + 1}")
    refused(path, "newer Counterpoint")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE other (a)",
        "CREATE TRIGGER t AFTER INSERT ON measurement BEGIN DELETE FROM measurement; END",
        "CREATE VIEW v AS SELECT * FROM measurement",
        "DROP TABLE measurement",
        "ALTER TABLE measurement ADD COLUMN more",
        "PRAGMA user_version = 0",
    ],
)
def test_anything_but_our_own_table(path: Path, statement: str) -> None:
    filled(path)
    alter(path, statement)
    refused(path, "does not hold what a store")


def test_other_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    alter(path, "CREATE TABLE photo (name)")
    refused(path, "another program's database")


def test_view_in_place_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "trap.db"
    alter(
        path,
        "CREATE VIEW measurement AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT i FROM n",
        f"PRAGMA application_id = {0x43505374}",
        f"PRAGMA user_version = {VERSION}",
    )
    refused(path, "does not hold what a store")


def test_path_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be opened .* choose another"):
        Store.open(tmp_path)


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="its folder cannot be made") as caught:
        Store.open(tmp_path / "file" / "store.db")
    assert str(tmp_path / "file" / "store.db") in str(caught.value)


def test_locked_for_writing(path: Path) -> None:
    filled(path)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with Store.open(path, busy_timeout_ms=1) as store:
        assert store.get(key("layer0")) is not None  # a writer stops no reader
        with pytest.raises(StoreError, match="is locked by another process; wait or choose"):
            store.put(key("layer1"), [1])
        holder.execute("ROLLBACK")
        store.put(key("layer1"), [1])
    holder.close()


def test_locked_while_another_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "store"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="is locked by another process"):
        Store.open(path, busy_timeout_ms=1)
    holder.close()
    filled(path)
