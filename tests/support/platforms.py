"""Documents that break rules about the platform which no libvirt 9.0 on this host can be asked about."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from roost.model.domain.facts import MachineFacts
from support import machines


class Broken(NamedTuple):
    """A document, the emulator it is for, and what it is refused with."""

    xml: str
    facts: MachineFacts
    text: str


def domain(devices: str = "", *, arch: str = "x86_64", machine: str = "q35", after: str = "") -> str:
    """A small guest with ACPI."""
    return (
        "<domain type='qemu'><name>x</name><memory unit='MiB'>64</memory>"
        f"<os><type arch='{arch}' machine='{machine}'>hvm</type></os><features><acpi/></features>"
        f"<devices>{devices}</devices>{after}</domain>"
    )


def without(device: str) -> MachineFacts:
    """The emulator of x86 without a device, in all its forms."""
    facts = machines.facts()
    return replace(facts, devices=frozenset(name for name in facts.devices if not name.startswith(device)))


_TPM = "<tpm model='{0}'><backend type='{1}'/></tpm>"
_ARM = domain(_TPM.format("tpm-tis", "emulator' version='1.2"), arch="aarch64", machine="virt")
_ARM = _ARM.replace("<features><acpi/></features>", "")
_PPC = {"arch": "ppc64", "machine": "pseries"}


def broken() -> list[Broken]:
    """All of them."""
    here, arm, power, s390 = (machines.facts(arch) for arch in ("x86_64", "aarch64", "ppc64", "s390x"))
    return [
        Broken(domain("<panic model='hyperv'/>", **_PPC), power, "only i686 and x86_64 guests"),
        Broken(domain("<panic model='isa'/>"), without("pvpanic"), "does not support the ISA panic device"),
        Broken(
            domain("<panic model='pvpanic'><address type='isa' iobase='0x505'/></panic>"), here, "only with PCI address"
        ),
        Broken(domain(2 * _TPM.format("spapr-tpm-proxy", "passthrough"), **_PPC), power, "only a single TPM Proxy"),
        Broken(domain(_TPM.format("spapr-tpm-proxy", "emulator"), **_PPC), power, "requires 'Passthrough' backend"),
        Broken(_ARM, arm, "TPM 1.2 is not supported on ARM"),
        Broken(
            domain(
                "<watchdog model='diag288'><address type='isa' iobase='0x1'/></watchdog>", arch="s390x",
                machine="s390-ccw-virtio",
            ),
            s390, "is virtual and cannot go on any bus",
        ),
        Broken(
            domain("<watchdog model='itco' action='pause'/><watchdog model='i6300esb' action='reset'/>"), here,
            "watchdogs with different actions",
        ),
        Broken(
            domain("<shmem name='s'><model type='ivshmem-plain'/></shmem>"), without("ivshmem-plain"),
            "shmem model 'ivshmem-plain' is not supported",
        ),
        Broken(domain("<iommu model='intel'/>"), without("intel-iommu"), "IOMMU device: 'intel' is not supported with"),
        Broken(
            domain("<vsock/>"), without("vhost-vsock"),
            "vsock device is not supported",
        ),
        Broken(
            domain(after="<launchSecurity type='sev-snp'><policy>0x30000</policy></launchSecurity>"), here,
            "SEV SNP launch security is not supported",
        ),
        Broken(domain(after="<launchSecurity type='tdx'/>"), here, "Intel TDX launch security is not supported"),
    ]  # fmt: skip
