"""Every type of document: root element, record class, and the names by which tools and messages know it.

`roost validate`, `roost schema`, the reference pages and the tests of
completeness work through this table; a new type of document is one row.
"""

from __future__ import annotations

import difflib
from typing import Any, NamedTuple

from roost.errors import From, InvalidArg, XmlError
from roost.model.backup import Backup
from roost.model.capabilities.domain import DomainCapabilities
from roost.model.capabilities.host import HostCapabilities
from roost.model.checkpoint import Checkpoint
from roost.model.cpu.document import Processor
from roost.model.domain import Domain
from roost.model.interface import HostInterface
from roost.model.network import Network, NetworkPort
from roost.model.nodedev import NodeDevice
from roost.model.nwfilter import Filter, FilterBinding
from roost.model.secret import Secret
from roost.model.snapshot import Snapshot
from roost.model.storage import Pool, StoragePoolCapabilities, Volume
from roost.xml import (
    Problem,
    Record,
    find_problems,
    format_document,
    from_json,
    json_schema,
    parse_document,
    root_of,
    to_json,
)


class DocumentType(NamedTuple):
    """One type of document.

    schema: its name for tools, `storagepool`, as virt-xml-validate has it.
    tag: its root element, `pool`. cls: the record of the root element.
    name: what libvirt's messages call a document given as text.
    """

    schema: str
    tag: str
    cls: type[Record]
    name: str


DOCUMENTS: tuple[DocumentType, ...] = (
    DocumentType("domain", "domain", Domain, "(domain_definition)"),
    DocumentType("network", "network", Network, "(network_definition)"),
    DocumentType("networkport", "networkport", NetworkPort, "(networkport_definition)"),
    DocumentType("interface", "interface", HostInterface, "(interface_definition)"),
    DocumentType("nodedev", "device", NodeDevice, "(node_device_definition)"),
    DocumentType("nwfilter", "filter", Filter, "(nwfilter_definition)"),
    DocumentType("nwfilterbinding", "filterbinding", FilterBinding, "(nwfilterbinding_definition)"),
    DocumentType("storagepool", "pool", Pool, "(storage_pool_definition)"),
    DocumentType("storagevol", "volume", Volume, "(storage_volume_definition)"),
    DocumentType(
        "storagepoolcaps", "storagepoolCapabilities", StoragePoolCapabilities, "(storage_pool_capabilities)"
    ),
    DocumentType("secret", "secret", Secret, "(definition_of_secret)"),
    DocumentType("domainsnapshot", "domainsnapshot", Snapshot, "(domain_snapshot)"),
    DocumentType("domaincheckpoint", "domaincheckpoint", Checkpoint, "(domain_checkpoint)"),
    DocumentType("domainbackup", "domainbackup", Backup, "(domain_backup)"),
    DocumentType("capability", "capabilities", HostCapabilities, "(capabilities)"),
    DocumentType("domaincaps", "domainCapabilities", DomainCapabilities, "(domain_capabilities)"),
    DocumentType("cpu", "cpu", Processor, "(CPU_definition)"),
)  # fmt: skip


def document_type(name: str) -> DocumentType:
    """The type of that name, or with that root element. Raises InvalidArg, which offers the nearest."""
    for document in DOCUMENTS:
        if name in (document.schema, document.tag):
            return document
    names = sorted({word for document in DOCUMENTS for word in (document.schema, document.tag)})
    nearest = difflib.get_close_matches(name, names, 1, 0.6)
    raise InvalidArg(
        f"no type of document is called '{name}'",
        domain=From.NONE,
        hint=f"the nearest is '{nearest[0]}'" if nearest else "known are " + ", ".join(d.schema for d in DOCUMENTS),
    )


def check(text: str, *, name: str, document: DocumentType | None = None) -> list[Problem]:
    """All that is wrong with a document, XML or JSON, as far as its declarations tell.

    name: what messages call it. document: its type; XML shows it by its root element.
    Raises XmlDetail for text that is not XML, InvalidArg where the type is not known.
    """
    if not text.lstrip().startswith("{"):
        document = document or document_type(root_of(text, name=name))
        return find_problems(text, document.cls, document.tag, name=name)
    if document is None:
        raise InvalidArg("the type of a JSON document must be told", domain=From.NONE)
    try:
        from_json(text, document.cls)
    except XmlError as error:
        return [Problem(1, "$", error.detail, error.hint)]
    return []


def xml_of(text: str, document: DocumentType) -> str:
    """A JSON document as XML. Raises XmlError."""
    return format_document(from_json(text.encode("utf-8", "surrogateescape"), document.cls), document.tag)


def json_of(text: str, document: DocumentType) -> str:
    """An XML document as JSON, with two spaces a level. Raises as parsing does."""
    record = parse_document(text, document.cls, document.tag, name=document.name, live=True)
    return to_json(record, indent=2).decode() + "\n"


def schema_of(document: DocumentType) -> dict[str, Any]:
    """The JSON Schema of the type's documents."""
    return json_schema(document.cls)


__all__ = ["DOCUMENTS", "DocumentType", "check", "document_type", "json_of", "schema_of", "xml_of"]
