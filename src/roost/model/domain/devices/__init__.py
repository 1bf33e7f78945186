"""Device records, one file per class of device, and `Devices`, which lists them in the order of the output.

May enter: records and their enums. Rules over several devices live beside
this package (completion, addresses, validation).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from roost.errors import InternalError, XmlError
from roost.model.domain.devices.chardev import Channel, Console, Parallel, Serial
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.crypto import Crypto
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.filesystem import Filesystem
from roost.model.domain.devices.graphics import AnyGraphics, Video
from roost.model.domain.devices.hostdev import Hostdev
from roost.model.domain.devices.interface import Interface
from roost.model.domain.devices.iommu import Iommu
from roost.model.domain.devices.lease import Lease
from roost.model.domain.devices.memory import AnyMemory
from roost.model.domain.devices.nvram import NvramDevice
from roost.model.domain.devices.pstore import Pstore
from roost.model.domain.devices.redirdev import Redirdev, RedirFilter
from roost.model.domain.devices.shmem import Shmem
from roost.model.domain.devices.small import (
    Hub,
    Input,
    MemBalloon,
    Panic,
    Rng,
    Vsock,
    Watchdog,
)
from roost.model.domain.devices.smartcard import Smartcard
from roost.model.domain.devices.sound import Audio, Sound
from roost.model.domain.devices.tpm import Tpm
from roost.xml import Child, Complaint, Record, at


def _one(what: str) -> Complaint:
    return Complaint(InternalError, f"only a single {what} device is supported")


_ONE_VSOCK = Complaint(XmlError, "only a single vsock device is supported")


class Devices(Record):
    remembered: ClassVar[bool] = True

    emulator: Child[str | None] = None
    disks: Annotated[tuple[Disk, ...], at("disk")] = ()
    controllers: Annotated[tuple[Controller, ...], at("controller")] = ()
    leases: Annotated[tuple[Lease, ...], at("lease")] = ()
    filesystems: Annotated[tuple[Filesystem, ...], at("filesystem")] = ()
    interfaces: Annotated[tuple[Interface, ...], at("interface")] = ()
    smartcards: Annotated[tuple[Smartcard, ...], at("smartcard")] = ()
    serials: Annotated[tuple[Serial, ...], at("serial")] = ()
    parallels: Annotated[tuple[Parallel, ...], at("parallel")] = ()
    consoles: Annotated[tuple[Console, ...], at("console")] = ()
    channels: Annotated[tuple[Channel, ...], at("channel")] = ()
    inputs: Annotated[tuple[Input, ...], at("input")] = ()
    tpms: Annotated[tuple[Tpm, ...], at("tpm")] = ()
    graphics: Annotated[tuple[AnyGraphics, ...], at("graphics")] = ()
    sounds: Annotated[tuple[Sound, ...], at("sound")] = ()
    audios: Annotated[tuple[Audio, ...], at("audio")] = ()
    videos: Annotated[tuple[Video, ...], at("video")] = ()
    hostdevs: Annotated[tuple[Hostdev, ...], at("hostdev")] = ()
    redirdevs: Annotated[tuple[Redirdev, ...], at("redirdev")] = ()
    redirfilter: Annotated[RedirFilter | None, at("redirfilter")] = None
    hubs: Annotated[tuple[Hub, ...], at("hub")] = ()
    watchdogs: Annotated[tuple[Watchdog, ...], at("watchdog")] = ()
    memballoon: Annotated[MemBalloon | None, at("memballoon", once=_one("memory balloon"))] = None
    rngs: Annotated[tuple[Rng, ...], at("rng")] = ()
    nvram: Annotated[NvramDevice | None, at("nvram", keep_empty=True, once=_one("nvram"))] = None
    panics: Annotated[tuple[Panic, ...], at("panic")] = ()
    shmems: Annotated[tuple[Shmem, ...], at("shmem")] = ()
    memories: Annotated[tuple[AnyMemory, ...], at("memory")] = ()
    cryptos: Annotated[tuple[Crypto, ...], at("crypto")] = ()
    iommus: Annotated[tuple[Iommu, ...], at("iommu")] = ()
    vsock: Annotated[Vsock | None, at("vsock", keep_empty=True, once=_ONE_VSOCK)] = None
    pstore: Annotated[Pstore | None, at("pstore", keep_empty=True)] = None


#: The fields of `Devices` whose devices have a place, and the element of each; in the order of libvirt's visits.
PLACED_CLASSES: tuple[tuple[str, str], ...] = (
    ("disks", "disk"),
    ("interfaces", "interface"),
    ("sounds", "sound"),
    ("hostdevs", "hostdev"),
    ("videos", "video"),
    ("controllers", "controller"),
    ("smartcards", "smartcard"),
    ("serials", "serial"),
    ("parallels", "parallel"),
    ("channels", "channel"),
    ("consoles", "console"),
    ("inputs", "input"),
    ("filesystems", "filesystem"),
    ("watchdogs", "watchdog"),
    ("memballoon", "memballoon"),
    ("rngs", "rng"),
    ("nvram", "nvram"),
    ("hubs", "hub"),
    ("shmems", "shmem"),
    ("tpms", "tpm"),
    ("panics", "panic"),
    ("memories", "memory"),
    ("redirdevs", "redirdev"),
    ("cryptos", "crypto"),
    ("iommus", "iommu"),
    ("vsock", "vsock"),
    ("pstore", "pstore"),
)
#: All fields of `Devices`.
DEVICE_CLASSES = (*PLACED_CLASSES, ("graphics", "graphics"), ("audios", "audio"), ("leases", "lease"))


__all__ = ["DEVICE_CLASSES", "PLACED_CLASSES", "Devices"]
