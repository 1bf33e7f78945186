"""What bounds the way of a domain to another host."""

from __future__ import annotations

from roost.contract.migration import Migration
from roost.rpc.routes import nothing, one, row

ROWS = (
    row("DOMAIN_MIGRATE_SET_MAX_DOWNTIME", Migration, "set_max_downtime", nothing),
    row("DOMAIN_MIGRATE_GET_MAX_DOWNTIME", Migration, "max_downtime", one),
    row("DOMAIN_MIGRATE_SET_MAX_SPEED", Migration, "set_max_speed", nothing),
    row("DOMAIN_MIGRATE_GET_MAX_SPEED", Migration, "max_speed", one),
    row("DOMAIN_MIGRATE_SET_COMPRESSION_CACHE", Migration, "set_compression_cache", nothing),
    row("DOMAIN_MIGRATE_GET_COMPRESSION_CACHE", Migration, "compression_cache", one),
    row("DOMAIN_MIGRATE_START_POST_COPY", Migration, "start_post_copy", nothing),
)
