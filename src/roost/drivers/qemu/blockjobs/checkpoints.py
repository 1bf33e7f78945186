"""contract.Checkpoints: bitmaps in the images, and a document for each on disk."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from roost.constants import checkpoint as K
from roost.contract import flags as F
from roost.contract.references import DomainIdentity, MomentIdentity, MomentRef
from roost.drivers.qemu.blockjobs import bitmaps
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs.checkpointstore import CheckpointStore
from roost.drivers.qemu.blockjobs.runner import BlockJobs
from roost.drivers.qemu.blockjobs.service import require_free
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.qmp import QmpClient
from roost.drivers.qemu.state.image import at_rest
from roost.engine.checkpoints import RecordCheckpoints
from roost.engine.table import uuid_text
from roost.errors import (
    CheckpointInconsistent,
    From,
    InternalError,
    InvalidArg,
    OperationUnsupported,
)
from roost.model import checkpoint as model
from roost.model.checkpoint import Checkpoint
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk

_DELETE_FLAGS = K.DELETE_CHILDREN | K.DELETE_METADATA_ONLY | K.DELETE_CHILDREN_ONLY
#: The bitmap that the size of a checkpoint is counted in.
_SIZE = "libvirt-tmp-size-xml"


async def nodes_of(monitor: QmpClient) -> bitmaps.Nodes:
    """The bitmaps of all images that a guest has open."""
    return bitmaps.read(await monitor.execute("query-named-block-nodes", {"flat": True}))


class QemuCheckpoints(RecordCheckpoints[Guest]):
    """contract.Checkpoints. prepare: completes the document of a domain."""

    prefix = "qemu"

    def __init__(
        self, context: Context, jobs: BlockJobs, store: CheckpointStore, prepare: Callable[[Domain], Awaitable[Domain]]
    ) -> None:
        super().__init__(context.table, store)
        self._context = context
        self._jobs = jobs
        self._prepare = prepare

    # -- making ----------------------------------------------------------------------------

    async def create(self, domain: DomainIdentity, xml: str, flags: int) -> MomentRef:
        F.check(flags, K.CREATE_REDEFINE | K.CREATE_REDEFINE_VALIDATE, "qemuCheckpointCreateXML", From.QEMU)
        record = self._context.table.get(domain)
        if flags & K.CREATE_REDEFINE:
            return await self._redefine(record, model.parse(xml), validate=bool(flags & K.CREATE_REDEFINE_VALIDATE))
        if not record.is_active:
            raise OperationUnsupported(
                "cannot create checkpoint for inactive domain", domain=From.QEMU, hint="start it; --paused will do"
            )
        wanted = model.parse(xml)
        async with record.job("checkpoint"):
            require_guest(record)
            monitor = require_monitor(record)
            checkpoint, actions = self.new(record, wanted)
            await monitor.execute("transaction", {"actions": actions})
            await self.keep(record, checkpoint)
        return MomentRef(checkpoint.name or "", record.ref)

    def new(self, record: GuestRecord, wanted: Checkpoint) -> tuple[Checkpoint, list[bitmaps.Action]]:
        """A checkpoint's whole document, and what begins to count for it. Raises what refuses it."""
        document = at_rest(record.document, require_guest(record), record.config if record.is_persistent else None)
        current = self.store.current(record.name)
        checkpoint = model.complete(wanted, document, now=int(time.time()), current=current)
        self.store.check_new(record.name, checkpoint.name)
        actions = []
        for disk in checkpoint.disks:
            own = self._jobs.find_disk(record, disk.name)
            if disk.checkpoint == "bitmap" and own is not None:
                if own.target.bus == "sd" or own.transient is not None:
                    require_free(record, own)
                actions.append(bitmaps.add(C.chain_of(own).layers[0].format_node, disk.bitmap or ""))
        return checkpoint, actions

    async def keep(self, record: GuestRecord, checkpoint: Checkpoint) -> None:
        """Put a checkpoint on disk, synced."""
        await asyncio.to_thread(self.store.put, record.name, checkpoint)

    async def _redefine(self, record: GuestRecord, wanted: Checkpoint, *, validate: bool) -> MomentRef:
        completed = await self._prepare(wanted.domain) if wanted.domain is not None else None
        async with record.job("checkpoint"):
            known = {name: each.parent for name, each in self.store.of(record.name).items() if name != wanted.name}
            checkpoint = model.complete_redefined(
                wanted, uuid_text(record.uuid), known, complete_domain=lambda own: completed or own
            )
            if validate:
                require_guest(record)
                await self._check_bitmaps(record, checkpoint)
            await self.keep(record, checkpoint)
        return MomentRef(checkpoint.name or "", record.ref)

    async def _check_bitmaps(self, record: GuestRecord, checkpoint: Checkpoint) -> None:
        nodes = await nodes_of(require_monitor(record))
        for disk in checkpoint.disks:
            own = self._jobs.find_disk(record, disk.name)
            if disk.checkpoint == "bitmap" and own is not None:
                require_bitmap(own, checkpoint.name or "", nodes)

    # -- looking ---------------------------------------------------------------------------

    async def describe(self, checkpoint: MomentIdentity, flags: int) -> str:
        F.check(flags, K.XML_SECURE | K.XML_NO_DOMAIN | K.XML_SIZE, "qemuCheckpointGetXMLDesc", From.QEMU)
        record, found = self.find(checkpoint)
        if flags & K.XML_SIZE:
            async with record.job("checkpoint size"):
                require_guest(record)
                found = await self._with_sizes(record, found)
        return model.format(
            found,
            secure=bool(flags & K.XML_SECURE),
            with_domain=not flags & K.XML_NO_DOMAIN,
            with_sizes=bool(flags & K.XML_SIZE),
        )

    async def _with_sizes(self, record: GuestRecord, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with the bytes that changed since, of disks whose bitmaps are whole."""
        monitor = require_monitor(record)
        nodes = await nodes_of(monitor)
        actions: list[bitmaps.Action] = []
        counted: dict[str, str] = {}
        for disk in checkpoint.disks:
            own = self._jobs.find_disk(record, disk.name)
            if disk.checkpoint != "bitmap" or own is None:
                continue
            layers = C.chain_of(own).layers
            node = layers[0].format_node
            if _SIZE in nodes.get(node, {}):
                await monitor.batch([("block-dirty-bitmap-remove", {"node": node, "name": _SIZE})])
            merged = bitmaps.merge(layers, node, nodes, name=checkpoint.name, into=_SIZE)
            if merged:
                counted[disk.name] = node
                actions += merged
        if not actions:
            return checkpoint
        await monitor.execute("transaction", {"actions": actions})
        try:
            nodes = await nodes_of(monitor)
        finally:
            await monitor.batch(
                [("block-dirty-bitmap-remove", {"node": node, "name": _SIZE}) for node in counted.values()]
            )
        disks = tuple(
            replace(disk, size=nodes[counted[disk.name]][_SIZE].dirty) if disk.name in counted else disk
            for disk in checkpoint.disks
        )
        return replace(checkpoint, disks=disks)

    # -- deleting --------------------------------------------------------------------------

    async def delete(self, checkpoint: MomentIdentity, flags: int) -> None:
        F.check(flags, _DELETE_FLAGS, "qemuCheckpointDelete", From.QEMU)
        record = self._context.table.get(checkpoint.dom)
        metadata_only = bool(flags & K.DELETE_METADATA_ONLY)
        async with record.job("checkpoint"):
            if not metadata_only and not record.is_active:
                raise OperationUnsupported(
                    "cannot delete checkpoint for inactive domain",
                    domain=From.QEMU,
                    hint="start it, --paused will do; --metadata forgets the checkpoint and leaves its bitmaps",
                )
            for each in self.store.going(record.name, checkpoint.name, flags):
                if not metadata_only:
                    await self._remove_bitmaps(record, each)
                await asyncio.to_thread(self.store.remove, record.name, each.name or "")

    async def _remove_bitmaps(self, record: GuestRecord, checkpoint: Checkpoint) -> None:
        """Take a checkpoint's bitmaps out of all images that have them. Raises InternalError for a disk without."""
        monitor = require_monitor(record)
        nodes = await nodes_of(monitor)
        actions = []
        async with contextlib.AsyncExitStack() as stack:
            for disk in checkpoint.disks:
                own = self._jobs.find_disk(record, disk.name)
                if disk.checkpoint != "bitmap" or own is None:
                    continue
                if disk.bitmap is None:
                    raise InvalidArg(
                        f"missing bitmap name for disk '{disk.name}' of checkpoint '{checkpoint.name}'",
                        domain=From.QEMU,
                    )
                chain = C.chain_of(own)
                places = [
                    place for place, layer in enumerate(chain.layers) if disk.bitmap in nodes.get(layer.format_node, {})
                ]
                if not places:
                    raise InternalError(
                        f"bitmap '{disk.bitmap}' not found in backing chain of '{disk.name}'",
                        domain=From.QEMU,
                        hint="--metadata forgets the checkpoint without its bitmaps",
                    )
                for place in places:
                    if place:
                        below = C.Chain(chain.layers[place:], chain.end)
                        await stack.enter_async_context(self._jobs.writable(record, own, below))
                    actions.append(bitmaps.remove(chain.layers[place].format_node, disk.bitmap))
            if actions:
                await monitor.execute("transaction", {"actions": actions})


def require_bitmap(disk: Disk, name: str, nodes: bitmaps.Nodes) -> None:
    """Raises CheckpointInconsistent where a disk's images do not say together what changed since a checkpoint."""
    if not bitmaps.is_valid(C.chain_of(disk).layers, name, nodes):
        raise CheckpointInconsistent(
            f"missing or broken bitmap '{name}' for disk '{disk.target.dev}'",
            domain=From.QEMU,
            hint="what changed since is not known any more: a full backup still works; delete the checkpoint",
        )


__all__ = ["QemuCheckpoints", "nodes_of", "require_bitmap"]
