"""qemu.conf."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.drivers.qemu.config import QemuConfig, read_config
from roost.errors import ConfSyntax


def test_defaults_without_a_file(tmp_path: Path) -> None:
    assert read_config(tmp_path / "qemu.conf") == QemuConfig()


def test_settings_in_libvirts_syntax(tmp_path: Path) -> None:
    file = tmp_path / "qemu.conf"
    file.write_text(
        "# a comment\n\nuser = \"guests\"\ngroup='kvm' # why\ndynamic_ownership = 0\nremote_display_port_min=6000\n"
        'cgroup_controllers = [ "cpu",\n  "memory" ]\nlater_setting = "x"\n'
    )
    config = read_config(file)
    assert (config.user, config.group) == ("guests", "kvm")
    assert config.dynamic_ownership is False
    assert config.remote_display_port_min == 6000
    assert config.controllers == {"cpu", "memory"}
    assert QemuConfig().controllers >= {"cpu", "devices"}


def test_what_changes_nothing_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "qemu.conf"
    file.write_text('user = "guests"\nvnc_pasword = "typo"\nlock_manager = "lockd"\n')
    assert read_config(file) == QemuConfig(user="guests")
    assert caplog.messages == [
        f"{file}: {name} is not known, and changes nothing" for name in ("lock_manager", "vnc_pasword")
    ]


def test_displays() -> None:
    shown = QemuConfig(spice_listen="::", vnc_password="", spice_sasl=True, vnc_tls=True, vnc_tls_x509_cert_dir="/c")
    assert shown.displays.addresses == {"vnc": "127.0.0.1", "spice": "::"}
    assert (shown.displays.passwords, shown.displays.sasl) == ({"vnc": ""}, {"spice": ""})
    assert (shown.displays.vnc_certificates, shown.displays.vnc_verifies) == ("/c", False)
    assert QemuConfig().displays.vnc_certificates is None
    assert QemuConfig(default_tls_x509_verify=True).displays.vnc_verifies
    assert not QemuConfig(default_tls_x509_verify=True, vnc_tls_x509_verify=False).displays.vnc_verifies


def test_lists_over_lines(tmp_path: Path) -> None:
    file = tmp_path / "qemu.conf"
    file.write_text(
        'cgroup_device_acl = [\n  # all need it\n  "/dev/null", \'/dev/zero\' # why\n,"/dev/own",\n] # end\n'
        "user = 'x'\n"
    )
    assert read_config(file) == QemuConfig(cgroup_device_acl=("/dev/null", "/dev/zero", "/dev/own"), user="x")
    file.write_text("cgroup_device_acl = []\n")
    assert read_config(file).cgroup_device_acl == ()


def test_certificates_by_use() -> None:
    config = QemuConfig(chardev_tls_x509_cert_dir="/certificates", default_tls_x509_cert_dir="/default")
    assert config.certificates("chardev") == "/certificates"
    assert config.certificates("spice") in ("/default", "/etc/pki/libvirt-spice")


@pytest.mark.parametrize(
    ("config", "verifies"),
    [
        (QemuConfig(), True),
        (QemuConfig(default_tls_x509_verify=False), False),
        (QemuConfig(default_tls_x509_verify=False, backup_tls_x509_verify=True), True),
        (QemuConfig(backup_tls_x509_verify=False), False),
    ],
)
def test_who_fetches_backups_shows_a_certificate(config: QemuConfig, verifies: bool) -> None:
    assert config.backup_verifies_clients is verifies


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("user", "qemu.conf:2: expecting a value"),
        ("user = guests", ":2: expecting"),
        ("user = 5", "Expected `str`"),
        ("cgroup_device_acl = [ /dev/null ]", ":2: expecting a value; write lists as"),
        ('cgroup_device_acl = [ "/dev/null" ] "x"', ":2: expecting a value"),
        ('cgroup_device_acl = [ "/dev/null",', r":2: list is not closed with \]"),
        ('cgroup_controllers = [ "cpus" ]', "Unknown cgroup controller 'cpus'; known are cpu, cpuset"),
    ],
)
def test_mistakes_are_located(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "qemu.conf"
    file.write_text(f"\n{line}\n")
    with pytest.raises(ConfSyntax, match=message):
        read_config(file)
