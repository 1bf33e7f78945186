"""A domain's memory: on disk and back, and what can be seen of it."""

from __future__ import annotations

from roost.constants import domain as D
from roost.contract.state import Memory, Picture, SavedState
from roost.errors import From, InternalError
from roost.protocol import limits
from roost.rpc import access
from roost.rpc.routes import Values, nothing, one, row


def _plain(values: Values) -> Values:
    """Of a call that has neither a document nor flags."""
    return (*values, None, 0)


def _raw(values: Values) -> Values:
    """Of a dump without a format."""
    domain, path, flags = values
    return domain, path, D.CORE_DUMP_FORMAT_RAW, flags


def _peek(values: Values) -> Values:
    if values[2] > limits.DOMAIN_MEMORY_PEEK_BUFFER:
        raise InternalError("size > maximum buffer size", domain=From.RPC)
    return values


def _mime(picture: Picture) -> Values:
    return (picture.mime,)


ROWS = (
    row("DOMAIN_SAVE", SavedState, "save", nothing, _plain),
    row("DOMAIN_SAVE_FLAGS", SavedState, "save", nothing),
    row("DOMAIN_SAVE_PARAMS", SavedState, "save_with", nothing),
    row("DOMAIN_RESTORE", SavedState, "restore", nothing, _plain),
    row("DOMAIN_RESTORE_FLAGS", SavedState, "restore", nothing),
    row("DOMAIN_RESTORE_PARAMS", SavedState, "restore_with", nothing),
    row(
        "DOMAIN_SAVE_IMAGE_GET_XML_DESC",
        SavedState,
        "describe_image",
        one,
        guard=access.secure_flag("virDomainSaveImageGetXMLDesc", D.SAVE_IMAGE_XML_SECURE, 1),
    ),
    row("DOMAIN_SAVE_IMAGE_DEFINE_XML", SavedState, "define_image", nothing),
    row("DOMAIN_MANAGED_SAVE", SavedState, "managed_save", nothing),
    row("DOMAIN_MANAGED_SAVE_REMOVE", SavedState, "remove_managed_save", nothing),
    row(
        "DOMAIN_MANAGED_SAVE_GET_XML_DESC",
        SavedState,
        "describe_managed_save",
        one,
        guard=access.secure_flag("virDomainManagedSaveGetXMLDesc", D.SAVE_IMAGE_XML_SECURE, 1),
    ),
    row("DOMAIN_MANAGED_SAVE_DEFINE_XML", SavedState, "define_managed_save", nothing),
    row("DOMAIN_CORE_DUMP", Memory, "dump", nothing, _raw),
    row("DOMAIN_CORE_DUMP_WITH_FORMAT", Memory, "dump", nothing),
    row("DOMAIN_SCREENSHOT", Memory, "screenshot", _mime, opens_stream=True),
    row("DOMAIN_MEMORY_PEEK", Memory, "peek", one, _peek),
    row("DOMAIN_START_DIRTY_RATE_CALC", Memory, "start_dirty_rate", nothing),
)
