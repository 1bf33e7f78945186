from __future__ import annotations

import os
from pathlib import Path

import pytest

from roost.drivers.qemu.firmware import FirmwareStore, descriptor_directories
from roost.errors import InternalError, SystemCallError

_TEXT = """{"interface-types": ["uefi"], "mapping": {"device": "memory", "filename": "%s"},
"targets": [{"architecture": "aarch64", "machines": ["virt-*"]}], "features": []}"""


@pytest.fixture
def directories(tmp_path: Path) -> tuple[Path, Path]:
    system, local = tmp_path / "usr", tmp_path / "etc"
    system.mkdir()
    local.mkdir()
    return system, local


def test_more_specific_files_hide_others_and_empty_ones_switch_off(directories: tuple[Path, Path]) -> None:
    system, local = directories
    for name in ("50-b", "40-a", "60-c"):
        (system / f"{name}.json").write_text(_TEXT % f"/usr/{name}")
    (local / "50-b.json").write_text(_TEXT % "/etc/50-b")
    (local / "60-c.json").write_text("")
    (local / ".hidden.json").write_text("{")
    (local / "directory").mkdir()
    store = FirmwareStore((*directories, local / "missing"))
    assert [each.image for each in store.descriptors()] == ["/usr/40-a", "/etc/50-b"]


def test_a_changed_file_is_read_again(directories: tuple[Path, Path]) -> None:
    store = FirmwareStore(directories)
    assert store.descriptors() == ()
    path = directories[0] / "a.json"
    path.write_text(_TEXT % "/first")
    first = store.descriptors()
    assert store.descriptors() is first
    path.write_text(_TEXT % "/second-one")
    assert [each.image for each in store.descriptors()] == ["/second-one"]


def test_what_cannot_be_read_is_named(directories: tuple[Path, Path]) -> None:
    store = FirmwareStore(directories)
    (directories[0] / "a.json").write_text("{")
    with pytest.raises(InternalError, match=r"a\.json"):
        store.descriptors()
    (directories[0] / "a.json").unlink()
    (directories[0] / "b.json").symlink_to("nowhere")
    with pytest.raises(SystemCallError, match=r"Unable to access .*b\.json"):
        store.descriptors()


def test_only_a_user_has_descriptors_of_his_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "XDG_CONFIG_HOME", "/home/me/cfg")
    assert Path("/home/me/cfg/qemu/firmware") in descriptor_directories(privileged=False)
    assert descriptor_directories(privileged=True) == (Path("/usr/share/qemu/firmware"), Path("/etc/qemu/firmware"))
