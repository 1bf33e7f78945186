"""What is known of a domain without asking its guest."""

from __future__ import annotations

from roost.constants import domain as D
from roost.contract.domains import Inspection
from roost.rpc import access
from roost.rpc.routes import Values, fields, number, one, row


def _label(value: tuple[str, bool]) -> Values:
    label, enforcing = value
    return label.encode() + b"\0", int(enforcing)


_guest_vcpus = access.writing_when("virDomainGetVcpusFlags", 1, lambda flags: bool(flags & D.VCPU_GUEST))

ROWS = (
    row("DOMAIN_GET_INFO", Inspection, "info", fields),
    row("DOMAIN_GET_STATE", Inspection, "state", fields),
    row("DOMAIN_GET_OS_TYPE", Inspection, "os_type", one),
    row("DOMAIN_GET_MAX_MEMORY", Inspection, "max_memory", one),
    row("DOMAIN_GET_MAX_VCPUS", Inspection, "max_vcpus", one),
    row("DOMAIN_GET_VCPUS_FLAGS", Inspection, "vcpus", one, guard=_guest_vcpus),
    row("DOMAIN_GET_CONTROL_INFO", Inspection, "control_info", fields),
    row("DOMAIN_GET_JOB_INFO", Inspection, "job_info", fields),
    row("DOMAIN_GET_SECURITY_LABEL", Inspection, "security_label", _label),
    row("DOMAIN_GET_MESSAGES", Inspection, "messages", one),
    row("DOMAIN_HAS_MANAGED_SAVE_IMAGE", Inspection, "has_managed_save", number),
)
