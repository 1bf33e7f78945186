"""Emulators come and go while the daemon runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.drivers.qemu.capabilities import emulators
from roost.drivers.qemu.capabilities.emulators import Emulators


def test_what_is_installed_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(emulators, "GLANCE", -1.0)
    monkeypatch.setattr(emulators, "_RED_HAT", str(tmp_path / "libexec" / "qemu-kvm"))
    found = Emulators()
    assert found.find("aarch64") is None
    assert found.all() == {}
    binary = tmp_path / "qemu-system-aarch64"
    binary.touch(mode=0o755)
    assert found.find("aarch64") == str(binary)
    assert found.all() == {"aarch64": str(binary)}
    binary.unlink()
    assert found.find("aarch64") is None


def test_binaries_that_serve_another_architecture_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("qemu-system-x86_64", "qemu-system-ppc64", "qemu-system-arm"):
        (tmp_path / name).touch(mode=0o755)
    found = Emulators()
    assert found.find("i686") == str(tmp_path / "qemu-system-x86_64")
    assert found.find("ppc64le") == str(tmp_path / "qemu-system-ppc64")
    assert found.find("armv7l") == str(tmp_path / "qemu-system-arm")
