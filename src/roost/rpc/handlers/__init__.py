"""The handler tables, one module an object family, gathered by program.

A row is all that a pass-through procedure needs; a function stands here only
where the protocol and the contract differ in more than the order of values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from roost.protocol import ADMIN, LXC, QEMU, REMOTE, Program
from roost.rpc.handlers import (
    admin,
    agent,
    auth,
    blocks,
    checkpoints,
    connect,
    consoles,
    devices,
    displays,
    domains,
    events,
    files,
    input,
    inspection,
    jobs,
    lifecycle,
    migration,
    monitor,
    node,
    security,
    snapshots,
    state,
    statistics,
    translation,
    tuning,
    vcpus,
)
from roost.rpc.routes import Row

#: What the read-write and read-only sockets serve.
MAIN: Mapping[Program, Iterable[Row]] = {
    REMOTE: (
        *auth.ROWS,
        *connect.ROWS,
        *node.ROWS,
        *domains.ROWS,
        *lifecycle.ROWS,
        *inspection.ROWS,
        *statistics.ROWS,
        *jobs.ROWS,
        *migration.ROWS,
        *state.ROWS,
        *consoles.ROWS,
        *displays.ROWS,
        *files.ROWS,
        *input.ROWS,
        *security.ROWS,
        *devices.ROWS,
        *vcpus.ROWS,
        *events.ROWS,
        *translation.ROWS,
        *tuning.ROWS,
        *agent.ROWS,
        *blocks.ROWS,
        *checkpoints.ROWS,
        *snapshots.ROWS,
    ),
    QEMU: (*monitor.ROWS, *agent.QEMU_ROWS),
    LXC: (),
}

#: What the admin socket serves.
ADMINISTRATION: Mapping[Program, Iterable[Row]] = {ADMIN: admin.ROWS}
