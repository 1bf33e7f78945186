"""Rules about the platform: IOMMUs, TPMs, shared memory, vsocks, watchdogs, panic devices, random sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.errors import From, XmlError
from roost.model.domain.boards import ARM_VIRT, PSERIES
from roost.model.domain.device import IsaAddress, PciAddress, SpaprVioAddress
from roost.model.domain.devices.tpm import EmulatorTpm, ExternalTpm, PassthroughTpm
from roost.model.domain.validate.rules import Context, Rule, Rules

_S390 = frozenset(("s390", "s390x"))
_INTEL_ATTRIBUTES = ("intremap", "caching_mode", "eim", "iotlb", "aw_bits")


def _is_virt(c: Context) -> bool:
    return c.board is ARM_VIRT


def _is_pseries(c: Context) -> bool:
    return c.board is PSERIES


# -- IOMMU -------------------------------------------------------------------------------------


def _driver(d: Any, name: str) -> Any:
    return getattr(d.driver, name) if d.driver is not None else None


def _is_port_smmu(d: Any) -> bool:
    return d.model == "smmuv3" and _driver(d, "pci_bus") is not None


def _split_ioapic(c: Context) -> bool:
    features = c.domain.features
    return features is not None and features.ioapic == "qemu"


#: On the document: `{d}`.
DOMAIN_IOMMU_RULES = Rules(
    Rule(
        lambda d, c: len(d.devices.iommus) > 1 and not all(_is_port_smmu(iommu) for iommu in d.devices.iommus),
        "only a single IOMMU device is supported",
        "several smmuv3 may each serve a PCI controller: <driver pciBus='…'/>",
        XmlError,
        From.DOMAIN,
    ),
    Rule(
        lambda d, c: any(_driver(iommu, "intremap") for iommu in d.devices.iommus) and not _split_ioapic(c),
        "IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')",
        "add <features><ioapic driver='qemu'/></features>",
        origin=From.DOMAIN,
    ),
    Rule(
        lambda d, c: any(_driver(iommu, "eim") and not _driver(iommu, "intremap") for iommu in d.devices.iommus),
        "IOMMU eim requires interrupt remapping to be enabled",
        "add intremap='on' to its <driver>",
        origin=From.DOMAIN,
    ),
)

_IOMMU_TYPES: Mapping[str, str] = {"intel": "intel-iommu", "amd": "amd-iommu", "virtio": "virtio-iommu-pci"}

IOMMU_RULES = Rules(
    Rule(
        lambda d, c: (
            d.model in ("smmuv3", "virtio") and any(_driver(d, name) is not None for name in _INTEL_ATTRIBUTES)
        ),
        "iommu model '{d.model}' doesn't support additional attributes",
        "drop <driver>",
        XmlError,
        From.DOMAIN,
    ),
    Rule(
        lambda d, c: d.model in ("smmuv3", "intel"),
        "iommu model '{d.model}' can't have address",
        "drop <address>",
        XmlError,
        From.DOMAIN,
        about="address",
    ),
    Rule(
        lambda d, c: d.model in ("intel", "amd") and not c.is_q35,
        "IOMMU device: '{d.model}' is only supported with Q35 machines",
        "<type machine='q35'>",
    ),
    Rule(
        lambda d, c: not _is_virt(c),
        "IOMMU device: '{d.model}' is only supported with ARM Virt machines",
        "'intel' or 'virtio' on a q35 machine",
        about="model=smmuv3",
    ),
    Rule(
        lambda d, c: not (c.is_q35 or _is_virt(c)),
        "IOMMU device: '{d.model}' is only supported with Q35 and ARM Virt machines",
        "<type machine='q35'>",
        about="model=virtio",
    ),
    Rule(
        lambda d, c: d.model in _IOMMU_TYPES and _IOMMU_TYPES[d.model] not in c.facts.devices,
        "IOMMU device: '{d.model}' is not supported with this QEMU binary",
    ),
    Rule(
        lambda d, c: not (c.domain.features is not None and c.domain.features.acpi),
        "IOMMU device: '{d.model}' requires ACPI",
        "add <features><acpi/></features>",
        about="model=virtio",
    ),
    Rule(
        lambda d, c: not isinstance(d.address, PciAddress | None),
        "IOMMU device: '{d.model}' needs a PCI address",
        "leave <address> out",
        about="model=virtio",
    ),
)


# -- TPM ---------------------------------------------------------------------------------------

_TPM_TYPES = {
    "tpm-tis": "tpm-tis",
    "tpm-crb": "tpm-crb",
    "tpm-spapr": "tpm-spapr",
    "spapr-tpm-proxy": "spapr-tpm-proxy",
}


def _tpm_device(d: Any, c: Context) -> str:
    if d.model == "tpm-tis" and c.arch in ("aarch64", "armv7l"):
        return "tpm-tis-device"
    return _TPM_TYPES[d.model]


def _is_version(d: Any, version: str) -> bool:
    return isinstance(d.backend, EmulatorTpm) and d.backend.version == version


#: On the document: `{d}`.
DOMAIN_TPM_RULES = Rules(
    Rule(
        lambda d, c: sum(tpm.model == "spapr-tpm-proxy" for tpm in d.devices.tpms) > 1,
        "only a single TPM Proxy device is supported",
        "keep one",
    ),
    Rule(
        lambda d, c: sum(tpm.model != "spapr-tpm-proxy" for tpm in d.devices.tpms) > 1,
        "only a single TPM non-proxy device is supported",
        "keep one",
    ),
)

TPM_RULES = Rules(
    Rule(
        lambda d, c: isinstance(d.backend, EmulatorTpm) and d.backend.pcr_banks and d.backend.version != "2.0",
        "<active_pcr_banks/> requires TPM version '2.0'",
        "<backend type='emulator' version='2.0'>",
        XmlError,
        From.DOMAIN,
    ),
    Rule(
        lambda d, c: isinstance(d.backend, ExternalTpm) and d.backend.source_type != "unix",
        "only source type 'unix' is supported for external TPM device",
        "<source type='unix' mode='connect' path='…'/>",
        XmlError,
        From.DOMAIN,
    ),
    Rule(
        lambda d, c: isinstance(d.backend, ExternalTpm) and d.backend.mode == "bind",
        "only 'client' mode is supported for external TPM device",
        "mode='connect'",
        XmlError,
        From.DOMAIN,
    ),
    Rule(
        lambda d, c: isinstance(d.backend, ExternalTpm) and d.backend.path is None,
        "missing socket path for external TPM device",
        "<source type='unix' mode='connect' path='…'/>",
        XmlError,
        From.DOMAIN,
    ),
    Rule(
        lambda d, c: _is_version(d, "1.2"),
        "Unsupported interface '{d.model}' for TPM 1.2",
        "version='2.0', or model='tpm-tis'",
        about="model=tpm-crb",
    ),
    Rule(
        lambda d, c: _is_version(d, "1.2"),
        "TPM 1.2 is not supported with the SPAPR device model",
        "version='2.0'",
        about="model=tpm-spapr",
    ),
    Rule(
        lambda d, c: _is_version(d, "1.2") and _is_virt(c),
        "TPM 1.2 is not supported on ARM",
        "version='2.0'",
    ),
    Rule(
        lambda d, c: c.arch.startswith("ppc64") and not isinstance(d.backend, PassthroughTpm),
        "TPM Proxy model {d.model} requires 'Passthrough' backend",
        "<backend type='passthrough'>",
        about="model=spapr-tpm-proxy",
    ),
    Rule(
        lambda d, c: _tpm_device(d, c) not in c.facts.devices,
        "The QEMU executable {c.domain.devices.emulator} does not support TPM model {d.model}",
        "tpm-tis or tpm-crb on x86",
    ),
)


# -- the others --------------------------------------------------------------------------------

SHMEM_RULES = Rules(
    Rule(
        lambda d, c: d.server is None,
        "msi option is only supported with a server",
        "add <server>, or drop <msi>",
        XmlError,
        From.DOMAIN,
        about="msi",
    ),
    Rule(
        lambda d, c: "/" in d.name,
        "shmem name cannot include '/' character",
        "it is below /dev/shm",
        origin=From.DOMAIN,
    ),
    Rule(
        lambda d, c: d.name == ".",
        "shmem name cannot be equal to '.'",
        origin=From.DOMAIN,
        about="name",
    ),
    Rule(
        lambda d, c: d.name == "..",
        "shmem name cannot be equal to '..'",
        origin=From.DOMAIN,
        about="name",
    ),
    Rule(
        lambda d, c: "ivshmem" not in c.facts.devices,
        "ivshmem device is not supported with this QEMU binary",
        "use model 'ivshmem-plain', or 'ivshmem-doorbell' with a server",
        about="model=ivshmem",
    ),
    Rule(
        lambda d, c: d.model != "ivshmem" and d.model not in c.facts.devices,
        "shmem model '{d.model}' is not supported by this QEMU binary",
    ),
)

VSOCK_RULES = Rules(
    Rule(
        lambda d, c: 0 < d.cid <= 2,
        "guest CIDs must be >= 3",
        "0 to 2 mean the hypervisor, the local machine and the host",
        origin=From.DOMAIN,
        about="cid",
    ),
    Rule(
        lambda d, c: not any(name.startswith("vhost-vsock") for name in c.facts.devices),
        "vsock device is not supported with this QEMU binary",
    ),
)

WATCHDOG_RULES = Rules(
    Rule(
        lambda d, c: not isinstance(d.address, PciAddress | None),
        "{d.model} model of watchdog can go only on PCI bus",
        "leave <address> out",
        about="model=i6300esb",
    ),
    Rule(
        lambda d, c: d.model in ("ib700", "itco"),
        "{d.model} model of watchdog does not support configuring the address",
        "drop <address>",
        about="address",
    ),
    Rule(
        lambda d, c: d.address is not None,
        "{d.model} model of watchdog is virtual and cannot go on any bus.",
        "drop <address>",
        about="model=diag288",
    ),
    Rule(
        lambda d, c: c.arch not in _S390,
        "{d.model} model of watchdog is allowed for s390 and s390x only",
        "i6300esb on machines with PCI",
        about="model=diag288",
    ),
    Rule(
        lambda d, c: not c.is_q35,
        "{d.model} model of watchdog is only part of q35 machine",
        "i6300esb on other machines with PCI",
        about="model=itco",
    ),
    Rule(
        lambda d, c: any(other.action != d.action for other in c.domain.devices.watchdogs),
        "watchdogs with different actions are not supported with this QEMU binary",
        "give all of them one action",
    ),
)

PANIC_RULES = Rules(
    Rule(
        lambda d, c: c.arch not in _S390,
        "only S390 guests support panic device of model 's390'",
        about="model=s390",
    ),
    Rule(
        lambda d, c: not c.is_x86,
        "only i686 and x86_64 guests support panic device of model 'hyperv'",
        about="model=hyperv",
    ),
    Rule(
        lambda d, c: not _is_pseries(c),
        "only pSeries guests support panic device of model 'pseries'",
        about="model=pseries",
    ),
    Rule(
        lambda d, c: d.model in ("s390", "hyperv", "pseries"),
        "setting the panic device address is not supported for model '{d.model}'",
        "drop <address>",
        about="address",
    ),
    Rule(
        lambda d, c: "pvpanic" not in c.facts.devices,
        "the QEMU binary does not support the ISA panic device",
        about="model=isa",
    ),
    Rule(
        lambda d, c: not isinstance(d.address, IsaAddress | None),
        "panic is supported only with ISA address type",
        "<address type='isa' iobase='0x505'/>, or none",
        about="model=isa",
    ),
    Rule(
        lambda d, c: not isinstance(d.address, PciAddress | None),
        "panic is supported only with PCI address type",
        "leave <address> out",
        about="model=pvpanic",
    ),
)

NVRAM_RULES = Rules(
    Rule(
        lambda d, c: not _is_pseries(c),
        "nvram device is only supported for PPC64",
        "the variables of UEFI are <os><nvram>",
    ),
    Rule(
        lambda d, c: not (isinstance(d.address, SpaprVioAddress) and d.address.reg is not None),
        "nvram address type must be spaprvio",
        "<address type='spapr-vio' reg='0x3000'/>",
        XmlError,
    ),
)

__all__ = [
    "DOMAIN_IOMMU_RULES", "DOMAIN_TPM_RULES", "IOMMU_RULES", "NVRAM_RULES", "PANIC_RULES",
    "SHMEM_RULES", "TPM_RULES", "VSOCK_RULES", "WATCHDOG_RULES",
]  # fmt: skip
