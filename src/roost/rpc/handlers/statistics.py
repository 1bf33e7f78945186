"""Numbers of running domains."""

from __future__ import annotations

from roost.contract.statistics import Statistics
from roost.errors import From, InternalError
from roost.rpc.routes import Values, fields, one, row

#: Memory statistics that one reply may hold.
MAX_MEMORY_STATS = 1024


def _memory_limit(values: Values) -> Values:
    if values[1] > MAX_MEMORY_STATS:
        raise InternalError("maxStats > REMOTE_DOMAIN_MEMORY_STATS_MAX", domain=From.RPC)
    return values


ROWS = (
    row("DOMAIN_MEMORY_STATS", Statistics, "memory_stats", one, _memory_limit),
    row("CONNECT_GET_ALL_DOMAIN_STATS", Statistics, "all_stats", one),
    row("DOMAIN_BLOCK_STATS", Statistics, "block_stats", fields),
    row("DOMAIN_INTERFACE_STATS", Statistics, "interface_stats", fields),
)
