"""Which of a domain's two documents a call is about: AFFECT_LIVE, AFFECT_CONFIG, or the current one."""

from __future__ import annotations

from typing import Any

from roost.constants import domain as D
from roost.engine.record import Record
from roost.errors import From, InvalidArg, OperationInvalid
from roost.model.domain import Domain


def affected(record: Record[Any], flags: int) -> tuple[bool, bool]:
    """(live, config) for a call that changes: neither flag means what the domain is now.

    Raises OperationInvalid for LIVE of a stopped domain and CONFIG of a transient one.
    """
    live, config = bool(flags & D.AFFECT_LIVE), bool(flags & D.AFFECT_CONFIG)
    if not live and not config:
        live, config = record.is_active, not record.is_active
    if live and not record.is_active:
        raise OperationInvalid("domain is not running", domain=From.DOMAIN)
    if config and not record.is_persistent:
        raise OperationInvalid("transient domains do not have any persistent config", domain=From.DOMAIN)
    return live, config


def choose(record: Record[Any], flags: int) -> Domain:
    """The one document for a call that looks. Raises as `affected`, and InvalidArg for both flags."""
    if flags & D.AFFECT_LIVE and flags & D.AFFECT_CONFIG:
        text = "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive"
        raise InvalidArg(text, domain=From.DOMAIN, verbatim=True)
    _, config = affected(record, flags)
    return record.config if config else record.document
