"""Descriptors that clients bring for domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.contract.files import Files
from roost.rpc.routes import Row, Values, nothing, one, row

if TYPE_CHECKING:
    from roost.rpc.session import Session


def _associate(session: Session, values: Values) -> None:
    session.at_end(session.backend.get(Files).associate(*values))


ROWS = (
    Row("DOMAIN_FD_ASSOCIATE", _associate, nothing, takes_files=True),
    row("DOMAIN_CREATE_WITH_FILES", Files, "create", one, takes_files=True),
    row("DOMAIN_CREATE_XML_WITH_FILES", Files, "create_xml", one, takes_files=True),
)
