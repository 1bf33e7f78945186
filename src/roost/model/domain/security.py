"""What keeps the host from the guest and the guest from the host: <seclabel>, <launchSecurity>, <keywrap>, <genid>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import InternalError, XmlError
from roost.xml import Child, Complaint, Hex, OnOff, Record, UInt, Uuid, YesNo, at


class Genid(Record):
    """The identifier that changes whenever the guest is rolled back or copied. value: made when none is given."""

    value: Annotated[Uuid | None, at(".", wrong=Complaint(InternalError, "malformed genid element"))] = None


class Seclabel(Record):
    """How a security driver confines the guest.

    model: the driver: dac, apparmor, selinux, or none. type: dynamic picks a label, static takes `label`.
    relabel: whether the guest's files are given the label while it runs.
    """

    type: Literal["dynamic", "static", "none"] | None = None
    model: str | None = None
    relabel: YesNo | None = None
    label: Child[str | None] = None
    imagelabel: Annotated[str | None, at("imagelabel", live=True)] = None
    baselabel: Child[str | None] = None


class HexText(Hex):
    """A number read in base 16, with or without 0x."""

    def parse(self, text: str) -> int:
        number = int(text, 16)
        if not 0 <= number <= self.maximum:
            raise ValueError(text)
        return number


_NO_POLICY = Complaint(XmlError, "failed to get launch security policy")
_BAD_CBITPOS = Complaint(XmlError, "Invalid format for launch security cbitpos")
_BAD_PHYS_BITS = Complaint(XmlError, "Invalid format for launch security reduced-phys-bits")
#: The bit of an address that says that the page is encrypted; the host's when not given.
CBitPos = Annotated[UInt | None, at("cbitpos", wrong=_BAD_CBITPOS)]
ReducedPhysBits = Annotated[UInt | None, at("reducedPhysBits", wrong=_BAD_PHYS_BITS)]


class LaunchSecurity(Record, tag_field="type"):
    """A guest whose memory the host cannot read; `AnyLaunchSecurity` is the union."""


class SevSecurity(LaunchSecurity, tag="sev"):
    """AMD SEV and SEV-ES.

    policy: the bits of the SEV API, in hexadecimal. dh_cert, session: the owner's, in base64.
    kernel_hashes: measure the kernel that QEMU loads.
    """

    kernel_hashes: Annotated[YesNo | None, at("@kernelHashes")] = None
    cbitpos: CBitPos = None
    reduced_phys_bits: ReducedPhysBits = None
    policy: Annotated[int, HexText(4, 2**32 - 1), at("policy", wrong=_NO_POLICY, missing=_NO_POLICY)]
    dh_cert: Annotated[str | None, at("dhCert")] = None
    session: Child[str | None] = None


class SevSnpSecurity(LaunchSecurity, tag="sev-snp"):
    """AMD SEV-SNP. The texts are base64; author_key: id_auth holds the author's key; vcek: let the guest have it."""

    kernel_hashes: Annotated[YesNo | None, at("@kernelHashes")] = None
    author_key: Annotated[YesNo | None, at("@authorKey")] = None
    vcek: YesNo | None = None
    cbitpos: CBitPos = None
    reduced_phys_bits: ReducedPhysBits = None
    policy: Annotated[int, HexText(8, 2**64 - 1), at("policy", wrong=_NO_POLICY, missing=_NO_POLICY)]
    guest_visible_workarounds: Annotated[str | None, at("guestVisibleWorkarounds")] = None
    id_block: Annotated[str | None, at("idBlock")] = None
    id_auth: Annotated[str | None, at("idAuth")] = None
    host_data: Annotated[str | None, at("hostData")] = None


class S390PvSecurity(LaunchSecurity, tag="s390-pv"):
    """IBM Secure Execution."""


class TdxSecurity(LaunchSecurity, tag="tdx"):
    """Intel TDX. mr_config_id, mr_owner, mr_owner_config: 48 bytes each, in base64; quotes: socket of the service."""

    policy: Annotated[int | None, HexText(1, 2**64 - 1), at("policy", wrong=_NO_POLICY)] = None
    mr_config_id: Annotated[str | None, at("mrConfigId")] = None
    mr_owner: Annotated[str | None, at("mrOwner")] = None
    mr_owner_config: Annotated[str | None, at("mrOwnerConfig")] = None
    quotes: Annotated[str | None, at("quoteGenerationService/@path")] = None


AnyLaunchSecurity = SevSecurity | SevSnpSecurity | S390PvSecurity | TdxSecurity


class KeyWrapCipher(Record):
    """Whether the guest may have the host wrap its keys with this cipher (s390x)."""

    name: Literal["aes", "dea"]
    state: OnOff


class KeyWrap(Record):
    ciphers: Annotated[tuple[KeyWrapCipher, ...], at("cipher")] = ()


__all__ = [
    "AnyLaunchSecurity", "Genid", "KeyWrap", "KeyWrapCipher", "LaunchSecurity", "S390PvSecurity", "Seclabel",
    "SevSecurity", "SevSnpSecurity", "TdxSecurity",
]  # fmt: skip
