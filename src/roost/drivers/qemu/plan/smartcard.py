"""Smart card readers."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.chardevs import backend, chardev_id, source_needs
from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, Props, device
from roost.drivers.qemu.plan.resources import File, Listener, Log
from roost.model.domain.device import CcidAddress
from roost.model.domain.devices.smartcard import CertificatesCard, PassthroughCard, Smartcard

#: Where the host keeps certificates when the document does not say.
DATABASE = "/etc/pki/nssdb"


def pieces(smartcard: Smartcard, ctx: Context) -> Iterator[Piece]:
    alias, card = alias_of(smartcard), smartcard.card
    props: Props
    if isinstance(card, PassthroughCard):
        yield from backend(card.source, chardev_id(alias), ctx, "smartcard")
        driver = ctx.driver("ccid-card-passthru", "smartcard passthrough mode")
        props = {"driver": driver, "chardev": chardev_id(alias)}
    elif isinstance(card, CertificatesCard):
        props = {"driver": ctx.driver("ccid-card-emulated", "smartcard host mode"), "backend": "certificates"}
        props |= {f"cert{number}": name for number, name in enumerate(card.certificates, 1)}
        props["db"] = card.database or DATABASE
    else:
        props = {"driver": ctx.driver("ccid-card-emulated", "smartcard host mode"), "backend": "nss-emulated"}
    address = smartcard.address
    reader = ctx.controller("ccid", address.controller if isinstance(address, CcidAddress) else 0)
    yield device(props | {"id": alias, "bus": f"{alias_of(reader)}.0"})


def section(ctx: Context) -> Iterator[Piece]:
    for smartcard in ctx.domain.devices.smartcards:
        yield from pieces(smartcard, ctx)


def needs(ctx: Context) -> Iterator[File | Listener | Log]:
    for smartcard in ctx.domain.devices.smartcards:
        alias, card = alias_of(smartcard), smartcard.card
        if isinstance(card, PassthroughCard):
            yield from source_needs(card.source, chardev_id(alias), alias)
        elif isinstance(card, CertificatesCard):
            yield File(card.database or DATABASE, write=False, user=alias, kind="directory")
