"""Domain documents in and out: XML as libvirt writes it."""

from __future__ import annotations

from roost.model.domain.devices import Devices
from roost.model.domain.devices.disk import DiskDestination
from roost.model.domain.domain import Domain
from roost.xml import Record, format_document, parse_document, parse_member


def parse(xml: str | bytes, *, validate: bool = False, live: bool = False) -> Domain:
    """The domain an XML document describes.

    live: keep what only a running guest has (id, generated aliases, pty
    paths), as when a saved status is read back; a definition loses it.
    Raises RoostError with libvirt's code; nothing else, whatever the bytes.
    """
    return parse_document(xml, Domain, "domain", name="(domain_definition)", live=live, validate=validate)


def format(domain: Domain, *, secure: bool = True) -> str:
    """The document, laid out as libvirt does. secure: with passwords."""
    return format_document(domain, "domain", secure=secure)


def parse_device(xml: str | bytes, *, validate: bool = False, live: bool = False) -> Record:
    """One device, as attach, detach and update take it: the record of its class. Raises as `parse` does."""
    return parse_member(xml, Devices, name="(device_definition)", live=live, validate=validate)


def format_device(device: Record, tag: str, *, secure: bool = True, indent: int = 0) -> str:
    """One device's document. tag: the element's name, `disk`."""
    return format_document(device, tag, secure=secure, indent=indent)


def parse_destination(xml: str | bytes) -> DiskDestination:
    """Where a disk is to be copied: what a <disk> document says of its image. Raises as `parse` does."""
    return parse_document(xml, DiskDestination, "disk", name="(disk_definition)")
