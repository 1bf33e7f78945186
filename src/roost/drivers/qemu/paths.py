"""Where the driver's files are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class QemuPaths:
    """config: definitions. status: running guests. state: the guests' own. log, cache: as named."""

    config: Path
    status: Path
    state: Path
    log: Path
    cache: Path

    @classmethod
    def under(cls, etc: Path, run: Path, lib: Path, log: Path, cache: Path) -> QemuPaths:
        """The driver's directories in the daemon's."""
        return cls(etc / "qemu", run / "qemu", lib / "qemu", log / "qemu", cache / "qemu" / "capabilities")

    def guest(self, id: int, name: str) -> Path:
        """A running guest's own directory. Short names only: a socket's path has 107 bytes."""
        return Path(f"{self.guests}{id}-{name[:20]}")

    @cached_property
    def guests(self) -> str:
        """How the paths of all guests' own directories begin."""
        return str(self.state / "domain-")

    def monitor(self, id: int, name: str) -> Path:
        return self.guest(id, name) / "monitor.sock"

    @cached_property
    def nvram(self) -> Path:
        """Variables of guests' firmware."""
        return self.state / "nvram"

    @cached_property
    def tpms(self) -> Path:
        """State of guests' software TPMs."""
        return self.state.parent / "swtpm"

    @cached_property
    def snapshots(self) -> Path:
        """What is kept of domains' snapshots, a directory for each domain."""
        return self.state / "snapshot"

    def managed_save(self, name: str) -> Path:
        """The image that the domain's next start uses."""
        return self.saves / f"{name}.save"

    @cached_property
    def saves(self) -> Path:
        """Managed save images. Only the daemon looks into it: guests get descriptors."""
        return self.state.parent / "save"

    @cached_property
    def dumps(self) -> Path:
        """Memory of guests that crashed, unless qemu.conf says otherwise."""
        return self.state.parent / "dump"

    def log_file(self, name: str) -> Path:
        return self.log / f"{name}.log"

    def pid_file(self, name: str) -> Path:
        return self.status / f"{name}.pid"
