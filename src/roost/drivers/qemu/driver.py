"""qemu:///system and qemu:///session: the bundle of interfaces, and the driver's life in the daemon."""

from __future__ import annotations

import asyncio

from roost.contract.agent import GuestAgent
from roost.contract.blocks import Blocks
from roost.contract.checkpoints import Backups, Checkpoints
from roost.contract.devices import Devices
from roost.contract.displays import Displays
from roost.contract.domains import Consoles, Domains, Inspection, Lifecycle, Monitor
from roost.contract.files import Files
from roost.contract.input import Input
from roost.contract.interface import Backend
from roost.contract.jobs import Jobs
from roost.contract.migration import Migration
from roost.contract.node import Node, Processors
from roost.contract.security import Security
from roost.contract.snapshots import Snapshots
from roost.contract.state import Memory, SavedState
from roost.contract.statistics import Statistics
from roost.contract.translation import Translation
from roost.contract.tuning import DeviceLimits, Pinning, ResourceLimits, ThrottleGroups
from roost.contract.vcpus import Vcpus
from roost.drivers.qemu.agent.service import QemuGuestAgent
from roost.drivers.qemu.autostart import Autostart
from roost.drivers.qemu.blockjobs.backups import QemuBackups
from roost.drivers.qemu.blockjobs.checkpoints import QemuCheckpoints
from roost.drivers.qemu.blockjobs.checkpointstore import CheckpointStore
from roost.drivers.qemu.blockjobs.conclude import ChainJobs
from roost.drivers.qemu.blockjobs.runner import BlockJobs
from roost.drivers.qemu.blockjobs.service import QemuBlocks
from roost.drivers.qemu.capabilities import CapabilitiesCache, CapabilityDocuments
from roost.drivers.qemu.config import QemuConfig
from roost.drivers.qemu.console import QemuConsoles
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.displays import QemuDisplays
from roost.drivers.qemu.domains import QemuDomains, QemuInspection
from roost.drivers.qemu.firmware import FirmwareStore, descriptor_directories
from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.hotplug.devices import QemuDevices
from roost.drivers.qemu.hotplug.unplug import Unplugger
from roost.drivers.qemu.hotplug.vcpus import QemuVcpus
from roost.drivers.qemu.keys import QemuInput
from roost.drivers.qemu.launch import Launcher
from roost.drivers.qemu.lifecycle import QemuLifecycle
from roost.drivers.qemu.migrating import QemuMigration
from roost.drivers.qemu.monitor import QemuMonitor
from roost.drivers.qemu.node import QemuNode
from roost.drivers.qemu.paths import QemuPaths
from roost.drivers.qemu.processors import QemuProcessors
from roost.drivers.qemu.recovery import Recovery
from roost.drivers.qemu.reservations import Reservations
from roost.drivers.qemu.security import QemuSecurity
from roost.drivers.qemu.snapshots.service import QemuSnapshots
from roost.drivers.qemu.snapshots.store import open_store
from roost.drivers.qemu.state.dump import Dumper
from roost.drivers.qemu.state.image import Images
from roost.drivers.qemu.state.restore import Restorer
from roost.drivers.qemu.state.save import Saver
from roost.drivers.qemu.state.service import QemuMemory, QemuSavedState
from roost.drivers.qemu.statistics import QemuStatistics
from roost.drivers.qemu.supervisor import Supervisor
from roost.drivers.qemu.translation import QemuTranslation
from roost.drivers.qemu.tuning.devices import QemuDeviceLimits
from roost.drivers.qemu.tuning.limits import QemuResourceLimits
from roost.drivers.qemu.tuning.pinning import QemuPinning
from roost.drivers.qemu.tuning.throttlegroups import QemuThrottleGroups
from roost.engine.bus import EventBus
from roost.engine.jobstats import RecordJobs
from roost.engine.store import Store
from roost.engine.table import DomainTable
from roost.errors import From, InternalError
from roost.host.api import Account, Host


class QemuDriver:
    """Everything about QEMU guests.

    account: whom guests run as; None for the daemon's own user (session mode).
    privileged: qemu:///system as root; an ordinary user has qemu:///session alone.
    """

    def __init__(
        self, paths: QemuPaths, config: QemuConfig, host: Host, *, account: Account | None, privileged: bool
    ) -> None:
        table: DomainTable[Guest] = DomainTable(From.QEMU)
        store = Store(paths.config, paths.status, host.node.boot_id())
        bus = EventBus()
        cache = CapabilitiesCache(paths.cache, host.processes, account)
        firmware = FirmwareStore(descriptor_directories(privileged=privileged))
        documents = CapabilityDocuments(cache, host, account, firmware)
        self._context = context = Context(paths, config, host, table, store, bus, cache, firmware, account, documents)
        self._supervisor = Supervisor(context)
        launcher = Launcher(context, self._supervisor)
        block_jobs = BlockJobs(context, self._supervisor)
        ChainJobs(block_jobs)
        unplugger = Unplugger(context, self._supervisor)
        Reservations(context).listen(self._supervisor)
        self._recovery = Recovery(context, self._supervisor, launcher, block_jobs, unplugger)
        self._autostart = Autostart(context)
        self._privileged = privileged
        checkpoint_store = CheckpointStore(paths.state / "checkpoint")
        snapshot_store = open_store(paths.snapshots)
        self._domains = domains = QemuDomains(context, launcher, checkpoint_store, snapshot_store)
        images = Images(domains.prepare)
        self._restorer = Restorer(context, launcher, images)
        dumper = Dumper(context, self._supervisor)
        self._supervisor.dump = dumper.dump_crashed
        checkpoints = QemuCheckpoints(context, block_jobs, checkpoint_store, domains.prepare)
        self._snapshots = QemuSnapshots(
            context, snapshot_store, domains.prepare, self._supervisor, launcher, block_jobs, images
        )
        self._recovery.settle_snapshots = self._snapshots.settle
        interfaces = {
            Node: QemuNode(context),
            Processors: QemuProcessors(documents, host.node),
            Domains: domains,
            Lifecycle: QemuLifecycle(context, self._supervisor, self._restorer),
            Jobs: RecordJobs(table, "qemu"),
            SavedState: QemuSavedState(context, Saver(context, self._supervisor, images), self._restorer, images),
            Memory: QemuMemory(context, dumper),
            Migration: QemuMigration(context),
            Inspection: QemuInspection(table),
            Statistics: QemuStatistics(context),
            Consoles: QemuConsoles(context),
            Monitor: QemuMonitor(context),
            Displays: QemuDisplays(context),
            Files: launcher.files,
            Input: QemuInput(context),
            Security: QemuSecurity(context),
            GuestAgent: QemuGuestAgent(context),
            Devices: QemuDevices(context, unplugger, domains.prepare),
            Vcpus: QemuVcpus(context, unplugger),
            Translation: QemuTranslation(context, domains.prepare),
            Pinning: QemuPinning(context),
            ResourceLimits: QemuResourceLimits(context, privileged=privileged),
            DeviceLimits: QemuDeviceLimits(context),
            ThrottleGroups: QemuThrottleGroups(context),
            Blocks: QemuBlocks(context, block_jobs),
            Checkpoints: checkpoints,
            Snapshots: self._snapshots,
            Backups: QemuBackups(context, block_jobs, checkpoints, checkpoint_store),
        }
        uri = "qemu:///system" if privileged else "qemu:///session"
        self._backend = Backend("QEMU", uri, From.QEMU, interfaces, bus)

    def open(self, path: str) -> Backend:
        """path: of the URI. Raises InternalError for another than /system and /session."""
        if path not in (("/system", "/session") if self._privileged else ("/session",)):
            if path == "/system":
                raise InternalError(
                    "no QEMU system driver in a session daemon", domain=From.QEMU, hint="open qemu:///session"
                )
            raise InternalError(
                f"unexpected QEMU URI path '{path}', try qemu:///{'system' if self._privileged else 'session'}",
                domain=From.QEMU,
            )
        return self._backend

    # -- the driver's life -----------------------------------------------------------------

    async def start(self) -> None:
        """Definitions, running guests, autostart."""
        self._context.host.ownership.directory(self._context.paths.state)
        self._context.host.ownership.directory(self._context.paths.nvram)
        self._context.store.finish_renames(self._domains.finish_rename)
        self._recovery.load_definitions()
        await self._recovery.reconnect()
        await self._snapshots.settle_inactive()
        self._restorer.find_images()
        begun = self._supervisor.run(self._autostart.run(self._restorer.start), "autostart")
        # Whoever starts the daemon finds the guests that start at once; pauses between the others hold nobody up.
        paused = asyncio.ensure_future(self._autostart.has_paused.wait())
        await asyncio.wait((begun, paused), return_when=asyncio.FIRST_COMPLETED)
        paused.cancel()

    async def stop(self) -> None:
        """Let go of the guests; they go on."""
        self._autostart.end()
        await self._supervisor.settle()
        for record in self._context.table.active:
            guest = record.runtime
            if guest is None:
                continue
            for stream in tuple(guest.consoles.values()):
                stream.abort()
            guest.agent.close()
            if guest.monitor is not None:
                guest.monitor.close()
            if guest.process is not None:
                guest.process.release()
            guest.resources.let_go()
            guest.log.close()

    @property
    def is_busy(self) -> bool:
        """A guest is running."""
        return bool(self._context.table.active)
