"""The host's hardware as /sys and the processor tell of it."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from roost.host.api import CacheType, CellFacts, HostCache, HostControl, HostMonitor
from roost.host.linux import kvm, numad
from roost.host.linux.cpuid import read_words
from roost.host.linux.node import parse_ranges

_CACHE_TYPES: Mapping[str, CacheType] = {"Unified": "both", "Data": "data", "Instruction": "code"}
_CONTROLS: Sequence[tuple[str, CacheType]] = (("", "both"), ("CODE", "code"), ("DATA", "data"))
#: Caches below this level belong to one core and are nobody's business.
_MINIMUM_CACHE_LEVEL = 3


def _read(path: Path, default: str = "") -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return default


def _number(path: Path) -> int:
    return int(_read(path) or 0)


#: A mount's size of pages; without one it is the default.
_PAGE_OPTION = re.compile(r"pagesize=(\d+)([KMG])")
_PAGE_UNITS = {"K": 1, "M": 1 << 10, "G": 1 << 20}


class LinuxHardware:
    """See host.api.Hardware. root: where /sys is; proc: where /proc is."""

    def __init__(self, root: Path = Path("/sys"), proc: Path = Path("/proc")) -> None:
        self._root = root
        self._proc = proc

    @functools.cached_property
    def _words(self) -> Mapping[tuple[int, int, str], int]:
        return read_words()

    def cpuid(self) -> Mapping[tuple[int, int, str], int]:
        return self._words

    def placement(self, vcpus: int, memory: int) -> frozenset[int]:
        return numad.placement(vcpus, memory)

    def cells(self) -> Sequence[CellFacts]:
        nodes = self._root / "devices" / "system" / "node"
        numbers = parse_ranges(_read(nodes / "online"))
        if not numbers:
            return [self._only_cell()]
        return [self._cell(nodes / f"node{number}", number, numbers) for number in numbers]

    def _only_cell(self) -> CellFacts:
        """All there is, on a host whose kernel knows no NUMA."""
        words = next((line.split() for line in _read(Path("/proc/meminfo")).splitlines() if "MemTotal:" in line), None)
        online = _read(self._root / "devices" / "system" / "cpu" / "online", "0")
        return CellFacts(0, int(words[1]) if words else 0, (), (), tuple(parse_ranges(online)))

    def _cell(self, node: Path, number: int, numbers: Sequence[int]) -> CellFacts:
        total = 0
        for line in _read(node / "meminfo").splitlines():
            words = line.split()
            if words[2] == "MemTotal:":
                total = int(words[3])
        pools = sorted(
            (int(entry.name.removeprefix("hugepages-").removesuffix("kB")), _number(entry / "nr_hugepages"))
            for entry in (node / "hugepages").glob("hugepages-*kB")
        )
        small = os.sysconf("SC_PAGESIZE") // 1024
        rest = total - sum(size * count for size, count in pools)
        distances = [int(word) for word in _read(node / "distance").split()]
        return CellFacts(
            id=number,
            memory=total,
            pages=((small, rest // small), *pools),
            distances=tuple(zip(numbers, distances, strict=False)),
            cpus=tuple(parse_ranges(_read(node / "cpulist"))),
        )

    def page_sizes(self) -> Sequence[int]:
        pools = (self._root / "kernel" / "mm" / "hugepages").glob("hugepages-*kB")
        large = (int(entry.name.removeprefix("hugepages-").removesuffix("kB")) for entry in pools)
        return (os.sysconf("SC_PAGESIZE") // 1024, *sorted(large))

    def page_mounts(self) -> Mapping[int, str]:
        found: dict[int, str] = {}
        for line in _read(self._proc / "mounts").splitlines():
            _, where, kind, options, *_ = line.split()
            size = _PAGE_OPTION.search(options)
            if kind == "hugetlbfs":
                kib = int(size[1]) * _PAGE_UNITS[size[2]] if size else self.default_huge_page()
                found.setdefault(kib, where)
        default = found.get(self.default_huge_page())
        return {**found, 0: default} if default is not None else found

    def default_huge_page(self) -> int:
        sizes = (line.split() for line in _read(self._proc / "meminfo").splitlines())
        return next((int(words[1]) for words in sizes if words[0] == "Hugepagesize:"), 0)

    def caches(self) -> Sequence[HostCache]:
        found: dict[tuple[int, int, CacheType], HostCache] = {}
        cpus = self._root / "devices" / "system" / "cpu"
        for cpu in parse_ranges(_read(cpus / "online", "0")):
            for index in (cpus / f"cpu{cpu}" / "cache").glob("index*"):
                level, id = _number(index / "level"), _read(index / "id")
                if level < _MINIMUM_CACHE_LEVEL or not id:
                    continue
                kind = _CACHE_TYPES[_read(index / "type", "Unified")]
                size = int(_read(index / "size", "0K").removesuffix("K"))
                found[level, int(id), kind] = HostCache(int(id), level, kind, size, _read(index / "shared_cpu_list"))
        return [found[key] for key in sorted(found)]

    def has_iommu(self) -> bool:
        try:
            return any((self._root / "kernel" / "iommu_groups").iterdir())
        except OSError:
            return False

    def kvm_max_vcpus(self) -> int:
        return kvm.max_vcpus()

    def tsc(self) -> tuple[int, bool] | None:
        return kvm.tsc()

    def sleep_states(self) -> Sequence[str]:
        return _read(self._root / "power" / "state").split()

    # -- what tasks can be given or measured of: resctrl ---------------------------------------

    @property
    def _resctrl(self) -> Path:
        return self._root / "fs" / "resctrl" / "info"

    def cache_controls(self, cache: HostCache) -> Sequence[HostControl]:
        found = []
        for name, kind in _CONTROLS:
            info = self._resctrl / f"L{cache.level}{name}"
            ways = int(_read(info / "cbm_mask") or "0", 16).bit_count()
            if ways:
                share = cache.size // ways
                found.append(
                    HostControl(
                        share, _number(info / "min_cbm_bits") * share, kind, _number(info / "num_closids"), ways
                    )
                )
        return found

    def bandwidth_control(self) -> HostControl | None:
        info = self._resctrl / "MB"
        if not _read(info / "num_closids"):
            return None
        return HostControl(
            _number(info / "bandwidth_gran"), _number(info / "min_bandwidth"), None, _number(info / "num_closids")
        )

    def monitor(self) -> HostMonitor | None:
        info = self._resctrl / "L3_MON"
        features = tuple(_read(info / "mon_features").split())
        if not features:
            return None
        return HostMonitor(_number(info / "max_threshold_occupancy"), _number(info / "num_rmids"), features)
