"""Every operation on a domain, as calls of the protocol: what it is given in each state that a domain may be in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from roost.contract.references import DomainRef, MomentRef
from roost.contract.typed_params import int_, llong, string, uint, ullong
from roost.protocol import QEMU, REMOTE, Program

#: Take the place of the domain, of a checkpoint or snapshot of it that there is not, and of a directory.
DOMAIN, MOMENT, FILES = "(domain)", "(moment)", "(files)"

#: Flags that say whom a change or a question concerns: what is current, the running guest, the definition, both.
AFFECT = (0, 1, 2, 3)

TABLET = "<input type='tablet' bus='usb'/>"
USB_DISK = f"<disk type='file' device='disk'><source file='{FILES}/a.img'/><target dev='sdx' bus='usb'/></disk>"
COPY = f"<disk type='file'><source file='{FILES}/copied.img'/><driver type='raw'/></disk>"
BACKUP = (
    f"<domainbackup><disks><disk name='vda' type='file'><target file='{FILES}/backup'/></disk></disks></domainbackup>"
)


class Operation(NamedTuple):
    """A call. values: its arguments, with the placeholders above. program: where it stands."""

    name: str
    values: tuple[Any, ...]
    program: Program = REMOTE

    @property
    def title(self) -> str:
        """What a test says of it."""
        return f"{self.name}{self.values[1:] if self.values[:1] in ((DOMAIN,), (MOMENT,)) else self.values}"

    def arguments(self, domain: DomainRef, files: Path) -> tuple[Any, ...]:
        """What is sent for this domain."""

        def fill(value: Any) -> Any:
            if value == DOMAIN:
                return domain
            if value == MOMENT:
                return MomentRef("never", domain)
            if isinstance(value, str):
                return value.replace(FILES, str(files))
            if isinstance(value, list):
                return [fill(each) for each in value]
            return value

        return tuple(fill(value) for value in self.values)


def of(name: str, *values: Any, flags: Sequence[int] = (), program: Program = REMOTE) -> Iterator[Operation]:
    """A call on the domain, once for each of the flags it ends with, or without any."""
    ends: list[tuple[int, ...]] = [(flag,) for flag in flags] or [()]
    for end in ends:
        yield Operation(name, (DOMAIN, *values, *end), program)


def moment(name: str, *values: Any) -> Operation:
    """A call on a checkpoint or snapshot of the domain that there is not."""
    return Operation(name, (MOMENT, *values))


#: What asks, and changes nothing.
QUESTIONS: tuple[Operation, ...] = (
    *of("DOMAIN_GET_XML_DESC", flags=(0, 2, 8)),
    *of("DOMAIN_GET_AUTOSTART"),
    *of("DOMAIN_GET_INFO"),
    *of("DOMAIN_GET_MAX_MEMORY"),
    *of("DOMAIN_GET_MAX_VCPUS"),
    *of("DOMAIN_GET_OS_TYPE"),
    *of("DOMAIN_GET_VCPUS", 4, 1),
    *of("DOMAIN_GET_SCHEDULER_TYPE"),
    *of("DOMAIN_GET_SCHEDULER_PARAMETERS", 16),
    *of("DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS", 16, flags=AFFECT),
    *of("DOMAIN_BLOCK_STATS", "vda"),
    *of("DOMAIN_BLOCK_STATS", "nothing"),
    *of("DOMAIN_BLOCK_STATS_FLAGS", "vda", 0, 0),
    *of("DOMAIN_INTERFACE_STATS", "nothing"),
    *of("DOMAIN_BLOCK_PEEK", "vda", 0, 512, 0),
    *of("DOMAIN_BLOCK_PEEK", "nothing", 0, 512, 0),
    *of("DOMAIN_MEMORY_PEEK", 0, 16, 2),
    *of("DOMAIN_GET_SECURITY_LABEL"),
    *of("DOMAIN_GET_SECURITY_LABEL_LIST"),
    *of("DOMAIN_IS_ACTIVE"),
    *of("DOMAIN_IS_PERSISTENT"),
    *of("DOMAIN_IS_UPDATED"),
    *of("DOMAIN_MEMORY_STATS", 13, 0),
    *of("DOMAIN_GET_JOB_INFO"),
    *of("DOMAIN_GET_JOB_STATS", flags=(0, 1)),
    *of("DOMAIN_HAS_MANAGED_SAVE_IMAGE", 0),
    *of("DOMAIN_MANAGED_SAVE_GET_XML_DESC", 0),
    *of("DOMAIN_GET_BLOCK_INFO", "vda", 0),
    *of("DOMAIN_GET_BLOCK_INFO", "nothing", 0),
    *of("DOMAIN_GET_MEMORY_PARAMETERS", 8, flags=AFFECT),
    *of("DOMAIN_GET_BLKIO_PARAMETERS", 8, flags=AFFECT),
    *of("DOMAIN_GET_NUMA_PARAMETERS", 8, flags=AFFECT),
    *of("DOMAIN_GET_BLOCK_IO_TUNE", "vda", 32, flags=AFFECT),
    *of("DOMAIN_GET_BLOCK_IO_TUNE", "nothing", 32, 0),
    *of("DOMAIN_GET_INTERFACE_PARAMETERS", "52:54:00:00:00:01", 8, flags=AFFECT),
    *of("DOMAIN_GET_INTERFACE_PARAMETERS", "nothing", 8, 0),
    *of("DOMAIN_GET_VCPUS_FLAGS", flags=(0, 1, 2, 3, 4, 5, 6, 8, 9)),
    *of("DOMAIN_GET_VCPU_PIN_INFO", 4, 1, flags=AFFECT),
    *of("DOMAIN_GET_EMULATOR_PIN_INFO", 1, flags=AFFECT),
    *of("DOMAIN_GET_IOTHREAD_INFO", flags=AFFECT),
    *of("DOMAIN_GET_STATE", 0),
    *of("DOMAIN_GET_CONTROL_INFO", 0),
    *of("DOMAIN_GET_BLOCK_JOB_INFO", "vda", 0),
    *of("DOMAIN_GET_BLOCK_JOB_INFO", "nothing", 0),
    *of("DOMAIN_GET_CPU_STATS", 0, -1, 1, 0),
    *of("DOMAIN_GET_CPU_STATS", 0, 0, 0, 0),
    *of("DOMAIN_GET_DISK_ERRORS", 8, 0),
    *of("DOMAIN_GET_METADATA", 0, None, flags=AFFECT),
    *of("DOMAIN_GET_METADATA", 2, "urn:x", 0),
    *of("DOMAIN_INTERFACE_ADDRESSES", 0, 0),
    *of("DOMAIN_INTERFACE_ADDRESSES", 1, 0),
    *of("DOMAIN_INTERFACE_ADDRESSES", 7, 0),
    *of("DOMAIN_GET_PERF_EVENTS", flags=AFFECT),
    *of("DOMAIN_GET_LAUNCH_SECURITY_INFO", 0),
    *of("DOMAIN_GET_MESSAGES", 0),
    *of("DOMAIN_GET_GUEST_INFO", 0, 0),
    *of("DOMAIN_GET_GUEST_VCPUS", 0),
    *of("DOMAIN_GET_FSINFO", 0),
    *of("DOMAIN_GET_TIME", 0),
    *of("DOMAIN_GET_HOSTNAME", flags=(0, 1, 2)),
    *of("DOMAIN_AUTHORIZED_SSH_KEYS_GET", "root", 0),
    *of("DOMAIN_BACKUP_GET_XML_DESC", 0),
    *of("DOMAIN_LIST_ALL_CHECKPOINTS", 1, 0),
    *of("DOMAIN_CHECKPOINT_LOOKUP_BY_NAME", "never", 0),
    moment("DOMAIN_CHECKPOINT_GET_XML_DESC", 0),
    moment("DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN", 1, 0),
    moment("DOMAIN_CHECKPOINT_GET_PARENT", 0),
    *of("DOMAIN_SNAPSHOT_NUM", 0),
    *of("DOMAIN_SNAPSHOT_LIST_NAMES", 8, 0),
    *of("DOMAIN_LIST_ALL_SNAPSHOTS", 1, 0),
    *of("DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", "never", 0),
    *of("DOMAIN_HAS_CURRENT_SNAPSHOT", 0),
    *of("DOMAIN_SNAPSHOT_CURRENT", 0),
    moment("DOMAIN_SNAPSHOT_GET_XML_DESC", 0),
    moment("DOMAIN_SNAPSHOT_GET_PARENT", 0),
    moment("DOMAIN_SNAPSHOT_NUM_CHILDREN", 0),
    moment("DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES", 8, 0),
    moment("DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN", 1, 0),
    moment("DOMAIN_SNAPSHOT_IS_CURRENT", 0),
    moment("DOMAIN_SNAPSHOT_HAS_METADATA", 0),
)

#: What changes the guest or its definition, but not the state it is in.
CHANGES: tuple[Operation, ...] = (
    *of("DOMAIN_SET_AUTOSTART", 0),
    *of("DOMAIN_PIN_VCPU", 0, b"\1"),
    *of("DOMAIN_PIN_VCPU_FLAGS", 0, b"\1", flags=AFFECT),
    *of("DOMAIN_PIN_VCPU_FLAGS", 9, b"\1", 0),
    *of("DOMAIN_PIN_EMULATOR", b"\3", flags=AFFECT),
    *of("DOMAIN_PIN_IOTHREAD", 1, b"\1", flags=AFFECT),
    *of("DOMAIN_PIN_IOTHREAD", 9, b"\1", 0),
    *of("DOMAIN_SET_MAX_MEMORY", 32768),
    *of("DOMAIN_SET_MEMORY", 32768),
    *of("DOMAIN_SET_MEMORY_FLAGS", 32768, flags=AFFECT),
    *of("DOMAIN_SET_MEMORY_FLAGS", 65536, 0),
    *of("DOMAIN_SET_MEMORY_FLAGS", 32768, 5),
    *of("DOMAIN_SET_MEMORY_FLAGS", 32768, 6),
    *of("DOMAIN_SET_MEMORY_STATS_PERIOD", 5, flags=AFFECT),
    *of("DOMAIN_SET_VCPUS", 1),
    *of("DOMAIN_SET_VCPUS_FLAGS", 1, flags=AFFECT),
    *of("DOMAIN_SET_VCPUS_FLAGS", 9, flags=(0, 1, 2)),
    *of("DOMAIN_SET_VCPUS_FLAGS", 2, flags=(4, 5, 6)),
    *of("DOMAIN_SET_VCPUS_FLAGS", 1, 8),
    *of("DOMAIN_SET_VCPU", "1", 0, flags=AFFECT),
    *of("DOMAIN_SET_GUEST_VCPUS", "0", 1, 0),
    *of("DOMAIN_ADD_IOTHREAD", 1, flags=AFFECT),
    *of("DOMAIN_DEL_IOTHREAD", 7, flags=AFFECT),
    *of("DOMAIN_SET_IOTHREAD_PARAMS", 1, [ullong("poll_max_ns", 1000)], flags=AFFECT),
    *of("DOMAIN_SET_SCHEDULER_PARAMETERS", [ullong("cpu_shares", 1024)]),
    *of("DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS", [llong("vcpu_quota", -1)], flags=AFFECT),
    *of("DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS", [llong("nonsense", 1)], 0),
    *of("DOMAIN_SET_MEMORY_PARAMETERS", [ullong("hard_limit", 1 << 20)], flags=AFFECT),
    *of("DOMAIN_SET_BLKIO_PARAMETERS", [uint("weight", 500)], 2),
    *of("DOMAIN_SET_NUMA_PARAMETERS", [string("numa_nodeset", "0")], flags=AFFECT),
    *of("DOMAIN_SET_BLOCK_IO_TUNE", "vda", [ullong("total_iops_sec", 900)], flags=AFFECT),
    *of("DOMAIN_SET_BLOCK_IO_TUNE", "nothing", [ullong("total_iops_sec", 900)], 0),
    *of("DOMAIN_SET_INTERFACE_PARAMETERS", "nothing", [uint("inbound.average", 900)], flags=AFFECT),
    *of("DOMAIN_SET_PERF_EVENTS", [int_("cmt", 0)], flags=AFFECT),
    *of("DOMAIN_SET_METADATA", 0, "of it", None, None, flags=AFFECT),
    *of("DOMAIN_SET_LIFECYCLE_ACTION", 0, 0, flags=AFFECT),
    *of("DOMAIN_SET_LIFECYCLE_ACTION", 9, 0, 0),
    *of("DOMAIN_SET_LAUNCH_SECURITY_STATE", [string("sev-secret", "x"), string("sev-secret-header", "x")], 0),
    *of("DOMAIN_ATTACH_DEVICE", TABLET),
    *of("DOMAIN_DETACH_DEVICE", TABLET),
    *of("DOMAIN_ATTACH_DEVICE_FLAGS", TABLET, flags=AFFECT),
    *of("DOMAIN_ATTACH_DEVICE_FLAGS", USB_DISK, flags=(0, 2)),
    *of("DOMAIN_UPDATE_DEVICE_FLAGS", USB_DISK, flags=AFFECT),
    *of("DOMAIN_DETACH_DEVICE_FLAGS", USB_DISK, flags=(2, 0)),
    *of("DOMAIN_DETACH_DEVICE_FLAGS", TABLET, flags=AFFECT),
    *of("DOMAIN_DETACH_DEVICE_ALIAS", "nothing", flags=AFFECT),
    *of("DOMAIN_ATTACH_DEVICE_FLAGS", "<nonsense/>", 0),
    *of("DOMAIN_SEND_KEY", 0, 0, [28], 0),
    *of("DOMAIN_INJECT_NMI", 0),
    *of("DOMAIN_SEND_PROCESS_SIGNAL", 1, 9, 0),
    *of("DOMAIN_SCREENSHOT", 9, 0),
    *of("DOMAIN_OPEN_CONSOLE", "nothing", 0),
    *of("DOMAIN_OPEN_CHANNEL", "nothing", 0),
    *of("DOMAIN_START_DIRTY_RATE_CALC", 1, 0),
    *of("DOMAIN_SET_BLOCK_THRESHOLD", "vda", 1 << 40, 0),
    *of("DOMAIN_SET_BLOCK_THRESHOLD", "nothing", 1, 0),
    *of("DOMAIN_BLOCK_RESIZE", "vda", 1 << 20, 64),
    *of("DOMAIN_BLOCK_RESIZE", "nothing", 1, 0),
    *of("DOMAIN_BLOCK_PULL", "vda", 0, 0),
    *of("DOMAIN_BLOCK_PULL", "nothing", 0, 0),
    *of("DOMAIN_BLOCK_REBASE", "vda", f"{FILES}/nothing", 0, 0),
    *of("DOMAIN_BLOCK_COMMIT", "vda", f"{FILES}/nothing", None, 0, 0),
    *of("DOMAIN_BLOCK_COPY", "nothing", COPY, [], 0),
    *of("DOMAIN_BLOCK_JOB_SET_SPEED", "vdb", 1, 0),
    *of("DOMAIN_BLOCK_JOB_ABORT", "vdb", 0),
    *of("DOMAIN_BLOCK_JOB_ABORT", "nothing", 0),
    *of("DOMAIN_ABORT_JOB"),
    *of("DOMAIN_ABORT_JOB_FLAGS", 1),
    *of("DOMAIN_BACKUP_BEGIN", "<nonsense/>", None, 0),
    *of("DOMAIN_CHECKPOINT_CREATE_XML", "<nonsense/>", 0),
    moment("DOMAIN_CHECKPOINT_DELETE", 0),
    moment("DOMAIN_SNAPSHOT_DELETE", 0),
    moment("DOMAIN_REVERT_TO_SNAPSHOT", 0),
    *of("DOMAIN_AGENT_SET_RESPONSE_TIMEOUT", -2, 0),
    *of("DOMAIN_AGENT_SET_RESPONSE_TIMEOUT", -9, 0),
    *of("DOMAIN_FSFREEZE", [], 0),
    *of("DOMAIN_FSTHAW", [], 0),
    *of("DOMAIN_FSTRIM", None, 0, 0),
    *of("DOMAIN_SET_TIME", 1, 0, 0),
    *of("DOMAIN_SET_USER_PASSWORD", "root", "x", 0),
    *of("DOMAIN_AUTHORIZED_SSH_KEYS_SET", "root", ["ssh-rsa AAAA"], 0),
    *of("DOMAIN_PM_SUSPEND_FOR_DURATION", 0, 0, 0),
    *of("DOMAIN_PM_SUSPEND_FOR_DURATION", 0, 5, 0),
    *of("DOMAIN_MONITOR_COMMAND", '{"execute": "query-status"}', 0, program=QEMU),
    *of("DOMAIN_MONITOR_COMMAND", '{"execute": "nonsense"}', 0, program=QEMU),
    *of("DOMAIN_AGENT_COMMAND", '{"execute": "guest-ping"}', -2, 0, program=QEMU),
    *of("DOMAIN_MANAGED_SAVE_REMOVE", 0),
    *of("DOMAIN_MANAGED_SAVE_DEFINE_XML", "<nonsense/>", 0),
    *of("DOMAIN_SAVE", f"{FILES}/nowhere/image"),
    *of("DOMAIN_SAVE_FLAGS", f"{FILES}/nowhere/image", None, 6),
    *of("DOMAIN_CORE_DUMP", f"{FILES}/nowhere/core", 0),
    *of("DOMAIN_CORE_DUMP_WITH_FORMAT", f"{FILES}/nowhere/core", 0, 16),
    *of("DOMAIN_CORE_DUMP_WITH_FORMAT", f"{FILES}/nowhere/core", 9, 0),
    *of("DOMAIN_RENAME", "", 0),
    *of("DOMAIN_REBOOT", 2),
    *of("DOMAIN_SHUTDOWN_FLAGS", 2),
)

#: What moves the domain to another state, where it can; the domain is made anew behind each that does.
MOVES: tuple[Operation, ...] = (
    *of("DOMAIN_SUSPEND"),
    *of("DOMAIN_RESUME"),
    *of("DOMAIN_PM_WAKEUP", 0),
    *of("DOMAIN_SHUTDOWN"),
    *of("DOMAIN_REBOOT", 1),
    *of("DOMAIN_RENAME", "another", 0),
    *of("DOMAIN_RESET", 0),
    *of("DOMAIN_CREATE"),
    *of("DOMAIN_CREATE_WITH_FLAGS", 1),
    *of("DOMAIN_SAVE", f"{FILES}/image"),
    *of("DOMAIN_MANAGED_SAVE", 0),
    *of("DOMAIN_UNDEFINE"),
    *of("DOMAIN_UNDEFINE_FLAGS", 4),
    *of("DOMAIN_DESTROY_FLAGS", 1),
    *of("DOMAIN_DESTROY"),
)
