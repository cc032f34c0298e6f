from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.platform.recorded_machines import (
    alder_lake,
    container_of_two,
    epyc_guest,
    khadas_vim3,
    status,
    two_socket_xeon,
    write_tree,
)

from counterpoint.errors import UserInputError
from counterpoint.platform.cpu import Core
from counterpoint.platform.cpu_groups import (
    cut_cpu_groups,
    default_cpu_group,
    parse_cpu_groups,
)
from counterpoint.platform.host_description import HostDescription, read_host

Groups = tuple[int | str, ...]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,1", (1, 1)),
        ("4", (4,)),
        (" 2, 1 ", (2, 1)),
        ("big,little", ("big", "little")),
        ("P,E", ("P", "E")),
        ("LP-E,2", ("LP-E", 2)),
        ("0", (0,)),  # refused when it is cut, with the reason
    ],
)
def test_parse(text: str, expected: Groups) -> None:
    assert parse_cpu_groups(text) == expected


@pytest.mark.parametrize("text", ["", ",", "1,", "-1", "1.5", "1;2", "9" * 5000, "b" * 99, "1\n2"])
def test_parse_refuses_in_one_line(text: str) -> None:
    with pytest.raises(UserInputError, match="write for instance 1,1") as caught:
        parse_cpu_groups(text)
    assert len(str(caught.value)) < 300


def cut(root: Path, files: dict[str, str], groups: Groups) -> list[tuple[int, ...]]:
    return list(cut_cpu_groups(read_host(write_tree(root, files)), groups))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((1, 1), [(2,), (3,)]),
        ((4, 2), [(2, 3, 4, 5), (0, 1)]),
        ((2, 4), [(0, 1), (2, 3, 4, 5)]),
        ((3, 2), [(2, 3, 4), (0, 1)]),
        ((2, 2, 2), [(2, 3), (4, 5), (0, 1)]),
        ((6,), [(0, 1, 2, 3, 4, 5)]),
        ((5, 1), [(0, 2, 3, 4, 5), (1,)]),
        (("big", "little"), [(2, 3, 4, 5), (0, 1)]),
        (("little", "big"), [(0, 1), (2, 3, 4, 5)]),
        (("LITTLE", 1), [(0, 1), (2,)]),
        (("cortex-a53",), [(0, 1)]),
    ],
)
def test_clusters_of_a_board(
    tmp_path: Path, groups: Groups, expected: list[tuple[int, ...]]
) -> None:
    assert cut(tmp_path, khadas_vim3(), groups) == expected


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (("P", "E"), [(0, 2), (4, 5, 6, 7)]),
        ((1, 1), [(0,), (2,)]),
        ((4, 2), [(4, 5, 6, 7), (0, 2)]),  # a whole module of E cores, not P cores and half of it
        ((4, 4), [(0, 1, 2, 3), (4, 5, 6, 7)]),  # second threads join: 8 of 6 cores
    ],
)
def test_hybrid(tmp_path: Path, groups: Groups, expected: list[tuple[int, ...]]) -> None:
    assert cut(tmp_path, alder_lake(), groups) == expected


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((4, 4), [(0, 1, 2, 3), (4, 5, 6, 7)]),
        ((1, 1), [(0,), (1,)]),
        ((3, 3), [(0, 1, 2), (4, 5, 6)]),
        ((3, 3, 1, 1), [(0, 1, 2), (4, 5, 6), (3,), (7,)]),
        ((8, 8), [(0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)]),
        ((6, 2), [(0, 1, 2, 3, 4, 5), (6, 7)]),
    ],
)
def test_sockets(tmp_path: Path, groups: Groups, expected: list[tuple[int, ...]]) -> None:
    assert cut(tmp_path, two_socket_xeon(), groups) == expected


def test_tightest_fit_leaves_the_larger_part_whole(tmp_path: Path) -> None:
    files = two_socket_xeon() | status("0-2,4-5")
    assert cut(tmp_path, files, (2,)) == [(4, 5)]


def test_pair_of_threads_stays_together(tmp_path: Path) -> None:
    files = two_socket_xeon() | status("0,1,8,9")
    assert cut(tmp_path, files, (2, 2)) == [(0, 8), (1, 9)]


def test_default_group_is_one_thread_a_core(tmp_path: Path) -> None:
    host = read_host(write_tree(tmp_path, two_socket_xeon()))
    assert default_cpu_group(host) == tuple(range(8))


def test_default_group_keeps_to_the_quota_and_one_cache(tmp_path: Path) -> None:
    host = read_host(write_tree(tmp_path, container_of_two() | status("7-63")))
    assert default_cpu_group(host) == (8, 9)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ((), "at least one core"),
        ((0,), "at least one core"),
        ((1, -1), "at least one core"),
        ((3, 2), r"'3,2' need 5 processors, but this process may use 4 \(all there are\)"),
        (("big",), "no free core of kind 'big'; kinds here: all alike"),
    ],
)
def test_refused(tmp_path: Path, groups: Groups, message: str) -> None:
    with pytest.raises(UserInputError, match=message) as caught:
        cut(tmp_path, epyc_guest(), groups)
    assert "\n" not in str(caught.value)


def test_refusals_tell_why(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="quota of 2"):
        cut(tmp_path / "quota", container_of_two(), (2, 1))
    with pytest.raises(UserInputError, match="affinity"):
        cut(tmp_path / "affinity", epyc_guest() | status("0"), (2,))
    with pytest.raises(UserInputError, match="no free core of kind 'big'; kinds here: little"):
        cut(tmp_path / "kinds", khadas_vim3(), ("big", "big"))
    with pytest.raises(UserInputError, match="kinds here: big, little"):
        cut(tmp_path / "other", khadas_vim3(), ("P",))


cores = st.lists(
    st.tuples(st.integers(1, 2), st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=8
)


@settings(max_examples=300, deadline=None)
@given(shape=cores, sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_every_cut_is_a_partition_and_shares_no_core_without_need(
    shape: list[tuple[int, int, int]], sizes: list[int]
) -> None:
    described = []
    number = 0
    for threads, rank, cache_group in shape:
        span = tuple(range(number, number + threads))
        described.append(Core(threads=span, rank=rank, cache_group=cache_group))
        number += threads
    host = HostDescription(cores=tuple(described), allowed=tuple(range(number)))
    if sum(sizes) > number:
        with pytest.raises(UserInputError):
            cut_cpu_groups(host, sizes)
        return
    groups = cut_cpu_groups(host, sizes)
    assert [len(group) for group in groups] == sizes
    handed = [processor for group in groups for processor in group]
    assert len(handed) == len(set(handed))
    assert set(handed) <= set(host.allowed)
    if sum(sizes) <= len(described):
        owners = [core for core in described for p in core.threads if p in handed]
        assert len(owners) == len({core.threads for core in owners})
    if len(sizes) == 1:
        check_placement(described, groups[0])


def check_placement(described: list[Core], group: tuple[int, ...]) -> None:
    """A single group is in the fastest kind that holds it, there under one cache if one does."""
    ranks = Counter(core.rank for core in described)
    holding = [rank for rank, count in ranks.items() if count >= len(group)]
    if not holding:
        return
    used = [core for core in described if set(core.threads) & set(group)]
    assert {core.rank for core in used} == {min(holding)}
    caches = Counter(core.cache_group for core in described if core.rank == min(holding))
    if max(caches.values()) >= len(group):
        assert len({core.cache_group for core in used}) == 1
