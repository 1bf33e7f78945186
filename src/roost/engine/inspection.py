"""contract.Inspection from records: what needs neither the guest nor its hypervisor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

from roost.constants import domain as D
from roost.contract import flags as F
from roost.contract.domains import DomainInfo, Inspection
from roost.contract.references import DomainIdentity
from roost.engine.affect import choose
from roost.engine.record import Record, RuntimeT
from roost.engine.table import DomainTable
from roost.model.domain import Domain


def current_vcpus(document: Domain) -> int:
    """Processors plugged in at start."""
    vcpu = document.vcpu
    if vcpu is None:
        return 1
    return vcpu.count if vcpu.current is None else vcpu.current


class RecordInspection(Inspection, Generic[RuntimeT]):
    """Answers from the live document while the domain runs, from the definition otherwise.

    prefix: as in RegistryDomains.
    """

    prefix = ""

    def __init__(self, table: DomainTable[RuntimeT]) -> None:
        self.table: DomainTable[RuntimeT] = table

    # -- what a driver may know better -----------------------------------------------------

    def cpu_time(self, record: Record[RuntimeT]) -> int:
        """Nanoseconds of processor time a domain has used."""
        return 0

    def memory(self, record: Record[RuntimeT]) -> int:
        """KiB the guest has now."""
        document = record.document
        return document.memory if document.current_memory is None else document.current_memory

    def check_flags(self, flags: int, allowed: int, function: str) -> None:
        F.check(flags, allowed, self.prefix + function, self.table.error_domain)

    # -- contract.Inspection ---------------------------------------------------------------

    def info(self, domain: DomainIdentity) -> DomainInfo:
        record = self.table.get(domain)
        document = record.document
        return DomainInfo(
            record.state,
            document.memory,
            self.memory(record),
            current_vcpus(document),
            self.cpu_time(record) if record.is_active else 0,
        )

    def state(self, domain: DomainIdentity, flags: int) -> tuple[int, int]:
        self.check_flags(flags, 0, "DomainGetState")
        record = self.table.get(domain)
        return record.state, record.reason

    def os_type(self, domain: DomainIdentity) -> str:
        return self.table.get(domain).document.os.type

    def max_memory(self, domain: DomainIdentity) -> int:
        return self.table.get(domain).document.memory

    def max_vcpus(self, domain: DomainIdentity) -> int:
        return self.vcpus(domain, D.VCPU_LIVE | D.VCPU_MAXIMUM)

    def vcpus(self, domain: DomainIdentity, flags: int) -> int:
        self.check_flags(flags, D.VCPU_LIVE | D.VCPU_CONFIG | D.VCPU_MAXIMUM, "DomainGetVcpusFlags")
        record = self.table.get(domain)
        document = choose(record, flags)
        if flags & D.VCPU_MAXIMUM:
            return document.vcpu.count if document.vcpu else 1
        return current_vcpus(document)

    def control_info(self, domain: DomainIdentity, flags: int) -> tuple[int, int, int]:
        self.check_flags(flags, 0, "DomainGetControlInfo")
        record = self.table.get_active(domain)
        if record.job.holder is None:
            return D.CONTROL_OK, 0, 0
        return D.CONTROL_JOB, 0, record.job.milliseconds

    def messages(self, domain: DomainIdentity, flags: int) -> Sequence[str]:
        self.check_flags(flags, D.MESSAGE_DEPRECATION | D.MESSAGE_TAINTING, "DomainGetMessages")
        return self.messages_of(self.table.get(domain), flags)

    def messages_of(self, record: Record[RuntimeT], flags: int) -> Sequence[str]:
        """flags: D.MESSAGE_*; 0 for all."""
        return ()

    def has_managed_save(self, domain: DomainIdentity, flags: int) -> bool:
        self.check_flags(flags, 0, "DomainHasManagedSaveImage")
        return self.table.get(domain).managed_save
