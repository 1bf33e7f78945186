"""Titles and descriptions, from daemons that have a call for them and from those that have only the document."""

from __future__ import annotations

from roost.constants import domain as constants
from roost.errors import NoDomainMetadata, NoSupport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.shell import Shell
    from roost.client.records import Domain


def describe(shell: Shell, domain: Domain, *, title: bool, flags: int = 0) -> str:
    """The domain's title or description, "" when it has none.

    flags: constants.domain.AFFECT_CONFIG for the configuration used at the next start.
    """
    kind = constants.METADATA_TITLE if title else constants.METADATA_DESCRIPTION
    try:
        text: str = shell.client.call("DOMAIN_GET_METADATA", domain, kind, None, flags)[0]
    except NoDomainMetadata:
        return ""
    except NoSupport:
        from roost.cli.xmltree import parse

        document = parse(shell.xml(domain, constants.XML_INACTIVE if flags & constants.AFFECT_CONFIG else 0))
        return next((element.text for element in document.all("title" if title else "description")), "")
    return text
