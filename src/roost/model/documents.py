"""Every type of document: root element, record class, and the names by which tools and messages know it.

`roost validate`, `roost schema`, the reference pages and the tests of
completeness work through this table; a new type of document is one row.
"""

from __future__ import annotations

from typing import NamedTuple

from roost.model.domain import Domain
from roost.model.interface import HostInterface
from roost.model.network import Network, NetworkPort
from roost.model.nodedev import NodeDevice
from roost.model.secret import Secret
from roost.model.storage import Pool, StoragePoolCapabilities, Volume
from roost.xml import Record


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
    DocumentType("storagepool", "pool", Pool, "(storage_pool_definition)"),
    DocumentType("storagevol", "volume", Volume, "(storage_volume_definition)"),
    DocumentType(
        "storagepoolcaps", "storagepoolCapabilities", StoragePoolCapabilities, "(storage_pool_capabilities)"
    ),
    DocumentType("secret", "secret", Secret, "(definition_of_secret)"),
)  # fmt: skip

__all__ = ["DOCUMENTS", "DocumentType"]
