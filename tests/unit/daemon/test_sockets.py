"""Which sockets, with which permissions."""

from __future__ import annotations

import contextlib
import grp
import os
import socket
from pathlib import Path

import pytest

from roost.daemon import sockets
from roost.daemon.configuration import Configuration
from roost.errors import ConfSyntax
from roost.rpc import access


def test_defaults_let_in_the_owner_and_readers(tmp_path: Path) -> None:
    (readwrite, readonly), (admin,) = sockets.own(tmp_path, Configuration(), privileged=True)
    assert (readwrite.path.name, readonly.path.name, admin.path.name) == (
        "roost-sock",
        "roost-sock-ro",
        "roost-admin-sock",
    )
    assert (readwrite.mode, readonly.mode, admin.mode) == (0o700, 0o777, 0o700)
    assert (readwrite.readonly, readonly.readonly, admin.readonly) == (False, True, False)
    assert (readwrite.group, readwrite.auth) == (-1, access.AUTH_NONE)


def test_a_users_daemon_is_the_users_alone(tmp_path: Path) -> None:
    files = sockets.own(tmp_path, Configuration(), privileged=False)
    assert {file.mode for group in files for file in group} == {0o700}


def test_a_group_and_polkit_open_the_socket_wider(tmp_path: Path) -> None:
    group = grp.getgrgid(os.getgid())
    by_group = sockets.own(tmp_path, Configuration(unix_sock_group=group.gr_name), privileged=True).main[0]
    assert (by_group.mode, by_group.group) == (0o770, group.gr_gid)
    by_number = sockets.own(tmp_path, Configuration(unix_sock_group="4711"), privileged=True).main[0]
    assert by_number.group == 4711
    by_polkit = sockets.own(tmp_path, Configuration(auth_unix_rw="polkit"), privileged=True).main[0]
    assert (by_polkit.mode, by_polkit.auth) == (0o777, access.AUTH_POLKIT)
    by_mode = sockets.own(
        tmp_path, Configuration(auth_unix_rw="polkit", unix_sock_rw_perms="0750"), privileged=True
    ).main[0]
    assert by_mode.mode == 0o750
    with pytest.raises(ConfSyntax, match="no group 'of mine'"):
        sockets.own(tmp_path, Configuration(unix_sock_group="of mine"), privileged=True)


def test_libvirts_names_without_those_that_are_taken(tmp_path: Path) -> None:
    with (
        contextlib.closing(socket.socket(socket.AF_UNIX)) as taken,
        contextlib.closing(socket.socket(socket.AF_UNIX)) as left,
    ):
        taken.bind(str(tmp_path / "libvirt-sock"))
        taken.listen()
        left.bind(str(tmp_path / "virtqemud-sock"))  # nobody listens: what a killed daemon leaves
        names = [group.main[0].path.name for group in sockets.libvirt(tmp_path, Configuration(), privileged=True)]
    assert "libvirt-sock" not in names
    assert names[0] == "virtqemud-sock"
    assert len(names) == len(sockets.LIBVIRT_NAMES) - 1
