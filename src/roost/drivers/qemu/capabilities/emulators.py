"""The emulators on this host, by the architecture they emulate."""

from __future__ import annotations

import os
import shutil
import time

from roost.model.cpu.arches import ARCHES

#: libvirt's architecture names whose QEMU is called otherwise.
_BINARY_NAMES = {"i686": "i386", "armv7l": "arm", "armv6l": "arm"}
#: Another binary that runs guests of an architecture.
_SUBSTITUTES = {"ppc64le": "ppc64", "ppc64": "ppc64le"}
#: Where distributions keep theirs that have but the one.
_RED_HAT = "/usr/libexec/qemu-kvm"
#: Seconds for which what was seen of the host holds. Looking costs as much as all the rest of an answer.
GLANCE = 1.0

#: Directories of programs with their times of change, in the order of the path.
Programs = tuple[tuple[str, int], ...]


class Emulators:
    """Remembers what it found until a directory of the path has changed."""

    def __init__(self) -> None:
        self._looked = float("-inf")
        self._programs: Programs = ()
        self._found: dict[str, str | None] = {}

    def programs(self) -> Programs:
        """What the answers depend on."""
        now = time.monotonic()
        if now - self._looked > GLANCE:
            directories = (*os.get_exec_path(), os.path.dirname(_RED_HAT))
            programs = tuple(map(_modified, directories))
            if programs != self._programs:
                self._programs = programs
                self._found.clear()
            self._looked = now
        return self._programs

    def find(self, arch: str) -> str | None:
        """The path of the binary that emulates `arch` (libvirt's name)."""
        self.programs()
        if arch not in self._found:
            self._found[arch] = _search(arch)
        return self._found[arch]

    def all(self) -> dict[str, str]:
        """libvirt's names of the architectures there is an emulator for, each with its path."""
        return {arch: binary for arch in ARCHES if (binary := self.find(arch)) is not None}


def _search(arch: str) -> str | None:
    """The path of the binary that emulates `arch` (libvirt's name)."""
    own = os.uname().machine
    names = [f"qemu-system-{_BINARY_NAMES.get(arch, arch)}"]
    if own == "aarch64" and arch == "armv7l":
        # Only that one can run them under KVM.
        names.insert(0, "qemu-system-aarch64")
    if arch == "i686":
        names.append("qemu-system-x86_64")
    if arch in _SUBSTITUTES:
        names.append(f"qemu-system-{_SUBSTITUTES[arch]}")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None and (arch == own or (own, arch) == ("x86_64", "i686")):
        found = shutil.which(_RED_HAT)
    return found


def _modified(path: str) -> tuple[str, int]:
    try:
        return path, os.stat(path).st_mtime_ns
    except OSError:
        return path, 0
