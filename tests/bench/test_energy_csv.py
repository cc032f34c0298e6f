"""Files of meters: recorded traces are read exactly, and strangers' files with distrust."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counterpoint.bench.energy import meter_csv
from counterpoint.bench.energy.meter_csv import read_meter, sampling_ns
from counterpoint.bench.energy.trace import CounterTrace, PowerTrace, Window
from counterpoint.errors import UserInputError

SECOND_NS = 10**9


def written(folder: Path, text: str) -> Path:
    path = folder / "meter.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recorded_rapl_trace_with_domains_that_wrap(tmp_path: Path) -> None:
    # One sample a second, ranges as on a server's two domains; both wrap, at unlike times.
    path = written(
        tmp_path,
        "# wraps_at_uj: package-0=262143328850, dram=65712999613\n"
        "time_s,package-0_uj,dram_uj\n"
        "1700000000,262100000000,65700000000\n"
        "1700000001,262140000000,65712000000\n"
        "1700000002,36671150,11000387\n"
        "1700000003,76671150,23000387\n",
    )
    package, dram = read_meter(path)
    assert isinstance(package, CounterTrace)
    assert (package.domain, dram.domain) == ("package-0", "dram")
    assert sampling_ns(package) == SECOND_NS
    start = 1_700_000_000 * SECOND_NS
    whole = Window(start, start + 3 * SECOND_NS)
    assert package.energy_uj(whole) == 120_000_000
    assert dram.energy_uj(whole) == 36_000_000
    inner = Window(start + SECOND_NS // 2, start + 5 * SECOND_NS // 2)
    assert package.energy_uj(inner) == 80_000_000
    assert dram.energy_uj(inner) == 24_000_000


def test_a_recorded_ina_trace(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "timestamp (ms);rail;VDD_IN (mW)\n1700000000000;x;4000\n1700000000100;x;4000\n"
        "1700000000200;x;6000\n",
    )
    (trace,) = read_meter(path)
    assert isinstance(trace, PowerTrace)
    assert trace.power_uw == (4_000_000, 4_000_000, 6_000_000)
    start = 1_700_000_000 * SECOND_NS
    # 4 W for 0.1 s, then on average 5 W for 0.1 s.
    assert trace.energy_uj(Window(start, start + SECOND_NS // 5)) == 900_000


def test_what_nvidia_smi_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    import time

    time.tzset()
    path = written(
        tmp_path,
        "timestamp, name, power.draw [W]\n"
        "2026/11/21 06:12:00.100, Some Card, 65.25 W\n"
        "2026/11/21 06:12:00.200, Some Card, 70.50 W\n",
    )
    (trace,) = read_meter(path)
    assert isinstance(trace, PowerTrace)
    assert trace.domain == "power.draw"
    assert trace.power_uw == (65_250_000, 70_500_000)
    noon = int(datetime(2026, 11, 21, 6, 12, tzinfo=UTC).timestamp()) * SECOND_NS
    assert trace.times_ns == (noon + SECOND_NS // 10, noon + SECOND_NS // 5)


@pytest.mark.parametrize(
    ("text", "uj"), [("uj", 1), ("mJ", 1000), ("J", 10**6), ("mWh", 3_600_000), ("Wh", 36 * 10**8)]
)
def test_units_of_energy(tmp_path: Path, text: str, uj: int) -> None:
    (trace,) = read_meter(written(tmp_path, f"time,total [{text}]\n1,2\n2,4.5\n"))
    assert isinstance(trace, CounterTrace)
    assert trace.energy_uj_read == (2 * uj, round(Fraction(9, 2) * uj))


def test_counters_count_where_a_meter_shows_power_too(tmp_path: Path) -> None:
    text = "time,power_w,energy_wh\n1,5,0\n2,5,1\n"
    assert [trace.domain for trace in read_meter(written(tmp_path, text))] == ["energy"]
    chosen = "# domains: power\n" + text
    assert [trace.domain for trace in read_meter(written(tmp_path, chosen))] == ["power"]


def test_a_clock_that_is_fast_is_set_back(tmp_path: Path) -> None:
    (trace,) = read_meter(written(tmp_path, "# offset_s: -0.35\n# a remark\ntime,p_w\n1,1\n2,1\n"))
    assert trace.times_ns == (650_000_000, 1_650_000_000)


def test_a_date_may_name_its_zone(tmp_path: Path) -> None:
    rows = "2026-11-21T06:12:00.5+01:00,1\n2026-11-21 05:12:01Z,1\n"
    (trace,) = read_meter(written(tmp_path, "date,p_w\n" + rows))
    assert trace.times_ns[1] - trace.times_ns[0] == SECOND_NS // 2


def test_a_row_that_is_being_written_does_not_count(tmp_path: Path) -> None:
    (trace,) = read_meter(written(tmp_path, "time,p_w\n1,10\n2,10\n3,1"))
    assert trace.times_ns[-1] == 2 * SECOND_NS


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.integers(1, 10**12), min_size=1, max_size=20),
    data=st.data(),
    start=st.integers(0, 10**18),
)
def test_whole_numbers_come_back_as_they_were(
    tmp_path: Path, steps: list[int], data: st.DataObject, start: int
) -> None:
    times = [start]
    for step in steps:
        times.append(times[-1] + step)
    values = data.draw(
        st.lists(st.integers(-(10**15), 10**15), min_size=len(times), max_size=len(times))
    )
    rows = "".join(f"{time_ns},{value}\n" for time_ns, value in zip(times, values, strict=True))
    (trace,) = read_meter(written(tmp_path, "time_ns,board_uw\n" + rows))
    assert trace == PowerTrace("board", tuple(times), tuple(values))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=300))
def test_junk_is_one_line(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "meter.csv"
    path.write_bytes(junk + b"\n")
    with pytest.raises(UserInputError) as caught:
        read_meter(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "row 1: no column of times"),
        ("a,b\n1,2\n", "row 1: no column of times"),
        ("time,volts\n1,2\n", "row 1: no column of power or energy"),
        ("time,p_w,p_w\n1,2,3\n", "row 1: two columns of one name"),
        ("# x\n\ntime,p_w\n1,2\n", "it has 1 rows of samples"),
        ("time,p_w\n1,2\n2\n", "row 3: it has 1 columns, and 2 are needed"),
        ("time,p_w\n1,2\n2,[N/A]\n", "row 3: '[N/A]' is no number in w"),
        ("time,p_w\n1,2\n2,nan\n", "row 3: 'nan' is no number"),
        ("time,p_w\n1,2\n2,1 mW\n", "row 3: '1 mW' is no number in w"),
        ("time,p_w\n1,2\n2,1e99\n", "row 3: '1e99' is too large"),
        ("time,p_w\n1,2\n\n1,2\n", "row 4: its time is not after"),
        ("time,p_w\n1,2\n2026-13-01 00:00:00,2\n", "row 3: '2026-13-01 00:00:00' is no date"),
        ("time,p_w\n1,2\nyesterday,2\n", "row 3: 'yesterday' is no time"),
        ("time,e_uj\n1,9\n2,3\n", "falls from 9 to 3 uJ, and where it wraps around is not known"),
        ("# wraps_at_uj: e=5\ntime,e_uj\n1,9\n2,3\n", "outside 0 to 5 uJ"),
        ("# wraps_at_uj: f=5\ntime,e_uj\n1,1\n2,3\n", "wraps_at_uj is told of 'f'"),
        ("# wraps_at_uj: e\ntime,e_uj\n1,1\n2,3\n", "row 1: 'e': write it as in"),
        ("# offset_s: soon\ntime,e_uj\n1,1\n2,3\n", "row 1: offset_s 'soon'"),
        ("# domains: gpu\ntime,e_uj\n1,1\n2,3\n", "no domain 'gpu': there are e"),
        ('time,p_w\n1,2\n2,"3\n', "row 3: "),
        ("time,p_w\n1," + "2" * 300 + "\n", "row 2: a cell is longer than 256"),
    ],
)
def test_a_faulty_file_names_its_row(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UserInputError) as caught:
        read_meter(path)
    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserInputError, match="not a file"):
        read_meter(tmp_path)
    with pytest.raises(UserInputError, match="No such file"):
        read_meter(tmp_path / "none.csv")
    with pytest.raises(UserInputError, match="cannot read"):
        read_meter(Path("a\0b.csv"))
    monkeypatch.setattr(meter_csv, "MAX_FILE_BYTES", 2**20)
    large = written(tmp_path, "time,p_w\n" + "1,2\n" * 2**18)
    with pytest.raises(UserInputError, match="larger than 1 MiB"):
        read_meter(large)
