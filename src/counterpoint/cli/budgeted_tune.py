"""The verb ``tune`` where an accuracy budget is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from counterpoint.cli.accuracy import AccuracyOptions
from counterpoint.cli.options import NetworkOptions, SharingOptions, StoreOptions
from counterpoint.cli.output import show

if TYPE_CHECKING:
    from counterpoint.api import Machine
    from counterpoint.schedule.plan import Plan


def tune_within_budget(
    *,
    network: NetworkOptions,
    machine: Machine,
    store: StoreOptions,
    accuracy: AccuracyOptions,
    throughput: bool,
    sharing: SharingOptions,
    batches: Sequence[int] | None,
    precision: str | None,
    preprocess: str | None,
    target: Path,
    json: bool,
) -> Plan:
    """Tunes, writes the plan and the drawing, and tells what was found.

    Args:
        network: What to run.
        machine: Where.
        store: Keeps what is measured.
        accuracy: What may be lost, and the images.
        throughput: Images a second are made most, instead of a frame's time least.
        sharing: For throughput.
        batches: For throughput: images in a frame to try.
        precision: What units may compute in; ``None``: anything.
        preprocess: How photographs become inputs.
        target: The plan's file.
        json: Print a document.

    Raises:
        CounterpointError: As :func:`counterpoint.api.tune`.
    """
    from counterpoint.api import TuneOptions, tune, tune_throughput
    from counterpoint.cli.progress import shown_progress
    from counterpoint.frames.files import write_whole
    from counterpoint.report.accuracy import accuracy_document, accuracy_tables
    from counterpoint.report.accuracy_plot import accuracy_svg
    from counterpoint.schedule.plan_file import save_plan

    subject = network.load()
    images = accuracy.images(subject, preprocess, network.path)
    with store.open() as opened, shown_progress() as progress:
        common: TuneOptions = {
            "precision": precision,
            "machine": machine,
            "store": opened,
            "progress": progress,
        }
        if throughput:
            found = tune_throughput(
                subject,
                batches=batches,
                method=sharing.method,
                max_latency_ns=sharing.max_latency_ns,
                calibration=images,
                **common,
                **accuracy.options(),
            )
        else:
            found = tune(subject, calibration=images, **common, **accuracy.options())
    save_plan(found.plan, target)
    if accuracy.pareto is not None:
        write_whole(accuracy.pareto, accuracy_svg(subject.name, found.found).encode())
    show(
        json,
        lambda: accuracy_document(subject, found, str(target)),
        lambda: accuracy_tables(subject, found, str(target)),
    )
    return found.plan
