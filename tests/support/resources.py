"""Documents that break rules about processors and memory which no libvirt 9.0 on this host can be asked about."""

from __future__ import annotations

from msgspec.structs import replace

from support import machines
from support.platforms import Broken

_CELL = "<cpu><numa><cell id='0' cpus='0' memory='128' unit='MiB'/></numa></cpu>"
_ROOM = "<maxMemory slots='4' unit='GiB'>8</maxMemory><memory unit='MiB'>128</memory>"


def document(
    devices: str = "",
    *,
    features: str = "",
    cpu: str = "",
    memory: str = "<memory unit='MiB'>64</memory>",
    type: str = "qemu",
    arch: str = "x86_64",
    machine: str = "q35",
) -> str:
    """A small guest."""
    return (
        f"<domain type='{type}'><name>x</name>{memory}<os><type arch='{arch}' machine='{machine}'>hvm</type></os>"
        f"<features>{features}</features>{cpu}<devices>{devices}</devices></domain>"
    )


def plugged(model: str, more: str = "") -> str:
    """A guest with a memory device. more: below <target>, and after it."""
    source = "<source><path>/nv</path></source>" if model in ("nvdimm", "virtio-pmem") else ""
    node = "" if model == "virtio-pmem" else "<node>0</node>"
    block = "<block unit='MiB'>2</block>" if model == "virtio-mem" else ""
    device = f"<memory model='{model}'>{source}<target><size unit='MiB'>256</size>{node}{block}</target>{more}</memory>"
    return document(device, cpu=_CELL, memory=_ROOM)


def broken() -> list[Broken]:
    """All of them."""
    here = machines.facts("x86_64", "qemu", "kvm")
    arm, power = machines.facts("aarch64"), machines.facts("ppc64")
    types = ("pc-dimm", "nvdimm", "virtio-pmem-pci", "virtio-mem-pci", "sgx-epc")
    bare = replace(here, devices=here.devices - frozenset(types))
    ras = {"arch": "aarch64", "machine": "virt"}
    pseries = {"arch": "ppc64", "machine": "pseries"}
    enclave = plugged("sgx-epc", "<address type='dimm' slot='0'/>").replace("type='qemu'", "type='kvm'")
    return [
        Broken(document(cpu="<cpu mode='maximum' deprecated_features='off'/>"), here, "toggling deprecated features"),
        Broken(document(features="<ras state='on'/>"), here, "The 'ras' feature is not supported"),
        Broken(document(features="<aia value='aplic'/>"), here, "The 'aia' feature is not supported"),
        Broken(document(features="<ps2 state='off'/>", **ras), arm, "The 'ps2' feature is not supported"),
        Broken(document(features="<pmu state='off'/>", **pseries), power, "PMU is always enabled"),
        Broken(
            document(features="<tcg><tb-cache>1024</tb-cache></tcg>", type="kvm"), here,
            "TCG features are incompatible with domain type 'kvm'",
        ),
        Broken(enclave, here, "memory device address is not supported for model 'sgx-epc'"),
        Broken(plugged("dimm"), bare, "memory hotplug isn't supported by this QEMU binary"),
        Broken(plugged("nvdimm"), bare, "nvdimm isn't supported by this QEMU binary"),
        Broken(plugged("virtio-pmem"), bare, "virtio-pmem isn't supported by this QEMU binary"),
        Broken(plugged("virtio-mem"), bare, "virtio-mem isn't supported by this QEMU binary"),
        Broken(plugged("sgx-epc"), here, "sgx epc isn't supported by this QEMU binary"),
    ]  # fmt: skip
