"""Who is asking."""

from __future__ import annotations

from typing import NamedTuple


class Identity(NamedTuple):
    """The peer of a session, from the kernel or from authentication.

    readonly: True on the read-only socket or when opened so.
    """

    uid: int
    gid: int
    pid: int
    readonly: bool
