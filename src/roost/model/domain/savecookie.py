"""<cookie>: what a save image tells of a guest beside its document."""

from __future__ import annotations

from roost.model.domain.cpu import Cpu
from roost.xml import Child, Flag, Record, format_document, parse_document


class SaveCookie(Record):
    """cpu: the processor as the guest really had it. slirp_helper: its user network was a program beside QEMU."""

    cpu: Cpu | None = None
    slirp_helper: Child[Flag] = False


def parse_cookie(xml: str) -> SaveCookie:
    """Raises RoostError with libvirt's code."""
    return parse_document(xml, SaveCookie, "cookie", name="(save_cookie)")


def format_cookie(cookie: SaveCookie) -> str:
    """As libvirt lays it out."""
    return format_document(cookie, "cookie")
