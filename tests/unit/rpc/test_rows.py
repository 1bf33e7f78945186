"""Every row between the protocol and the contract: arguments on their way down, results on their way up."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import pytest

from roost.contract.agent import FileSystemInfo, InterfaceInfo, IpAddress
from roost.contract.domains import DomainInfo
from roost.contract.node import NodeInfo
from roost.contract.references import MomentRef
from roost.contract.tuning import VcpuPlace
from roost.contract.typed_params import string, ullong
from roost.errors import RpcError
from roost.protocol import QEMU, REMOTE
from roost.rpc import handlers
from support.desk import WEB, Desk, run

UUID = WEB.uuid
OWN = {"auth", "connect", "displays", "events", "files", "monitor"}


class Case(NamedTuple):
    """sent: the procedure's arguments. down: what the method gets. up: what it answers. received: the reply."""

    name: str
    sent: tuple[Any, ...]
    method: str
    down: tuple[Any, ...]
    up: Any
    received: tuple[Any, ...]


def same(name: str, sent: tuple[Any, ...], method: str, up: Any) -> Case:
    """Arguments pass as they are; the value is the only field of the reply."""
    return Case(name, sent, method, sent, up, (up,))


def void(name: str, sent: tuple[Any, ...], method: str, down: tuple[Any, ...] | None = None) -> Case:
    return Case(name, sent, method, sent if down is None else down, None, ())


JOB = tuple(range(1, 13))
COUNTERS = tuple(range(1, 9))
NUMBERS = [ullong("data_total", 5), string("file", "/a")]
FILE_SYSTEMS = [FileSystemInfo("/mnt", "vda1", "ext4", ["vda"])]
MANY_DISKS = [FileSystemInfo("/mnt", "vda1", "ext4", ["vda"] * 257)]
MANY_ADDRESSES = [InterfaceInfo("eth0", None, [IpAddress(1, "::", 1)] * 2049)]
INTERFACES = [InterfaceInfo("eth0", None, [IpAddress(0, "192.0.2.7", 24)])]
STATS = [(WEB, [ullong("cpu.time", 5), string("net.0.name", "vnet0")])]
LABELS = [string("sev-secret", "x")]

MOMENT = MomentRef("a", WEB)

CASES = [
    same("DOMAIN_LOOKUP_BY_ID", (7,), "lookup_by_id", WEB),
    same("DOMAIN_LOOKUP_BY_NAME", ("web",), "lookup_by_name", WEB),
    same("DOMAIN_LOOKUP_BY_UUID", (UUID,), "lookup_by_uuid", WEB),
    Case("CONNECT_LIST_ALL_DOMAINS", (1, 3), "list_all", (3,), [WEB], ([WEB], 1)),
    Case("CONNECT_LIST_ALL_DOMAINS", (0, 3), "list_all", (3,), [WEB], ([], 1)),
    same("CONNECT_NUM_OF_DOMAINS", (), "count_active", 4),
    same("CONNECT_LIST_DOMAINS", (10,), "active_ids", [1, 2]),
    same("CONNECT_NUM_OF_DEFINED_DOMAINS", (), "count_defined", 4),
    same("CONNECT_LIST_DEFINED_DOMAINS", (10,), "defined_names", ["a", "b"]),
    Case("DOMAIN_DEFINE_XML", ("<x/>",), "define", ("<x/>", 0), WEB, (WEB,)),
    same("DOMAIN_DEFINE_XML_FLAGS", ("<x/>", 1), "define", WEB),
    same("DOMAIN_CREATE_XML", ("<x/>", 1), "create_xml", WEB),
    void("DOMAIN_UNDEFINE", (WEB,), "undefine", (WEB, 0)),
    void("DOMAIN_UNDEFINE_FLAGS", (WEB, 4), "undefine"),
    same("DOMAIN_GET_XML_DESC", (WEB, 1), "describe", "<domain/>"),
    same("DOMAIN_GET_XML_DESC", (WEB, 4), "describe_for_host", "<domain/>"),
    Case("DOMAIN_IS_ACTIVE", (WEB,), "is_active", (WEB,), True, (1,)),
    Case("DOMAIN_IS_PERSISTENT", (WEB,), "is_persistent", (WEB,), False, (0,)),
    Case("DOMAIN_IS_UPDATED", (WEB,), "is_updated", (WEB,), True, (1,)),
    Case("DOMAIN_GET_AUTOSTART", (WEB,), "autostart", (WEB,), True, (1,)),
    void("DOMAIN_SET_AUTOSTART", (WEB, 1), "set_autostart", (WEB, True)),
    Case("DOMAIN_GET_AUTOSTART_ONCE", (WEB,), "autostart_once", (WEB,), True, (1,)),
    void("DOMAIN_SET_AUTOSTART_ONCE", (WEB, 1), "set_autostart_once", (WEB, True)),
    Case("DOMAIN_RENAME", (WEB, "new", 0), "rename", (WEB, "new", 0), None, (0,)),
    same("DOMAIN_GET_METADATA", (WEB, 2, "urn:x", 1), "metadata", "<m/>"),
    void("DOMAIN_SET_METADATA", (WEB, 2, "<m/>", "key", "urn:x", 1), "set_metadata"),
    Case("DOMAIN_CREATE", (WEB,), "create", (WEB, 0), WEB, ()),
    same("DOMAIN_CREATE_WITH_FLAGS", (WEB, 1), "create", WEB),
    void("DOMAIN_SHUTDOWN", (WEB,), "shutdown", (WEB, 0)),
    void("DOMAIN_SHUTDOWN_FLAGS", (WEB, 2), "shutdown"),
    void("DOMAIN_REBOOT", (WEB, 1), "reboot"),
    void("DOMAIN_RESET", (WEB, 0), "reset"),
    void("DOMAIN_SUSPEND", (WEB,), "suspend"),
    void("DOMAIN_RESUME", (WEB,), "resume"),
    void("DOMAIN_DESTROY", (WEB,), "destroy", (WEB, 0)),
    void("DOMAIN_DESTROY_FLAGS", (WEB, 1), "destroy"),
    Case("DOMAIN_GET_INFO", (WEB,), "info", (WEB,), DomainInfo(1, 2048, 1024, 2, 99), (1, 2048, 1024, 2, 99)),
    void("DOMAIN_SET_LIFECYCLE_ACTION", (WEB, 2, 1, 3), "set_action"),
    void("DOMAIN_SEND_KEY", (WEB, 0, 100, [29, 56], 0), "send_key"),
    void("DOMAIN_INJECT_NMI", (WEB, 0), "inject_nmi"),
    void("DOMAIN_SEND_PROCESS_SIGNAL", (WEB, 1, 9, 0), "send_process_signal"),
    Case("DOMAIN_GET_SECURITY_LABEL_LIST", (WEB,), "labels", (WEB,), [("a", True)], ([(b"a\0", 1)], 1)),
    same("DOMAIN_GET_LAUNCH_SECURITY_INFO", (WEB, 4), "launch_info", LABELS),
    void("DOMAIN_SET_LAUNCH_SECURITY_STATE", (WEB, LABELS, 0), "set_launch_state"),
    Case("DOMAIN_GET_STATE", (WEB, 0), "state", (WEB, 0), (1, 5), (1, 5)),
    same("DOMAIN_GET_OS_TYPE", (WEB,), "os_type", "hvm"),
    same("DOMAIN_GET_MAX_MEMORY", (WEB,), "max_memory", 1 << 40),
    same("DOMAIN_GET_MAX_VCPUS", (WEB,), "max_vcpus", 4),
    same("DOMAIN_GET_VCPUS_FLAGS", (WEB, 1), "vcpus", 4),
    Case("DOMAIN_GET_CONTROL_INFO", (WEB, 0), "control_info", (WEB, 0), (1, 0, 250), (1, 0, 250)),
    void("DOMAIN_MIGRATE_SET_MAX_DOWNTIME", (WEB, 300, 0), "set_max_downtime"),
    same("DOMAIN_MIGRATE_GET_MAX_DOWNTIME", (WEB, 0), "max_downtime", 300),
    void("DOMAIN_MIGRATE_SET_MAX_SPEED", (WEB, 5, 1), "set_max_speed"),
    same("DOMAIN_MIGRATE_GET_MAX_SPEED", (WEB, 1), "max_speed", 5),
    void("DOMAIN_MIGRATE_SET_COMPRESSION_CACHE", (WEB, 65536, 0), "set_compression_cache"),
    same("DOMAIN_MIGRATE_GET_COMPRESSION_CACHE", (WEB, 0), "compression_cache", 65536),
    void("DOMAIN_MIGRATE_START_POST_COPY", (WEB, 0), "start_post_copy"),
    Case("DOMAIN_GET_JOB_INFO", (WEB,), "info", (WEB,), JOB, JOB),
    Case("DOMAIN_GET_JOB_STATS", (WEB, 1), "statistics", (WEB, 1), (3, NUMBERS), (3, NUMBERS)),
    void("DOMAIN_ABORT_JOB", (WEB,), "abort", (WEB, 0)),
    void("DOMAIN_ABORT_JOB_FLAGS", (WEB, 1), "abort"),
    void("DOMAIN_SAVE", (WEB, "/a"), "save", (WEB, "/a", None, 0)),
    void("DOMAIN_SAVE_FLAGS", (WEB, "/a", "<x/>", 1), "save"),
    void("DOMAIN_SAVE_PARAMS", (WEB, NUMBERS, 1), "save_with"),
    void("DOMAIN_RESTORE", ("/a",), "restore", ("/a", None, 0)),
    void("DOMAIN_RESTORE_FLAGS", ("/a", "<x/>", 1), "restore"),
    void("DOMAIN_RESTORE_PARAMS", (NUMBERS, 1), "restore_with"),
    same("DOMAIN_SAVE_IMAGE_GET_XML_DESC", ("/a", 1), "describe_image", "<domain/>"),
    void("DOMAIN_SAVE_IMAGE_DEFINE_XML", ("/a", "<x/>", 2), "define_image"),
    void("DOMAIN_MANAGED_SAVE", (WEB, 1), "managed_save"),
    void("DOMAIN_MANAGED_SAVE_REMOVE", (WEB, 0), "remove_managed_save"),
    same("DOMAIN_MANAGED_SAVE_GET_XML_DESC", (WEB, 1), "describe_managed_save", "<domain/>"),
    void("DOMAIN_MANAGED_SAVE_DEFINE_XML", (WEB, "<x/>", 2), "define_managed_save"),
    void("DOMAIN_CORE_DUMP", (WEB, "/a", 2), "dump", (WEB, "/a", 0, 2)),
    void("DOMAIN_CORE_DUMP_WITH_FORMAT", (WEB, "/a", 1, 2), "dump"),
    same("DOMAIN_MEMORY_PEEK", (WEB, 4096, 2, 1), "peek", b"\0\1"),
    void("DOMAIN_START_DIRTY_RATE_CALC", (WEB, 1, 2), "start_dirty_rate"),
    Case("DOMAIN_GET_SECURITY_LABEL", (WEB,), "security_label", (WEB,), ("label", True), (b"label\0", 1)),
    same("DOMAIN_GET_MESSAGES", (WEB, 0), "messages", ["tainted: custom-argv"]),
    Case("DOMAIN_HAS_MANAGED_SAVE_IMAGE", (WEB, 0), "has_managed_save", (WEB, 0), False, (0,)),
    Case("DOMAIN_MEMORY_STATS", (WEB, 11, 0), "memory_stats", (WEB, 11, 0), [(6, 512)], ([(6, 512)],)),
    Case("CONNECT_GET_ALL_DOMAIN_STATS", ([WEB], 1, 2), "all_stats", ([WEB], 1, 2), STATS, (STATS,)),
    Case("DOMAIN_BLOCK_STATS", (WEB, "vda"), "block_stats", (WEB, "vda"), (1, 2, 3, 4, -1), (1, 2, 3, 4, -1)),
    Case("DOMAIN_INTERFACE_STATS", (WEB, "vnet0"), "interface_stats", (WEB, "vnet0"), COUNTERS, COUNTERS),
    void("DOMAIN_BLOCK_PULL", (WEB, "vda", 10, 64), "pull"),
    void("DOMAIN_BLOCK_REBASE", (WEB, "vda", "/b", 10, 64), "rebase"),
    void("DOMAIN_BLOCK_COMMIT", (WEB, "vda", "vda[2]", None, 10, 4), "commit"),
    void("DOMAIN_BLOCK_COPY", (WEB, "vda", "<disk/>", [ullong("bandwidth", 5)], 1), "copy"),
    Case("DOMAIN_GET_BLOCK_JOB_INFO", (WEB, "vda", 1), "job_info", (WEB, "vda", 1), (2, 3, 4, 5), (1, 2, 3, 4, 5)),
    Case("DOMAIN_GET_BLOCK_JOB_INFO", (WEB, "vda", 1), "job_info", (WEB, "vda", 1), None, (0, 0, 0, 0, 0)),
    void("DOMAIN_BLOCK_JOB_SET_SPEED", (WEB, "vda", 7, 1), "set_job_speed"),
    void("DOMAIN_BLOCK_JOB_ABORT", (WEB, "vda", 2), "abort_job"),
    void("DOMAIN_BLOCK_RESIZE", (WEB, "vda", 1 << 40, 1), "resize"),
    void("DOMAIN_SET_BLOCK_THRESHOLD", (WEB, "vda[3]", 1 << 30, 0), "set_threshold"),
    Case("DOMAIN_GET_BLOCK_INFO", (WEB, "vda", 0), "info", (WEB, "vda", 0), (1, 2, 3), (1, 2, 3)),
    same("DOMAIN_BLOCK_PEEK", (WEB, "vda", 512, 4, 0), "peek", b"disk"),
    Case("DOMAIN_GET_DISK_ERRORS", (WEB, 4, 0), "disk_errors", (WEB, 4, 0), ([("vda", 2)], 1), ([("vda", 2)], 1)),
    Case(
        "DOMAIN_BLOCK_STATS_FLAGS",
        (WEB, "vda", 8, 0),
        "statistics",
        (WEB, "vda", 8, 0),
        (STATS[0][1], 2),
        (STATS[0][1], 2),
    ),
    void("DOMAIN_ATTACH_DEVICE", (WEB, "<disk/>"), "attach", (WEB, "<disk/>", 1)),
    void("DOMAIN_ATTACH_DEVICE_FLAGS", (WEB, "<disk/>", 2), "attach"),
    void("DOMAIN_DETACH_DEVICE", (WEB, "<disk/>"), "detach", (WEB, "<disk/>", 1)),
    void("DOMAIN_DETACH_DEVICE_FLAGS", (WEB, "<disk/>", 2), "detach"),
    void("DOMAIN_DETACH_DEVICE_ALIAS", (WEB, "net0", 1), "detach_alias"),
    void("DOMAIN_UPDATE_DEVICE_FLAGS", (WEB, "<disk/>", 4), "update"),
    void("DOMAIN_SET_VCPUS", (WEB, 2), "set_count", (WEB, 2, 1)),
    void("DOMAIN_SET_VCPUS_FLAGS", (WEB, 2, 1), "set_count"),
    void("DOMAIN_SET_VCPUS_FLAGS", (WEB, 2, 9), "set_vcpu_count"),
    void("DOMAIN_SET_VCPU", (WEB, "2-3", 1, 1), "set_one"),
    void("DOMAIN_ADD_IOTHREAD", (WEB, 2, 1), "add_iothread"),
    void("DOMAIN_DEL_IOTHREAD", (WEB, 2, 1), "delete_iothread"),
    void("DOMAIN_SET_IOTHREAD_PARAMS", (WEB, 2, NUMBERS, 1), "set_iothread"),
    same("DOMAIN_CHECKPOINT_CREATE_XML", (WEB, "<c/>", 1), "create", MOMENT),
    same("DOMAIN_CHECKPOINT_GET_XML_DESC", (MOMENT, 2), "describe", "<c/>"),
    Case("DOMAIN_LIST_ALL_CHECKPOINTS", (WEB, 1, 4), "list_all", (WEB, 4), [MOMENT], ([MOMENT], 1)),
    Case("DOMAIN_LIST_ALL_CHECKPOINTS", (WEB, 0, 4), "list_all", (WEB, 4), [MOMENT], ([], 1)),
    Case("DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN", (MOMENT, 1, 1), "children", (MOMENT, 1), [MOMENT], ([MOMENT], 1)),
    same("DOMAIN_CHECKPOINT_LOOKUP_BY_NAME", (WEB, "a", 0), "lookup", MOMENT),
    same("DOMAIN_CHECKPOINT_GET_PARENT", (MOMENT, 0), "parent", MOMENT),
    void("DOMAIN_CHECKPOINT_DELETE", (MOMENT, 2), "delete"),
    same("DOMAIN_SNAPSHOT_CREATE_XML", (WEB, "<s/>", 1), "create", MOMENT),
    same("DOMAIN_SNAPSHOT_GET_XML_DESC", (MOMENT, 0), "describe", "<s/>"),
    Case("DOMAIN_SNAPSHOT_NUM", (WEB, 4), "list_all", (WEB, 4), [MOMENT, MOMENT], (2,)),
    Case("DOMAIN_SNAPSHOT_LIST_NAMES", (WEB, 1, 4), "list_all", (WEB, 4), [MOMENT, MOMENT], (["a"],)),
    Case("DOMAIN_SNAPSHOT_NUM_CHILDREN", (MOMENT, 1), "children", (MOMENT, 1), [MOMENT], (1,)),
    Case("DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES", (MOMENT, 0, 1), "children", (MOMENT, 1), [MOMENT], ([],)),
    Case("DOMAIN_LIST_ALL_SNAPSHOTS", (WEB, 1, 4), "list_all", (WEB, 4), [MOMENT], ([MOMENT], 1)),
    Case("DOMAIN_LIST_ALL_SNAPSHOTS", (WEB, 0, 4), "list_all", (WEB, 4), [MOMENT], ([], 1)),
    Case("DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN", (MOMENT, 1, 1), "children", (MOMENT, 1), [MOMENT], ([MOMENT], 1)),
    same("DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", (WEB, "a", 0), "lookup", MOMENT),
    Case("DOMAIN_HAS_CURRENT_SNAPSHOT", (WEB, 0), "has_current", (WEB, 0), True, (1,)),
    same("DOMAIN_SNAPSHOT_CURRENT", (WEB, 0), "current", MOMENT),
    same("DOMAIN_SNAPSHOT_GET_PARENT", (MOMENT, 0), "parent", MOMENT),
    Case("DOMAIN_SNAPSHOT_IS_CURRENT", (MOMENT, 0), "is_current", (MOMENT, 0), False, (0,)),
    Case("DOMAIN_SNAPSHOT_HAS_METADATA", (MOMENT, 0), "has_metadata", (MOMENT, 0), True, (1,)),
    void("DOMAIN_REVERT_TO_SNAPSHOT", (MOMENT, 5), "revert"),
    void("DOMAIN_SNAPSHOT_DELETE", (MOMENT, 2), "delete"),
    void("DOMAIN_BACKUP_BEGIN", (WEB, "<b/>", None, 1), "begin"),
    same("DOMAIN_BACKUP_GET_XML_DESC", (WEB, 0), "describe", "<b/>"),
    same("CONNECT_GET_VERSION", (), "version", 7_002_022),
    same("CONNECT_GET_HOSTNAME", (), "hostname", "host"),
    same("CONNECT_GET_CAPABILITIES", (), "capabilities", "<capabilities/>"),
    same("CONNECT_GET_DOMAIN_CAPABILITIES", ("/q", "x86_64", "q35", "kvm", 0), "domain_capabilities", "<d/>"),
    same("CONNECT_GET_MAX_VCPUS", ("kvm",), "max_vcpus", 288),
    same("CONNECT_GET_SYSINFO", (0,), "sysinfo", "<sysinfo/>"),
    Case("CONNECT_GET_CPU_MODEL_NAMES", ("x", 1, 0), "model_names", ("x", 0), ["a", "b"], (["a", "b"], 2)),
    Case("CONNECT_GET_CPU_MODEL_NAMES", ("x", 0, 0), "model_names", ("x", 0), ["a", "b"], ([], 2)),
    same("CONNECT_COMPARE_CPU", ("<cpu/>", 1), "compare", 2),
    same("CONNECT_BASELINE_CPU", (["<cpu/>"], 1), "baseline", "<cpu/>"),
    same("CONNECT_COMPARE_HYPERVISOR_CPU", ("/q", "x", "m", "kvm", "<cpu/>", 1), "compare_hypervisor", 1),
    same("CONNECT_BASELINE_HYPERVISOR_CPU", ("/q", "x", "m", "kvm", ["<cpu/>"], 1), "baseline_hypervisor", "<cpu/>"),
    same("CONNECT_DOMAIN_XML_TO_NATIVE", ("qemu-argv", "<x/>", 0), "to_native", "qemu -S"),
    same("CONNECT_DOMAIN_XML_FROM_NATIVE", ("qemu-argv", "qemu -S", 0), "from_native", "<x/>"),
    Case(
        "NODE_GET_INFO",
        (),
        "info",
        (),
        NodeInfo("x" * 40, 1024, 4, 2000, 1, 1, 4, 1),
        (b"x" * 31 + b"\0", 1024, 4, 2000, 1, 1, 4, 1),
    ),
    same("NODE_GET_FREE_MEMORY", (), "free_memory", 1 << 33),
    same("NODE_GET_CELLS_FREE_MEMORY", (0, 2), "cells_free_memory", [1, 2]),
    Case("NODE_GET_SECURITY_MODEL", (), "security_model", (), ("none", "0"), (b"none\0", b"0\0")),
    Case("NODE_GET_CPU_STATS", (-1, 1, 0), "cpu_stats", (-1, 0), [("user", 5)], ([("user", 5)], 1)),
    Case("NODE_GET_CPU_STATS", (-1, 0, 0), "cpu_stats", (-1, 0), [("user", 5)], ([], 1)),
    Case("NODE_GET_MEMORY_STATS", (1, -1, 0), "memory_stats", (-1, 0), [("total", 5)], ([("total", 5)], 1)),
    Case("NODE_GET_CPU_MAP", (1, 1, 0), "cpu_map", (0,), (b"\x0f", 4, 8), (b"\x0f", 4, 8)),
    Case("NODE_GET_CPU_MAP", (0, 0, 0), "cpu_map", (0,), (b"\x0f", 4, 8), (b"", 0, 8)),
    same("DOMAIN_GET_VCPUS_FLAGS", (WEB, 9), "vcpu_count", 4),
    Case("DOMAIN_AGENT_SET_RESPONSE_TIMEOUT", (WEB, 5, 0), "set_response_timeout", (WEB, 5, 0), None, (0,)),
    same("DOMAIN_FSFREEZE", (WEB, ["/"], 0), "freeze", 2),
    same("DOMAIN_FSTHAW", (WEB, [], 0), "thaw", 2),
    void("DOMAIN_FSTRIM", (WEB, None, 4096, 0), "trim"),
    Case("DOMAIN_GET_FSINFO", (WEB, 0), "file_systems", (WEB, 0), FILE_SYSTEMS, (FILE_SYSTEMS, 1)),
    Case("DOMAIN_GET_TIME", (WEB, 0), "time", (WEB, 0), (10, 20), (10, 20)),
    void("DOMAIN_SET_TIME", (WEB, 10, 20, 0), "set_time"),
    same("DOMAIN_GET_GUEST_INFO", (WEB, 3, 0), "info", [string("hostname", "web")]),
    same("DOMAIN_GET_HOSTNAME", (WEB, 2), "hostname", "web"),
    same("DOMAIN_INTERFACE_ADDRESSES", (WEB, 1, 0), "addresses", INTERFACES),
    void("DOMAIN_SET_USER_PASSWORD", (WEB, "root", "secret", 1), "set_password"),
    same("DOMAIN_AUTHORIZED_SSH_KEYS_GET", (WEB, "root", 0), "ssh_keys", ["ssh-rsa AAAA"]),
    void("DOMAIN_AUTHORIZED_SSH_KEYS_SET", (WEB, "root", ["ssh-rsa AAAA"], 1), "set_ssh_keys"),
    same("DOMAIN_GET_GUEST_VCPUS", (WEB, 0), "vcpus", [string("online", "0-1")]),
    void("DOMAIN_SET_GUEST_VCPUS", (WEB, "1", 0, 0), "set_vcpus"),
    void("DOMAIN_PM_SUSPEND_FOR_DURATION", (WEB, 1, 0, 0), "suspend"),
    void("DOMAIN_PM_WAKEUP", (WEB, 0), "wake_up"),
]


PARAMS = [ullong("cpu_shares", 5), string("device_weight", "")]


def tuned(name: str, method: str, *device: str, counted: bool = True) -> list[Case]:
    """Parameters that are asked for with room, and for their number; those of the scheduler cannot be asked for it."""
    found = [Case(name, (WEB, *device, 1, 2), method, (WEB, *device, 2), PARAMS, (PARAMS[:1], *([1] * counted)))]
    if counted:
        none = (None,) * len(device)
        found.append(Case(name, (WEB, *device, 0, 2), method, (WEB, *none, 2), PARAMS, ([], 2)))
    return found


def pinned(name: str, method: str, *number: int) -> Case:
    return void(name, (WEB, *number, b"\x05\x01", 1), method, (WEB, *number, frozenset((0, 2, 8)), 1))


PLACES = [VcpuPlace(0, 1, 99, 3, frozenset((0, 9))), VcpuPlace(2, 1, 98, -1, frozenset((1,)))]
SETS = [frozenset((0, 1)), frozenset((9,))]
EACH = [(ullong("cpu_time", cpu), ullong("vcpu_time", 0)) for cpu in range(3)]

CASES += [
    void("DOMAIN_PIN_VCPU", (WEB, 1, b"\x02"), "pin_vcpu", (WEB, 1, frozenset((1,)), 1)),
    pinned("DOMAIN_PIN_VCPU_FLAGS", "pin_vcpu", 1),
    pinned("DOMAIN_PIN_EMULATOR", "pin_emulator"),
    pinned("DOMAIN_PIN_IOTHREAD", "pin_iothread", 4),
    Case("DOMAIN_GET_VCPUS", (WEB, 3, 1), "vcpu_places", (WEB,), PLACES, ([(0, 1, 99, 3), (2, 1, 98, -1)], b"\1\2\0")),
    Case("DOMAIN_GET_VCPU_PIN_INFO", (WEB, 1, 2, 1), "vcpu_pins", (WEB, 1), SETS, (b"\3\0", 1)),
    Case("DOMAIN_GET_EMULATOR_PIN_INFO", (WEB, 1, 1), "emulator_pin", (WEB, 1), SETS[0], (b"\3", 1)),
    Case("DOMAIN_GET_IOTHREAD_INFO", (WEB, 1), "iothread_pins", (WEB, 1), [(4, SETS[1])], ([(4, b"\0\2")], 1)),
    Case("DOMAIN_GET_SCHEDULER_TYPE", (WEB,), "scheduler_type", (WEB,), ("posix", 9), ("posix", 9)),
    *tuned("DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS", "scheduler_parameters", counted=False),
    Case("DOMAIN_GET_SCHEDULER_PARAMETERS", (WEB, 2), "scheduler_parameters", (WEB, 0), PARAMS, (PARAMS,)),
    void("DOMAIN_SET_SCHEDULER_PARAMETERS", (WEB, PARAMS), "set_scheduler_parameters", (WEB, PARAMS, 0)),
    void("DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS", (WEB, PARAMS, 1), "set_scheduler_parameters"),
    *tuned("DOMAIN_GET_MEMORY_PARAMETERS", "memory_parameters"),
    void("DOMAIN_SET_MEMORY_PARAMETERS", (WEB, PARAMS, 1), "set_memory_parameters"),
    *tuned("DOMAIN_GET_BLKIO_PARAMETERS", "blkio_parameters"),
    void("DOMAIN_SET_BLKIO_PARAMETERS", (WEB, PARAMS, 1), "set_blkio_parameters"),
    *tuned("DOMAIN_GET_NUMA_PARAMETERS", "numa_parameters"),
    void("DOMAIN_SET_NUMA_PARAMETERS", (WEB, PARAMS, 1), "set_numa_parameters"),
    *tuned("DOMAIN_GET_BLOCK_IO_TUNE", "block_io_tune", "vda"),
    void("DOMAIN_SET_BLOCK_IO_TUNE", (WEB, "vda", PARAMS, 1), "set_block_io_tune"),
    void("DOMAIN_SET_THROTTLE_GROUP", (WEB, "fast", PARAMS, 1), "set"),
    void("DOMAIN_DEL_THROTTLE_GROUP", (WEB, None, 1), "delete"),
    void("DOMAIN_ANNOUNCE_INTERFACE", (WEB, None, PARAMS, 0), "announce"),
    *tuned("DOMAIN_GET_INTERFACE_PARAMETERS", "interface_parameters", "vnet0"),
    void("DOMAIN_SET_INTERFACE_PARAMETERS", (WEB, "vnet0", PARAMS, 1), "set_interface_parameters"),
    Case("DOMAIN_GET_CPU_STATS", (WEB, 0, -1, 1, 0), "cpu_stats", (WEB, 0), PARAMS, ([], 2)),
    Case("DOMAIN_GET_CPU_STATS", (WEB, 2, -1, 1, 0), "cpu_stats", (WEB, 0), PARAMS, (PARAMS, 2)),
    Case("DOMAIN_GET_CPU_STATS", (WEB, 0, 0, 0, 0), "each_cpu_stats", (WEB, 0), EACH, ([], 3)),
    Case("DOMAIN_GET_CPU_STATS", (WEB, 0, 0, 1, 0), "each_cpu_stats", (WEB, 0), EACH, ([], 2)),
    Case("DOMAIN_GET_CPU_STATS", (WEB, 1, 1, 9, 0), "each_cpu_stats", (WEB, 0), EACH, ([EACH[1][0], EACH[2][0]], 1)),
    same("DOMAIN_GET_PERF_EVENTS", (WEB, 1), "perf_events", PARAMS),
    void("DOMAIN_SET_PERF_EVENTS", (WEB, PARAMS, 1), "set_perf_events"),
    void("DOMAIN_SET_MEMORY", (WEB, 1024), "set_memory", (WEB, 1024, 1)),
    void("DOMAIN_SET_MEMORY_FLAGS", (WEB, 1024, 2), "set_memory"),
    void("DOMAIN_SET_MAX_MEMORY", (WEB, 1024), "set_memory", (WEB, 1024, 4)),
    void("DOMAIN_SET_MEMORY_STATS_PERIOD", (WEB, 5, 1), "set_memory_stats_period"),
]


class Recorder:
    """Stands for any interface; remembers the call and gives the answer prepared, in the way the contract says."""

    def __init__(self, interface: type, answer: Any, calls: list[tuple[str, tuple[Any, ...]]]) -> None:
        self._interface, self._answer, self._calls = interface, answer, calls

    def __getattr__(self, method: str) -> Any:
        async def wait() -> Any:
            return self._answer

        def call(*values: Any) -> Any:
            self._calls.append((method, values))
            waits = inspect.iscoroutinefunction(getattr(self._interface, method))
            return wait() if waits else self._answer

        return call


@pytest.mark.parametrize("case", CASES, ids=[f"{case.name}-{number}" for number, case in enumerate(CASES)])
def test_row(case: Case) -> None:
    async def test(desk: Desk) -> None:
        calls: list[tuple[str, tuple[Any, ...]]] = []
        get: Any = lambda kind: Recorder(kind, case.up, calls)  # noqa: E731 - it takes the place of a method
        desk.backend.get = get  # type: ignore[method-assign]
        client = await desk.opened()
        assert await client.call(case.name, *case.sent) == case.received
        assert calls == [(case.method, case.down)]

    run("asyncio", test)


def test_every_row_to_the_contract_has_a_case() -> None:
    """The others, which the session serves itself and which open streams, have tests of their own."""
    elsewhere = {"DOMAIN_OPEN_CONSOLE", "DOMAIN_OPEN_CHANNEL", "DOMAIN_SCREENSHOT"}
    for module in OWN:
        elsewhere |= {row.name for row in getattr(handlers, module).ROWS}
    assert {row.name for row in handlers.MAIN[REMOTE]} - elsewhere == {case.name for case in CASES}


def test_the_monitor() -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        assert await client.call("DOMAIN_MONITOR_COMMAND", WEB, "info", 1, program=QEMU) == ("INFO",)

    run("asyncio", test)


def test_a_command_for_the_agent() -> None:
    async def test(desk: Desk) -> None:
        calls: list[tuple[str, tuple[Any, ...]]] = []
        get: Any = lambda kind: Recorder(kind, '{"return":{}}', calls)  # noqa: E731 - as above
        desk.backend.get = get  # type: ignore[method-assign]
        client = await desk.opened()
        sent = (WEB, '{"execute": "guest-ping"}', -1, 0)
        assert await client.call("DOMAIN_AGENT_COMMAND", *sent, program=QEMU) == ('{"return":{}}',)
        assert calls == [("command", sent)]

    run("asyncio", test)


@pytest.mark.parametrize(
    ("procedure", "sent", "answer", "words"),
    [
        ("DOMAIN_GET_FSINFO", (WEB, 0), FILE_SYSTEMS * 257, "Too many mountpoints in fsinfo: 257 for limit 256"),
        (
            "DOMAIN_GET_FSINFO",
            (WEB, 0),
            MANY_DISKS,
            "Too many disks in fsinfo: 257",
        ),
        ("DOMAIN_INTERFACE_ADDRESSES", (WEB, 1, 0), INTERFACES * 2049, "Too many interfaces: 2049"),
        (
            "DOMAIN_INTERFACE_ADDRESSES",
            (WEB, 1, 0),
            MANY_ADDRESSES,
            "Too many addresses",
        ),
        ("DOMAIN_GET_GUEST_INFO", (WEB, 0, 0), [string("hostname", "web")] * 2049, "Too many parameters: 2049"),
        ("DOMAIN_AUTHORIZED_SSH_KEYS_GET", (WEB, "root", 0), ["key"] * 2049, "Too many keys: 2049"),
    ],
)
def test_a_guest_cannot_fill_more_than_a_reply(procedure: str, sent: tuple[Any, ...], answer: Any, words: str) -> None:
    async def test(desk: Desk) -> None:
        get: Any = lambda kind: Recorder(kind, answer, [])  # noqa: E731 - as above
        desk.backend.get = get  # type: ignore[method-assign]
        client = await desk.opened()
        with pytest.raises(RpcError, match=words):
            await client.call(procedure, *sent)

    run("asyncio", test)
