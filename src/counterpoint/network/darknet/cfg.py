"""Darknet's cfg: sections of ``key=value`` lines, one section a layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from counterpoint.errors import ModelFileError

LARGEST_TEXT_BYTES = 1 << 20
MOST_SECTIONS = 5000
LONGEST_LINE = 1000

_LARGEST_NUMBER = 1 << 31


@dataclass(frozen=True, slots=True)
class Section:
    """One section.

    Attributes:
        kind: The word in brackets.
        line: Where it starts.
        values: By key; of keys that stand twice the last, as in Darknet.
    """

    kind: str
    line: int
    values: dict[str, str]

    def fail(self, reason: str) -> ModelFileError:
        """The error that names this section."""
        return ModelFileError(f"line {self.line}, [{self.kind}]: {reason}")

    def integer(self, key: str, default: int, *, least: int = 0) -> int:
        """A whole number of at least ``least``.

        Raises:
            ModelFileError: It is none.
        """
        text = self.values.get(key)
        if text is None:
            return default
        try:
            number = int(text)
        except ValueError:
            raise self.fail(f"{key}={text[:40]} is no whole number") from None
        if not least <= number < _LARGEST_NUMBER:
            raise self.fail(f"{key}={number} is out of range")
        return number

    def integers(self, key: str) -> list[int]:
        """Whole numbers between commas, perhaps negative.

        Raises:
            ModelFileError: One is none.
        """
        parts = [part for part in self.values.get(key, "").split(",") if part.strip()]
        try:
            return [int(part) for part in parts]
        except ValueError:
            raise self.fail(f"{key}={self.values[key][:40]} are no whole numbers") from None


def read_cfg(path: Path) -> list[Section]:
    """The sections of a file; the first is ``[net]``.

    Raises:
        ModelFileError: It cannot be read, or is no cfg.
    """
    if not path.is_file():
        raise ModelFileError("no such file")
    try:
        if path.stat().st_size > LARGEST_TEXT_BYTES:
            raise ModelFileError("larger than 1 MB; a cfg holds no weights")
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise ModelFileError(f"cannot be read: {error.strerror}") from error
    return parse_cfg(text)


def parse_cfg(text: str) -> list[Section]:
    """The sections of a text; see :func:`read_cfg`."""
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#", 1)[0].split(";", 1)[0].strip().replace("\t", " ")
        if not line:
            continue
        if not line.isprintable() or len(line) > LONGEST_LINE:
            raise ModelFileError(f"line {number} is no text: {line[:40]!r}")
        if line.startswith("["):
            kind = line.removeprefix("[").partition("]")[0].strip()
            sections.append(Section(kind, number, {}))
            if len(sections) > MOST_SECTIONS:
                raise ModelFileError(f"more than {MOST_SECTIONS} sections")
            continue
        key, separator, value = line.partition("=")
        if not sections or not separator:
            raise ModelFileError(f"line {number}: neither a [section] nor key=value")
        sections[-1].values[key.strip()] = value.strip()
    if len(sections) < 2 or sections[0].kind not in ("net", "network"):
        raise ModelFileError("this is no Darknet cfg: it does not start with [net] and a layer")
    return sections
