"""What is known of a domain without asking its guest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from roost.constants import domain as D
from roost.contract.agent import GuestAgent
from roost.contract.domains import Inspection
from roost.rpc import access
from roost.rpc.routes import Row, Values, fields, number, one, row

if TYPE_CHECKING:
    from roost.rpc.session import Session


def _label(value: tuple[str, bool]) -> Values:
    label, enforcing = value
    return label.encode() + b"\0", int(enforcing)


def _vcpus(session: Session, values: Values) -> Any:
    domain, flags = values
    if flags & D.VCPU_GUEST:
        return session.backend.get(GuestAgent).vcpu_count(domain, flags)
    return session.backend.get(Inspection).vcpus(domain, flags)


_guest_vcpus = access.writing_when("virDomainGetVcpusFlags", 1, lambda flags: bool(flags & D.VCPU_GUEST))

ROWS = (
    row("DOMAIN_GET_INFO", Inspection, "info", fields),
    row("DOMAIN_GET_STATE", Inspection, "state", fields),
    row("DOMAIN_GET_OS_TYPE", Inspection, "os_type", one),
    row("DOMAIN_GET_MAX_MEMORY", Inspection, "max_memory", one),
    row("DOMAIN_GET_MAX_VCPUS", Inspection, "max_vcpus", one),
    Row("DOMAIN_GET_VCPUS_FLAGS", _vcpus, one, guard=_guest_vcpus),
    row("DOMAIN_GET_CONTROL_INFO", Inspection, "control_info", fields),
    row("DOMAIN_GET_SECURITY_LABEL", Inspection, "security_label", _label),
    row("DOMAIN_GET_MESSAGES", Inspection, "messages", one),
    row("DOMAIN_HAS_MANAGED_SAVE_IMAGE", Inspection, "has_managed_save", number),
)
