"""Checkpoints on disk: STATE/checkpoint/DOMAIN/NAME.xml, synced before anybody hears that there is one."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from roost.engine.files import failed, remove_leftovers, sync_directory, write_atomically
from roost.errors import From, NoDomainCheckpoint, RoostError
from roost.model import checkpoint as model
from roost.model.checkpoint import Checkpoint

log = logging.getLogger(__name__)


class CheckpointStore:
    """Those of all domains, read when a domain's are first asked for. They follow the domain's name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, dict[str, Checkpoint]] = {}

    def of(self, domain: str) -> dict[str, Checkpoint]:
        """A domain's checkpoints by name, older ones first."""
        known = self._known.get(domain)
        if known is None:
            known = self._known[domain] = self._load(domain)
        return known

    def get(self, domain: str, name: str) -> Checkpoint:
        """Raises NoDomainCheckpoint naming those there are."""
        found = self.of(domain).get(name)
        if found is None:
            known = ", ".join(self.of(domain)) or "none"
            raise NoDomainCheckpoint(
                f"no domain checkpoint with matching name '{name}'", domain=From.QEMU, hint=f"there are {known}"
            )
        return found

    def current(self, domain: str) -> str | None:
        """The one that the next is counted from: of those nothing was counted from yet, the youngest."""
        known = self.of(domain)
        parents = {each.parent for each in known.values()}
        return next((name for name in reversed(known) if name not in parents), None)

    def put(self, domain: str, checkpoint: Checkpoint) -> None:
        """Write one, new or changed. Raises SystemCallError; then it is as before."""
        directory = self._directory / domain
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = model.format(checkpoint, secure=True).encode("utf-8", "surrogateescape")
        known = self.of(domain)
        write_atomically(self._path(domain, checkpoint.name or ""), text, sync=True)
        sync_directory(self._directory)
        known[checkpoint.name or ""] = checkpoint

    def remove(self, domain: str, name: str) -> None:
        """Forget one; its children hang on its parent from then on. Raises SystemCallError."""
        gone = self.get(domain, name)
        for child in [each for each in self.of(domain).values() if each.parent == name]:
            self.put(domain, replace(child, parent=gone.parent))
        path = self._path(domain, name)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            sync_directory(path.parent)
        except OSError as error:
            raise failed("cannot remove checkpoint", path, error) from error
        del self.of(domain)[name]

    def remove_all(self, domain: str) -> None:
        """The domain is gone."""
        shutil.rmtree(self._directory / domain, ignore_errors=True)
        self._known.pop(domain, None)

    def rename(self, old: str, new: str) -> None:
        """The domain has another name."""
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._directory / old, self._directory / new)
            sync_directory(self._directory)
        self._known.pop(old, None)
        self._known.pop(new, None)

    def descendants(self, domain: str, name: str) -> Iterator[Checkpoint]:
        """Those below one, nearer ones first."""
        for child in [each for each in self.of(domain).values() if each.parent == name]:
            yield child
            yield from self.descendants(domain, child.name or "")

    def _path(self, domain: str, name: str) -> Path:
        return self._directory / domain / f"{name}.xml"

    def _load(self, domain: str) -> dict[str, Checkpoint]:
        directory = self._directory / domain
        if not directory.is_dir():
            return {}
        remove_leftovers(directory)
        found = []
        for path in sorted(directory.glob("*.xml")):
            try:
                checkpoint = model.parse(path.read_bytes(), validate=False)
                if checkpoint.name != path.stem:
                    raise ValueError(f"it describes '{checkpoint.name}'")
            except (OSError, RoostError, ValueError) as error:
                log.error("ignoring the checkpoint %s: %s", path, error)  # noqa: TRY400 - no bug of ours
                continue
            found.append(checkpoint)
        return {each.name or "": each for each in _oldest_first(found)}


def _oldest_first(found: list[Checkpoint]) -> Iterator[Checkpoint]:
    """By time; of the same second, parents before children."""
    names = {each.name for each in found}
    done: set[str | None] = set()
    waiting = sorted(found, key=lambda each: each.creation_time or 0)
    while waiting:
        ready = next(
            (each for each in waiting if each.parent is None or each.parent in done or each.parent not in names),
            waiting[0],
        )
        waiting.remove(ready)
        done.add(ready.name)
        yield ready


__all__ = ["CheckpointStore"]
