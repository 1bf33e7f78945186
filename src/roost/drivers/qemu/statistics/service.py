"""contract.Statistics over QEMU and the host."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from roost.constants import statistics as S
from roost.contract import flags as F
from roost.contract.references import DomainIdentity, DomainRef
from roost.contract.statistics import Statistics
from roost.contract.typed_params import TypedParam
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.statistics import blocks, groups
from roost.drivers.qemu.statistics.answers import (
    DRIVES,
    Answers,
    BlockCounters,
    Question,
    balloon_question,
    questions,
    understand,
)
from roost.drivers.qemu.statistics.known import Known, KnownImages, Moment, files_of, moment
from roost.drivers.qemu.statistics.sizes import ImageSizes
from roost.drivers.qemu.taints import CUSTOM_MONITOR
from roost.drivers.qemu.tuning import resctrl
from roost.errors import ArgumentUnsupported, From, InternalError, InvalidArg, OperationUnsupported, RoostError
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.interface import DirectNet, Interface

#: Seconds a guest, or a file system, has to answer; one that does not only lacks its numbers.
DEADLINE = 5.0

_FILTERS = (
    S.STATS_ACTIVE | S.STATS_INACTIVE | S.STATS_PERSISTENT | S.STATS_TRANSIENT
    | S.STATS_RUNNING | S.STATS_PAUSED | S.STATS_SHUTOFF | S.STATS_OTHER
)  # fmt: skip
_FLAGS = _FILTERS | S.STATS_NOWAIT | S.STATS_BACKING | S.STATS_ENFORCE_STATS

_NOTHING = Answers()
_UNSEEN = groups.OnHost()


class QemuStatistics(Statistics):
    """contract.Statistics."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._sizes = ImageSizes(DEADLINE)
        self._images = KnownImages()

    async def memory_stats(self, domain: DomainIdentity, limit: int, flags: int) -> Sequence[tuple[int, int]]:
        F.check(flags, 0, "qemuDomainMemoryStats", From.QEMU)
        record = self._context.table.get_active(domain)
        live, guest = record.document, require_guest(record)
        found = [(S.MEMORY_STAT_ACTUAL_BALLOON, groups.current_memory(live))]
        question = balloon_question(live)
        sent = None
        if question is not None:
            sent = require_monitor(record).send(question.command, question.arguments, deadline=DEADLINE)
        # While QEMU is busy with it.
        usage = guest.process.usage() if guest.process is not None else None
        if question is not None and sent is not None:
            found += groups.guest_memory(understand([question], [await sent]).balloon)
        if usage is not None:
            found.append((S.MEMORY_STAT_RSS, usage.resident))
        return found[:limit]

    async def block_stats(self, domain: DomainIdentity, path: str) -> tuple[int, int, int, int, int]:
        found = await self._drives(domain, path)
        # QEMU does not count errors.
        return found.rd_operations, found.rd_bytes, found.wr_operations, found.wr_bytes, -1

    async def _drives(self, domain: DomainIdentity, path: str) -> BlockCounters:
        record = self._context.table.get_active(domain)
        monitor = require_monitor(record)
        wanted = _named(record.document.devices.disks, path)
        answers = understand([DRIVES], [await monitor.send(DRIVES.command, deadline=DEADLINE)])
        known = blocks.BlockAnswers(answers)
        found = []
        for disk in wanted:
            counters = known.counters(disk)
            if counters is None:
                raise InternalError(f"cannot find statistics for device '{disk.alias}'", domain=From.QEMU)
            found.append(counters)
        return blocks.sum_of(found)

    def interface_stats(self, domain: DomainIdentity, device: str) -> tuple[int, ...]:
        record = self._context.table.get_active(domain)
        for interface in record.document.devices.interfaces:
            target = _target(interface)
            if device.lower() == interface.mac or (target and device == target):
                if not target:
                    raise InternalError(
                        "Interface name not provided",
                        domain=From.NONE,
                        hint=f"an interface of type '{interface.type}' is not one of the host's, which could count",
                    )
                return self._counters(interface, target)
        raise InvalidArg(
            f"'{device}' is not a known interface", domain=From.DOMAIN, hint="name its target device or MAC address"
        )

    def _counters(self, interface: Interface, target: str) -> tuple[int, ...]:
        """As the guest sees them. Raises RoostError."""
        counters = self._context.host.network.counters(target)
        # A macvtap interface is seen from the same side by host and guest.
        return counters[4:] + counters[:4] if isinstance(interface.source, DirectNet) else counters

    # -- all domains at once ---------------------------------------------------------------

    async def all_stats(
        self, domains: Sequence[DomainIdentity], wanted: int, flags: int
    ) -> Sequence[tuple[DomainRef, Sequence[TypedParam]]]:
        F.check(flags, _FLAGS, "qemuConnectGetAllDomainStats", From.QEMU)
        chosen = [(record, _supported(record, wanted, flags)) for record in self._records(domains, flags)]
        resting = {
            (image.path, image.format)
            for record, wanted in chosen
            if wanted & S.BLOCK and not record.is_active and record.definition is not None
            for image in record.definition.derive(_rest).images
            if image.path is not None
        }
        asked = {record: self._ask(record, wanted) for record, wanted in chosen if record.is_active}
        # While the guests' QEMUs are busy with that.
        seen = {record: self._see(record, wanted) for record, wanted in chosen if record.is_active}
        files = [path for each in asked.values() for path in each.files()]
        sizes, allocated = await self._sizes.measure(resting, files)
        backing = bool(flags & S.STATS_BACKING)
        found = []
        for record, wanted in chosen:
            answers = await self._answers(asked[record], allocated) if record in asked else _NOTHING
            if record.is_active:
                params = self._collect(record, wanted, seen.get(record, _UNSEEN), answers, backing=backing)
            elif record.definition is not None:
                params = _collect_resting(record, record.definition.derive(_rest), wanted, sizes)
            else:
                continue  # it was transient, and ended meanwhile
            found.append((record.ref, params))
        return found

    def _records(self, domains: Sequence[DomainIdentity], flags: int) -> list[GuestRecord]:
        """The domains meant: of those named the ones that are there, and of all the ones that the filters pass."""
        table = self._context.table
        passed = [table.by_uuid(ref.uuid) for ref in table.list(flags & _FILTERS)]
        if not domains:
            return passed
        allowed = set(passed)
        named = (table.get(domain) for domain in domains if table.knows(domain))
        return [record for record in named if record in allowed]

    def _ask(self, record: GuestRecord, wanted: int) -> _Asked:
        """Ask what only QEMU knows, in one write; nothing of a guest that starts or is silent already."""
        guest, live = record.runtime, record.live
        if guest is None or live is None or guest.monitor is None or guest.starting or guest.monitor.overdue:
            return _Asked(record, (), ())
        measured = guest.facts.dirty_rate or CUSTOM_MONITOR in guest.facts.taints
        images = (self._images.of(record) or moment(record)) if wanted & S.BLOCK else None
        asked = questions(live, wanted, measured=measured, images=not isinstance(images, Known))
        commands = [(question.command, question.arguments) for question in asked]
        answers = guest.monitor.send_all(commands, deadline=DEADLINE) if commands else ()
        return _Asked(record, asked, answers, measured, images)

    async def _answers(self, asked: _Asked, allocated: Mapping[str, int]) -> Answers:
        """allocated: bytes that the host has of files."""
        record, found = asked.record, await asked.understood()
        if isinstance(asked.images, Moment):
            self._images.learn(record, asked.images, found.images, allocated)
        elif asked.images is not None and found.drives is not None:
            found = msgspec.structs.replace(found, images=asked.images.now(allocated))
        return found

    def _see(self, record: GuestRecord, wanted: int) -> groups.OnHost:
        """What the host knows of a guest."""
        guest = record.runtime
        process = guest.process if guest is not None else None
        if guest is None or process is None:
            return _UNSEEN
        vcpus = guest.threads.vcpus
        return groups.OnHost(
            process.usage() if wanted & (S.CPU_TOTAL | S.BALLOON) else None,
            vcpus,
            {usage.thread: usage for usage in process.threads(vcpus)} if wanted & S.VCPU else {},
            self._all_counters(record.document) if wanted & S.INTERFACE else {},
            tuple(guest.resources.counting.values()) if wanted & S.PERF else (),
            self._readings(record, guest, resctrl.CACHE) if wanted & S.CPU_TOTAL else (),
            self._readings(record, guest, resctrl.BANDWIDTH) if wanted & S.MEMORY else (),
        )

    def _readings(self, record: GuestRecord, guest: Guest, kind: str) -> Sequence[resctrl.Reading]:
        return resctrl.readings(self._context.host, guest, record.document, kind)

    def _collect(
        self, record: GuestRecord, wanted: int, seen: groups.OnHost, answers: Answers, *, backing: bool
    ) -> list[TypedParam]:
        volumes = record.runtime.resources.volumes if record.runtime is not None else {}
        observed = groups.Observed(record.state, record.reason, record.document, answers, seen, volumes, backing)
        return groups.collect(observed, wanted)

    def _all_counters(self, document: Domain) -> Mapping[str, Sequence[int]]:
        found = {}
        for interface in document.devices.interfaces:
            target = _target(interface)
            if target:
                with contextlib.suppress(RoostError):
                    found[target] = self._counters(interface, target)
        return found


class _Asked(NamedTuple):
    """Questions on their way to a guest. measured: as for `answers.questions`.

    images: what is known of them already, or when they were asked for; None at a time of change, and unasked.
    """

    record: GuestRecord
    questions: Sequence[Question]
    answers: Sequence[asyncio.Future[msgspec.Raw]]
    measured: bool = True
    images: Known | Moment | None = None

    def files(self) -> Collection[str]:
        """The paths of those whose sizes the host is to tell."""
        if isinstance(self.images, Known):
            return self.images.paths.values()
        return files_of(self.record).values() if self.images is not None else ()

    async def understood(self) -> Answers:
        answers = [await _outcome(answer) for answer in self.answers]
        return understand(self.questions, answers, measured=self.measured)


async def _outcome(answer: asyncio.Future[msgspec.Raw]) -> msgspec.Raw | RoostError:
    try:
        return await answer
    except RoostError as error:
        return error


def _supported(record: GuestRecord, wanted: int, flags: int) -> int:
    """The groups to report. Raises ArgumentUnsupported for others, when asked to."""
    supported = groups.ALL if record.is_active else groups.RESTING
    if not wanted:
        return supported
    missing = wanted & ~supported
    if missing and flags & S.STATS_ENFORCE_STATS:
        known = "" if missing & ~groups.ALL else f"; the domain '{record.name}' must run for them"
        raise ArgumentUnsupported(
            f"Stats types bits 0x{missing:x} are not supported by this daemon or QEMU",
            domain=From.QEMU,
            hint=f"groups: 0x{groups.ALL:x}{known}",
        )
    return wanted & supported


def _target(interface: Interface) -> str | None:
    return interface.target.dev if interface.target is not None else None


def _named(disks: Sequence[Disk], path: str) -> Sequence[Disk]:
    """The disk with that target or source; all that QEMU serves itself for "". Raises InvalidArg."""
    if not path:
        return [disk for disk in disks if not blocks.is_vhost_user(disk)]
    for disk in disks:
        if path in (disk.target.dev, blocks.path_of(disk.source)):
            if blocks.is_vhost_user(disk):
                raise OperationUnsupported("block stats are not supported for vhostuser disk", domain=From.QEMU)
            return [disk]
    targets = ", ".join(disk.target.dev for disk in disks)
    raise InvalidArg(f"invalid path: {path}", domain=From.QEMU, hint=f"disks: {targets or 'none'}")


class _Rest(NamedTuple):
    """What a definition says of a stopped domain, by group."""

    balloon: tuple[TypedParam, ...]
    vcpu: tuple[TypedParam, ...]
    images: tuple[blocks.RestingImage, ...]


def _rest(document: Domain) -> _Rest:
    """Worked out once for each definition: a host has many more stopped domains than it could parse at every poll."""
    return _Rest(groups.memory(document), groups.processors(document), blocks.resting(document.devices.disks))


def _collect_resting(
    record: GuestRecord, rest: _Rest, wanted: int, sizes: Mapping[tuple[str, str], blocks.Size]
) -> list[TypedParam]:
    params: list[TypedParam] = []
    if wanted & S.STATE:
        params += groups.states(record.state, record.reason)
    if wanted & S.BALLOON:
        params += rest.balloon
    if wanted & S.VCPU:
        params += rest.vcpu
    if wanted & S.BLOCK:
        params += blocks.with_sizes(rest.images, sizes)
    return params
