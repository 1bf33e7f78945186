"""Title, description and the application's own elements of a domain, read and set one at a time."""

from __future__ import annotations

from msgspec.structs import replace

from roost.constants import domain as D
from roost.errors import From, InvalidArg, NoDomainMetadata
from roost.model.domain.domain import Domain
from roost.xml import fragments

#: The fields of the kinds that are plain text.
_TEXTS = {D.METADATA_DESCRIPTION: "description", D.METADATA_TITLE: "title"}


def get_metadata(domain: Domain, kind: int, uri: str | None) -> str:
    """kind: constants.domain.METADATA_*. uri: the namespace of the element. Raises NoDomainMetadata."""
    found: str | None
    if kind == D.METADATA_ELEMENT:
        if uri is None:
            raise InvalidArg("uri in virDomainGetMetadata must not be NULL", domain=From.DOM, verbatim=True)
        found = fragments.find(domain.metadata, uri)
    else:
        found = getattr(domain, _field(kind))
    if found is None:
        raise NoDomainMetadata("Requested metadata element is not present", domain=From.DOMAIN)
    return found


def set_metadata(domain: Domain, kind: int, metadata: str | None, key: str | None, uri: str | None) -> Domain:
    """The document with one piece set, or removed when `metadata` is None.

    key: the prefix for the element. Raises InvalidArg, XmlDetail for an element
    that is not XML, InternalError for a prefix that is no name.
    """
    if kind != D.METADATA_ELEMENT:
        field = _field(kind)
        if kind == D.METADATA_TITLE and metadata and "\n" in metadata:
            raise InvalidArg("metadata title can't contain newlines", domain=From.DOM, verbatim=True)
        return replace(domain, **{field: metadata or None})
    if uri is None:
        raise InvalidArg("uri in virDomainSetMetadata must not be NULL", domain=From.DOM, verbatim=True)
    if metadata is not None and key is None:
        raise InvalidArg("key in virDomainSetMetadata must not be NULL", domain=From.DOM, verbatim=True)
    if metadata is None and domain.metadata is None:
        return domain
    changed = fragments.put(domain.metadata, uri, key, metadata, tag="metadata", name="(metadata_xml)")
    return replace(domain, metadata=changed)


def _field(kind: int) -> str:
    try:
        return _TEXTS[kind]
    except KeyError:
        raise InvalidArg(f"unknown metadata type '{kind}'", domain=From.DOMAIN) from None
