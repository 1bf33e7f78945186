"""Counters of the host's that are kept for a guest, for as long as a daemon watches it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from roost.host.api import Host


class Counting:
    """One guest's counters."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._open: dict[str, tuple[int, ...]] = {}

    def start(self, event: str, threads: Sequence[int]) -> None:
        """Count for these threads and those they make, unless it is counted. Raises what the kernel refuses."""
        if event not in self._open:
            self._open[event] = self._host.counters.open(event, threads)

    def stop(self, event: str) -> None:
        for descriptor in self._open.pop(event, ()):
            os.close(descriptor)

    @property
    def events(self) -> frozenset[str]:
        """What is counted."""
        return frozenset(self._open)

    def values(self) -> Iterator[tuple[str, int]]:
        """What was counted so far. Raises SystemCallError."""
        for event, descriptors in self._open.items():
            yield event, self._host.counters.read(event, descriptors)

    def close(self) -> None:
        """Count no more."""
        for event in tuple(self._open):
            self.stop(event)


__all__ = ["Counting"]
