"""<domainCapabilities>, out of what an emulator and the host told. Dry: a table says what each value needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from roost.drivers.qemu.capabilities.processors import GuestProcessors
from roost.drivers.qemu.capabilities.record import Capabilities, MachineType, SgxFacts
from roost.model.capabilities import domain as D
from roost.model.cpu import x86
from roost.model.cpu.arches import is_x86, known_names, vendor_of
from roost.model.cpu.baseline import expand
from roost.model.domain.boards import is_i440fx
from roost.model.domain.firmware import FirmwareDescriptor

#: Loaders that are looked for where no descriptor is about the machine.
FALLBACK_LOADERS = (
    "/usr/share/OVMF/OVMF_CODE.fd",
    "/usr/share/OVMF/OVMF_CODE.secboot.fd",
    "/usr/share/AAVMF/AAVMF_CODE.fd",
    "/usr/share/AAVMF/AAVMF32_CODE.fd",
)


class Setting(NamedTuple):
    """What a document is about, and what the host has for it.

    descriptors: of firmware. loaders: images that exist. vfio: whether PCI devices
    can be handed over. swtpm: the TPM versions that can be emulated, None for not at all.
    encrypted_guests: (how many with SEV, with SEV-ES). max_vcpus: KVM's limit, 0 for none.
    """

    caps: Capabilities
    arch: str
    machine: MachineType
    virt_type: str
    processors: GuestProcessors
    descriptors: Sequence[FirmwareDescriptor] = ()
    loaders: frozenset[str] = frozenset()
    vfio: bool = False
    swtpm: tuple[str, ...] | None = None
    encrypted_guests: tuple[int, int] = (0, 0)
    max_vcpus: int = 0
    expand_features: bool = False


Test = Callable[[Setting], bool]


def _any(*names: str) -> Test:
    """Whether the emulator knows one of them, as `Capabilities.has` names things."""
    return lambda setting: any(map(setting.caps.has, names))


def _has_builtin_ide(setting: Setting) -> bool:
    name = setting.machine.name
    return (is_x86(setting.arch) and is_i440fx(name)) or name in ("malta", "sun4u", "g3beige")


def _has_floppy(setting: Setting) -> bool:
    return not (setting.arch in ("ppc64", "ppc64le") and setting.machine.name.startswith("pseries"))


def _is_x86(setting: Setting) -> bool:
    return is_x86(setting.arch)


def _always(setting: Setting) -> bool:
    return True


_TRANSITIONAL = _any("virtio-blk-pci-transitional")
_USB = _any(
    "piix3-usb-uhci", "piix4-usb-uhci", "usb-ehci", "ich9-usb-ehci1", "vt82c686b-usb-uhci", "pci-ohci",
    "nec-usb-xhci", "qemu-xhci",
)  # fmt: skip
_RNG = _any("virtio-rng-pci", "virtio-rng-ccw", "virtio-rng-device")
_CRYPTO = _any("virtio-crypto-pci", "virtio-crypto-ccw")


def _swtpm(version: str) -> Test:
    return lambda setting: version in (setting.swtpm or ())


def _emulates_tpm(setting: Setting) -> bool:
    return setting.swtpm is not None and setting.caps.has("tpm-emulator")


def _vfio(setting: Setting) -> bool:
    return setting.vfio and setting.caps.has("vfio-pci")


def _both(*tests: Test) -> Test:
    return lambda setting: all(test(setting) for test in tests)


class _Enum(NamedTuple):
    """An enum: values with what each needs. unless_empty: it is left out when nothing is there."""

    name: str
    values: tuple[tuple[str, Test], ...]
    unless_empty: bool = False


_VIRTIO_MODELS = (("virtio-transitional", _TRANSITIONAL), ("virtio-non-transitional", _TRANSITIONAL))

#: (field of Devices, whether it is there at all, its enums).
_DEVICES: tuple[tuple[str, Test, tuple[_Enum, ...]], ...] = (
    ("disk", _always, (
        _Enum("diskDevice", (("disk", _always), ("cdrom", _always), ("floppy", _has_floppy), ("lun", _always))),
        _Enum("bus", (
            ("ide", _has_builtin_ide), ("fdc", _has_floppy), ("scsi", _always), ("virtio", _always),
            ("usb", _any("usb-storage")), ("sata", _any("ich9-ahci")),
        )),
        _Enum("model", (("virtio", _always), *_VIRTIO_MODELS)),
    )),
    ("graphics", _always, (
        _Enum("type", (
            ("sdl", _any("display:sdl")), ("vnc", _any("command:query-vnc")), ("spice", _any("command:query-spice")),
            ("egl-headless", _any("display:egl-headless")), ("dbus", _any("display:dbus")),
        )),
    )),
    ("video", _always, (
        _Enum("modelType", (
            ("vga", _any("VGA")), ("cirrus", _any("cirrus-vga")), ("vmvga", _any("vmware-svga")), ("qxl", _any("qxl")),
            ("virtio", _any("virtio-gpu-pci", "virtio-gpu-ccw", "virtio-gpu-device")), ("none", _always),
            ("bochs", _any("bochs-display")), ("ramfb", _any("ramfb")),
        )),
    )),
    ("hostdev", _always, (
        _Enum("mode", (("subsystem", _always),)),
        _Enum("startupPolicy", tuple((value, _always) for value in ("default", "mandatory", "requisite", "optional"))),
        _Enum("subsysType", (("usb", _USB), ("pci", _always), ("scsi", _always))),
        _Enum("capsType", ()),
        _Enum("pciBackend", (("default", _vfio), ("vfio", _vfio))),
    )),
    ("rng", _always, (
        _Enum("model", (("virtio", _RNG), *((name, _both(_RNG, test)) for name, test in _VIRTIO_MODELS))),
        _Enum("backendModel", (
            ("random", _any("rng-random")), ("egd", _any("rng-egd")), ("builtin", _any("rng-builtin")),
        )),
    )),
    ("filesystem", _always, (
        _Enum("driverType", (
            ("path", _always), ("handle", _always), ("virtiofs", _any("vhost-user-fs-device", "vhost-user-fs-pci")),
        )),
    )),
    ("tpm", _any("tpm-tis", "tpm-tis-device", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy"), (
        _Enum("model", (
            ("tpm-tis", _any("tpm-tis", "tpm-tis-device")), ("tpm-crb", _any("tpm-crb")),
            ("tpm-spapr", _any("tpm-spapr")), ("spapr-tpm-proxy", _any("spapr-tpm-proxy")),
        )),
        _Enum("backendModel", (
            ("passthrough", _any("tpm-passthrough")), ("emulator", _emulates_tpm),
            ("external", _emulates_tpm),
        )),
        _Enum("backendVersion", (("1.2", _swtpm("1.2")), ("2.0", _swtpm("2.0"))), unless_empty=True),
    )),
    ("redirdev", _any("usb-redir"), (_Enum("bus", (("usb", _always),)),)),
    ("channel", _always, (
        _Enum("type", (("pty", _always), ("unix", _always), ("spicevmc", _any("command:query-spice")))),
    )),
    ("crypto", _CRYPTO, (
        _Enum("model", (("virtio", _always),)),
        _Enum("type", (("qemu", _always),)),
        _Enum("backendModel", (
            ("builtin", _any("cryptodev-backend-builtin")), ("lkcf", _any("cryptodev-backend-lkcf")),
        )),
    )),
    ("panic", _any("pvpanic", "pvpanic-pci"), (
        _Enum("model", (("isa", _any("pvpanic")), ("hyperv", _is_x86), ("pvpanic", _any("pvpanic-pci")))),
    )),
)  # fmt: skip

_MEMORY = (_Enum("sourceType", (
    ("file", _always), ("anonymous", _always), ("memfd", _any("memory-backend-memfd")),
)),)  # fmt: skip

#: Enlightenments by the name of QEMU's property; the two without one are always there.
_HYPERV = (
    ("relaxed", "hv-relaxed"), ("vapic", "hv-vapic"), ("spinlocks", ""), ("vpindex", "hv-vpindex"),
    ("runtime", "hv-runtime"), ("synic", "hv-synic"), ("stimer", "hv-stimer"), ("reset", "hv-reset"),
    ("vendor_id", ""), ("frequencies", "hv-frequencies"), ("reenlightenment", "hv-reenlightenment"),
    ("tlbflush", "hv-tlbflush"), ("ipi", "hv-ipi"), ("evmcs", "hv-evmcs"), ("avic", "hv-avic"),
)  # fmt: skip


def domain_capabilities(setting: Setting) -> str:
    """The document."""
    devices = {name: _section(setting, test(setting), enums) for name, test, enums in _DEVICES}
    limit = setting.machine.max_cpus
    if setting.virt_type == "kvm" and setting.max_vcpus:
        limit = min(limit, setting.max_vcpus)
    return D.format_domain_capabilities(
        D.DomainCapabilities(
            path=setting.caps.binary,
            domain=setting.virt_type,
            machine=setting.machine.name,
            arch=setting.arch,
            max_vcpus=limit,
            iothreads=_simple(setting, _any("iothread")),
            os=_os(setting),
            cpu=_modes(setting),
            memory_backing=_section(setting, True, _MEMORY),
            devices=D.Devices(**devices),
            features=_features(setting),
        )
    )


def _section(setting: Setting, supported: bool, enums: Iterable[_Enum]) -> D.Section:
    made = []
    for enum in enums if supported else ():
        values = tuple(value for value, test in enum.values if test(setting))
        if values or not enum.unless_empty:
            made.append(D.Enum(name=enum.name, values=values))
    return D.Section(supported=supported, enums=tuple(made))


def _simple(setting: Setting, test: Test) -> D.Section:
    return D.Section(supported=test(setting))


def _os(setting: Setting) -> D.OsSection:
    serving = [each for each in setting.descriptors if each.serves(setting.arch, setting.machine.name)]
    images = dict.fromkeys(each.image for each in serving if each.device != "kernel") or dict.fromkeys(FALLBACK_LOADERS)
    offered = {name for each in serving for name in each.interfaces}
    secure = any("requires-smm" in each.features for each in serving)
    kinds = tuple(name for name, interface in (("bios", "bios"), ("efi", "uefi")) if interface in offered)
    return D.OsSection(
        supported=True,
        enums=(D.Enum(name="firmware", values=kinds),),
        loader=D.LoaderSection(
            supported=True,
            paths=tuple(image for image in images if image in setting.loaders),
            enums=(
                D.Enum(name="type", values=("rom", "pflash")),
                D.Enum(name="readonly", values=("yes", "no")),
                D.Enum(name="secure", values=("yes", "no") if secure else ("no",)),
            ),
        ),
    )


# -- processors --------------------------------------------------------------------------------


def _modes(setting: Setting) -> tuple[D.CpuMode, ...]:
    caps = setting.caps
    switch = D.Enum(name="maximumMigratable", values=("on", "off"))
    passed = setting.virt_type == "kvm"
    return (
        D.CpuMode(
            name="host-passthrough",
            supported=passed,
            enums=(replace(switch, name="hostPassthroughMigratable"),) if passed else (),
        ),
        D.CpuMode(name="maximum", supported=caps.has_max_processor, enums=(switch,) if caps.has_max_processor else ()),
        _host_model(setting),
        _custom(setting),
    )


def _host_model(setting: Setting) -> D.CpuMode:
    shown = setting.processors.reported
    if shown is None or shown.model is None:
        return D.CpuMode(name="host-model", supported=False)
    if setting.expand_features:
        shown = expand(shown)
    return D.CpuMode(
        name="host-model",
        supported=True,
        models=(D.KnownModel(fallback="forbid", name=shown.name),),
        vendor=shown.vendor,
        features=shown.features,
    )


def _custom(setting: Setting) -> D.CpuMode:
    allowed = known_names(setting.arch)
    models = []
    for model in setting.processors.models:
        name = model.name.upper() if setting.arch in ("ppc64", "ppc64le") else model.name
        if name == "host" or (allowed is not None and name not in allowed):
            continue
        models.append(
            D.KnownModel(
                usable="unknown" if model.unavailable is None else "no" if model.unavailable else "yes",
                deprecated=model.deprecated or None,
                vendor=vendor_of(setting.arch, name) or "unknown",
                name=name,
            )
        )
    return D.CpuMode(name="custom", supported=bool(models), models=tuple(models))


# -- features ----------------------------------------------------------------------------------


def _features(setting: Setting) -> D.FeatureSections:
    s390 = setting.arch in ("s390", "s390x")
    return D.FeatureSections(
        gic=_gic(setting),
        vmcoreinfo=_simple(setting, _any("vmcoreinfo")),
        genid=_simple(setting, _any("vmgenid")),
        backing_store_input=D.Section(supported=True),
        backup=_simple(setting, _any("command:block-dirty-bitmap-merge")),
        async_teardown=_simple(setting, _any("option:run-with.async-teardown")),
        s390_pv=_simple(setting, _both(_any("s390-pv-guest"), lambda each: each.virt_type == "kvm")) if s390 else None,
        sev=_sev(setting),
        sgx=_sgx(setting.caps.sgx),
        tdx=_simple(setting, _both(_any("tdx-guest"), lambda each: each.virt_type == "kvm")),
        hyperv=_hyperv(setting) if is_x86(setting.arch) else None,
        launch_security=_launch_security(setting),
    )


def _launch_security(setting: Setting) -> D.Section:
    caps, kvm = setting.caps, setting.virt_type == "kvm"
    offered = (
        ("sev", caps.sev is not None),
        ("sev-snp", caps.sev is not None and caps.has("sev-snp-guest")),
        ("s390-pv", kvm and caps.has("s390-pv-guest")),
        ("tdx", kvm and caps.has("tdx-guest")),
    )
    kinds = tuple(kind for kind, there in offered if there)
    return D.Section(supported=bool(kinds), enums=(D.Enum(name="sectype", values=kinds),) if kinds else ())


def _gic(setting: Setting) -> D.Section:
    arm = setting.arch in ("armv6l", "armv7l", "aarch64")
    if not arm or not (setting.machine.name == "virt" or setting.machine.name.startswith("virt-")):
        return D.Section(supported=False)
    versions = sorted(
        each.version for each in setting.caps.gic if (each.kernel if setting.virt_type == "kvm" else each.emulated)
    )
    enums = (D.Enum(name="version", values=tuple(map(str, versions))),) if versions else ()
    return D.Section(supported=bool(versions), enums=enums)


def _sev(setting: Setting) -> D.Sev:
    sev = setting.caps.sev
    if sev is None:
        return D.Sev(supported=False)
    guests, with_state = setting.encrypted_guests
    return D.Sev(
        supported=True,
        cbitpos=sev.cbitpos,
        reduced_phys_bits=sev.reduced_phys_bits,
        max_guests=guests,
        max_es_guests=with_state,
        cpu0_id=sev.cpu0_id or None,
    )


def _sgx(sgx: SgxFacts | None) -> D.Sgx:
    if sgx is None:
        return D.Sgx(supported=False)
    sections = tuple(D.SgxSection(node=node, size=size // 1024) for node, size in sgx.sections)
    total = sum(section.size for section in sections)
    return D.Sgx(supported=True, flc=sgx.flc, sgx1=sgx.sgx1, sgx2=sgx.sgx2, section_size=total, sections=sections)


def _hyperv(setting: Setting) -> D.HypervSection:
    host = setting.processors.host_model
    told = host.hyperv if host is not None and host.hyperv is not None else frozenset[str]()
    values = tuple(name for name, prop in _HYPERV if not prop or prop in told)
    return D.HypervSection(supported=True, enums=(D.Enum(name="features", values=values),))


def encrypted_guests(words: x86.Words) -> tuple[int, int]:
    """(SEV guests, SEV-ES guests) that the processor has keys for: CPUID leaf 0x8000001f."""
    keys, first = words.get((0x8000001F, 0, "ecx"), 0), words.get((0x8000001F, 0, "edx"), 0)
    return (keys - first + 1 if keys else 0), max(0, first - 1)
