"""What a measurement is of: the content of a segment, not its names or weights."""

from __future__ import annotations

import hashlib

from counterpoint.network.graph import Subnetwork


def subject_of(segment: Subnetwork) -> str:
    """Hash of the layers' signatures and of how they are wired.

    Segments of one subject do the same work, in whichever network they are: they are measured once.
    """
    digest = hashlib.blake2b(digest_size=16)
    number: dict[str, int] = {}
    for spec in segment.inputs:
        number.setdefault(spec.name, len(number))
    for layer in segment.layers:
        digest.update(layer.signature.encode())
        for name in layer.inputs:
            digest.update(f"<{number.setdefault(name, len(number))}".encode())
        for name in layer.outputs:
            digest.update(f">{number.setdefault(name, len(number))}".encode())
    for spec in segment.outputs:
        digest.update(f"={number[spec.name]}".encode())
    return digest.hexdigest()
