"""A trusted platform module: <tpm>."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from roost.errors import ConfigUnsupported, InternalError, XmlError
from roost.model.domain.device import Device
from roost.xml import Complaint, Flag, Record, UInt, Uuid, YesNo, at

_NO_BACKEND = Complaint(XmlError, "missing TPM device backend")
_ONE_BACKEND = Complaint(XmlError, "only one TPM backend is supported")
_NO_SOURCE = Complaint(XmlError, "missing external TPM backend type")
_BAD_SOURCE = Complaint(ConfigUnsupported, "unknown backend type '%s' for external TPM")


class TpmBackend(Record, tag_field="type"):
    """What stands behind the module; `AnyTpmBackend` is the union."""


class PassthroughTpm(TpmBackend, tag="passthrough"):
    """The host's own module. path: its device, /dev/tpm0 when not given."""

    path: Annotated[str | None, at("device/@path")] = None


class TpmProfile(Record):
    """What swtpm's profile allows. source, name: of a profile; remove_disabled: drop what the host's crypto refuses."""

    source: str | None = None
    remove_disabled: Annotated[Literal["check", "fips-host"] | None, at("@removeDisabled")] = None
    name: str | None = None


class PcrBanks(Record):
    """The banks of registers that are to be active."""

    strangers: ClassVar = Complaint(ConfigUnsupported, "Unsupported PCR banks '%s'")

    sha1: Flag = False
    sha256: Flag = False
    sha384: Flag = False
    sha512: Flag = False


class EmulatorTpm(TpmBackend, tag="emulator"):
    """swtpm.

    version: 1.2 for tpm-tis when not given, else 2.0. persistent_state: undefining the guest leaves the state.
    debug: level of its log. secret: UUID of the passphrase that the state is encrypted with.
    source_type, source_path: where the state is kept instead of the daemon's own directory.
    """

    version: Literal["1.2", "2.0"] | None = None
    persistent_state: Annotated[
        YesNo | None,
        at(
            "@persistent_state",
            unset=("no",),
            wrong=Complaint(InternalError, "Invalid persistent_state value, either 'yes' or 'no'"),
        ),
    ] = None
    debug: Annotated[UInt | None, at("@debug", unset=("0",))] = None
    secret: Annotated[
        Uuid | None, at("encryption/@secret", wrong=Complaint(InternalError, "Unable to parse secret uuid '%s'"))
    ] = None
    active_pcr_banks: Annotated[PcrBanks | None, at("active_pcr_banks")] = None
    source_type: Annotated[Literal["file", "dir"] | None, at("source/@type")] = None
    source_path: Annotated[str | None, at("source/@path")] = None
    profile: TpmProfile | None = None

    @property
    def pcr_banks(self) -> tuple[str, ...]:
        """The banks that are to be active; none leaves them as they are."""
        banks = self.active_pcr_banks
        return tuple(bank for bank in PcrBanks.__struct_fields__ if getattr(banks, bank)) if banks is not None else ()


class ExternalTpm(TpmBackend, tag="external"):
    """A swtpm that somebody else runs: its control socket."""

    source_type: Annotated[
        Literal[
            "null", "vc", "pty", "dev", "file", "pipe", "stdio", "udp", "tcp", "unix", "spicevmc", "spiceport", "nmdm",
            "qemu-vdagent", "dbus",
        ],
        at("source/@type", wrong=_BAD_SOURCE, missing=_NO_SOURCE),
    ]  # fmt: skip
    mode: Annotated[Literal["connect", "bind"] | None, at("source/@mode")] = None
    path: Annotated[str | None, at("source/@path")] = None


AnyTpmBackend = PassthroughTpm | EmulatorTpm | ExternalTpm


class Tpm(Device):
    model: Literal["tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy"] | None = None
    backend: Annotated[AnyTpmBackend, at("backend", missing=_NO_BACKEND, once=_ONE_BACKEND)]


__all__ = [
    "AnyTpmBackend", "EmulatorTpm", "ExternalTpm", "PassthroughTpm", "PcrBanks", "Tpm", "TpmBackend", "TpmProfile",
]  # fmt: skip
