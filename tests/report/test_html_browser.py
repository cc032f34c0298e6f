"""Reports in a real browser: opened, clicked and read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from counterpoint.report.html import write_report
from tests.report.browser import PHONE, Browser, browser
from tests.report.html_results import bench_result, hostile_result, traces


@pytest.fixture(scope="module")
def reader() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def bench(folder: Path) -> Path:
    write_report(bench_result(), folder / "bench.html")
    return folder / "bench.html"


@pytest.mark.parametrize("size", [(1280, 900), PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_a_bench_opens_without_a_complaint(
    reader: Browser, bench: Path, size: tuple[int, int], dark: bool
) -> None:
    reader.open(bench, size=size, dark=dark)
    reader.draw_all()
    assert reader.complaints() == []
    drawn = reader.ask("document.querySelectorAll('.plot.drawn svg.main-svg').length")
    assert drawn >= 7
    wide = reader.ask("document.documentElement.scrollWidth")
    assert wide <= size[0]
    assert reader.ask("document.title") == "Networks on processors"


def test_traces_are_drawn_predicted_over_measured(reader: Browser, folder: Path) -> None:
    write_report(traces(frames=5), folder / "traces.html")
    reader.open(folder / "traces.html")
    reader.draw_all()
    assert reader.complaints() == []
    # Five frames of two segments, the second on two devices, predicted and measured.
    assert reader.ask("document.querySelectorAll('.plot g.point').length") == 5 * 3 * 2
    assert reader.ask("document.querySelectorAll('.plot .legendtext').length") == 2


def test_a_column_sorts_up_and_down(reader: Browser, bench: Path) -> None:
    reader.open(bench)
    column = reader.ask(
        "[...document.querySelectorAll('#table-rows th')]"
        ".findIndex(th => th.textContent === 'p50 ms')"
    )

    def shown() -> list[float | None]:
        texts = reader.ask(
            "[...document.querySelectorAll('#table-rows tbody tr')]"
            ".map(tr => tr.cells[arguments[0]].textContent)",
            column,
        )
        return [None if text == "?" else float(text) for text in texts]

    before = shown()
    known = sorted(value for value in before if value is not None)
    unknown = [None] * (len(before) - len(known))
    assert unknown
    head = f"#table-rows th:nth-child({column + 1}) button"
    reader.click(head)
    assert shown() == known + unknown
    reader.click(head)
    assert shown() == known[::-1] + unknown
    aria = f"document.querySelector('#table-rows th:nth-child({column + 1})').ariaSort"
    assert reader.ask(aria) == "descending"


def test_words_sort_as_people_do(reader: Browser, bench: Path) -> None:
    reader.open(bench)
    reader.click("#table-roofline th:nth-child(3) button")
    layers = reader.ask(
        "[...document.querySelectorAll('#table-roofline tbody tr')]"
        ".map(tr => tr.cells[2].textContent)"
    )
    assert layers == [f"layer{index}" for index in range(12)]


def test_what_is_chosen_is_shown(reader: Browser, bench: Path) -> None:
    reader.open(bench)
    assert reader.ask("document.getElementById('choice-1-1').hidden")
    reader.click("#choice-1")
    reader.click("#choice-1 option:nth-child(2)")
    assert reader.ask("document.getElementById('choice-1-0').hidden")
    assert not reader.ask("document.getElementById('choice-1-1').hidden")
    reader.wait(lambda: reader.ask("!!document.querySelector('#choice-1-1 .plot.drawn g.slice')"))
    assert "zoo:vgg16" in reader.ask("document.querySelector('#choice-1-1').innerText")
    assert reader.complaints() == []


def test_a_field_of_the_icicle_can_be_enlarged(reader: Browser, bench: Path) -> None:
    reader.open(bench)
    reader.draw_all()
    labels = (
        "[...document.querySelectorAll('#choice-1-0 g.slice text')]"
        ".map(t => t.textContent).join(' ')"
    )
    assert "compute" in reader.ask(labels)
    place = "#choice-1-0 g.slice:nth-of-type(2)"
    level = "document.querySelector('#choice-1-0 .plot').data[0].level || ''"
    before = reader.ask(level)
    reader.click(place)
    reader.wait(lambda: reader.ask(level) != before)
    assert reader.complaints() == []


def test_an_axis_switches_to_linear_and_back(reader: Browser, bench: Path) -> None:
    reader.open(bench)
    reader.draw_all()
    kind = (
        "document.querySelector('#latency button.scale').closest('figure')"
        ".querySelector('.plot')._fullLayout.yaxis.type"
    )
    assert reader.ask(kind) == "log"
    reader.click("#latency button.scale")
    reader.wait(lambda: reader.ask(kind) == "linear")
    reader.click("#latency button.scale")
    reader.wait(lambda: reader.ask(kind) == "log")
    assert reader.complaints() == []


def test_the_page_follows_when_it_gets_dark(reader: Browser, bench: Path) -> None:
    reader.open(bench)
    reader.draw_all()
    paper = "getComputedStyle(document.body).backgroundColor"
    ink = "document.querySelector('.plot .xtick text').style.fill"
    light = reader.ask(paper), reader.ask(ink)
    reader.prefer(dark=True)
    reader.wait(lambda: reader.ask(ink) != light[1])
    assert reader.ask(paper) != light[0]


def test_findings_unfold(reader: Browser, bench: Path) -> None:
    reader.open(bench)
    inside = "document.querySelector('.findings details li').checkVisibility()"
    assert not reader.ask(inside)
    reader.click(".findings details summary")
    assert reader.ask(inside)


def test_strangers_names_stay_names(reader: Browser, folder: Path) -> None:
    write_report(hostile_result(), folder / "hostile.html")
    reader.open(folder / "hostile.html")
    reader.draw_all()
    assert reader.complaints() == []  # a script that the policy stopped would be one
    assert reader.ask("document.title") == "Networks on processors"
    assert reader.ask("document.images.length") == 0
    assert reader.ask("document.scripts.length") == 3
    # Plotly's own pictures, of colour bars, are in the page; a name's would be elsewhere.
    assert reader.ask(
        "[...document.querySelectorAll('image')].every(i => i.href.baseVal.startsWith('data:'))"
    )
    cell = reader.ask("document.querySelector('#table-rows td').textContent")
    assert cell.startswith("</script><script>document.title")
    tick = reader.ask("document.querySelector('.plot .ytick text').textContent")
    assert tick.startswith("</script>")


def test_the_policy_stops_what_got_in(reader: Browser, bench: Path, folder: Path) -> None:
    """The last line of defence, tried: a script and a picture from elsewhere, put in on purpose."""
    text = bench.read_text("utf-8")
    hostile = "<script>document.title='owned'</script><img src='https://example.invalid/x.png'>"
    (folder / "put-in.html").write_text(text.replace("<main>", f"<main>{hostile}"), "utf-8")
    reader.open(folder / "put-in.html")
    assert reader.ask("document.title") == "Networks on processors"
    said = " ".join(reader.complaints())
    assert "script" in said
    assert "img-src" in said


def test_a_thousand_layers_can_be_read(reader: Browser, folder: Path) -> None:
    """How long it takes is in ``benchmarks/report_load.py``."""
    write_report(bench_result(layers=1000), folder / "deep.html")
    reader.open(folder / "deep.html")
    reader.draw_all()
    assert reader.complaints() == []
    assert reader.ask("document.querySelectorAll('#table-roofline tbody tr').length") == 1000
