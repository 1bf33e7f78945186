"""What a launch needs of the host, and what the host granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from roost.model.domain.devices.disk import AnyDiskSource
from roost.model.domain.sysinfo import SmbiosSysinfo
from roost.model.shared.bandwidth import Bandwidth
from roost.model.shared.virtualport import VirtualPort
from roost.model.shared.vlan import Vlan


class Switch(NamedTuple):
    """How the host treats an interface: as what port of what switch, in which VLANs, how fast.

    isolated: it reaches no other isolated port. coalesce: packets per interrupt at most.
    """

    port: VirtualPort | None = None
    vlan: Vlan | None = None
    bandwidth: Bandwidth | None = None
    isolated: bool = False
    coalesce: int | None = None


class Tap(NamedTuple):
    """A tap interface.

    key: the interface's alias. name: "" lets the host pick `vnetN`.
    queues: how many descriptors of it, 0 for one single-queue descriptor.
    vhost: how many descriptors of /dev/vhost-net are of use (0: none). They
    may be missing from the grants unless `vhost_required`.
    managed: False when the interface must exist already. script, downscript: run with its name when it is up and
    before it goes. link, mode: of a macvtap on that interface of the host. device: what makes taps.
    """

    key: str
    name: str
    mac: str
    bridge: str | None = None
    mtu: int | None = None
    queues: int = 0
    vhost: int = 0
    vhost_required: bool = False
    managed: bool = True
    vnet_hdr: bool = False
    script: str | None = None
    downscript: str | None = None
    link: str | None = None
    mode: str = ""
    device: str = "/dev/net/tun"
    vhost_device: str = "/dev/vhost-net"
    switch: Switch = Switch()


class Port(NamedTuple):
    """A TCP port. first == last: chosen by hand; else any free one of the range."""

    key: str
    first: int
    last: int
    address: str


class Listener(NamedTuple):
    """A listening unix socket, passed by descriptor. key: the character device's id (`charserial0`)."""

    key: str
    path: str


class File(NamedTuple):
    """A path that QEMU opens by itself.

    user: the alias or name of what uses it, for messages. kind: "image",
    "directory" (shown as a FAT disk), "export" (a directory that others use
    too), "block" (a block device), "kernel" (what QEMU loads at its start),
    "device" (a character device node), "socket" (to connect to), "pipe".
    shared: other guests may write it too. optional: need not be there.
    """

    path: str
    write: bool
    user: str
    kind: str = "image"
    shared: bool = False
    optional: bool = False


class Log(NamedTuple):
    """A file the host opens for writing and passes by descriptor. key: the character device's id."""

    key: str
    path: str
    append: bool


class Made(NamedTuple):
    """A file for one guest alone that is made where it is missing.

    It is a copy of `template`, or `size` bytes of zeros, or holds `text`. A path that is no absolute one is below the
    guest's own directory. user: what it is for, in messages.
    """

    path: str
    template: str = ""
    size: int = 0
    text: str | None = None
    user: str = ""


class VhostVsock(NamedTuple):
    """/dev/vhost-vsock, opened, with a context id: `cid`, or any free one. key: the device's alias."""

    key: str
    cid: int | None


class SoftwareTpm(NamedTuple):
    """A swtpm of the guest's own, running before QEMU.

    version: 1.2 or 2.0. banks: the PCR banks that are to be active; () leaves them.
    secret: UUID of the passphrase. state: where it keeps its state; None for the driver's own place.
    """

    key: str
    version: str
    banks: tuple[str, ...] = ()
    debug: int = 0
    secret: str | None = None
    state: str | None = None
    state_is_file: bool = False
    profile: str = ""
    profile_remove_disabled: str | None = None


class Opened(NamedTuple):
    """A device node that the host opens for reading and writing. key: of the grant. complaint: when it cannot."""

    key: str
    path: str
    complaint: str


class Passt(NamedTuple):
    """A passt of the interface's own, running before QEMU. key: the alias. arguments: after its socket's."""

    key: str
    arguments: tuple[str, ...]


class HostDevice(NamedTuple):
    """A device of the host that QEMU is given whole.

    key: the alias. kind: "pci" (by its address), "mdev" (by its path), "scsi" (host:bus:target:unit), "scsi_host"
    (by its WWPN). managed: the host's driver is to be taken off it. write: the guest may change what is on it.
    """

    key: str
    kind: str
    name: str
    managed: bool = False
    write: bool = True


class Secret(NamedTuple):
    """A value that QEMU reads from a descriptor. key: the object's id.

    kind: of the secret driver's secret: "volume", "ceph", "iscsi", "tls"; it is
    found by `uuid` or by `usage`. value: itself, where the document has it.
    """

    key: str
    kind: str = ""
    uuid: str | None = None
    usage: str | None = None
    value: str | None = None


class VirtioFs(NamedTuple):
    """A virtiofsd of the file system's own, running before QEMU.

    key: the alias. binary: "" for the host's. arguments: after those that name socket and directory.
    max_open_files: its limit of descriptors; 0 leaves it. uids, gids: (in the guest, on the host, how many).
    """

    key: str
    directory: str
    binary: str = ""
    arguments: tuple[str, ...] = ()
    max_open_files: int = 0
    uids: tuple[tuple[int, int, int], ...] = ()
    gids: tuple[tuple[int, int, int], ...] = ()


class ReservationsHelper(NamedTuple):
    """A qemu-pr-helper of the guest's own, running before QEMU. socket: its name in the guest's directory."""

    socket: str


class PageDirectory(NamedTuple):
    """A directory of the guest's own where files are made of huge pages of `size` KiB; 0: of the host's default."""

    size: int


Need = (
    PageDirectory
    | Secret
    | VirtioFs
    | ReservationsHelper
    | Tap
    | Opened
    | Passt
    | Port
    | Listener
    | File
    | Log
    | HostDevice
    | Made
    | VhostVsock
    | SoftwareTpm
)


class Needs(NamedTuple):
    taps: tuple[Tap, ...] = ()
    ports: tuple[Port, ...] = ()
    listeners: tuple[Listener, ...] = ()
    files: tuple[File, ...] = ()
    logs: tuple[Log, ...] = ()
    directories: tuple[str, ...] = ()
    made: tuple[Made, ...] = ()
    vsocks: tuple[VhostVsock, ...] = ()
    tpms: tuple[SoftwareTpm, ...] = ()
    opened: tuple[Opened, ...] = ()
    passts: tuple[Passt, ...] = ()
    devices: tuple[HostDevice, ...] = ()
    secrets: tuple[Secret, ...] = ()
    virtiofs: tuple[VirtioFs, ...] = ()
    reservations: tuple[ReservationsHelper, ...] = ()
    pages: tuple[PageDirectory, ...] = ()


class DisplaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the host wants of all displays, by their kind, `vnc` or `spice`.

    addresses: where those listen that name no address. sockets: kinds that listen at a socket of the guest's own then.
    passwords: of those that have none. sasl: where its configuration is, "" for the usual place, for kinds whose
    clients authenticate by it. *_certificates: directories; of VNC None to do without TLS. vnc_verifies: clients must
    show certificates, too.
    """

    addresses: Mapping[str, str] = {}
    sockets: frozenset[str] = frozenset()
    passwords: Mapping[str, str] = {}
    sasl: Mapping[str, str] = {}
    vnc_certificates: str | None = None
    vnc_verifies: bool = False
    spice_certificates: str = "/etc/pki/qemu"


class Grants(msgspec.Struct, frozen=True, kw_only=True):
    """What was acquired, by the keys of the needs.

    monitor: descriptor of the listening monitor socket. None with `monitor_path`
    given makes QEMU listen there itself (domxml-to-native). Missing entries make
    the command line name the path, port or interface instead, so a document can
    be translated without acquiring anything.
    fds: keyed `net0` (tap queues), `vhost:net0`, the ids of listeners and logs.
    ports: keyed like `Needs.ports`. names: the tap's name by alias.
    directory: the guest's own. tpm_socket: where its swtpm is controlled.
    host_smbios: what the host's firmware tells of it; None when it cannot be read.
    now: seconds since 1970, and utc_offset: seconds local time is ahead of UTC,
    for clocks that count from the moment of the start. displays: of the host's settings. chardev_certificates,
    nbd_certificates: directories. secrets: values by object, for a guest that runs already.
    volumes: what volumes are, by pool and name. pages: directories by page size, and default_page: the host's, in KiB.
    nodes: those of the host that were found best for the guest. incoming: it waits for its memory instead of booting.
    """

    monitor: int | None = None
    monitor_path: str = "monitor.sock"
    fds: Mapping[str, tuple[int, ...]] = {}
    ports: Mapping[str, int] = {}
    names: Mapping[str, str] = {}
    now: float = 0.0
    utc_offset: int = 0
    directory: str = "/var/lib/libvirt/qemu"
    tpm_socket: str | None = None
    host_smbios: SmbiosSysinfo | None = None
    chardev_certificates: str = "/etc/pki/qemu"
    displays: DisplaySettings = DisplaySettings()
    nbd_certificates: str = "/etc/pki/qemu"
    secrets: Mapping[str, bytes] = {}
    volumes: Mapping[tuple[str, str], AnyDiskSource] = {}
    pages: Mapping[int, str] = {}
    default_page: int = 2048
    nodes: str | None = None
    incoming: bool = False
