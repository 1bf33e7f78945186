"""Programs for the test guest from the distribution's packages, in a second initrd.

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
from typing import NamedTuple

from guests.build import (
    Archive,
    BuildError,
    build,
    cache_directory,
    choose_modules,
    depends,
    download,
    kernel_packages,
    members,
    module_name,
    run,
    versions_of,
)


class Extra(NamedTuple):
    """What a guest has besides.

    programs, data: package to a file of it; programs bring their libraries along. written: path in the guest to text.
    modules: of the kernel, loaded by `/extra/load`.
    """

    name: str
    programs: dict[str, str]
    data: dict[str, str]
    written: dict[str, str]
    modules: tuple[str, ...] = ()


#: Read-outs: lspci with names of devices and makers, dmidecode.
TOOLS = Extra(
    "tools", {"pciutils": "usr/bin/lspci", "dmidecode": "usr/sbin/dmidecode"}, {"pci.ids": "usr/share/misc/pci.ids"}, {}
)

#: The guest agent with what it calls, a user and a file system that can be frozen. `/extra/agent` starts it.
AGENT = Extra(
    "agent",
    {"qemu-guest-agent": "usr/sbin/qemu-ga"},
    {},
    {
        "extra/agent": """\
#!/bin/busybox sh
# In a way that does not end with the console: setsid, and the three descriptors elsewhere.
mkdir -p /run /root /var/run
exec setsid /usr/sbin/qemu-ga -m virtio-serial -p "/dev/${1:-vport1p1}" -t /run -f /run/qga.pid \\
    </dev/null >/run/qga.log 2>&1
""",
        "extra/liar": """\
#!/bin/busybox sh
# Gives the number back that an agent is asked for first, and then whatever comes after the last colon.
exec 3<>/dev/vport1p1
echo $$ >/run/liar.pid
while :; do
    # Nothing can be read before the host has connected.
    read -r line <&3 || { sleep 0.1; continue; }
    last=${line##*:}
    printf '\\377{"return":%s}\\n{"return":[1,2]}\\n' "${last%%\\}*}" >&3
done
""",
        "sbin/shutdown": """\
#!/bin/busybox sh
# `-h -P +0 MESSAGE` or `-h -r +0 MESSAGE`; after the agent has had its time to answer nothing.
case "$*" in *-r*) exec reboot -f ;; *) exec poweroff -f ;; esac
""",
        "bin/chpasswd": '#!/bin/busybox sh\necho "chpasswd $*" >/run/chpasswd\ncat >>/run/chpasswd\n',
        "sbin/hwclock": '#!/bin/busybox sh\nexec /bin/busybox hwclock "$@"\n',
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000:guest:/home/guest:/bin/sh\n",
        "etc/shadow": "root:*:19000::::::\nguest:*:19000::::::\n",
        "etc/group": "root:x:0:\nguest:x:1000:\n",
        "etc/os-release": 'ID=roost\nNAME="Roost guest"\nPRETTY_NAME="Roost guest 1"\nVERSION_ID="1"\n',
    },
    ("ext4", "rtc_cmos"),
)


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


def add_modules(archive: Archive, modules: tuple[str, ...], directory: Path) -> None:
    """Put modules into the archive, and the script that loads them in their order."""
    available: dict[str, tuple[str, bytes]] = {}
    for package in download(kernel_packages(), directory):
        available |= {module_name(path): (path, content) for path, content in members(package) if ".ko" in path}
    chosen = choose_modules(available, modules)
    for name, content in chosen.items():
        archive.add_file(f"extra/{name}.ko", content, 0o644)
    # One that the plain guest has loaded is refused, which is as good.
    load = "".join(f"insmod /extra/{name}.ko 2>/dev/null\n" for name in chosen)
    archive.add_file("extra/load", f"#!/bin/busybox sh\n{load}exit 0\n".encode())


def make(extra: Extra, packages: list[str], target: Path) -> None:
    """Write the archive."""
    archive = Archive()
    with tempfile.TemporaryDirectory(prefix="roost-tools-") as directory:
        root = Path(directory, "root").resolve()
        for package in download(packages, Path(directory)):
            subprocess.run(("dpkg-deb", "-x", str(package), str(root)), check=True)
        wanted: dict[str, Path] = {}
        for program in extra.programs.values():
            wanted |= libraries(root, program) | {program: root / program}
        wanted |= {path: root / path for path in extra.data.values()}
        for path, source in sorted(wanted.items()):
            archive.add_file(path, source.read_bytes())
        for path, text in extra.written.items():
            archive.add_file(path, text.encode())
        if extra.modules:
            kernel = Path(directory, "kernel")
            kernel.mkdir()
            add_modules(archive, extra.modules, kernel)
    target.write_bytes(archive.finish())
    target.chmod(0o644)


def build_with(extra: Extra) -> Path:
    """An initrd of the guest that has these; safe beside other builders. Raises BuildError."""
    plain = build(progress=False)
    packages = closure([*extra.programs, *extra.data])
    text = repr((plain.name, versions_of(packages), extra, Path(__file__).read_text()))
    made = plain / f"initrd-{extra.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    with (cache_directory() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            unfinished = plain / f".{extra.name}-{os.getpid()}"
            try:
                make(extra, packages, unfinished)
                unfinished.write_bytes((plain / "initrd").read_bytes() + unfinished.read_bytes())
                unfinished.rename(made)
            except (OSError, StopIteration, subprocess.CalledProcessError) as error:
                raise BuildError(f"the guest with {extra.name} cannot be made: {error}") from error
            finally:
                unfinished.unlink(missing_ok=True)
    return made
