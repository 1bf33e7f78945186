"""What the host is and how busy it is."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from roost.contract.node import NodeInfo
from roost.errors import InvalidArg
from roost.host.api import Topology

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_DMI = "/sys/class/dmi/id"
#: By table: names of entries as <sysinfo> has them, and the kernel's files.
_SMBIOS_FILES = {
    "bios": {"vendor": "bios_vendor", "version": "bios_version", "date": "bios_date", "release": "bios_release"},
    "system": {
        "manufacturer": "sys_vendor", "product": "product_name", "version": "product_version",
        "serial": "product_serial", "uuid": "product_uuid", "sku": "product_sku", "family": "product_family",
    },
    "base_boards": {
        "manufacturer": "board_vendor", "product": "board_name", "version": "board_version", "serial": "board_serial",
        "asset": "board_asset_tag",
    },
    "chassis": {
        "manufacturer": "chassis_vendor", "version": "chassis_version", "serial": "chassis_serial",
        "asset": "chassis_asset_tag",
    },
}  # fmt: skip
_CPUS = "/sys/devices/system/cpu"
_NODES = "/sys/devices/system/node"
_STAT = ("user", "nice", "system", "idle", "iowait", "irq", "softirq")


def parse_ranges(text: str) -> list[int]:
    """The kernel's list format: `0-3,7`."""
    found: list[int] = []
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            found.extend(range(int(first), int(last or first) + 1))
    return found


def _text(path: str, default: str = "") -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return default


class LinuxNode:
    """See host.api.NodeFacts. What does not change while the host runs is read once."""

    def __init__(self) -> None:
        self._meminfo = -1
        self._stat = -1

    def close(self) -> None:
        """Let go of the files kept open."""
        for descriptor in (self._meminfo, self._stat):
            if descriptor != -1:
                os.close(descriptor)
        self._meminfo = self._stat = -1

    def hostname(self) -> str:
        name = socket.gethostname()
        if "." not in name and name != "localhost":
            with contextlib.suppress(OSError):
                entries = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
                canonical = entries[0][3] if entries else ""
                if canonical and not canonical.startswith("localhost"):
                    return canonical
        return name

    def machine(self) -> str:
        return os.uname().machine

    def kernel(self) -> str:
        return os.uname().release

    @functools.cached_property
    def _boot_id(self) -> str:
        return _text("/proc/sys/kernel/random/boot_id")

    def boot_id(self) -> str:
        return self._boot_id

    @functools.cached_property
    def _uuid(self) -> str:
        """The firmware's; else one derived from the machine id, which stays the same between starts."""
        for candidate in (
            _text("/sys/class/dmi/id/product_uuid"),
            _text("/etc/machine-id"),
            _text("/var/lib/dbus/machine-id"),
        ):
            with contextlib.suppress(ValueError):
                found = uuid.UUID(candidate)
                if len(set(found.hex)) > 1:
                    return str(found)
        return str(uuid.uuid5(uuid.NAMESPACE_DNS, socket.gethostname()))

    def uuid(self) -> str:
        return self._uuid

    def smbios(self) -> Mapping[str, Mapping[str, str]]:
        return self._smbios

    @functools.cached_property
    def _smbios(self) -> Mapping[str, Mapping[str, str]]:
        found = {
            table: {name: text for name, file in files.items() if (text := _text(f"{_DMI}/{file}", "")).strip()}
            for table, files in _SMBIOS_FILES.items()
        }
        return {table: entries for table, entries in found.items() if entries}

    @functools.cached_property
    def _topology(self) -> tuple[Topology, ...]:
        found = []
        for cpu in parse_ranges(_text(f"{_CPUS}/online", "0")):
            base = f"{_CPUS}/cpu{cpu}/topology/"
            found.append(
                Topology(
                    cpu,
                    max(0, int(_text(base + "physical_package_id", "0"))),
                    max(0, int(_text(base + "die_id", "0"))),
                    int(_text(base + "core_id", str(cpu))),
                    _text(base + "thread_siblings_list", str(cpu)),
                )
            )
        return tuple(found)

    def topology(self) -> Sequence[Topology]:
        return self._topology

    def info(self) -> NodeInfo:
        places = self._topology
        cells = self._cells
        sockets = {place.socket for place in places}
        cores = {(place.socket, place.die, place.core) for place in places}
        threads = max(1, max((len(parse_ranges(place.siblings)) for place in places), default=1))
        # libvirt counts sockets per NUMA cell.
        per_cell = max(1, len(sockets) // len(cells))
        return NodeInfo(
            model=self.machine()[:31],
            memory=self.memory()["MemTotal"],
            cpus=len(places),
            mhz=self._mhz(),
            nodes=len(cells),
            sockets=per_cell,
            cores=max(1, len(cores) // (per_cell * len(cells))),
            threads=threads,
        )

    def _mhz(self) -> int:
        try:
            return int(float(self.cpu_identity().get("cpu MHz", "0")))
        except ValueError:
            return 0

    def cpu_identity(self) -> Mapping[str, str]:
        found = {}
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").split("\n\n", 1)[0].splitlines():
            key, _, value = line.partition(":")
            found[key.strip()] = value.strip()
        return found

    def _read(self, path: str, kept: int, size: int) -> tuple[int, bytes]:
        if kept == -1:
            kept = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return kept, os.pread(kept, size, 0)

    def memory(self) -> Mapping[str, int]:
        self._meminfo, data = self._read("/proc/meminfo", self._meminfo, 16384)
        found = {}
        for line in data.decode("ascii").splitlines():
            name, _, rest = line.partition(":")
            found[name] = int(rest.split()[0])
        return found

    @functools.cached_property
    def _cells(self) -> tuple[int, ...]:
        return tuple(parse_ranges(_text(f"{_NODES}/online"))) or (0,)

    def cells_memory(self) -> Sequence[Mapping[str, int]]:
        found: list[Mapping[str, int]] = []
        for cell in self._cells:
            lines = _text(f"{_NODES}/node{cell}/meminfo").splitlines()
            values = {}
            for line in lines:
                _, _, name, value, *_ = line.split()
                values[name.rstrip(":")] = int(value)
            found.append(values or self.memory())
        return found

    def cpu_times(self, cpu: int) -> Mapping[str, int]:
        self._stat, data = self._read("/proc/stat", self._stat, 1 << 20)
        label = b"cpu" if cpu == -1 else b"cpu%d" % cpu
        for line in data.splitlines():
            fields = line.split()
            if fields and fields[0] == label:
                return {name: int(value) * _TICK for name, value in zip(_STAT, fields[1:], strict=False)}
        raise InvalidArg(f"Invalid cpuNum in virNodeGetCPUStats: {cpu}")

    def cpu_map(self) -> tuple[bytes, int, int]:
        online = parse_ranges(_text(f"{_CPUS}/online", "0"))
        present = parse_ranges(_text(f"{_CPUS}/present", "0"))
        bitmap = bytearray((max(present) + 8) // 8)
        for cpu in online:
            bitmap[cpu // 8] |= 1 << (cpu % 8)
        return bytes(bitmap), len(online), len(present)
