"""What a guest holds of the host: acquired before launch, given back at the end.

`Held` is on disk with the guest's status *before* anything in it is taken, so
that a daemon killed in between finds all of it again; giving back something
that was not taken yet does no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from roost.drivers.qemu import connections, nodes, plan, private_files
from roost.drivers.qemu.counting import Counting
from roost.drivers.qemu.descriptors import Descriptors
from roost.drivers.qemu.held import Held, combined, helper_names, without
from roost.errors import From, InternalError, SystemCallError
from roost.host.api import Account, Host, Owner, Process
from roost.model.domain.devices.disk import AnyDiskSource
from roost.model.domain.sysinfo import sysinfo_of

#: Seconds between SIGTERM and SIGKILL for a process beside QEMU.
HELPER_GRACE = 5.0


#: Kinds of files that stay their owner's: device nodes, and directories that others use too.
_NOT_LENT = frozenset(("device", "export"))


class Resources:
    """One guest's resources."""

    def __init__(self, host: Host, held: Held | None = None) -> None:
        self._host = host
        self.held = held or Held()
        self.descriptors = Descriptors(host)
        self._ports: dict[str, int] = {}
        self._helpers: list[Process] = []
        self._link_names: dict[str, str] = {}
        self.counting = Counting(host)
        #: For whoever starts or ends the helper for reservations.
        self.helper_turn = asyncio.Lock()
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
            helpers=tuple(str(directory / f"{name}.pid") for name in helper_names(needs)),
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
            self.descriptors.keep_value(secret, value)
        self._take_owners(self.held.owners)
        self.descriptors.open(needs, guest, self._link_names)

    def _take_owners(self, owners: Iterable[Owner]) -> None:
        for owner in owners:
            self._host.ownership.take(owner)
            self._taken.append(owner)

    def hold_files(self, paths: Iterable[str]) -> None:
        """Files that are removed when the guest ends; on disk with its status before they are made."""
        self.held = msgspec.structs.replace(self.held, sockets=(*self.held.sockets, *paths))

    def keep_files(self, paths: Iterable[str]) -> None:
        """Files that were to go with the guest stay."""
        kept = set(paths)
        left = tuple(path for path in self.held.sockets if path not in kept)
        self.held = msgspec.structs.replace(self.held, sockets=left)

    def remove_held(self, *paths: str) -> None:
        """Remove files that were to go with the guest; those that were not stay."""
        for path in set(paths) & set(self.held.sockets):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        self.keep_files(paths)

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
        """Files that the guest uses no longer; those that were never lent stay as they are.

        Device nodes among them it may still open until `tuning.access` has told the kernel.
        """
        given = set(paths)
        wanted = {os.path.realpath(path) for path in given}
        for owner in [owner for owner in self._taken if owner.path in wanted]:
            self._taken.remove(owner)
            self._host.ownership.restore(owner)
        owners = tuple(owner for owner in self.held.owners if owner.path not in wanted)
        kept = tuple(node for node in self.held.nodes if node.source not in given)
        self.held = msgspec.structs.replace(self.held, owners=owners, nodes=kept)

    def hold_group(self, path: str) -> None:
        """A control group that is removed when the guest ends; on disk with its status before it is made."""
        self.held = msgspec.structs.replace(self.held, group=path)

    def hold_task_groups(self, prefix: str, paths: Iterable[str]) -> None:
        """Groups of resctrl, likewise, parents first."""
        self.held = msgspec.structs.replace(self.held, task_prefix=prefix, task_groups=tuple(paths))

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
            nodes=nodes.joining(self._host, self.held.nodes, nodes.openings(needs)),
            directory="",
        )
        self._link_names |= more._link_names
        self._page_directories |= more._page_directories
        self.held = combined(self.held, part)
        return part

    def take_part(self, part: Held, needs: plan.Needs, guest: str) -> None:
        """Acquire what `join` decided. guest: its UUID."""
        for path in part.pages:
            self._host.ownership.directory(Path(path))
        self._take_owners(part.owners)
        self.descriptors.open(needs, guest, self._link_names)

    def give_back(self, part: Held) -> None:
        """Give a part of it back: its devices have left, or never came."""
        self.held = without(self.held, part)
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

    def helper_numbers(self) -> tuple[int, ...]:
        """The processes beside QEMU that are running now."""
        numbers = {process.pid for process in self._helpers if not process.exited}
        for file in self.held.helpers:
            process = self._host.processes.find(Path(file))
            if process is not None:
                numbers.add(process.pid)
                process.release()
        return tuple(sorted(numbers))

    def let_go(self) -> None:
        """Leave the helpers to themselves: the daemon ends, the guest does not."""
        self.counting.close()
        for process in self._helpers:
            process.release()
        self._helpers.clear()

    def end_helpers(self) -> None:
        """Tell the processes beside QEMU to end. May be called twice."""
        helpers, self._helpers = self._helpers, []
        known = {process.pid for process in helpers}
        found = (self._host.processes.find(Path(path)) for path in self.held.helpers)
        # One of an earlier life of the daemon, or that has gone into the background by itself.
        helpers += [process for process in found if process is not None and process.pid not in known]
        for process in helpers:
            process.terminate(HELPER_GRACE)

    def grants(self, monitor: int) -> plan.Grants:
        """What was acquired, for the command line."""
        return plan.Grants(
            monitor=monitor,
            fds=self.descriptors.fds,
            ports=self._ports | self.descriptors.cids,
            names=self.descriptors.names,
            directory=self.held.directory,
            pages=self._page_directories,
            default_page=self._host.hardware.default_huge_page(),
            tpm_socket=self.tpm_socket,
            host_smbios=sysinfo_of(self._host.node.smbios()),
            volumes=self.volumes,
            now=time.time(),
            utc_offset=time.localtime().tm_gmtoff,
        )

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
        self.descriptors.close()
        self.counting.close()
        self.end_helpers()
        held, self.held = self.held, Held()
        if held.group:
            self._host.groups.remove(held.group)
        for path in reversed(held.task_groups):
            self._host.resource_control.remove(path)
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
