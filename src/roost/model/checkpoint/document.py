"""Checkpoint documents in and out."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import From
from roost.model.checkpoint.checkpoint import Checkpoint
from roost.xml import format_document, parse_document


def parse(xml: str | bytes, *, validate: bool = True) -> Checkpoint:
    """The checkpoint an XML document describes; libvirt holds these to their schema always.

    Raises RoostError with libvirt's code; nothing else, whatever the bytes.
    """
    name = "(domain_checkpoint)"
    return parse_document(
        xml, Checkpoint, "domaincheckpoint", name=name, origin=From.DOMAIN_CHECKPOINT, validate=validate
    )


def format(checkpoint: Checkpoint, *, secure: bool = True, with_domain: bool = True, with_sizes: bool = False) -> str:
    """The document, laid out as libvirt does. secure: with passwords. with_sizes: of what changed, where known."""
    disks = checkpoint.disks if with_sizes else tuple(replace(disk, size=None) for disk in checkpoint.disks)
    checkpoint = replace(checkpoint, disks=disks, domain=checkpoint.domain if with_domain else None)
    return format_document(checkpoint, "domaincheckpoint", secure=secure)


__all__ = ["format", "parse"]
