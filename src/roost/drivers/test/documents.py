"""What documents need before test:///default keeps them."""

from __future__ import annotations

import uuid

from msgspec.structs import replace

from roost.model import domain as model
from roost.model.domain import Domain
from roost.model.domain.clock import Clock
from roost.model.domain.processors import Vcpu


def at_rest(document: Domain) -> Domain:
    """The document without what only a running domain has."""
    return model.parse(model.format(document, secure=True))


def complete(document: Domain) -> Domain:
    """Fill in identity, lifecycle and sizes; the devices stay as they were given."""
    system = replace(document.os, arch=document.os.arch or "i686", boot=document.os.boot or ("hd",))
    return replace(
        document,
        uuid=document.uuid or str(uuid.uuid4()),
        current_memory=min(document.current_memory or document.memory, document.memory),
        vcpu=replace(document.vcpu or Vcpu(count=1), placement="static"),
        os=system,
        clock=document.clock or Clock(),
        on_poweroff=document.on_poweroff or "destroy",
        on_reboot=document.on_reboot or "restart",
        on_crash=document.on_crash or "destroy",
    )
