"""Variables of firmware and state of TPMs: copied, put back, and never half."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.drivers.qemu.paths import QemuPaths
from roost.drivers.qemu.snapshots.companions import Companions
from roost.errors import SystemCallError
from roost.model import domain as domains
from roost.model.domain import Domain

UUID = "00000000-0000-4000-8000-000000000001"
TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"


def domain(nvram: str = "", devices: str = TPM, firmware: str = " firmware='efi'") -> Domain:
    return domains.parse(
        f"""<domain type='qemu'><name>web</name><uuid>{UUID}</uuid><memory>1024</memory>
        <os{firmware}><type>hvm</type>{nvram}</os><devices>{devices}</devices></domain>"""
    )


@pytest.fixture
def paths(tmp_path: Path) -> QemuPaths:
    return QemuPaths.under(*(tmp_path / name for name in ("etc", "run", "lib", "log", "cache")))


def test_there_and_back(paths: QemuPaths) -> None:
    companions, document = Companions(paths), domain()
    variables, state = paths.nvram / "web_VARS.fd", paths.tpms / UUID / "tpm2"
    paths.nvram.mkdir(parents=True)
    state.mkdir(parents=True)
    variables.write_bytes(b"first")
    variables.chmod(0o640)
    (state / "tpm2-00.permall").write_bytes(b"first")
    (state / ".lock").touch()
    companions.keep(document, "web", "one")
    variables.write_bytes(b"later")
    (state / "tpm2-00.permall").write_bytes(b"later")
    (state / "other").touch()
    assert companions.missing(document, "web", "one") == []
    assert companions.missing(document, "web", "two") == ["variables of its firmware", "state of its TPM"]
    companions.put_back(document, "web", "one", variables=False)
    assert variables.read_bytes() == b"later"
    assert [path.name for path in state.iterdir()] == ["tpm2-00.permall"]
    assert (state / "tpm2-00.permall").read_bytes() == b"first"
    companions.put_back(document, "web", "one", variables=True)
    assert variables.read_bytes() == b"first"
    assert variables.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in paths.nvram.iterdir()] == ["web_VARS.fd"]
    companions.forget(document, "web", "one")
    assert list((paths.snapshots / "web").iterdir()) == []


def test_what_was_not_there_is_not_there_again(paths: QemuPaths) -> None:
    companions, document = Companions(paths), domain()
    companions.keep(document, "web", "one")
    assert companions.missing(document, "web", "one") == []
    paths.nvram.mkdir(parents=True)
    (paths.nvram / "web_VARS.fd").write_bytes(b"made since")
    companions.put_back(document, "web", "one", variables=True)
    assert list(paths.nvram.iterdir()) == []


def test_where_they_are(paths: QemuPaths) -> None:
    companions = Companions(paths)

    def found(document: Domain) -> list[str]:
        return [str(each.path) for each in companions.of(document, "web", "one")]

    own = f"{paths.nvram}/web_VARS.fd"
    assert found(domain()) == [own, f"{paths.tpms}/{UUID}"]
    assert found(domain(devices="", firmware="")) == []
    assert found(domain("<nvram>/vars</nvram>", "")) == ["/vars"]
    assert found(domain("<nvram template='/vars'/>", "")) == [own]
    # What is not on this host is not ours to copy.
    network = "<source protocol='iscsi' name='a/1'><host name='h'/></source>"
    assert found(domain(f"<nvram type='network'>{network}</nvram>", "")) == []


def test_a_disk_that_refuses(paths: QemuPaths) -> None:
    companions, document = Companions(paths), domain(devices="")
    paths.nvram.mkdir(parents=True)
    (paths.nvram / "web_VARS.fd").write_bytes(b"first")
    paths.snapshots.parent.mkdir(parents=True, exist_ok=True)
    paths.snapshots.write_bytes(b"a file where a directory is to be")
    with pytest.raises(SystemCallError, match="cannot keep a copy of"):
        companions.keep(document, "web", "one")
