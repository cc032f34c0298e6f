"""The measured side of a trace: spans taken down while segments run."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from counterpoint.schedule.dispatch_graph import DispatchGraph
from counterpoint.schedule.trace import Incident, Span, Trace

MAX_SPANS = 2**20
"""Of an endless stream only the last spans are kept: about 200 MiB."""


class Recorder:
    """Takes down what ran when. :meth:`add` may be called from any thread."""

    def __init__(self, graph: DispatchGraph) -> None:
        self._graph = graph
        self._first_frame = 0
        self._entries: deque[tuple[int, int, int, int, int, DispatchGraph]] = deque(
            maxlen=MAX_SPANS
        )
        self._incidents: list[Incident] = []

    def restart(self, first_frame: int) -> None:
        """Forgets what was recorded; that frame will be number 0."""
        self._entries.clear()
        self._first_frame = first_frame

    def go_by(self, graph: DispatchGraph) -> None:
        """What is taken down from now on is of another graph."""
        self._graph = graph

    def add(self, start_ns: int, end_ns: int, frame: int, lane: int, segment: int) -> None:
        """Takes down one run of one segment."""
        self._entries.append((start_ns, end_ns, frame, lane, segment, self._graph))

    def tell(self, incident: Incident) -> None:
        """Takes down what happened; its time and frame are as for :meth:`add`.

        It stays, whatever is forgotten later.
        """
        self._incidents.append(incident)

    def trace(self) -> Trace:
        """What was recorded since the last restart; its first span starts at 0."""
        # Frames of before the restart may have been under way.
        entries = sorted(
            (entry for entry in self._entries if entry[2] >= self._first_frame),
            key=lambda entry: entry[:5],
        )
        origin_ns = entries[0][0] if entries else 0
        spans = []
        for start_ns, end_ns, frame, lane, segment, graph in entries:
            node = graph.lanes[lane][segment]
            spans.append(
                Span(
                    name=node.name,
                    unit=node.unit,
                    devices=node.devices,
                    frame=frame - self._first_frame,
                    lane=lane,
                    segment=segment,
                    start_ns=start_ns - origin_ns,
                    end_ns=end_ns - origin_ns,
                )
            )
        incidents = [
            replace(
                incident,
                time_ns=incident.time_ns - origin_ns,
                frame=self._number(incident.frame),
            )
            for incident in self._incidents
        ]
        return Trace("measured", tuple(spans), tuple(incidents))

    def _number(self, frame: int | None) -> int | None:
        if frame is None or frame < self._first_frame:
            return None
        return frame - self._first_frame
