"""Groups of resctrl that exist only in memory."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from roost.errors import SystemCallError


class FakeResourceControl:
    """See host.api.ResourceControl.

    groups: the schemata of each, by path. members: of each, in order. readings: of each, by number of the cache.
    removed: in order. in_use: while it is locked.
    """

    def __init__(self) -> None:
        self.groups: dict[str, str] = {}
        self.members: dict[str, list[int]] = {}
        self.readings: dict[str, dict[int, dict[str, int]]] = {}
        self.removed: list[str] = []
        self.in_use = False

    @contextmanager
    def locked(self) -> Iterator[None]:
        self.in_use = True
        try:
            yield
        finally:
            self.in_use = False

    def exists(self, path: str) -> bool:
        return path in self.groups

    def schemata(self) -> Mapping[str, str]:
        return {path: text for path, text in self.groups.items() if "mon_groups/" not in path}

    def make(self, path: str, schemata: str = "") -> None:
        if not self.in_use or path in self.groups:
            raise SystemCallError(f"Cannot create resctrl directory '{path}'", int1=errno.EEXIST)
        self.groups[path] = schemata

    def add_thread(self, path: str, thread: int) -> None:
        self.members.setdefault(path, []).append(thread)

    def measured(self, path: str, features: Sequence[str]) -> Sequence[tuple[int, Mapping[str, int]]]:
        found = sorted(self.readings[path].items())
        return [(id, {name: numbers[name] for name in features}) for id, numbers in found]

    def remove(self, path: str) -> None:
        self.removed.append(path)
        self.groups.pop(path, None)


__all__ = ["FakeResourceControl"]
