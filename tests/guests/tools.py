"""Read-outs for the test guest, `lspci` and `dmidecode`, from the distribution's packages: a second initrd.

The kernel unpacks one archive after the other, so the guest that has them is the plain one with this appended.
Like the guest itself it is made once and kept.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from guests.build import Archive, BuildError, build, cache_directory, depends, download, run, versions_of

PROGRAMS = {"pciutils": "usr/bin/lspci", "dmidecode": "usr/sbin/dmidecode"}
#: Names of devices and makers, for lspci.
DATA = {"pci.ids": "usr/share/misc/pci.ids"}


def closure(packages: list[str]) -> list[str]:
    """The packages and what they depend on; virtual ones are left out."""
    found: list[str] = []
    left = list(packages)
    while left:
        package = left.pop(0)
        if package not in found and not package.startswith(("<", "debconf")):
            found.append(package)
            left += depends(package)
    return found


def libraries(root: Path, program: str) -> dict[str, Path]:
    """The shared libraries of a program in an unpacked tree, by the path at which the guest has them."""
    directories = sorted({str(path.parent) for path in root.glob("**/lib*/*-linux-gnu/*.so*")})
    loader = next(path for path in sorted(root.glob("**/ld-linux*.so*")) if path.is_file())
    listed = run(str(loader), "--library-path", ":".join(directories), "--list", str(root / program))
    found: dict[str, Path] = {}
    for line in listed.splitlines():
        name, _, rest = line.strip().partition(" => ")
        if name.startswith("/"):
            # The program names its loader by an absolute path.
            found[name.split()[0].lstrip("/")] = loader.resolve()
        elif rest:
            path = Path(rest.split()[0])
            found[str(path.relative_to(root)).removeprefix("usr/")] = path.resolve()
    return found


def make(packages: list[str], target: Path) -> None:
    """Write the archive."""
    archive = Archive()
    with tempfile.TemporaryDirectory(prefix="roost-tools-") as directory:
        root = Path(directory, "root").resolve()
        for package in download(packages, Path(directory)):
            subprocess.run(("dpkg-deb", "-x", str(package), str(root)), check=True)
        wanted: dict[str, Path] = {}
        for program in PROGRAMS.values():
            wanted |= libraries(root, program) | {program: root / program}
        wanted |= {path: root / path for path in DATA.values()}
        for path, source in sorted(wanted.items()):
            archive.add_file(path, source.read_bytes())
    target.write_bytes(archive.finish())
    target.chmod(0o644)


def build_with_tools() -> Path:
    """An initrd of the guest that has the tools; safe beside other builders. Raises BuildError."""
    plain = build(progress=False)
    packages = closure([*PROGRAMS, *DATA])
    text = repr((plain.name, versions_of(packages), Path(__file__).read_text()))
    made = plain / f"initrd-tools-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    with (cache_directory() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            unfinished = plain / f".tools-{os.getpid()}"
            try:
                make(packages, unfinished)
                unfinished.write_bytes((plain / "initrd").read_bytes() + unfinished.read_bytes())
                unfinished.rename(made)
            except (OSError, StopIteration, subprocess.CalledProcessError) as error:
                raise BuildError(f"the guest's tools cannot be made: {error}") from error
            finally:
                unfinished.unlink(missing_ok=True)
    return made
