"""Every document that we accept starts, stopped before its first instruction, unless host or QEMU lack something."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.client.blocking import Client
from roost.constants import domain as D
from roost.drivers.qemu import plan
from roost.drivers.qemu.live import make_live
from roost.errors import RoostError
from roost.model.domain import Domain, format
from support import machines, parity
from support.daemon import RoostDaemon
from support.parity import Case
from support.peer import in_chroot

pytestmark = [pytest.mark.guest, pytest.mark.root]

#: The least that QEMU takes for a kernel: the numbers of Linux's boot header.
KERNEL = (bytes(0x1F1) + b"\1" + bytes(12) + b"\x55\xaa" + bytes(2) + b"HdrS\x02\x02").ljust(0x10000, b"\0")

#: What a start is refused with on this host, and why that is no fault of ours. `Q` stands for what QEMU said.
REASONS: tuple[tuple[str, str], ...] = (
    (r"^Cannot access storage file '/(dev|run|etc|x|var|tmp/vhost2)\b", "of another host"),
    (r"host doesn't support passthrough of host PCI devices|mediated device .* not found", "no IOMMU here"),
    (r"scsi_generic|/dev/vhost-scsi|Did not find USB device|missing bus/device", "of another host"),
    (r"unable to open vhost-vsock device", "no vhost-vsock module here"),
    (r"hugetlbfs|Q.*backing store (for|size)", "no huge pages here"),
    (r"Q.*MEMLOCK resource limit", "no memory may be locked here"),
    (r"Q.*bind memory to host NUMA nodes|NUMA node .* is unavailable", "one node here"),
    (r"no (network|storage|secret|filter) driver is here yet|secrets of iSCSI host", "what another driver has"),
    (r"Cannot get interface MAC|Unable to get index for interface", "no such link here"),
    (r"execute /etc/up|TC action|vlan tag|OVS bridge|vhost-vdpa|vhost-user-gpu",
     "no such link, module or helper here"),
    (r"Failed to query numad|Resource control is not supported on this host", "neither numad nor resctrl here"),
    (r"not supported by hypervisor|Unknown CPU model|unknown CPU feature", "asks for a processor of other hosts"),
    (r"guest CPU doesn't match|can't determine default CPU", "emulation has no such processor"),
    (r"Q.*(module \S+ not found|egl: |DBus|audio driver|virtio-gpu-gl|gl=on|'sdl' is not available)",
     "no display here"),
    (r"Q.*(requires (KVM|kernel irqchip)|eim=on requires|HyperV|Transactional Memory|requested in the CPU model)",
     "needs KVM"),
    (r"Q.*(not a valid device model name|fsdriver handle|Parameter 'driver' does not|vcard|FD passing)", "not in QEMU"),
    (r"'[^']+' is not supported in this QEMU binary|not available with this QEMU|supported by this version of qemu|"
     r"unsupported (chardev|disk bus|channel)|is not supported by this driver", "not in QEMU, and refused before it"),
    (r"Q.*(resolve|resolution|[Cc]onnect to|iSCSI|CURL|rbd|gluster|nfs|credentials|certificates)", "no such server"),
    (r"TLS connection is not|TLS is disabled|TLS transport is not|accepts only one host|not yet supported",
     "cannot be had of QEMU"),
    (r"Q.*(not ELF|device tree|too old to load|only allowed with -kernel|ACPI table too big)", "a kernel of zeros"),
    (r"Q.*(is read-only|Parallels|Could not open '/tmp|multiple of|sum of offset|block backend)", "an empty image"),
    (r"Q.*(Bus '\S+' not found|bus supports only|bad scsi|already exists|Max. supported|"
     r"can't be populated|can't go on|single function)",
     "a place that QEMU does not have; libvirt keeps the document too"),
    (r"Q.*(invalid option|there is no device|evdev|romfile|iommu_platform|Invalid (SMP|RAM)|ramfb|if=sd|"
     r"floppy-bus|VT220|NUMA is not|tx_queue_size)",
     "QEMU refuses what the document says"),
    (r"query-hotpluggable-cpus|Q.*[Pp]roperty '\S+' (not found|cannot)|Unexpected address type for 'virtio-ball",
     "not on this board"),
    (r"Q.*(Permission denied|Could not open '/dev|Could not open 'a'|bind ip=|failed to open|/dev/dsp0)",
     "of another host"),
    (r"sysinfo are not available|SMBIOS|firmware to satisfy|vnc port must be|file descriptor group|only xhci|"
     r"does not support backing store|non-.transitional|key-wrap|shmem size|scripts are not|"
     r"only PCI network cards|only 1 graphics device|setting ACPI S[34]",
     "refused before QEMU, with what would be right"),
    (r"exit status -9|shares '0' must be|/sys/fs/cgroup/cpuset/.*(out of range|Invalid argument)",
     "no memory, no time, or processors and nodes of another host"),
    (r"Q.*Failed to open SPICE sockets", "another guest has the port that the document names"),
    (r"Cannot set scheduler parameters|Path '/dev/sda' is not|enable host cpu perf|open host cpu perf",
     "no real-time share, disk or counter of that kind here"),
    *([(r"vhost_backend_init failed", "virtiofsd cannot make itself a root of its own")] if in_chroot() else ()),
)  # fmt: skip

#: Families of which no document comes up here.
NOWHERE = frozenset(("guides", "hostdev", *(("storage-fs",) if in_chroot() else ())))
FAMILIES = sorted({case.family for case in parity.cases()})
#: Devices that are content with a socket where nobody answers; others would wait for a server's greeting.
_CHARACTER = ("serial", "parallel", "console", "channel", "redir", "smartcard", "rng")


def accepted(family: str) -> list[Case]:
    """The documents that `define` takes."""
    return [
        case
        for case in parity.cases(family)
        if (case.recorded().kept is not None or case.difference().get("ours") == "accepted")
        and case.difference().get("ours") != "refused"
    ]


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def directory() -> Iterator[Path]:
    # Socket paths are short; pytest's own directories are not.
    with tempfile.TemporaryDirectory(prefix="rp-", dir="/tmp") as path:
        Path(path).chmod(0o777)
        yield Path(path)


def formats(document: Domain) -> dict[str, str]:
    """Image formats by path."""
    found: dict[str, str] = {}
    for disk in document.devices.disks:
        path = getattr(disk.source, "file", None)
        if path is not None and disk.driver is not None and disk.driver.type is not None:
            found[path] = disk.driver.type
        store = disk.backing_store
        while store is not None and store.source is not None:
            found[getattr(store.source, "file", "")] = store.format or "raw"
            store = store.backing_store
    return found


@pytest.fixture(scope="module")
def bridge() -> Iterator[str]:
    """A bridge to be named in place of others."""
    name = f"rpb{os.getpid()}"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)


class Place:
    """The host's side of one document: what it names exists below `directory`, and its bridge."""

    def __init__(self, directory: Path, bridge: str, stack: contextlib.ExitStack) -> None:
        self._directory = directory
        self._bridge = bridge
        self._stack = stack
        self._made: dict[str, Path] = {}

    def moved(self, document: Domain) -> str:
        """The document, with its paths where they can be."""
        live = make_live(document, 1, self._directory)
        try:
            needs = plan.needs(live, machines.capabilities(parity.emulated(document)))
        except RoostError:
            return format(document)
        images = formats(document)
        for file in needs.files:
            if file.kind == "socket" and not file.user.startswith(_CHARACTER):
                continue
            if not os.path.exists(file.path) and file.path.startswith("/") and not file.path.startswith("/dev/"):
                self._make(file, images.get(file.path, "raw"))
        for path in [listener.path for listener in needs.listeners] + [log.path for log in needs.logs]:
            self._made.setdefault(path, self._directory / f"l{len(self._made)}")
        if live.os.nvram is not None and live.os.nvram.path is not None:
            self._made.setdefault(live.os.nvram.path, self._directory / "vars.fd")
        for shared in needs.virtiofs:
            self._make(plan.File(shared.directory, True, shared.key, "directory"), "")
        text = re.sub(r"<source bridge='[^']*'", f"<source bridge='{self._bridge}'", format(document))
        for before, after in sorted(self._made.items(), key=lambda item: -len(item[0])):
            text = text.replace(f"'{before}'", f"'{after}'").replace(f">{before}<", f">{after}<")
        return text

    def _make(self, file: plan.File, kind: str) -> None:
        if file.path in self._made:
            return
        path = self._made[file.path] = self._directory / f"f{len(self._made)}"
        if file.kind == "directory":
            path.mkdir()
        elif file.kind == "kernel":
            path.write_bytes(KERNEL)
        elif file.kind == "pipe":
            os.mkfifo(path)
        elif file.kind == "socket":
            server = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(str(path))
            server.listen()
        else:
            create = ["qemu-img", "create", "-q", "-f", kind, str(path), "1474560"]
            if subprocess.run(create, capture_output=True, check=False).returncode:
                path.write_bytes(bytes(1474560))
        path.chmod(0o777)


def start(client: Client, text: str) -> str:
    """Start a document, and end it again. The refusal, or nothing."""
    try:
        domain = client.call("DOMAIN_CREATE_XML", text, D.START_PAUSED)[0]
    except RoostError as error:
        return error.message
    client.call("DOMAIN_DESTROY", domain)
    return ""


def reason(message: str) -> str | None:
    """Why a refusal is no fault of ours; None for a fault."""
    said = re.sub(r"process exited while connecting to monitor: |unable to execute QEMU command", "Q", message)
    return next((why for pattern, why in REASONS if re.search(pattern, said, re.S)), None)


@pytest.mark.groups
@pytest.mark.parametrize("family", FAMILIES)
def test_comes_up(family: str, daemon: RoostDaemon, bridge: str, directory: Path) -> None:
    wrong, refused = {}, 0
    with contextlib.closing(Client.open(daemon.uri)) as client:
        for number, case in enumerate(accepted(family)):
            with contextlib.ExitStack() as stack:
                here = directory / str(number)
                here.mkdir()
                here.chmod(0o777)
                message = start(client, Place(here, bridge, stack).moved(parity.completed(case.written())))
            refused += bool(message)
            if message and reason(message) is None:
                wrong[case.name] = message
    assert not wrong
    # Where nothing comes up, a reason hides too much.
    assert refused < len(accepted(family)) or family in NOWHERE
