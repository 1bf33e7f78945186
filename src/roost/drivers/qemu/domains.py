"""The registry of QEMU domains."""

from __future__ import annotations

from roost.constants import domain as D
from roost.contract.references import DomainIdentity
from roost.drivers.qemu.capabilities import Capabilities
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.facts import machine_facts
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.launch import Launcher
from roost.drivers.qemu.lifecycle import START_FLAGS
from roost.engine.inspection import RecordInspection
from roost.engine.registry import RegistryDomains
from roost.errors import From, InvalidArg
from roost.model.domain import Domain
from roost.model.domain.complete import complete
from roost.model.domain.facts import MachineFacts


class QemuDomains(RegistryDomains[Guest]):
    """contract.Domains: documents are completed and checked by what their emulator can do."""

    prefix = "qemu"
    undefine_flags = (
        D.UNDEFINE_MANAGED_SAVE
        | D.UNDEFINE_SNAPSHOTS_METADATA
        | D.UNDEFINE_NVRAM
        | D.UNDEFINE_KEEP_NVRAM
        | D.UNDEFINE_CHECKPOINTS_METADATA
    )
    create_flags = START_FLAGS | D.START_VALIDATE

    def __init__(self, context: Context, launcher: Launcher) -> None:
        super().__init__(context.table, context.store, context.bus)
        self._context = context
        self._launcher = launcher
        self._facts: dict[str, tuple[Capabilities, MachineFacts]] = {}

    def _facts_of(self, caps: Capabilities) -> MachineFacts:
        """Made anew only when the binary has been probed anew."""
        known = self._facts.get(caps.binary)
        if known is None or known[0] is not caps:
            known = self._facts[caps.binary] = caps, machine_facts(caps)
        return known[1]

    async def prepare(self, document: Domain) -> Domain:
        if document.type not in ("qemu", "kvm"):
            raise InvalidArg(
                f"could not find capabilities for domaintype={document.type} ",
                domain=From.QEMU,
                hint="this driver runs <domain type='kvm'> and <domain type='qemu'>",
            )
        emulator = document.devices.emulator
        cache = self._context.capabilities
        caps = await (cache.get(emulator) if emulator else cache.for_arch(document.os.arch))
        return complete(document, self._facts_of(caps))

    async def launch(self, record: GuestRecord, document: Domain, flags: int) -> None:
        await self._launcher.start(record, document, flags)

    def save_live(self, record: GuestRecord) -> None:
        self._context.save(record)


class QemuInspection(RecordInspection[Guest]):
    """contract.Inspection, with the process's own numbers."""

    prefix = "qemu"

    def cpu_time(self, record: GuestRecord) -> int:
        process = record.runtime.process if record.runtime is not None else None
        usage = process.usage() if process is not None else None
        return usage.user + usage.system if usage is not None else 0

    def security_label(self, domain: DomainIdentity) -> tuple[str, bool]:
        self.table.get(domain)
        return "", False
