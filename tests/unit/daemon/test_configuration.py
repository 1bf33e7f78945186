"""roostd.conf: what it may say, and what is said about mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.daemon import configuration
from roost.daemon.configuration import NOT_NEEDED, Configuration
from roost.errors import ConfSyntax


def parse(text: str) -> Configuration:
    return configuration.parse(text, "test.conf")


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    assert parse("") == parse("# nothing\n\n   # here\n") == Configuration()
    assert configuration.load(tmp_path / "absent", required=False) == Configuration()


def test_values() -> None:
    lines = ("max_clients = 10   # a comment", "unix_sock_group='libvirt'", '  auth_unix_rw = "polkit"')
    assert parse("\n".join((*lines, "keepalive_interval = -1"))) == Configuration(
        max_clients=10, unix_sock_group="libvirt", auth_unix_rw="polkit", keepalive_interval=-1
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("max_client = 10", "test.conf:2: unknown key 'max_client'; did you mean 'max_clients'?"),
        ("zzz = 10", "test.conf:2: unknown key 'zzz'; known keys: "),
        ("min_workers = 5", "test.conf:2: min_workers has no meaning here: there are no worker threads to count"),
        ("max_clients", "test.conf:2: cannot read 'max_clients'; a line is key = number"),
        ('max_clients = "10', "test.conf:2: cannot read"),
        ('max_clients = "10"', "test.conf:2: max_clients must be a number"),
        ("unix_sock_group = 10", "test.conf:2: unix_sock_group must be text in quotes"),
        ("log_level = 5", "test.conf:2: log_level must be from 1 to 4"),
        ("admin_max_clients = 0", "test.conf:2: admin_max_clients must be from 1 to"),
        ('auth_unix_rw = "sasl"', "test.conf:2: auth_unix_rw must be one of none, polkit"),
        ('unix_sock_rw_perms = "rwx"', "test.conf:2: unix_sock_rw_perms must be an octal mode"),
        ("max_clients = 1\nmax_clients = 2", "test.conf:3: max_clients is set a second time"),
    ],
)
def test_mistakes_are_named_with_their_line(line: str, message: str) -> None:
    with pytest.raises(ConfSyntax) as caught:
        parse(f"# first\n{line}\n")
    assert message in caught.value.message


def test_a_file_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfSyntax, match="no such file"):
        configuration.load(tmp_path / "absent", required=True)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfSyntax, match="binary"):
        configuration.load(path, required=True)


def test_no_key_is_both_known_and_not_needed() -> None:
    assert not set(NOT_NEEDED) & set(Configuration.__struct_fields__)


def test_the_example_names_every_key_with_its_default() -> None:
    example = Path(__file__).parents[3] / "docs" / "roostd.conf"
    settings = [line[1:] for line in example.read_text().splitlines() if line.startswith("#") and line[1:2].isalpha()]
    assert parse("\n".join(settings)) == Configuration()
    assert {line.partition(" ")[0] for line in settings} == set(Configuration.__struct_fields__)
