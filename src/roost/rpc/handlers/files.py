"""Descriptors that stay with a domain as long as the client that brought them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.contract.files import Files
from roost.rpc.routes import Row, Values, nothing

if TYPE_CHECKING:
    from roost.rpc.session import Session


def _associate(session: Session, values: Values) -> None:
    session.at_end(session.backend.get(Files).associate(*values))


ROWS = (Row("DOMAIN_FD_ASSOCIATE", _associate, nothing, takes_files=True),)
