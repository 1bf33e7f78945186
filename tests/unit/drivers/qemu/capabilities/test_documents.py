"""The two documents, and the processors in them, out of recorded facts."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from roost.drivers.qemu.capabilities.domain_document import Setting, domain_capabilities, encrypted_guests
from roost.drivers.qemu.capabilities.host_document import capabilities
from roost.drivers.qemu.capabilities.processors import GuestProcessors, make_of_host
from roost.drivers.qemu.capabilities.record import (
    Capabilities,
    CpuModel,
    GicVersion,
    HostModel,
    MachineType,
    SevFacts,
    SgxFacts,
)
from roost.host.api import Account, HostCache, HostControl, HostMonitor
from roost.host.fake import FakeHardware, FakeNode
from roost.model.capabilities.domain import DomainCapabilities, Section, parse_domain_capabilities
from roost.model.capabilities.host import HostCapabilities, parse_capabilities
from roost.model.cpu import x86
from roost.model.cpu.decode import Make
from roost.model.domain.firmware import FirmwareDescriptor, FirmwareTarget

HOST_MODEL = HostModel(
    on=frozenset(map(x86.to_qemu, x86.model("Penryn").features | {"aes", "lahf_lm"})) | {"tcg-cpuid"},
    unmigratable=frozenset(("invtsc",)),
    off=frozenset(("avx",)),
    vendor="GenuineIntel",
    family=6,
    model=23,
    stepping=3,
)
CAPS = Capabilities(
    binary="/usr/bin/qemu & 'co'",
    arch="x86_64",
    version=(7, 2, 22),
    package="",
    accelerators=("tcg",),
    machines=(
        MachineType("old", deprecated=True),
        MachineType("pc-i440fx-7.2", alias="pc", is_default=True, max_cpus=255, default_cpu="qemu64-x86_64-cpu"),
        MachineType("pc-q35-7.2", alias="q35", max_cpus=288),
    ),
    cpu_models=(
        CpuModel("max"),
        CpuModel("Penryn", unavailable=()),
        CpuModel("EPYC-v1"),
        CpuModel("EPYC", unavailable=("x",), deprecated=True),
        CpuModel("486", "", None),
    ),
    types=frozenset(("virtio-blk-pci", "VGA", "max-x86_64-cpu", "vfio-pci", "tpm-tis", "tpm-emulator", "iothread")),
    properties={},
    options=frozenset(),
    commands=frozenset(("blockdev-add", "query-vnc")),
    events=frozenset(),
    schema="",
    displays=frozenset(("sdl",)),
    host_models={"qemu": HOST_MODEL},
)


class Hardware(FakeHardware):
    """A host whose caches and memory bandwidth can be given to groups of tasks."""

    def cache_controls(self, cache: HostCache) -> tuple[HostControl, ...]:
        return (HostControl(512, 1024, "code", 16), HostControl(1024, 1024, "data", 16))

    def bandwidth_control(self) -> HostControl | None:
        return HostControl(10, 10, None, 8)

    def monitor(self) -> HostMonitor | None:
        return HostMonitor(270336, 176, ("llc_occupancy", "mbm_total_bytes", "mbm_local_bytes"))

    def sleep_states(self) -> tuple[str, ...]:
        return ("freeze", "mem", "disk")

    def has_iommu(self) -> bool:
        return True

    def tsc(self) -> tuple[int, bool] | None:
        return 2_000_000_000, False

    def cpuid(self) -> dict[tuple[int, int, str], int]:
        vendor = {(0, 0, "ebx"): 0x756E6547, (0, 0, "edx"): 0x49656E69, (0, 0, "ecx"): 0x6C65746E}
        return vendor | {(1, 0, "eax"): 0x906EA, (1, 0, "edx"): 0x078BFBFD, (0x80000007, 0, "edx"): 1 << 8}


def host_document(hardware: FakeHardware | None = None, account: Account | None = None) -> HostCapabilities:
    guests = [("i686", CAPS), ("x86_64", CAPS), ("aarch64", replace(CAPS, arch="aarch64", accelerators=("kvm", "tcg")))]
    return parse_capabilities(capabilities(FakeNode(), hardware or FakeHardware(), guests, account))


def test_the_host() -> None:
    host = host_document(account=Account("q", 107, 108)).host
    assert host.uuid == FakeNode().uuid()
    assert host.cpu is not None
    assert (host.cpu.arch, host.cpu.name) == ("x86_64", None)
    assert host.iommu is False
    assert host.migration_transports == ("tcp", "rdma")
    assert host.topology is not None
    (cell,) = host.topology.cells.cells
    assert cell.cpus is not None
    assert [cpu.id for cpu in cell.cpus.cpus] == [0, 1]
    none, dac = host.security_models
    assert none.model == "none"
    assert [(label.type, label.label) for label in dac.base_labels] == [("kvm", "+107:+108"), ("qemu", "+107:+108")]
    assert host.memory_bandwidth is None


def test_an_ordinary_user_has_no_labels() -> None:
    assert [model.model for model in host_document().host.security_models] == ["none"]


def test_what_can_be_given_to_groups_of_tasks() -> None:
    host = host_document(Hardware()).host
    assert host.iommu is True
    assert host.power_management is not None
    assert host.power_management.suspend_hybrid
    assert host.cpu is not None
    assert host.cpu.signature is not None
    assert (host.cpu.vendor, host.cpu.signature.model) == ("Intel", 158)
    assert "invtsc" in [feature.name for feature in host.cpu.features]
    (counter,) = host.cpu.counters
    assert (counter.frequency, counter.scaling) == (2_000_000_000, False)
    assert host.cache is not None
    (bank,) = host.cache.banks
    assert (bank.size, bank.unit) == (8, "MiB")
    code, data = bank.controls
    assert (code.granularity, code.unit, code.min, code.type) == (512, "KiB", 1024, "code")
    assert (data.granularity, data.unit, data.min, data.max_allocs) == (1, "MiB", None, 16)
    assert host.cache.monitor is not None
    assert (host.cache.monitor.features, host.cache.monitor.level) == (("llc_occupancy",), 3)
    assert host.memory_bandwidth is not None
    assert host.memory_bandwidth.nodes[0].controls[0].min == 10
    assert host.memory_bandwidth.monitor is not None
    assert host.memory_bandwidth.monitor.features == ("mbm_total_bytes", "mbm_local_bytes")


def test_the_guests() -> None:
    i686, x86_64, aarch64 = host_document().guests
    assert i686.arch.emulator == CAPS.binary
    assert [(each.name, each.canonical, each.max_cpus, each.deprecated) for each in i686.arch.machines] == [
        ("pc-i440fx-7.2", None, 255, None),
        ("pc", "pc-i440fx-7.2", 255, None),
        ("old", None, 1, True),
        ("pc-q35-7.2", None, 288, None),
        ("q35", "pc-q35-7.2", 288, None),
    ]
    assert i686.features is not None
    assert x86_64.features is not None
    assert aarch64.features is not None
    assert i686.features.pae
    assert not x86_64.features.pae
    assert (x86_64.features.apic_toggle, aarch64.features.apic_toggle) == (False, None)
    assert [domain.type for domain in x86_64.arch.domains] == ["qemu"]
    assert [domain.type for domain in aarch64.arch.domains] == ["qemu", "kvm"]
    assert (i686.arch.wordsize, aarch64.arch.wordsize) == (32, 64)


# -- <domainCapabilities> ----------------------------------------------------------------------


def shown(
    caps: Capabilities = CAPS, machine: str = "pc", virt_type: str = "qemu", **options: Any
) -> DomainCapabilities:
    found = caps.machine(machine)
    assert found is not None
    processors = GuestProcessors(caps, virt_type, None)
    setting = Setting(caps, caps.arch, found, virt_type, processors, **options)
    return parse_domain_capabilities(domain_capabilities(setting))


def section(found: Section | None) -> Section:
    assert found is not None
    return found


def test_what_the_emulator_has_decides() -> None:
    devices = shown().devices
    assert section(devices.video).values("modelType") == ("vga", "none")
    assert section(devices.graphics).values("type") == ("sdl", "vnc")
    assert section(devices.disk).values("bus") == ("ide", "fdc", "scsi", "virtio")
    assert section(devices.disk).values("model") == ("virtio",)
    assert section(devices.redirdev) == Section(supported=False)
    assert section(devices.tpm).values("model") == ("tpm-tis",)
    assert section(devices.tpm).values("backendModel") == ()
    assert "backendVersion" not in [enum.name for enum in section(devices.tpm).enums]
    assert section(shown(machine="q35").devices.disk).values("bus") == ("fdc", "scsi", "virtio")


def test_what_the_host_has_decides() -> None:
    devices = shown(vfio=True, swtpm=("2.0",)).devices
    assert section(devices.hostdev).values("pciBackend") == ("default", "vfio")
    assert section(devices.tpm).values("backendModel") == ("emulator", "external")
    assert section(devices.tpm).values("backendVersion") == ("2.0",)


def test_modes_and_models() -> None:
    document = shown()
    passed, most, host, custom = document.cpu
    assert not passed.supported
    assert most.supported
    assert document.host_model() is not None
    assert host.models[0].name == "Penryn"
    assert host.vendor == "Intel"
    assert [(each.policy, each.name) for each in host.features] == [("require", "aes"), ("require", "invtsc")]
    assert [(each.name, each.usable, each.vendor, each.deprecated) for each in custom.models] == [
        ("Penryn", "yes", "Intel", None),
        ("EPYC", "no", "AMD", True),
        ("486", "unknown", "unknown", None),
    ]


def test_the_host_model_can_be_written_out() -> None:
    names = [feature.name for feature in shown(expand_features=True).cpu[2].features]
    assert names == sorted(names)
    assert {"sse2", "aes"} <= set(names)


def test_without_a_host_model() -> None:
    caps = replace(CAPS, host_models={}, types=frozenset(), cpu_models=())
    assert [mode.supported for mode in shown(caps).cpu] == [False, False, False, False]
    assert shown(caps).host_model() is None


def test_under_kvm() -> None:
    caps = replace(
        CAPS, accelerators=("kvm", "tcg"), host_models={"kvm": replace(HOST_MODEL, hyperv=frozenset(("hv-ipi",)))}
    )
    document = shown(caps, virt_type="kvm", max_vcpus=200)
    assert document.max_vcpus == 200
    assert document.cpu[0].supported
    assert section(document.features.hyperv).values("features") == ("spinlocks", "vendor_id", "ipi")


def test_firmware() -> None:
    def descriptor(image: str, *features: str, machines: str = "pc-q35-*") -> FirmwareDescriptor:
        return FirmwareDescriptor(
            "", ("uefi",), "flash", image, (FirmwareTarget("x86_64", (machines,)),), frozenset(features)
        )

    descriptors = (descriptor("/fw/a", "requires-smm"), descriptor("/fw/gone"), descriptor("/fw/a"))
    loaders = frozenset(("/fw/a", "/usr/share/OVMF/OVMF_CODE.fd"))
    q35, pc = (shown(machine=name, descriptors=descriptors, loaders=loaders).os for name in ("q35", "pc"))
    assert q35 is not None
    assert pc is not None
    assert q35.enums[0].values == ("efi",)
    assert q35.loader is not None
    assert q35.loader.paths == ("/fw/a",)
    assert q35.loader.enums[2].values == ("yes", "no")
    assert pc.enums[0].values == ()
    assert pc.loader is not None
    assert pc.loader.paths == ("/usr/share/OVMF/OVMF_CODE.fd",)


def test_encrypted_guests_and_enclaves() -> None:
    caps = replace(CAPS, sev=SevFacts(51, 1, "AA=="), sgx=SgxFacts(True, True, False, ((0, 1 << 20),)))
    features = shown(caps, encrypted_guests=(15, 3)).features
    assert features.sev is not None
    assert (features.sev.cbitpos, features.sev.max_guests, features.sev.max_es_guests) == (51, 15, 3)
    assert section(features.launch_security).values("sectype") == ("sev",)
    assert section(shown().features.launch_security) == Section(supported=False)
    assert section(shown().features.async_teardown) == Section(supported=False)
    assert features.sgx is not None
    assert (features.sgx.section_size, features.sgx.sections[0].size, features.sgx.sgx2) == (1024, 1024, False)
    assert encrypted_guests({(0x8000001F, 0, "ecx"): 509, (0x8000001F, 0, "edx"): 100}) == (410, 99)
    assert encrypted_guests({}) == (0, 0)


def test_other_architectures() -> None:
    arm = replace(
        CAPS,
        arch="aarch64",
        machines=(MachineType("virt-7.2", alias="virt"), MachineType("raspi3b")),
        cpu_models=(CpuModel("cortex-a57"),),
        gic=(GicVersion(3, True, False), GicVersion(2, True, False), GicVersion(4, False, True)),
    )
    assert section(shown(arm, "virt").features.gic).values("version") == ("2", "3")
    assert section(shown(arm, "raspi3b").features.gic) == Section(supported=False)
    assert shown(arm, "virt").features.hyperv is None
    assert [model.name for model in shown(arm, "virt").cpu[3].models] == ["cortex-a57"]
    power = replace(
        CAPS, arch="ppc64", machines=(MachineType("pseries-7.2"),), cpu_models=(CpuModel("power9"), CpuModel("970"))
    )
    document = shown(power, "pseries-7.2")
    assert [(model.name, model.vendor) for model in document.cpu[3].models] == [("POWER9", "IBM")]
    assert "floppy" not in section(document.devices.disk).values("diskDevice")
    alpha = replace(CAPS, arch="alpha", machines=(MachineType("clipper"),), cpu_models=(CpuModel("ev67"),))
    assert not shown(alpha, "clipper").cpu[3].supported
    s390 = replace(CAPS, arch="s390x", machines=(MachineType("s390-ccw-virtio-7.2"),))
    assert shown(s390, "s390-ccw-virtio-7.2").features.s390_pv == Section(supported=False)


# -- processors --------------------------------------------------------------------------------


def test_what_keeps_a_guest_from_migrating_is_left_out() -> None:
    processors = GuestProcessors(CAPS, "qemu", None)
    assert processors.reported is not None
    assert processors.migratable is not None
    assert [feature.name for feature in processors.migratable.features] == ["aes"]
    assert processors.full is processors.reported
    assert processors.features is not None
    assert {"avx", "invtsc", "lahf_lm"} <= processors.features
    assert processors.migratable_features == processors.features - {"invtsc"}


def test_guests_under_kvm_are_compared_with_the_host_too() -> None:
    host = Make(x86.model("Westmere").features | {"vmx"}, "Intel", x86.Signature(6, 44, 2))
    caps = replace(CAPS, accelerators=("kvm",), host_models={"kvm": HOST_MODEL})
    full = GuestProcessors(caps, "kvm", host).full
    assert full is not None
    assert full.name == "Westmere"
    assert {"vmx", "invtsc"} <= {feature.name for feature in full.features}


def test_an_emulator_that_tells_nothing() -> None:
    processors = GuestProcessors(replace(CAPS, host_models={}), "qemu", None)
    assert processors.reported is None
    assert processors.full is None
    assert processors.features is None
    assert processors.migratable_features is None


def test_the_make_of_the_host() -> None:
    assert make_of_host({}) is None
    words = {
        (0, 0, "ebx"): 0x756E6547, (0, 0, "edx"): 0x49656E69, (0, 0, "ecx"): 0x6C65746E,
        (1, 0, "eax"): 0x000906EA, (1, 0, "edx"): 1,
    }  # fmt: skip
    assert make_of_host(words) == Make(frozenset(("fpu",)), "Intel", x86.Signature(6, 158, 10))


@pytest.mark.parametrize("virt_type", ["qemu", "kvm"])
def test_types_the_emulator_told_nothing_about(virt_type: str) -> None:
    assert GuestProcessors(replace(CAPS, host_models={"other": HOST_MODEL}), virt_type, None).reported is None
