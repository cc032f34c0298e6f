"""What a terminal of any width would show, without colours."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, RenderableType


def rendered(parts: Iterable[RenderableType]) -> str:
    console = Console(file=io.StringIO(), width=1000, markup=False, emoji=False, highlight=False)
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return captured.get()
