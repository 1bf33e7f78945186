"""The driver's settings: qemu.conf, in libvirt's syntax and with its names."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import msgspec

from roost.drivers.qemu.plan import DisplaySettings
from roost.errors import ConfSyntax
from roost.host.api import Controller

log = logging.getLogger(__name__)

_LINE = re.compile(
    r"""(?P<key>[A-Za-z_]\w*)\s*=\s*(?:(?P<number>-?\d+)|"(?P<double>[^"]*)"|'(?P<single>[^']*)')\s*(?:\#.*)?"""
)
_LIST = re.compile(r"(?P<key>[A-Za-z_]\w*)\s*=\s*\[(?P<rest>.*)")
#: One of a list's strings, the comma between two, or the list's end.
_ELEMENT = re.compile(r"""\s*(?:(?P<value>"[^"]*"|'[^']*')|,|(?P<end>\])\s*(?:\#.*)?$)""")

_CONTROLLERS: tuple[Controller, ...] = get_args(Controller)
#: Controllers of libvirt's that are of no use to guests.
_OTHER_CONTROLLERS = frozenset(("freezer", "net_cls", "perf_event", "name=systemd"))


class QemuConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What qemu.conf may set. Settings this driver does not know are logged and change nothing.

    user, group: whom guests run as when the daemon is root; "" picks the
        distribution's account for it, `nobody` where there is none.
    pr_helper: the program that makes persistent reservations; "" for the distribution's.
    dynamic_ownership: lend disk images to that user while a guest runs.
    auto_start_delay: milliseconds between two guests that start by themselves.
    remote_display_port_min, _max: where displays with autoport are put.
    save_image_format, dump_image_format, snapshot_image_format: how memory is compressed: raw, or the
        name of a program. auto_dump_path: where dumps of crashed guests go, ""
        for the driver's own directory. *_bypass_cache: keep these files out of
        the host's cache.
    vnc_listen, spice_listen: where displays listen that name no address. *_auto_unix_socket: these get a socket of the
        guest's own instead. *_password: for displays that have none; None to let everybody in. *_sasl: clients
        authenticate by SASL, *_sasl_dir: where its configuration is.
    vnc_tls: clients of VNC must use TLS. vnc_tls_x509_verify: they must show certificates; None: as for all, and where
        that is left open they need not.
    spice_tls: SPICE displays may have a port for TLS. *_tls_x509_cert_dir: where
        the certificates of each use are; "" for `/etc/pki/libvirt-USE` where there
        is such a directory, else the default one. *_tls_x509_verify: whether clients
        must show certificates; None: the default one, which is that they must.
        *_tls_x509_secret_uuid: the secret that opens the key of the certificate.
    cgroup_controllers: those that bound guests; None for all that the host has.
    cgroup_device_acl: devices that every guest's QEMU may open.
    """

    user: str = ""
    group: str = ""
    pr_helper: str = ""
    dynamic_ownership: bool = True
    remote_display_port_min: int = 5900
    remote_display_port_max: int = 65535
    vnc_listen: str = "127.0.0.1"
    vnc_auto_unix_socket: bool = False
    vnc_password: str | None = None
    vnc_sasl: bool = False
    vnc_sasl_dir: str = ""
    vnc_tls: bool = False
    vnc_tls_x509_cert_dir: str = ""
    vnc_tls_x509_verify: bool | None = None
    spice_listen: str = "127.0.0.1"
    spice_auto_unix_socket: bool = False
    spice_password: str | None = None
    spice_sasl: bool = False
    spice_sasl_dir: str = ""
    max_core: int | str = 0
    auto_start_bypass_cache: bool = False
    auto_start_delay: int = 0
    save_image_format: str = "raw"
    dump_image_format: str = "raw"
    snapshot_image_format: str = "raw"
    auto_dump_path: str = ""
    auto_dump_bypass_cache: bool = False
    spice_tls: bool = False
    default_tls_x509_cert_dir: str = "/etc/pki/qemu"
    spice_tls_x509_cert_dir: str = ""
    chardev_tls_x509_cert_dir: str = ""
    nbd_tls_x509_cert_dir: str = ""
    backup_tls_x509_cert_dir: str = ""
    default_tls_x509_verify: bool | None = None
    backup_tls_x509_verify: bool | None = None
    default_tls_x509_secret_uuid: str = ""
    backup_tls_x509_secret_uuid: str = ""
    cgroup_controllers: tuple[str, ...] | None = None
    cgroup_device_acl: tuple[str, ...] = (
        "/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/kvm",
    )  # fmt: skip

    def __post_init__(self) -> None:
        for name in self.cgroup_controllers or ():
            if name not in (*_CONTROLLERS, *_OTHER_CONTROLLERS):
                raise ValueError(f"Unknown cgroup controller '{name}'; known are {', '.join(_CONTROLLERS)}")

    @property
    def controllers(self) -> frozenset[Controller]:
        """Those that bound guests."""
        wanted = self.cgroup_controllers
        return frozenset(name for name in _CONTROLLERS if wanted is None or name in wanted)

    @property
    def displays(self) -> DisplaySettings:
        """What holds for all displays."""
        passwords = {"vnc": self.vnc_password, "spice": self.spice_password}
        sasl = {"vnc": self.vnc_sasl_dir, "spice": self.spice_sasl_dir}
        return DisplaySettings(
            addresses={"vnc": self.vnc_listen, "spice": self.spice_listen},
            sockets=frozenset(kind for kind in ("vnc", "spice") if getattr(self, f"{kind}_auto_unix_socket")),
            passwords={kind: password for kind, password in passwords.items() if password is not None},
            sasl={kind: directory for kind, directory in sasl.items() if getattr(self, f"{kind}_sasl")},
            vnc_certificates=self.certificates("vnc") if self.vnc_tls else None,
            vnc_verifies=self._verifies_clients("vnc", otherwise=False),
            spice_certificates=self.certificates("spice"),
        )

    def certificates(self, use: Literal["vnc", "spice", "chardev", "nbd", "backup"]) -> str:
        """The directory with the certificates of that use."""
        own: str = getattr(self, f"{use}_tls_x509_cert_dir")
        usual = Path(f"/etc/pki/libvirt-{use}")
        return own or (str(usual) if usual.is_dir() else self.default_tls_x509_cert_dir)

    @property
    def backup_verifies_clients(self) -> bool:
        """Whether those who fetch a backup by TLS must show a certificate."""
        return self._verifies_clients("backup", otherwise=True)

    def _verifies_clients(self, use: Literal["vnc", "backup"], *, otherwise: bool) -> bool:
        """otherwise: where neither this use nor all of them say."""
        own: bool | None = getattr(self, f"{use}_tls_x509_verify")
        return next((each for each in (own, self.default_tls_x509_verify) if each is not None), otherwise)

    @property
    def backup_key_secret(self) -> str:
        """The UUID of the secret that opens the backup server's key; "" for a key that is open."""
        return self.backup_tls_x509_secret_uuid or self.default_tls_x509_secret_uuid


def read_config(path: Path) -> QemuConfig:
    """The settings of a file; the defaults when there is none. Raises ConfSyntax with file and line."""
    try:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return QemuConfig()
    found: dict[str, int | str | list[str]] = {}
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        opening = _LIST.fullmatch(line)
        if opening is not None:
            found[opening["key"]] = _list(path, number, opening["rest"], (text for _, text in numbered))
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ConfSyntax(f"{path}:{number}: expecting a value", hint="write it as: name = value")
        text = match["double"] if match["double"] is not None else match["single"]
        found[match["key"]] = int(match["number"]) if match["number"] is not None else text
    for name in sorted(found.keys() - set(QemuConfig.__struct_fields__)):
        log.warning("%s: %s is not known, and changes nothing", path, name)
    try:
        return msgspec.convert(found, QemuConfig, strict=False)
    except msgspec.ValidationError as error:
        raise ConfSyntax(f"{path}: {error}") from error


def _list(path: Path, number: int, text: str, further: Iterator[str]) -> list[str]:
    """The strings of a list that begins with `text`, and ends there or on one of the lines after it."""
    values: list[str] = []
    while True:
        while not text.strip() or text.lstrip().startswith("#"):
            following = next(further, None)
            if following is None:
                raise ConfSyntax(f"{path}:{number}: list is not closed with ]")
            text = following
        element = _ELEMENT.match(text)
        if element is None:
            raise ConfSyntax(f"{path}:{number}: expecting a value", hint='write lists as: name = [ "one", "two" ]')
        if element["end"] is not None:
            return values
        if element["value"] is not None:
            values.append(element["value"][1:-1])
        text = text[element.end() :]
