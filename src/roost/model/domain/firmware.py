"""Which firmware image `<os firmware='…'>` means: selection among the distribution's descriptors.

A descriptor is a JSON file as QEMU's docs/interop/firmware.json specifies it.
`parse_descriptor` reads one, `select` finds the first that satisfies a domain,
`with_firmware` gives the document with which the guest starts.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from roost.errors import From, InternalError, OperationFailed, OperationInvalid
from roost.model.domain.devices.disk import FileSource
from roost.model.domain.domain import Domain
from roost.model.domain.features import Features
from roost.model.domain.os import FlashFormat, Loader, Nvram, Os
from roost.model.domain.security import SevSecurity
from roost.xml import tag_of

#: QEMU's names of architectures that libvirt calls otherwise.
_ARCHES = {"i386": "i686", "arm": "armv7l", "or1k": "or32"}
#: <os firmware>, and <loader type> where there is none, to the interface that the descriptor must offer.
_INTERFACES = {"efi": "uefi", "bios": "bios", "pflash": "uefi", "rom": "bios"}
_KNOWN_INTERFACES = ("bios", "openfirmware", "uboot", "uefi")

#: <launchSecurity> to the feature it needs.
_ENCRYPTIONS = {"sev": "amd-sev", "sev-snp": "amd-sev-snp", "tdx": "intel-tdx"}
#: The bit of SEV's policy that encrypts the processor's state too.
_ENCRYPTED_STATE = 1 << 2

Mode = Literal["split", "combined", "stateless"]


class FirmwareTarget(msgspec.Struct, frozen=True):
    """arch: libvirt's name. machines: patterns of canonical machine names, with * and ?."""

    arch: str
    machines: tuple[str, ...]


class FirmwareDescriptor(msgspec.Struct, frozen=True):
    """One descriptor.

    path: the descriptor's own. device: what the image is to the machine.
    mode: of flash: whether variables are in a file of their own.
    image: path of the executable; format: "raw", "qcow2".
    template, template_format: what a guest's variables start from; "" without.
    features: as the descriptor names them (`secure-boot`, `requires-smm`).
    """

    path: str
    interfaces: tuple[str, ...]
    device: Literal["flash", "kernel", "memory"]
    image: str
    targets: tuple[FirmwareTarget, ...]
    features: frozenset[str]
    mode: Mode = "split"
    format: str = "raw"
    template: str = ""
    template_format: str = ""

    def serves(self, arch: str, machine: str) -> bool:
        """Whether it runs on a machine. arch: libvirt's name. machine: canonical."""
        return any(
            target.arch == arch and any(_matches(pattern, machine) for pattern in target.machines)
            for target in self.targets
        )


def _matches(pattern: str, name: str) -> bool:
    # Descriptors know * and ? only.
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


# -- reading descriptors -----------------------------------------------------------------------


class _File(msgspec.Struct):
    filename: str
    format: str


class _Mapping(msgspec.Struct):
    device: Literal["flash", "kernel", "memory"]
    mode: Mode = "split"
    executable: _File | None = None
    template: _File | None = msgspec.field(name="nvram-template", default=None)
    filename: str | None = None


class _Target(msgspec.Struct):
    architecture: str
    machines: tuple[str, ...]


class _Descriptor(msgspec.Struct):
    interfaces: tuple[str, ...] = msgspec.field(name="interface-types")
    mapping: _Mapping
    targets: tuple[_Target, ...]
    features: tuple[str, ...]


def parse_descriptor(text: bytes, path: str) -> FirmwareDescriptor:
    """The descriptor that the file at `path` holds. Raises InternalError naming what is wrong in it."""
    try:
        read = msgspec.json.decode(text, type=_Descriptor)
    except msgspec.ValidationError as error:
        raise _broken(path, f"{error}") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InternalError(
            f"unable to parse json file '{path}'", domain=From.QEMU, hint=f"{error}; an empty file switches it off"
        ) from None
    unknown = [name for name in read.interfaces if name not in _KNOWN_INTERFACES]
    if unknown:
        raise InternalError(
            f"unknown interface type: '{unknown[0]}'",
            domain=From.QEMU,
            hint=f"in {path}; known are {', '.join(_KNOWN_INTERFACES)}",
        )
    mapping = read.mapping
    image = mapping.executable if mapping.device == "flash" else None
    name = image.filename if image is not None else mapping.filename
    if mapping.device == "flash" and image is None:
        raise _broken(path, "'executable' is missing")
    if name is None:
        raise _broken(path, "'filename' is missing")
    template = mapping.template if mapping.device == "flash" and mapping.mode == "split" else None
    if mapping.device == "flash" and mapping.mode == "split" and template is None:
        raise _broken(path, "'nvram-template' is missing")
    return FirmwareDescriptor(
        path=path,
        interfaces=read.interfaces,
        device=mapping.device,
        mode=mapping.mode,
        image=name,
        format=image.format if image is not None else "raw",
        template=template.filename if template is not None else "",
        template_format=template.format if template is not None else "",
        targets=tuple(FirmwareTarget(_ARCHES.get(t.architecture, t.architecture), t.machines) for t in read.targets),
        features=frozenset(read.features),
    )


def _broken(path: str, detail: str) -> InternalError:
    return InternalError(
        f"malformed firmware descriptor '{path}'", domain=From.QEMU, hint=f"{detail}; an empty file switches it off"
    )


# -- selection ---------------------------------------------------------------------------------


def _satisfies(domain: Domain, firmware: FirmwareDescriptor) -> bool:
    os, features = domain.os, firmware.features
    loader = os.loader or Loader()
    if os.firmware is None and (firmware.device != "flash" or firmware.image != loader.path):
        return False
    if _INTERFACES.get(os.firmware or loader.type or "") not in firmware.interfaces:
        return False
    if not firmware.serves(os.arch or "", os.machine or ""):
        return False
    wanted = {feature.name: feature.enabled for feature in os.firmware_features}
    if any((name in features) != enabled for name, enabled in wanted.items()):
        return False
    sleeps = (
        {"acpi-s3": domain.pm.suspend_to_mem, "acpi-s4": domain.pm.suspend_to_disk} if domain.pm is not None else {}
    )
    if any(needed and name not in features for name, needed in sleeps.items()):
        return False
    if loader.secure and "requires-smm" not in features:
        return False
    if not _encryptions(domain) <= features:
        return False
    if firmware.device != "flash":
        return True
    return firmware.mode == ("stateless" if loader.stateless else "split") and firmware.format == (
        loader.format or "raw"
    )


def _encryptions(domain: Domain) -> set[str]:
    """The features that a guest needs whose memory is encrypted."""
    security = domain.launch_security
    needed = {_ENCRYPTIONS[tag_of(security)]} if security is not None and tag_of(security) in _ENCRYPTIONS else set()
    if isinstance(security, SevSecurity) and security.policy is not None and security.policy & _ENCRYPTED_STATE:
        needed.add("amd-sev-es")
    return needed


def select(domain: Domain, descriptors: Sequence[FirmwareDescriptor]) -> FirmwareDescriptor | None:
    """The first of `descriptors` (in the order of their file names) that serves a completed domain.

    None where nothing need be selected (the loader is given, and no descriptor
    is about it). Raises OperationFailed when `<os firmware>` asks for one and none serves.
    """
    found = next((each for each in descriptors if _satisfies(domain, each)), None)
    if found is None and domain.os.firmware is not None:
        raise OperationFailed(
            f"Unable to find any firmware to satisfy '{domain.os.firmware}'",
            domain=From.QEMU,
            hint=_why_none(domain, descriptors),
        )
    return found


def _why_none(domain: Domain, descriptors: Sequence[FirmwareDescriptor]) -> str:
    os = domain.os
    serving = [each for each in descriptors if each.serves(os.arch or "", os.machine or "")]
    if not serving:
        return f"no descriptor on this host is for {os.arch} {os.machine}; install the firmware package (ovmf)"
    described = "; ".join(f"{each.image}: {', '.join(sorted(each.features))}" for each in serving)
    return f"what there is for {os.machine}: {described}"


# -- filling in --------------------------------------------------------------------------------


def is_selected_at_start(domain: Domain, *, nvram_missing: bool) -> bool:
    """Whether descriptors are to be asked when `domain` starts.

    nvram_missing: the guest's own file of variables is not there, or is to be made anew.
    """
    os = domain.os
    if os.firmware is not None:
        return True
    loader = os.loader
    old_style = loader is not None and loader.type == "pflash" and loader.path is not None and loader.readonly
    return bool(old_style) and nvram_missing and (os.nvram is None or os.nvram.template is None)


def with_firmware(domain: Domain, descriptors: Sequence[FirmwareDescriptor], *, nvram: str) -> Domain:
    """The document a guest starts with: loader, variables and SMM as the selected firmware needs them.

    nvram: path for the guest's variables where the document names none.
    Raises as `select` does, and OperationInvalid for a domain that switches off
    what the firmware needs.
    """
    firmware = select(domain, descriptors)
    if firmware is None:
        return domain
    os = _filled(domain.os, firmware, nvram)
    features = domain.features
    if "requires-smm" in firmware.features:
        if features is not None and features.smm is False:
            raise OperationInvalid(
                "domain has SMM turned off but chosen firmware requires it",
                domain=From.QEMU,
                hint=f"{firmware.image} was chosen; ask for <feature enabled='no' name='secure-boot'/>, or drop <smm>",
            )
        features = replace(features or Features(), smm=True)
        os = replace(os, loader=replace(os.loader or Loader(), secure=True))
    return replace(domain, os=os, features=features)


def _filled(os: Os, firmware: FirmwareDescriptor, nvram: str) -> Os:
    changes: dict[str, Any] = {"firmware": None}
    loader = os.loader or Loader()
    if firmware.device == "kernel":
        return replace(os, kernel=firmware.image, **changes)
    if firmware.device == "memory":
        return replace(os, loader=replace(loader, type="rom", path=firmware.image), **changes)
    changes["loader"] = replace(loader, type="pflash", readonly=True, path=firmware.image)
    if firmware.mode == "split":
        changes["nvram"] = _with_template(os.nvram, firmware, nvram)
    return replace(os, **changes)


def _with_template(given: Nvram | None, firmware: FirmwareDescriptor, path: str) -> Nvram:
    format: FlashFormat | None = "qcow2" if firmware.template_format == "qcow2" else None
    nvram = replace(given or Nvram(), template=firmware.template, template_format=format)
    if nvram.path is None and nvram.source in (None, FileSource()):
        # A copy of the template is in the template's format.
        return replace(nvram, path=path, format=nvram.format or format)
    return nvram


__all__ = [
    "FirmwareDescriptor",
    "FirmwareTarget",
    "is_selected_at_start",
    "parse_descriptor",
    "select",
    "with_firmware",
]
