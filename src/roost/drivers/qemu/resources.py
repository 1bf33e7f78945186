"""What a guest holds of the host: acquired before launch, given back at the end.

`Held` is on disk with the guest's status *before* anything in it is taken, so
that a daemon killed in between finds all of it again; giving back something
that was not taken yet does no harm.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from roost.drivers.qemu import connections, plan, private_files
from roost.drivers.qemu.counting import Counting
from roost.errors import From, InternalError, SystemCallError
from roost.host.api import Account, Host, Owner, Process
from roost.model.domain.devices.disk import AnyDiskSource
from roost.model.domain.sysinfo import sysinfo_of

#: Seconds between SIGTERM and SIGKILL for a process beside QEMU.
HELPER_GRACE = 5.0


class Held(msgspec.Struct, frozen=True):
    """owners: files lent to QEMU's user. sockets: paths to unlink.

    directory: the guest's own, removed with it. helpers: files with the number of a process beside QEMU, whose
    command line has the file's name. links: interfaces of the host that outlive the guest by themselves.
    """

    owners: tuple[Owner, ...] = ()
    ports: tuple[int, ...] = ()
    sockets: tuple[str, ...] = ()
    directory: str = ""
    helpers: tuple[str, ...] = ()
    #: Directories of huge pages, removed with the guest.
    pages: tuple[str, ...] = ()
    links: tuple[connections.Link, ...] = ()
    #: The path of its control group.
    group: str = ""


_LISTS = ("owners", "ports", "sockets", "helpers", "pages", "links")


def _combined(held: Held, part: Held) -> Held:
    return msgspec.structs.replace(held, **{name: (*getattr(held, name), *getattr(part, name)) for name in _LISTS})


def _without(held: Held, part: Held) -> Held:
    left = {
        name: tuple(each for each in getattr(held, name) if each not in getattr(part, name)) for name in _LISTS
    }  # fmt: skip
    return msgspec.structs.replace(held, **left)


#: The name of the process file of the helper for persistent reservations.
PR_HELPER = "pr-helper"
#: Kinds of files that stay their owner's: device nodes, and directories that others use too.
_NOT_LENT = frozenset(("device", "export"))


def _helper_names(needs: plan.Needs) -> list[str]:
    """The names of the processes beside QEMU that are found again by a file."""
    return [
        *(["swtpm"] if needs.tpms else []),
        *([PR_HELPER] if needs.reservations else []),
        *(f"{passt.key}-passt" for passt in needs.passts),
    ]


def _in_memory(value: bytes) -> int:
    """A descriptor of a file that no file system has, with `value` in it."""
    descriptor = os.memfd_create("secret", os.MFD_CLOEXEC)
    os.write(descriptor, value)
    return descriptor


class Resources:
    """One guest's resources. Descriptors are ours until QEMU has inherited them (`close`)."""

    def __init__(self, host: Host, held: Held | None = None) -> None:
        self._host = host
        self.held = held or Held()
        self._descriptors: list[int] = []
        self._fds: dict[str, tuple[int, ...]] = {}
        self._names: dict[str, str] = {}
        self._ports: dict[str, int] = {}
        self._helpers: list[Process] = []
        self._link_names: dict[str, str] = {}
        self.counting = Counting(host)
        #: Where the guest's software TPM is controlled.
        self.tpm_socket: str | None = None
        #: Values of secrets by object, and what volumes are by pool and name.
        self.secrets: Mapping[str, bytes] = {}
        self.volumes: Mapping[tuple[str, str], AnyDiskSource] = {}
        self._page_directories: dict[int, str] = {}
        self._taken: list[Owner] = list(self.held.owners) if held else []

    def prepare(self, needs: plan.Needs, directory: Path, *, lend: bool) -> None:
        """Decide on everything and check every path; nothing outside the daemon changes yet.

        directory: the guest's own. lend: give files to QEMU's user.
        Raises what refuses the guest: SystemCallError naming the path, InternalError without a port.
        """
        for port in needs.ports:
            chosen = self._claim(port)
            self._ports[port.key] = chosen
            self.held = msgspec.structs.replace(self.held, ports=(*self.held.ports, chosen))
        for device in needs.devices:
            connections.check_device(device)
        self._link_names, links = connections.links(self._host, needs.taps)
        owners: dict[str, Owner] = {}
        made = {file.path for file in needs.made if not os.path.exists(file.path)}
        for file in needs.files:
            if file.path in made:
                continue
            try:
                self._check(file)
            except SystemCallError:
                if file.optional:
                    continue
                raise
            owner = self._host.ownership.owner(file.path) if lend and file.kind not in _NOT_LENT else None
            if owner is not None:
                owners[owner.path] = owner
        self._page_directories = self._pages(needs, directory.name)
        self.held = msgspec.structs.replace(
            self.held,
            pages=tuple(self._page_directories.values()),
            owners=tuple(owners.values()),
            sockets=(*self.held.sockets, *(listener.path for listener in needs.listeners)),
            directory=str(directory),
            helpers=tuple(str(directory / f"{name}.pid") for name in _helper_names(needs)),
            links=links,
        )

    def _pages(self, needs: plan.Needs, name: str) -> dict[int, str]:
        """A directory of the guest's own by size of huge pages. Raises InternalError without a file system of them."""
        mounts = self._host.hardware.page_mounts() if needs.pages else {}
        found = {}
        for size in (need.size for need in needs.pages):
            if size not in mounts:
                raise InternalError(
                    f"Unable to find any usable hugetlbfs mount for {size} KiB"
                    if size
                    else "hugetlbfs filesystem is not mounted or disabled by administrator config",
                    domain=From.QEMU,
                    hint=f"mount -t hugetlbfs{f' -o pagesize={size}K' if size else ''} none /dev/hugepages",
                )
            found[size] = f"{mounts[size]}/roost/qemu/{name}"
        return found

    def _claim(self, port: plan.Port) -> int:
        network = self._host.network
        if port.first < port.last:
            return network.claim_port(port.first, port.last, port.address)
        # Whether another program has it only QEMU's own attempt can tell without a race.
        if not network.hold_port(port.first):
            raise InternalError(
                f"Failed to reserve port {port.first}",
                domain=From.QEMU,
                hint="another guest has it; choose another, or autoport='yes'",
            )
        return port.first

    def _check(self, file: plan.File) -> None:
        path = file.path
        if file.kind == "chardev" and not os.path.exists(path):
            path = os.path.dirname(path) or "/"
        self._host.ownership.check(path, write=file.write)

    def take(
        self, needs: plan.Needs, account: Account | None = None, *, guest: str = "", reset_nvram: bool = False
    ) -> None:
        """Acquire what `prepare` decided.

        account: whom files that are made are for. guest: its UUID. reset_nvram: make its variables anew.
        """
        for directory in (self.held.directory, *needs.directories, *self.held.pages):
            self._host.ownership.directory(Path(directory))
        for file in needs.made:
            path = os.path.join(self.held.directory, file.path)
            private_files.make(file._replace(path=path), account, anew=reset_nvram)
        for secret, value in self.secrets.items():
            self._keep(secret, _in_memory(value))
        self._take_owners(self.held.owners)
        self._open(needs, guest)

    def _take_owners(self, owners: Iterable[Owner]) -> None:
        for owner in owners:
            self._host.ownership.take(owner)
            self._taken.append(owner)

    def _open(self, needs: plan.Needs, guest: str) -> None:
        """Everything that QEMU is given by descriptor or by a name that the host chose."""
        for vsock in needs.vsocks:
            descriptor, cid = self._host.network.vsock(vsock.cid)
            self._keep(vsock.key, descriptor)
            self._ports[vsock.key] = cid
        for tap in needs.taps:
            self._take_tap(tap, guest)
        for opened in needs.opened:
            self._keep(opened.key, connections.open_device(opened))
        for device in needs.devices:
            if device.kind == "scsi":
                self._names[device.key] = connections.scsi_generic(device)
        for listener in needs.listeners:
            self._keep(listener.key, self._listen(listener.path))
        for log in needs.logs:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if log.append else os.O_TRUNC)
            try:
                self._keep(log.key, os.open(log.path, flags, 0o600))
            except OSError as error:
                text = f"Unable to open file '{log.path}': {error.strerror}"
                raise SystemCallError(text, int1=error.errno or 0, str2=text) from error

    def _take_tap(self, tap: plan.Tap, guest: str) -> None:
        made = connections.make(self._host, tap, self._link_names.get(tap.key, tap.name), guest)
        self._keep(tap.key, *made.descriptors)
        self._names[tap.key] = made.name
        vhost = []
        try:
            for _ in range(tap.vhost):
                vhost.append(os.open(tap.vhost_device, os.O_RDWR | os.O_CLOEXEC))
        except OSError as error:
            for descriptor in vhost:
                os.close(descriptor)
            if tap.vhost_required:
                text = f"vhost-net was requested for an interface, but is unavailable: {error.strerror}"
                raise SystemCallError(text, int1=error.errno or 0, str2=text, hint="modprobe vhost_net") from error
        else:
            if vhost:
                self._keep(f"vhost:{tap.key}", *vhost)

    def _listen(self, path: str) -> int:
        listener: socket.socket = self._host.network.listen(Path(path))
        owner = self._host.ownership.owner(path)
        if owner is not None:
            # It goes with the socket: nothing to give back.
            self._host.ownership.take(owner)
            self._host.ownership.forget(owner)
        return listener.detach()

    def listen(self, path: Path) -> int:
        """A listening socket for QEMU alone, closed on our side with the rest."""
        descriptor = self._host.network.listen(path).detach()
        self._descriptors.append(descriptor)
        return descriptor

    def listen_for_guest(self, path: Path) -> int:
        """A listening socket that QEMU connects to, closed on our side with the rest."""
        descriptor = self._listen(str(path))
        self._descriptors.append(descriptor)
        return descriptor

    def hold_files(self, paths: Iterable[str]) -> None:
        """Files that are removed when the guest ends; on disk with its status before they are made."""
        self.held = msgspec.structs.replace(self.held, sockets=(*self.held.sockets, *paths))

    def keep_files(self, paths: Iterable[str]) -> None:
        """Files that were to go with the guest stay."""
        kept = set(paths)
        left = tuple(path for path in self.held.sockets if path not in kept)
        self.held = msgspec.structs.replace(self.held, sockets=left)

    def lend(self, paths: Iterable[str], save: Callable[[], None]) -> tuple[str, ...]:
        """Give files to QEMU's user until the guest ends or `take_back`.

        save: puts what is held on disk; called before a file changes hands. The files that were not lent before.
        Raises SystemCallError.
        """
        held = {owner.path for owner in self._taken}
        found = (self._host.ownership.owner(path) for path in dict.fromkeys(paths))
        new = tuple(owner for owner in found if owner is not None and owner.path not in held)
        if not new:
            return ()
        self.held = msgspec.structs.replace(self.held, owners=(*self.held.owners, *new))
        save()
        for owner in new:
            self._host.ownership.take(owner)
            self._taken.append(owner)
        return tuple(owner.path for owner in new)

    def take_back(self, paths: Iterable[str]) -> None:
        """Files that the guest uses no longer; those that were never lent stay as they are."""
        wanted = {os.path.realpath(path) for path in paths}
        for owner in [owner for owner in self._taken if owner.path in wanted]:
            self._taken.remove(owner)
            self._host.ownership.restore(owner)
        left = tuple(owner for owner in self.held.owners if owner.path not in wanted)
        self.held = msgspec.structs.replace(self.held, owners=left)

    def hold_group(self, path: str) -> None:
        """A control group that is removed when the guest ends; on disk with its status before it is made."""
        self.held = msgspec.structs.replace(self.held, group=path)

    # -- devices that join and leave ---------------------------------------------------------

    def join(self, needs: plan.Needs, *, lend: bool) -> Held:
        """Decide on what devices need that join the running guest, as `prepare` does; from now on it is held.

        What is new of it, for `take_part` and `give_back`.
        """
        more = Resources(self._host)
        try:
            more.prepare(needs, Path(self.held.directory), lend=lend)
        except BaseException:
            more.release()
            raise
        lent = {owner.path for owner in self._taken}
        part = msgspec.structs.replace(
            more.held,
            owners=tuple(owner for owner in more.held.owners if owner.path not in lent),
            pages=tuple(path for path in more.held.pages if path not in self.held.pages),
            directory="",
        )
        self._link_names |= more._link_names
        self._page_directories |= more._page_directories
        self.held = _combined(self.held, part)
        return part

    def take_part(self, part: Held, needs: plan.Needs, guest: str) -> None:
        """Acquire what `join` decided. guest: its UUID."""
        for path in part.pages:
            self._host.ownership.directory(Path(path))
        self._take_owners(part.owners)
        self._open(needs, guest)

    def part_of(self, needs: plan.Needs, others: plan.Needs, names: Iterable[str]) -> Held:
        """What is held for devices that leave. others: what those need that stay. names: of the host's interfaces."""
        left = {os.path.realpath(file.path) for file in needs.files} - {
            os.path.realpath(file.path) for file in others.files
        }
        gone = set(names)
        helpers = {str(Path(self.held.directory) / f"{name}.pid") for name in _helper_names(needs)}
        return Held(
            owners=tuple(owner for owner in self.held.owners if owner.path in left),
            sockets=(
                *(listener.path for listener in needs.listeners),
                *(path for path in self.held.sockets if os.path.realpath(path) in left),
            ),
            links=tuple(link for link in self.held.links if link.name in gone),
            helpers=tuple(path for path in self.held.helpers if path in helpers and not others.reservations),
        )

    def give_back(self, part: Held) -> None:
        """Give a part of it back: its devices have left, or never came."""
        self.held = _without(self.held, part)
        for file in part.helpers:
            process = self._host.processes.find(Path(file))
            if process is not None:
                process.terminate(HELPER_GRACE)
        connections.undo(self._host, part.links)
        for owner in part.owners:
            if owner in self._taken:
                self._taken.remove(owner)
                self._host.ownership.restore(owner)
        for port in part.ports:
            self._host.network.release_port(port)
        for path in part.sockets:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def helper_file(self, name: str) -> str:
        """Where a process beside QEMU leaves its number; decided by `prepare`."""
        return next(path for path in self.held.helpers if path.endswith(f"/{name}.pid"))

    def add_helper(self, process: Process) -> None:
        """A process beside QEMU is running; it ends with the guest."""
        self._helpers.append(process)

    def let_go(self) -> None:
        """Leave the helpers to themselves: the daemon ends, the guest does not."""
        self.counting.close()
        for process in self._helpers:
            process.release()
        self._helpers.clear()

    def _end_helpers(self, files: tuple[str, ...]) -> None:
        helpers, self._helpers = self._helpers, []
        if not helpers:
            found = [self._host.processes.find(Path(path)) for path in files]
            helpers = [process for process in found if process is not None]
        for process in helpers:
            process.terminate(HELPER_GRACE)

    def _keep(self, key: str, *descriptors: int) -> None:
        self._descriptors.extend(descriptors)
        self._fds[key] = descriptors

    def hand_over(self, groups: Mapping[str, tuple[int, ...]]) -> None:
        """Descriptors that a client has brought, by the name of their group; ours to close."""
        for name, descriptors in groups.items():
            self._keep(f"fdgroup:{name}", *descriptors)

    def grants(self, monitor: int) -> plan.Grants:
        """What was acquired, for the command line."""
        return plan.Grants(
            monitor=monitor,
            fds=self._fds,
            ports=self._ports,
            names=self._names,
            directory=self.held.directory,
            pages=self._page_directories,
            default_page=self._host.hardware.default_huge_page(),
            tpm_socket=self.tpm_socket,
            host_smbios=sysinfo_of(self._host.node.smbios()),
            volumes=self.volumes,
            now=time.time(),
            utc_offset=time.localtime().tm_gmtoff,
        )

    def close(self) -> None:
        """Close our copies of what QEMU has inherited, or will never."""
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._descriptors.clear()
        self._fds = {}

    def settle(self) -> None:
        """QEMU is up and listens on its ports."""
        for port in self.held.ports:
            self._host.network.settle_port(port)

    def adopt(self) -> None:
        """Count what an earlier life of the daemon acquired."""
        for owner in self.held.owners:
            self._host.ownership.adopt(owner)
        for port in self.held.ports:
            self._host.network.hold_port(port)

    def release(self) -> None:
        """Give everything back. May be called twice."""
        self.close()
        self.counting.close()
        held, self.held = self.held, Held()
        self._end_helpers(held.helpers)
        if held.group:
            self._host.groups.remove(held.group)
        connections.undo(self._host, held.links)
        taken, self._taken = self._taken, []
        for owner in taken:
            self._host.ownership.restore(owner)
        for port in held.ports:
            self._host.network.release_port(port)
        for path in held.sockets:
            with contextlib.suppress(OSError):
                os.unlink(path)
        for path in held.pages:
            shutil.rmtree(path, ignore_errors=True)
        if held.directory:
            shutil.rmtree(held.directory, ignore_errors=True)
