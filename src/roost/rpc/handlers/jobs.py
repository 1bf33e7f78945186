"""Long changes of a domain: how far they have come, and ending them."""

from __future__ import annotations

from roost.contract.jobs import Jobs
from roost.rpc.routes import fields, no_flags, nothing, row

ROWS = (
    row("DOMAIN_GET_JOB_INFO", Jobs, "info", fields),
    row("DOMAIN_GET_JOB_STATS", Jobs, "statistics", fields),
    row("DOMAIN_ABORT_JOB", Jobs, "abort", nothing, no_flags),
    row("DOMAIN_ABORT_JOB_FLAGS", Jobs, "abort", nothing),
)
