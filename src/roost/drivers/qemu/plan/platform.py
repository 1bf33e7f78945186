"""Devices of the platform: IOMMUs, shared memory, vsock, crypto, NVRAM, pstore."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.chardevs import backend, chardev_id
from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, Props, compact, device, on_off, option
from roost.drivers.qemu.plan.resources import File, Made, VhostVsock
from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.device import PciAddress, SpaprVioAddress
from roost.model.domain.devices.chardev import UnixChar
from roost.model.domain.devices.crypto import Crypto
from roost.model.domain.devices.iommu import Iommu, IommuDriver
from roost.model.domain.devices.pstore import Pstore
from roost.model.domain.devices.shmem import Shmem
from roost.model.domain.devices.small import Vsock

_SHARED_MEMORY = "/dev/shm"
_LEAST_SHMEM = 1 << 20


def _switch(value: bool | None) -> str | None:
    """A property that knows `auto` too."""
    return None if value is None else on_off(value)


# -- IOMMU -------------------------------------------------------------------------------------


#: Properties that not every QEMU's IOMMU has: the attribute of <driver>, the device's property.
_NEWER = {
    "intel": ("intel-iommu", (("dma_translation", "dma-translation"),)),
    "amd": ("amd-iommu", (("xtsup", "xtsup"), ("passthrough", "pt"))),
    "virtio": ("virtio-iommu-pci", (("aw_bits", "aw-bits"), ("granule", "granule"))),
}


def _require_newer(iommu: Iommu, driver: IommuDriver, ctx: Context) -> None:
    """Refuse what is asked for and not there. Raises ConfigUnsupported."""
    device, properties = _NEWER.get(iommu.model, ("", ()))
    for attribute, name in properties:
        if getattr(driver, attribute) is not None:
            ctx.require(
                f"{device}.{name}", f"iommu: {attribute} is not supported with this QEMU binary", f"drop {attribute}"
            )


def iommu(iommu: Iommu, ctx: Context) -> Iterator[Piece]:
    driver = iommu.driver or IommuDriver()
    _require_newer(iommu, driver, ctx)
    if iommu.model == "intel":
        yield device(
            {
                "driver": ctx.driver("intel-iommu", "iommu intel"),
                "id": alias_of(iommu),
                "intremap": _switch(driver.intremap),
                "caching-mode": driver.caching_mode,
                "eim": _switch(driver.eim),
                "device-iotlb": driver.iotlb,
                "aw-bits": driver.aw_bits,
                "dma-translation": driver.dma_translation,
            }
        )
    elif iommu.model == "amd":
        ctx.require(
            "amd-iommu.pci-id",
            "IOMMU device: 'amd' is not supported with this QEMU binary",
            "before 10.0 it chooses its own PCI slot, whoever has it; use model 'intel' or 'virtio'",
        )
        # Its PCI function is a device of its own, for the sake of the address.
        yield device({"driver": "AMDVI-PCI", "id": alias_of(iommu), **ctx.address(iommu)})
        yield device(
            {
                "driver": "amd-iommu",
                "pci-id": alias_of(iommu),
                "intremap": _switch(driver.intremap),
                "device-iotlb": driver.iotlb,
                "pt": driver.passthrough,
                "xtsup": driver.xtsup,
            }
        )
    elif iommu.model == "virtio":
        props = {
            "driver": ctx.driver("virtio-iommu-pci", "iommu virtio").removesuffix("-pci"),
            "id": alias_of(iommu),
            "aw-bits": driver.aw_bits,
            "granule": driver.granule,
        }
        yield device(props | ctx.address(iommu))
    elif driver.pci_bus is not None:
        props = {
            "driver": ctx.driver("arm-smmuv3", "iommu smmuv3"),
            "id": alias_of(iommu),
            "primary-bus": ctx.pci_bus(driver.pci_bus),
        }
        yield device(props)


def iommu_section(ctx: Context) -> Iterator[Piece]:
    for item in ctx.domain.devices.iommus:
        yield from iommu(item, ctx)


def iommu_words(ctx: Context) -> Iterator[str]:
    """The SMMU of an ARM board, in `-machine`."""
    for item in ctx.domain.devices.iommus:
        if item.model == "smmuv3" and (item.driver is None or item.driver.pci_bus is None):
            yield "iommu=smmuv3"


# -- shared memory -----------------------------------------------------------------------------


def shmem(shmem: Shmem, ctx: Context) -> Iterator[Piece]:
    alias, size = alias_of(shmem), shmem.size
    if size:
        if size & (size - 1):
            raise XmlError("shmem size must be a power of two", domain=From.QEMU, hint="for instance 4 MiB")
        if size < _LEAST_SHMEM:
            raise XmlError("shmem size must be at least 1 MiB (1024 KiB)", domain=From.QEMU)
    if not isinstance(shmem.address, PciAddress):
        raise ConfigUnsupported(
            "only 'pci' addresses are supported for the shared memory device",
            domain=From.QEMU,
            hint="leave <address> out",
        )
    driver = ctx.driver(shmem.model, f"shmem {shmem.model}")
    props: Props = {"driver": driver, "id": alias}
    if shmem.server is not None:
        props["chardev"] = chardev_id(alias)
    else:
        memory = {
            "qom-type": "memory-backend-file",
            "id": f"shmmem-{alias}",
            "mem-path": f"{_SHARED_MEMORY}/{shmem.name}",
            "size": size,
            "share": True,
        }
        yield Piece("object", compact(memory))
        props["memdev"] = f"shmmem-{alias}"
        props["master"] = None if shmem.role is None else on_off(shmem.role == "master")
    if shmem.msi is not None:
        props["vectors"] = shmem.msi.vectors
        props["ioeventfd"] = shmem.msi.ioeventfd
    made = device(props | ctx.address(shmem))
    if shmem.server is None:
        yield made
        return
    # libvirt names the device first, which QEMU of a command line does not mind; a running one does.
    channel = backend(UnixChar(mode="connect", path=_server_path(shmem)), chardev_id(alias), ctx)
    yield from channel
    yield made


def _server_path(shmem: Shmem) -> str:
    """Where an ivshmem server listens unless told otherwise."""
    assert shmem.server is not None
    return shmem.server.path or f"/var/lib/libvirt/shmem-{shmem.name}-sock"


def shmem_section(ctx: Context) -> Iterator[Piece]:
    for item in ctx.domain.devices.shmems:
        yield from shmem(item, ctx)


# -- vsock, crypto, NVRAM, pstore --------------------------------------------------------------


def vsock(vsock: Vsock, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(vsock)
    props = ctx.virtio("vhost-vsock", vsock, vsock.driver, vsock.model if vsock.model != "virtio" else None)
    fds = ctx.grants.fds.get(alias)
    descriptor = ctx.use(fds[0]) if fds else "-1"
    cid = ctx.grants.ports.get(alias, vsock.cid or 0)
    yield device(props | {"id": alias, "guest-cid": cid, "vhostfd": descriptor} | ctx.address(vsock))


def vsock_section(ctx: Context) -> Iterator[Piece]:
    if ctx.domain.devices.vsock is not None:
        yield from vsock(ctx.domain.devices.vsock, ctx)


def crypto(crypto: Crypto, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(crypto)
    kind = f"cryptodev-backend-{crypto.backend.model}"
    ctx.require(kind, f"this qemu doesn't support {kind}", "'builtin' is computed in QEMU itself")
    yield Piece("object", compact({"qom-type": kind, "id": f"obj{alias}", "queues": crypto.backend.queues}))
    props = ctx.virtio("virtio-crypto", crypto, crypto.driver)
    yield device(props | {"cryptodev": f"obj{alias}", "id": alias} | ctx.address(crypto))


def crypto_section(ctx: Context) -> Iterator[Piece]:
    for item in ctx.domain.devices.cryptos:
        yield from crypto(item, ctx)


def nvram_section(ctx: Context) -> Iterator[Piece]:
    """The NVRAM of a pSeries board, which it has anyway: only its place can be chosen."""
    nvram = ctx.domain.devices.nvram
    if nvram is not None and isinstance(nvram.address, SpaprVioAddress) and nvram.address.reg is not None:
        yield option("-global", f"spapr-nvram.reg={nvram.address.reg:#x}")


def pstore(pstore: Pstore, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(pstore)
    memory = {
        "qom-type": "memory-backend-file",
        "id": f"mem{alias}",
        "mem-path": pstore.path,
        "size": pstore.size * 1024,
        "share": True,
    }
    yield Piece("object", memory)
    props = {"driver": ctx.driver("acpi-erst", "pstore acpi-erst"), "id": alias, "memdev": f"mem{alias}"}
    yield device(props | ctx.address(pstore))


def pstore_section(ctx: Context) -> Iterator[Piece]:
    if ctx.domain.devices.pstore is not None:
        yield from pstore(ctx.domain.devices.pstore, ctx)


def needs(ctx: Context) -> Iterator[File | Made | VhostVsock]:
    devices = ctx.domain.devices
    for item in devices.shmems:
        if item.server is not None:
            yield File(_server_path(item), write=True, user=alias_of(item), kind="socket")
    if devices.vsock is not None:
        chosen = None if devices.vsock.cid_auto else devices.vsock.cid
        yield VhostVsock(alias_of(devices.vsock), chosen)
    if devices.pstore is not None and devices.pstore.path:
        yield Made(devices.pstore.path, size=devices.pstore.size * 1024)
        yield File(devices.pstore.path, write=True, user=alias_of(devices.pstore))
