"""The registry of QEMU domains."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

import msgspec

from roost.constants import domain as D
from roost.contract.references import DomainIdentity
from roost.drivers.qemu import interruptions
from roost.drivers.qemu.blockjobs.checkpointstore import CheckpointStore
from roost.drivers.qemu.capabilities import Capabilities
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.facts import machine_facts
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.guest_cpu import for_this_host
from roost.drivers.qemu.launch import Launcher
from roost.drivers.qemu.lifecycle import START_FLAGS
from roost.drivers.qemu.live import without_sockets
from roost.drivers.qemu.swtpm import is_state_kept, remove_state
from roost.drivers.qemu.taints import messages
from roost.engine.inspection import RecordInspection
from roost.engine.registry import RegistryDomains
from roost.engine.snapshots import SnapshotStore
from roost.engine.table import uuid_text
from roost.errors import From, InvalidArg, OperationInvalid, SystemCallError
from roost.model import domain as model
from roost.model.domain import Domain
from roost.model.domain.complete import complete
from roost.model.domain.facts import MachineFacts
from roost.model.domain.os import nvram_path, variables_path

#: Flags of undefine that exclude each other, and what they are about.
_KEPT = (
    (D.UNDEFINE_KEEP_NVRAM, D.UNDEFINE_NVRAM, "nvram"),
    (D.UNDEFINE_KEEP_TPM, D.UNDEFINE_TPM, "TPM"),
)


def _remove_variables(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        text = f"failed to remove nvram: {path}: {error.strerror}"
        raise SystemCallError(text, domain=From.QEMU, int1=error.errno or 0, str2=text) from error


class QemuDomains(RegistryDomains[Guest]):
    """contract.Domains: documents are completed and checked by what their emulator can do."""

    prefix = "qemu"
    undefine_flags = (
        D.UNDEFINE_MANAGED_SAVE
        | D.UNDEFINE_SNAPSHOTS_METADATA
        | D.UNDEFINE_NVRAM
        | D.UNDEFINE_KEEP_NVRAM
        | D.UNDEFINE_CHECKPOINTS_METADATA
        | D.UNDEFINE_TPM
        | D.UNDEFINE_KEEP_TPM
    )
    create_flags = START_FLAGS | D.START_VALIDATE

    def __init__(
        self, context: Context, launcher: Launcher, checkpoints: CheckpointStore, snapshots: SnapshotStore
    ) -> None:
        super().__init__(context.table, context.store, context.bus)
        self._context = context
        self._launcher = launcher
        self._checkpoints = checkpoints
        self._snapshots = snapshots
        self._facts: dict[str, tuple[Capabilities, MachineFacts]] = {}

    def _facts_of(self, caps: Capabilities) -> MachineFacts:
        """Made anew only when the binary has been probed anew."""
        known = self._facts.get(caps.binary)
        if known is None or known[0] is not caps:
            facts = msgspec.structs.replace(machine_facts(caps), nvram_directory=str(self._context.paths.nvram))
            known = self._facts[caps.binary] = caps, facts
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
        document = without_sockets(document, self._context.paths.guests)
        return complete(document, self._facts_of(caps))

    async def describe_for_host(self, domain: DomainIdentity, flags: int) -> str:
        self.check_flags(flags, self.xml_flags, "DomainGetXMLDesc")
        record, inactive = self.table.get(domain), bool(flags & D.XML_INACTIVE)
        document = record.config if inactive and record.is_persistent else record.document
        if document.cpu is None:
            return record.describe(inactive=inactive, secure=bool(flags & D.XML_SECURE))
        caps = await self._context.capabilities.get(document.devices.emulator or "")
        processors = self._context.documents.processors(caps, document.type)
        return model.format(for_this_host(document, processors), secure=bool(flags & D.XML_SECURE))

    async def launch(self, record: GuestRecord, document: Domain, flags: int) -> None:
        await self._launcher.start(record, document, flags)

    def save_live(self, record: GuestRecord) -> None:
        self._context.save_changed(record)

    def renamed(self, record: GuestRecord, name: str) -> None:
        self._move(record.name, name, record.config)

    def finish_rename(self, old: str, new: str) -> None:
        """The same when the definition of that name is on disk already. Raises OSError, RoostError."""
        text = self._context.store.path(new).read_text("utf-8", "surrogateescape")
        self._move(old, new, model.parse(text))

    def _move(self, old: str, new: str, document: Domain) -> None:
        """Its moments, and the variables of its firmware where the document does not say where they are."""
        for moments in (self._checkpoints, self._snapshots):
            moments.rename(old, new)
        if variables_path(document.os.nvram) is None:
            directory = str(self._context.paths.nvram)
            with contextlib.suppress(FileNotFoundError):
                os.rename(nvram_path(directory, old), nvram_path(directory, new))

    def discard(self, record: GuestRecord, flags: int) -> None:
        """The variables of its firmware only when told to, the state of its TPM unless told otherwise."""
        for keep, remove, what in _KEPT:
            if flags & keep and flags & remove:
                raise OperationInvalid(f"cannot both keep and delete {what}", domain=From.QEMU)
        self._discard_managed_save(record, flags)
        self._check_moments(record, flags)
        config, paths = record.config, self._context.paths
        variables = variables_path(config.os.nvram)
        if variables is None and config.os.firmware == "efi":
            variables = nvram_path(str(paths.nvram), record.name)
        if variables is not None and os.path.exists(variables):
            if not flags & (D.UNDEFINE_NVRAM | D.UNDEFINE_KEEP_NVRAM):
                raise OperationInvalid(
                    "cannot undefine domain with nvram",
                    domain=From.QEMU,
                    hint=f"--nvram removes '{variables}', --keep-nvram leaves it",
                )
            if flags & D.UNDEFINE_NVRAM:
                _remove_variables(variables)
        if flags & D.UNDEFINE_TPM or not (is_state_kept(config) or flags & D.UNDEFINE_KEEP_TPM):
            remove_state(paths.tpms, uuid_text(record.uuid))
        if not record.is_active:
            for moments in (self._checkpoints, self._snapshots):
                moments.remove_all(record.name)

    def _check_moments(self, record: GuestRecord, flags: int) -> None:
        """They go with a definition that has no guest; a running guest goes on using them."""
        if record.is_active:
            return
        kinds = (
            (self._snapshots, D.UNDEFINE_SNAPSHOTS_METADATA, "snapshots", "--snapshots-metadata forgets them"),
            (self._checkpoints, D.UNDEFINE_CHECKPOINTS_METADATA, "checkpoints", "--checkpoints-metadata forgets them"),
        )
        for moments, flag, what, cure in kinds:
            count = len(moments.of(record.name))
            if count and not flags & flag:
                raise OperationInvalid(
                    f"cannot delete inactive domain with {count} {what}",
                    domain=From.QEMU,
                    hint=f"{cure}; what images have of them stays there",
                )

    def _discard_managed_save(self, record: GuestRecord, flags: int) -> None:
        if not record.managed_save:
            return
        path = self._context.paths.managed_save(record.name)
        if not flags & D.UNDEFINE_MANAGED_SAVE:
            raise OperationInvalid(
                "Refusing to undefine while domain managed save image exists",
                domain=From.QEMU,
                hint=f"--managed-save removes '{path}'; starting the domain uses it",
            )
        try:
            os.unlink(path)
        except OSError as error:
            raise OperationInvalid(
                "Failed to remove domain managed save image", domain=From.QEMU, hint=f"'{path}': {error.strerror}"
            ) from error
        record.managed_save = False


class QemuInspection(RecordInspection[Guest]):
    """contract.Inspection, with the process's own numbers."""

    prefix = "qemu"

    def cpu_time(self, record: GuestRecord) -> int:
        process = record.runtime.process if record.runtime is not None else None
        usage = process.usage() if process is not None else None
        return usage.user + usage.system if usage is not None else 0

    def messages_of(self, record: GuestRecord, flags: int) -> Sequence[str]:
        guest = record.runtime
        if guest is None:
            return ()
        # No flag of the protocol's asks for these alone.
        return [*messages(guest.facts.taints, flags), *(interruptions.messages(guest) if not flags else ())]

    def control_info(self, domain: DomainIdentity, flags: int) -> tuple[int, int, int]:
        info = super().control_info(domain, flags)
        guest = self.table.get_active(domain).runtime
        monitor = guest.monitor if guest is not None else None
        if monitor is not None and monitor.closed is not None:
            return D.CONTROL_ERROR, D.CONTROL_ERROR_REASON_MONITOR, 0
        return info

    def security_label(self, domain: DomainIdentity) -> tuple[str, bool]:
        self.table.get(domain)
        return "", False
