"""Images of running guests."""

from __future__ import annotations

from roost.contract.blocks import Blocks
from roost.errors import From, InternalError
from roost.protocol import limits
from roost.rpc.routes import Values, fields, nothing, one, row


def _found(info: tuple[int, int, int, int] | None) -> Values:
    return (0, 0, 0, 0, 0) if info is None else (1, *info)


def _peek_limit(values: Values) -> Values:
    if values[3] > limits.DOMAIN_BLOCK_PEEK_BUFFER:
        raise InternalError("size > maximum buffer size", domain=From.RPC)
    return values


def _error_limit(values: Values) -> Values:
    if values[1] > limits.DOMAIN_DISK_ERRORS:
        raise InternalError("maxerrors too large", domain=From.RPC)
    return values


def _statistics_limit(values: Values) -> Values:
    if values[2] > limits.DOMAIN_BLOCK_STATS_PARAMETERS:
        raise InternalError("nparams too large", domain=From.RPC)
    return values


ROWS = (
    row("DOMAIN_BLOCK_PULL", Blocks, "pull", nothing),
    row("DOMAIN_BLOCK_REBASE", Blocks, "rebase", nothing),
    row("DOMAIN_BLOCK_COMMIT", Blocks, "commit", nothing),
    row("DOMAIN_BLOCK_COPY", Blocks, "copy", nothing),
    row("DOMAIN_GET_BLOCK_JOB_INFO", Blocks, "job_info", _found),
    row("DOMAIN_BLOCK_JOB_SET_SPEED", Blocks, "set_job_speed", nothing),
    row("DOMAIN_BLOCK_JOB_ABORT", Blocks, "abort_job", nothing),
    row("DOMAIN_BLOCK_RESIZE", Blocks, "resize", nothing),
    row("DOMAIN_SET_BLOCK_THRESHOLD", Blocks, "set_threshold", nothing),
    row("DOMAIN_GET_BLOCK_INFO", Blocks, "info", fields),
    row("DOMAIN_BLOCK_PEEK", Blocks, "peek", one, _peek_limit),
    row("DOMAIN_GET_DISK_ERRORS", Blocks, "disk_errors", fields, _error_limit),
    row("DOMAIN_BLOCK_STATS_FLAGS", Blocks, "statistics", fields, _statistics_limit),
)
