"""What drivers may ask of the host."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from roost.contract.node import NodeInfo


class Account(NamedTuple):
    """A user that processes run as. groups: the supplementary ones."""

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


class Command(NamedTuple):
    """A program to start.

    env: its whole environment. descriptors: inherited under the same numbers.
    output: descriptor for its standard output and error. errors: one for its
    error alone. input: one for its input, which is empty without.
    account: whom it runs as; None for the daemon's own user.
    umask: None for the daemon's own. lives_on: it outlives the daemon, as guests do; helpers are killed with it.
    locked: bytes of memory that it may lock, -1 for any number; None for as many as the daemon.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    output: int
    descriptors: Sequence[int] = ()
    account: Account | None = None
    umask: int | None = None
    directory: str = "/"
    lives_on: bool = True
    input: int | None = None
    errors: int | None = None
    locked: int | None = None


class ProcessUsage(NamedTuple):
    """user, system: nanoseconds of CPU. resident: KiB."""

    user: int
    system: int
    resident: int


class ThreadUsage(NamedTuple):
    """Nanoseconds of a thread: of CPU, runnable without one, and waiting as far as the kernel keeps count of it."""

    thread: int
    used: int
    delayed: int
    waited: int


class Process(Protocol):
    """A process, watched through a pidfd: its number is never mistaken for a later one's.

    started: clock ticks after the host's boot; with `pid` it names the process for good.
    """

    @property
    def pid(self) -> int: ...
    @property
    def started(self) -> int: ...
    @property
    def exited(self) -> bool: ...
    @property
    def returncode(self) -> int | None:
        """As of subprocess; None while it runs, and for ever when it is not our child."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when it has exited."""
        ...

    def terminate(self, grace: float) -> None:
        """SIGTERM now; SIGKILL after `grace` seconds if it is still there."""
        ...

    async def wait(self) -> int | None:
        """Until it has exited; the returncode."""
        ...

    def on_exit(self, callback: Callable[[], None]) -> None:
        """Call once, on the loop, when it has exited."""
        ...

    def usage(self) -> ProcessUsage | None:
        """What it used so far, None when it has exited."""
        ...

    def threads(self, numbers: Sequence[int]) -> Sequence[ThreadUsage]:
        """What those of its threads used that are still there."""
        ...

    def lockable(self) -> int | None:
        """Bytes of memory that it may lock at most, -1 for any number; None when it has exited."""
        ...

    def set_lockable(self, size: int) -> None:
        """Let it lock that many, -1 for any number. Raises SystemCallError, for more than it has above all."""
        ...

    def release(self) -> None:
        """Stop watching; the process goes on."""
        ...


class Processes(Protocol):
    """Programs that drivers run: started, and found again."""

    async def start(self, command: Command) -> Process:
        """Start it in a session of its own. Raises SystemCallError."""
        ...

    def attach(self, pid: int, started: int) -> Process | None:
        """A process started in another life; None when it is gone, whoever has its number now."""
        ...

    def find(self, path: Path) -> Process | None:
        """The process whose number is in a file that its command line names; None when it is gone."""
        ...


class Owner(NamedTuple):
    """Whom a path belonged to before a guest took it."""

    path: str
    uid: int
    gid: int


class Ownership(Protocol):
    """Files that a guest's process must reach."""

    def check(self, path: str, *, write: bool) -> None:
        """Refuse a path the account could not reach. Raises SystemCallError naming the component and the cure."""
        ...

    def owner(self, path: str) -> Owner | None:
        """The owner to remember; None when there is nothing to give (not root, not a file that changes hands)."""
        ...

    def take(self, owner: Owner) -> None:
        """Give the path to the account. Counted: several guests may hold one path."""
        ...

    def adopt(self, owner: Owner) -> None:
        """Count a hold that an earlier life of the daemon took."""
        ...

    def forget(self, owner: Owner) -> None:
        """End one hold and leave the path as it is."""
        ...

    def restore(self, owner: Owner) -> None:
        """End one hold; the last one gives the path back."""
        ...

    def directory(self, path: Path) -> None:
        """Make a directory (and its parents) that only the account may enter."""
        ...


class Tap(NamedTuple):
    """descriptors: open queues of a tap device; closing the last one removes the interface."""

    name: str
    descriptors: tuple[int, ...]


class Rate(NamedTuple):
    """A limit of traffic: kilobytes a second, and for `burst` kilobytes at once. 0: none."""

    average: int
    peak: int = 0
    burst: int = 0


class SwitchPort(NamedTuple):
    """A port of Open vSwitch. guest, interface_id: UUIDs by which its controller knows it. native_*: of the tag whose
    packets go without one or with it.
    """

    mac: str
    guest: str
    interface_id: str
    profile: str = ""
    tags: tuple[int, ...] = ()
    trunk: bool = False
    native_tag: int | None = None
    native_mode: str = ""


class Network(Protocol):
    """What a guest talks through: interfaces of the host, TCP ports and sockets."""

    def tap(
        self,
        name: str,
        *,
        mac: str,
        bridge: str | None,
        mtu: int | None = None,
        queues: int = 0,
        headers: bool = True,
        managed: bool = True,
        device: str = "/dev/net/tun",
    ) -> Tap:
        """Make a tap interface, up and attached to `bridge`.

        name: "" picks `vnetN`. mac: the guest's; the host's side gets it with
        a first octet of fe. queues: 0 for a plain one. headers: with virtio's.
        managed: False opens one that exists and changes nothing about it.
        Raises SystemCallError or OperationFailed.
        """
        ...

    def macvtap(
        self,
        name: str,
        *,
        mac: str,
        link: str,
        mode: str,
        mtu: int | None = None,
        queues: int = 0,
        headers: bool = True,
    ) -> Tap:
        """Make a macvtap interface on `link`, up, with the guest's own address.

        mode: vepa, bridge, private or passthrough. Raises SystemCallError or OperationFailed.
        """
        ...

    def remove_macvtap(self, name: str, mac: str) -> None:
        """Remove it, unless it is gone or by now another's, as its address tells."""
        ...

    def free_name(self, prefix: str) -> str:
        """A name for an interface that nothing has: `prefix` and a number."""
        ...

    def address(self, interface: str) -> str:
        """Its MAC address. Raises SystemCallError."""
        ...

    def set_address(self, interface: str, mac: str) -> None:
        """Give it another. Raises InternalError."""
        ...

    def shape(self, interface: str, *, sent: Rate | None, received: Rate | None) -> None:
        """Limit its traffic, as the host sees the directions. Raises InternalError."""
        ...

    def move(self, interface: str, bridge: str) -> None:
        """Make a port of one bridge a port of another. Raises OperationFailed and SystemCallError."""
        ...

    def isolate(self, interface: str) -> None:
        """Keep a bridge's port from reaching the others that are isolated. Raises InternalError."""
        ...

    def coalesce(self, interface: str, packets: int) -> None:
        """Let it interrupt for `packets` at once. Raises SystemCallError."""
        ...

    def plug(self, interface: str, bridge: str, port: SwitchPort) -> None:
        """Make it a port of an Open vSwitch bridge. Raises InternalError."""
        ...

    def shape_port(self, interface: str, guest: str, *, sent: Rate | None, received: Rate | None) -> None:
        """Limit the traffic of a port of Open vSwitch. Raises InternalError."""
        ...

    def unplug(self, interface: str) -> None:
        """Take it from its Open vSwitch bridge, if it is at one."""
        ...

    def counters(self, interface: str) -> tuple[int, int, int, int, int, int, int, int]:
        """rx bytes, packets, errors, drops, then tx, as the guest sees them. Raises SystemCallError."""
        ...

    def neighbours(self) -> Sequence[tuple[str, str]]:
        """(IPv4 address, MAC address) of machines the host has heard of lately. Raises SystemCallError."""
        ...

    def claim_port(self, first: int, last: int, address: str = "") -> int:
        """A TCP port nobody has, ours until released. Raises InternalError when all are taken.

        Until `settle_port` it is bound, so that nobody else takes it before the
        guest listens there.
        """
        ...

    def settle_port(self, port: int) -> None:
        """The guest listens on a claimed port now."""
        ...

    def hold_port(self, port: int) -> bool:
        """Keep others from claiming a port chosen by hand or in an earlier life; False when one has it."""
        ...

    def release_port(self, port: int) -> None: ...

    def vsock(self, cid: int | None) -> tuple[int, int]:
        """A descriptor of /dev/vhost-vsock and its context id: the one asked for, or one nobody has.

        Raises SystemCallError without the device, OperationFailed for an id that is taken.
        """
        ...

    def listen(self, path: Path) -> socket.socket:
        """A listening unix socket at `path`, replacing what was there. Raises SystemCallError."""
        ...


class Topology(NamedTuple):
    """One CPU's place in the host. ids are the kernel's."""

    cpu: int
    socket: int
    die: int
    core: int
    siblings: str


class NodeFacts(Protocol):
    """What the host is and how busy it is, read from /proc and /sys."""

    def hostname(self) -> str: ...
    def machine(self) -> str: ...
    def kernel(self) -> str: ...
    def boot_id(self) -> str: ...
    def uuid(self) -> str: ...
    def smbios(self) -> Mapping[str, Mapping[str, str]]:
        """What the firmware tells of the host: table (bios, system, base_boards, chassis) to its entries.

        The names are those of <sysinfo>. Empty on hosts without.
        """
        ...

    def info(self) -> NodeInfo: ...
    def topology(self) -> Sequence[Topology]: ...
    def memory(self) -> Mapping[str, int]:
        """/proc/meminfo, KiB by name."""
        ...

    def cells_memory(self) -> Sequence[Mapping[str, int]]:
        """The same of each NUMA cell; one cell, the host's, where there is no NUMA."""
        ...

    def cpu_times(self, cpu: int) -> Mapping[str, int]:
        """Nanoseconds by kind of /proc/stat; -1 is the sum. Raises InvalidArg."""
        ...

    def cpu_map(self) -> tuple[bytes, int, int]:
        """(bitmap of online CPUs, number online, number present)."""
        ...

    def cpu_identity(self) -> Mapping[str, str]:
        """The first processor's lines of /proc/cpuinfo."""
        ...


class CellFacts(NamedTuple):
    """A NUMA cell. memory: KiB. pages: (KiB, how many there are). distances: (cell, as the firmware counts)."""

    id: int
    memory: int
    pages: tuple[tuple[int, int], ...]
    distances: tuple[tuple[int, int], ...]
    cpus: tuple[int, ...]


CacheType = Literal["both", "code", "data"]


class HostCache(NamedTuple):
    """A cache that several cores share. type: both, code or data. size: KiB. cpus: as ranges."""

    id: int
    level: int
    type: CacheType
    size: int
    cpus: str


class HostControl(NamedTuple):
    """What can be given to groups of tasks: of a cache in KiB, of memory bandwidth in percent; of how many groups.

    parts: how many bits a mask of the cache has.
    """

    granularity: int
    minimum: int
    type: CacheType | None
    groups: int
    parts: int = 0


class HostMonitor(NamedTuple):
    """What can be measured of groups of tasks. threshold: bytes of cache at which an identifier is used again."""

    threshold: int
    groups: int
    features: tuple[str, ...]


class Hardware(Protocol):
    """What the host is built of."""

    def cpuid(self) -> Mapping[tuple[int, int, str], int]:
        """(leaf, subleaf, register) to its value, and (MSR, 0, "msr"); {} where there is no CPUID."""
        ...

    def cells(self) -> Sequence[CellFacts]: ...
    def placement(self, vcpus: int, memory: int) -> frozenset[int]:
        """The cells that have room for a guest, as numad sees it. memory: KiB. Blocks; raises OperationFailed."""
        ...

    def page_sizes(self) -> Sequence[int]:
        """KiB, the smallest first."""
        ...

    def page_mounts(self) -> Mapping[int, str]:
        """Where files are made of huge pages, by their size in KiB; 0: of the default size."""
        ...

    def default_huge_page(self) -> int:
        """KiB; 0 without huge pages."""
        ...

    def caches(self) -> Sequence[HostCache]: ...
    def has_iommu(self) -> bool: ...
    def kvm_max_vcpus(self) -> int:
        """The most that a guest under KVM can have; 0 when KVM cannot be asked."""
        ...

    def tsc(self) -> tuple[int, bool] | None:
        """(Hz of the time stamp counter, whether guests may be given another); None when KVM cannot be asked."""
        ...

    def sleep_states(self) -> Sequence[str]:
        """As the kernel names them: mem, disk."""
        ...

    def cache_controls(self, cache: HostCache) -> Sequence[HostControl]: ...
    def bandwidth_control(self) -> HostControl | None: ...
    def monitor(self) -> HostMonitor | None: ...


Controller = Literal["cpu", "cpuset", "memory", "blkio", "cpuacct", "devices"]

#: What a control group bounds. cpu.shares: a weight. cpu.period, cpu.quota: microseconds, a quota of -1 is none.
#: cpuset.*: lists of numbers. memory.*: KiB. blkio.weight: a weight.
GroupSetting = Literal[
    "cpu.shares", "cpu.period", "cpu.quota", "cpuset.cpus", "cpuset.mems", "memory.hard_limit", "memory.soft_limit",
    "memory.swap_hard_limit", "blkio.weight",
]  # fmt: skip
#: What it bounds of one block device: a weight, requests and bytes a second. 0: nothing.
DeviceSetting = Literal["weight", "read_iops_sec", "write_iops_sec", "read_bytes_sec", "write_bytes_sec"]


class DeviceRule(NamedTuple):
    """Leave to use a device. kind: b or c, of block and of character devices. minor: -1 for all of the major number.

    access: of r, w and m, to read, to write, to make nodes.
    """

    kind: Literal["b", "c"]
    major: int
    minor: int
    access: str


#: KiB of a memory setting that bounds nothing.
UNLIMITED = (2**63 - 1) >> 10


class GroupUsage(NamedTuple):
    """Nanoseconds of CPU that a control group has used; each_cpu: by CPU, () when the kernel does not tell."""

    total: int
    user: int
    system: int
    each_cpu: tuple[int, ...]


class ControlGroups(Protocol):
    """Groups of processes whose share of the host is bounded.

    A group is named by its path below the hierarchies' roots, `/machine/qemu-1-web.libvirt-qemu`. Its threads may be
    in groups of their own within it (`vcpu0`), for processor time and places alone; "" is the group itself.
    """

    def has(self, controller: Controller) -> bool:
        """Whether the controller is there for our use."""
        ...

    def exists(self, path: str) -> bool:
        """Whether somebody has a group of that path."""
        ...

    def make(self, path: str) -> None:
        """Make a group nobody has. Raises SystemCallError, with EEXIST when somebody has it."""
        ...

    def make_threads(self, path: str, name: str) -> None:
        """Make the group of some of its threads, unless it is there. Raises SystemCallError."""
        ...

    def is_populated(self, path: str) -> bool:
        """Whether the group is there and has processes."""
        ...

    def remove(self, path: str) -> None:
        """Remove the group and those within. Nothing happens when it is gone.

        What is still in it goes where this process is: helpers that have been told to end, or that end by themselves.
        """
        ...

    def remove_threads(self, path: str, name: str) -> None:
        """Remove the group of some threads; theirs become the group's own."""
        ...

    def add_process(self, path: str, pid: int, threads: str) -> None:
        """Put a process into the group, all its threads into a group of threads. Raises SystemCallError."""
        ...

    def add_helper(self, path: str, pid: int, threads: str) -> None:
        """Put a process beside the guest's, and what it has started, into a group of threads. Raises SystemCallError.

        Its time and its place are the group's then, and with v2 its memory. One that has ended meanwhile is left out.
        """
        ...

    def add_thread(self, path: str, thread: int, threads: str) -> None:
        """Put a thread of a process of the group into a group of threads. Raises SystemCallError."""
        ...

    def get(self, path: str, setting: GroupSetting, threads: str = "") -> int | str:
        """Raises SystemCallError, and OperationInvalid for a weight the kernel's I/O scheduler has not."""
        ...

    def set(self, path: str, setting: GroupSetting, value: int | str, threads: str = "") -> None:
        """Raises as `get`, and InvalidArg for a value out of range."""
        ...

    def set_device(self, path: str, setting: DeviceSetting, device: str, value: int) -> None:
        """Raises as `get`, and SystemCallError for what is no block device."""
        ...

    def device_rules(self, path: str, access: str) -> Sequence[DeviceRule]:
        """Leave to use the device whose node `path` is, and those that the device mapper made it of.

        () for what is no device.
        """
        ...

    def limit_devices(self, path: str, rules: Collection[DeviceRule]) -> bool:
        """Let the group's processes open these devices and no others; what stays allowed is so all the time.

        False where the kernel lets us not. Raises SystemCallError for a device that cannot be allowed.
        """
        ...

    def usage(self, path: str, threads: str = "") -> GroupUsage:
        """Raises SystemCallError."""
        ...


class ResourceControl(Protocol):
    """Groups of tasks that get parts of caches and of memory bandwidth, or are watched for what they use of them.

    A group is named by its path below the root of resctrl: "" is that of all tasks, `NAME` one of control,
    `mon_groups/NAME` and `NAME/mon_groups/NAME` those that are only watched. What can be given `Hardware` tells.
    """

    def locked(self) -> AbstractContextManager[None]:
        """Keep others from giving anything out meanwhile. Blocks; raises SystemCallError."""
        ...

    def exists(self, path: str) -> bool: ...
    def schemata(self) -> Mapping[str, str]:
        """What each group of control has, in the kernel's words, by path. Raises SystemCallError."""
        ...

    def make(self, path: str, schemata: str = "") -> None:
        """Make a group nobody has, and give it what a group of control is to have.

        Raises SystemCallError, with EEXIST when somebody has it; a group that cannot have it is not there.
        """
        ...

    def add_thread(self, path: str, thread: int) -> None:
        """Raises SystemCallError."""
        ...

    def measured(self, path: str, features: Sequence[str]) -> Sequence[tuple[int, Mapping[str, int]]]:
        """What a group uses of each cache, or through it, by the cache's number. Raises SystemCallError."""
        ...

    def remove(self, path: str) -> None:
        """Its tasks become its parent's. Nothing happens when it is gone."""
        ...


class Threads(Protocol):
    """Where and how single threads run."""

    def of(self, pid: int) -> Sequence[int]:
        """The numbers of a process's threads; none when it is gone."""
        ...

    def affinity(self, thread: int) -> frozenset[int]:
        """The CPUs it may run on. Raises SystemCallError."""
        ...

    def set_affinity(self, thread: int, cpus: frozenset[int]) -> None:
        """Raises SystemCallError."""
        ...

    def set_scheduler(self, thread: int, policy: str, priority: int) -> None:
        """policy: batch, idle, fifo or rr. Raises SystemCallError."""
        ...

    def last_cpu(self, thread: int) -> int:
        """The CPU it runs on or ran on last; -1 when it is gone."""
        ...


class Counters(Protocol):
    """Events that processors and the kernel count, by the names of <perf>."""

    def open(self, event: str, threads: Sequence[int]) -> tuple[int, ...]:
        """Count for these threads and those they make, until the descriptors are closed.

        Raises ArgumentUnsupported and SystemCallError for what this host does not count.
        """
        ...

    def read(self, event: str, descriptors: Sequence[int]) -> int:
        """What was counted so far."""
        ...


class Host(Protocol):
    """All of it."""

    @property
    def processes(self) -> Processes: ...
    @property
    def ownership(self) -> Ownership: ...
    @property
    def network(self) -> Network: ...
    @property
    def node(self) -> NodeFacts: ...
    @property
    def hardware(self) -> Hardware: ...
    @property
    def groups(self) -> ControlGroups: ...
    @property
    def resource_control(self) -> ResourceControl: ...
    @property
    def threads(self) -> Threads: ...
    @property
    def counters(self) -> Counters: ...
