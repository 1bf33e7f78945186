#!/usr/bin/python3
"""Make the guest that the demo, the tests and the benchmarks boot, and print the directory it is in.

The kernel and busybox come from the distribution's own packages, which are downloaded and read but never installed
on the host. The result (`kernel`, `initrd`) is kept outside the repository and made again only when the packages or
the guest's own files change. Needs Debian or Ubuntu, no root, and only Python's standard library.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import platform
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent

# What a guest of ours can be given, in the order of loading; a kernel has each as a module, built in or not at all.
MODULES = (
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_console",
    "virtio-rng",
    "virtio_balloon",
    "virtio_input",
    "virtio_scsi",
    "ata_piix",
    "ahci",
    "sd_mod",
    "sr_mod",
    "isofs",
    "pvpanic-pci",
    "i6300esb",
    "evdev",
    "button",
    "efivarfs",
    "tpm_tis",
    "tpm_crb",
    "nvme",
    "9pnet_virtio",
    "9p",
    "virtiofs",
)

KERNEL_PACKAGES = {
    "x86_64": ("linux-image-cloud-amd64", "linux-image-virtual", "linux-image-amd64"),
    "aarch64": ("linux-image-cloud-arm64", "linux-image-virtual", "linux-image-arm64"),
}

BUSYBOX = ("bin/busybox", "usr/bin/busybox")

OWN_FILES = ("init", "console")

WRITTEN_FILES = {
    "etc/acpi/PWRF/00000080": b"#!/bin/sh\necho 'roost-guest: power button' >/dev/ttyS0\npoweroff -f\n",
    "etc/udhcpc.script": b"#!/bin/sh\n"
    b'[ "$1" = bound ] || exit 0\n'
    b'ip addr add "$ip/${mask:-24}" dev "$interface"\n'
    b'[ -n "$router" ] && ip route add default via "$router"\n'
    b"exit 0\n",
}

STALE_SECONDS = 7 * 24 * 3600


class BuildError(Exception):
    """The guest cannot be made here; the text says why and what would help."""


def cache_directory() -> Path:
    """Where made guests are kept. Root's is not under /root: QEMU runs as another user and must read it."""
    if chosen := os.environ.get("ROOST_CACHE"):
        return Path(chosen) / "guests"
    if os.geteuid() == 0:
        return Path("/var/cache/roost-guests")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "roost" / "guests"


def run(*command: str, cwd: Path | None = None) -> str:
    """The command's output; BuildError with its own words when it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise BuildError(f"{command[0]} is not installed: test guests are made on Debian or Ubuntu") from error
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{' '.join(command)} failed: {error.stderr.strip() or error.returncode}") from error
    return done.stdout


def depends(package: str) -> list[str]:
    """Names of the packages that the newest version of this one depends on; empty when apt does not know it."""
    with contextlib.suppress(BuildError):
        lines = run("apt-cache", "--no-recommends", "--no-suggests", "depends", package).splitlines()
        return [line.split()[-1] for line in lines if line.strip(" |").startswith("Depends:")]
    return []


def kernel_packages() -> list[str]:
    """The packages that hold the newest kernel image and its modules: one on Debian, two on Ubuntu."""
    machine = platform.machine()
    for meta in KERNEL_PACKAGES.get(machine, ()):
        images = [name for name in depends(meta) if name.startswith("linux-image-")]
        if images:
            return images[:1] + [name for name in depends(images[0]) if name.startswith("linux-modules-")][:1]
    known = ", ".join(KERNEL_PACKAGES.get(machine, ("no package known for this machine",)))
    raise BuildError(f"apt knows no kernel for {machine} ({known}): run `apt-get update` as root first")


def versions_of(packages: list[str]) -> list[str]:
    """The versions that apt would download."""
    policy = run("apt-cache", "policy", *packages).splitlines()
    versions = [line.split()[-1] for line in policy if line.strip().startswith("Candidate:")]
    if len(versions) != len(packages):
        raise BuildError(f"apt does not know all of {', '.join(packages)}: run `apt-get update` as root first")
    return versions


def download(packages: list[str], directory: Path) -> list[Path]:
    """Fetch the packages' files, in the order given."""
    try:
        run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages, cwd=directory)
    except BuildError as error:
        raise BuildError(
            f"{error}\nThe package lists may be old: run `apt-get update` as root and try again"
        ) from error
    return [next(directory.glob(f"{package}_*.deb")) for package in packages]


def members(package: Path) -> Iterator[tuple[str, bytes]]:
    """Path and content of each regular file in a package that a guest can use."""
    with subprocess.Popen(("dpkg-deb", "--fsys-tarfile", str(package)), stdout=subprocess.PIPE) as unpacker:
        assert unpacker.stdout is not None
        with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
            for entry in archive:
                name = entry.name.removeprefix("./")
                if entry.isreg() and is_wanted(name):
                    content = archive.extractfile(entry)
                    assert content is not None
                    yield name, content.read()
    if unpacker.returncode != 0:
        raise BuildError(f"dpkg-deb cannot read {package.name} (exit {unpacker.returncode})")


def is_wanted(path: str) -> bool:
    """Whether this file of a package is a kernel, a kernel's module or busybox."""
    return path.startswith("boot/vmlinuz") or ".ko" in path or path in BUSYBOX


def module_name(path: str) -> str:
    """`kernel/drivers/virtio/virtio-rng.ko.zst` -> `virtio_rng`: the kernel takes - and _ as the same."""
    return path.rsplit("/", 1)[-1].split(".ko")[0].replace("-", "_")


def decompress(path: str, content: bytes) -> bytes:
    """A module as plain ELF: Ubuntu compresses them, and busybox's insmod cannot read that."""
    tool = {".zst": "zstd", ".xz": "xz", ".gz": "gzip"}.get(Path(path).suffix)
    if tool is None:
        return content
    if shutil.which(tool) is None:
        raise BuildError(f"this kernel's modules are compressed: install {tool}")
    return subprocess.run((tool, "-dc"), input=content, check=True, capture_output=True).stdout


def module_depends(content: bytes) -> list[str]:
    """The names after `depends=` in the module's own information section."""
    start = content.find(b"\0depends=")
    if start < 0:
        return []
    names = content[start + 9 : content.index(b"\0", start + 9)].decode()
    return [name.replace("-", "_") for name in names.split(",") if name]


def choose_modules(available: dict[str, tuple[str, bytes]], wanted: tuple[str, ...] = MODULES) -> dict[str, bytes]:
    """The modules wanted that this kernel has, each after those it needs."""
    chosen: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in chosen or name not in available:
            return
        content = decompress(*available[name])
        for needed in module_depends(content):
            add(needed)
        chosen[name] = content

    for module in wanted:
        add(module.replace("-", "_"))
    return chosen


class Archive:
    """A cpio archive in the `newc` format, which the kernel unpacks as its first file system."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._seen: set[str] = set()

    def add_file(self, path: str, content: bytes, mode: int = 0o755) -> None:
        """Add a regular file, and the directories above it."""
        for parent in reversed(Path(path).parents[:-1]):
            self.add_directory(str(parent))
        self._entry(path, stat.S_IFREG | mode, content)

    def add_directory(self, path: str) -> None:
        """Add a directory once."""
        if path not in self._seen:
            self._seen.add(path)
            self._entry(path, stat.S_IFDIR | 0o755)

    def add_device(self, path: str, major: int, minor: int) -> None:
        """Add a character device."""
        self._entry(path, stat.S_IFCHR | 0o600, device=(major, minor))

    def finish(self) -> bytes:
        """The whole archive."""
        self._entry("TRAILER!!!", 0)
        return self._out.getvalue()

    def _entry(self, path: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        name = path.encode() + b"\0"
        fields = (self._out.tell(), mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
        self._out.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name)
        self._pad()
        self._out.write(content)
        self._pad()

    def _pad(self) -> None:
        self._out.write(b"\0" * (-self._out.tell() % 4))


def make_initrd(busybox: bytes, modules: dict[str, bytes]) -> bytes:
    """The guest's first file system, not compressed: an emulated CPU would spend more on that than QEMU on loading."""
    archive = Archive()
    for directory in ("dev", "proc", "sys", "tmp", "etc", "run"):
        archive.add_directory(directory)
    archive.add_device("dev/console", 5, 1)
    archive.add_file("bin/busybox", busybox)
    for name in OWN_FILES:
        archive.add_file(name, (HERE / name).read_bytes())
    for path, content in WRITTEN_FILES.items():
        archive.add_file(path, content)
    for name, content in modules.items():
        archive.add_file(f"modules/{name}.ko", content, 0o644)
    archive.add_file("modules/order", "".join(f"{name}.ko\n" for name in modules).encode(), 0o644)
    return archive.finish()


def make(packages: list[str], directory: Path) -> None:
    """Write `kernel` and `initrd` into the directory."""
    kernel, busybox = b"", b""
    modules: dict[str, tuple[str, bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="roost-packages-") as downloads:
        for package in download(packages, Path(downloads)):
            for path, content in members(package):
                if ".ko" in path:
                    modules[module_name(path)] = (path, content)
                elif path in BUSYBOX:
                    busybox = content
                else:
                    kernel = content
    if not kernel or not busybox:
        raise BuildError(f"no kernel or no busybox in {', '.join(packages)}")
    (directory / "kernel").write_bytes(kernel)
    (directory / "initrd").write_bytes(make_initrd(busybox, choose_modules(modules)))
    for made in directory.iterdir():
        made.chmod(0o644)
    directory.chmod(0o755)


def fingerprint(packages: list[str]) -> str:
    """Changes when the packages' versions or the guest's own files do."""
    text = hashlib.sha256(repr((packages, versions_of(packages))).encode())
    for path in (*(HERE / name for name in OWN_FILES), Path(__file__)):
        text.update(path.read_bytes())
    return text.hexdigest()[:16]


def remove_stale(cache: Path, kept: Path) -> None:
    """Drop guests that have been replaced for a week; a running one may still be reading a younger one."""
    for path in cache.iterdir():
        if path.is_dir() and path != kept and time.time() - path.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def build(progress: bool = True) -> Path:
    """The directory with `kernel` and `initrd`, made if need be; safe beside other builders."""
    packages = [*kernel_packages(), "busybox-static"]
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    made = cache / fingerprint(packages)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_dir():
            if progress:
                print(f"guest: making it from {', '.join(packages)}", file=sys.stderr)
            unfinished = Path(tempfile.mkdtemp(prefix=".making-", dir=cache))
            try:
                make(packages, unfinished)
                unfinished.rename(made)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            remove_stale(cache, made)
    return made


if __name__ == "__main__":
    try:
        print(build())
    except BuildError as error:
        sys.exit(f"guest: {error}")
