"""The snapshot document of a domain: what its disks and memory were at one time.

`parse` makes a Snapshot of XML, `complete` and `complete_redefined` fill in
what the domain implies, `rules` says what is refused, `format` writes it.
May enter: records and dry rules of snapshots.
"""

from roost.model.snapshot.complete import complete, complete_redefined
from roost.model.snapshot.document import format, format_kept, kept, parse, parse_kept
from roost.model.snapshot.rules import is_external
from roost.model.snapshot.snapshot import (
    Cookie,
    KeptSnapshot,
    Snapshot,
    SnapshotDisk,
    SnapshotMemory,
    SnapshotMode,
    SnapshotState,
)

__all__ = [
    "Cookie", "KeptSnapshot", "Snapshot", "SnapshotDisk", "SnapshotMemory", "SnapshotMode", "SnapshotState", "complete",
    "complete_redefined", "format", "format_kept", "is_external", "kept", "parse", "parse_kept",
]  # fmt: skip
