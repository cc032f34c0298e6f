"""How soon a report of a large network is on the screen, in Debian's chromium without a window.

    python benchmarks/report_load.py [--layers 1000] [--runs 7]

Makes the page of a bench (a breakdown of every layer on two networks, a roofline of as many marks)
and that of a trace with a segment for each layer, opens each anew so often, and prints the medians
and the spread of: the page loaded (all of it there, scripts run, the figures in the window under
way), and all figures drawn that are not behind a choice, those far below the window as well. Times
are the browser's own, from the start of the navigation.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from tests.report.browser import Browser, browser
from tests.report.html_results import bench_result, traces

from counterpoint.report.html import write_report
from counterpoint.report.html.inputs.reading import Result

_LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"


def opened(reader: Browser, path: Path) -> tuple[float, float]:
    """Milliseconds until loaded, and until all figures are drawn."""
    reader.open(path)
    reader.wait(lambda: reader.ask(f"{_LOADED} > 0"))
    loaded = float(reader.ask(_LOADED))
    asked = float(reader.ask("performance.now()"))
    reader.draw_all()
    drawing = float(reader.ask("performance.now()")) - asked
    complaints = reader.complaints()
    if complaints:
        raise SystemExit(f"the console says: {complaints}")
    return loaded, loaded + drawing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    results: dict[str, Result] = {
        "bench": bench_result(layers=options.layers),
        "trace": traces(frames=1, stages=options.layers),
    }
    print(f"{options.layers} layers, {options.runs} runs: median (lowest to highest) in ms")
    with tempfile.TemporaryDirectory() as folder, browser() as reader:
        for name, result in results.items():
            path = Path(folder) / f"{name}.html"
            begin = time.perf_counter()
            write_report(result, path)
            written = time.perf_counter() - begin
            size = path.stat().st_size / 1e6
            print(f"{name}: written in {1000 * written:.0f} ms, {size:.1f} MB")
            runs = [opened(reader, path) for _ in range(options.runs)]
            for what, times in zip(("loaded", "all drawn"), zip(*runs, strict=True), strict=True):
                middle = statistics.median(times)
                print(f"  {what:12} {middle:6.0f}  ({min(times):.0f} to {max(times):.0f})")


if __name__ == "__main__":
    main()
