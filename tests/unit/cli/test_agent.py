"""Commands that ask the guest, against an end that answers for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roost.constants import typed_params as T
from roost.errors import AgentUnresponsive, From
from roost.protocol.types import Domain, TypedParam
from support.answers import Answers
from unit.cli.conftest import Roost

WEB = Domain("web", bytes(range(16)), 7)


@pytest.fixture(autouse=True)
def domains(daemon: Answers) -> None:
    daemon.answers["DOMAIN_LOOKUP_BY_NAME"] = lambda name: (WEB,)


def sent(daemon: Answers, name: str) -> tuple[Any, ...]:
    (found,) = [arguments for procedure, arguments in daemon.calls if procedure == name]
    return found[1:]


#: Words -> the procedure, its arguments after the domain, what it answers, and what is printed.
CALLS: list[tuple[str, str, tuple[Any, ...], tuple[Any, ...], str]] = [
    ("qemu-agent-command web a b", "DOMAIN_AGENT_COMMAND", ("a b", -1, 0), ('{"return":{}}',), '{"return":{}}\n'),
    ("qemu-agent-command web --timeout 3 a", "DOMAIN_AGENT_COMMAND", ("a", 3, 0), ("1",), "1\n"),
    ("qemu-agent-command web --async a", "DOMAIN_AGENT_COMMAND", ("a", 0, 0), ("1",), "1\n"),
    ("qemu-agent-command web --block a", "DOMAIN_AGENT_COMMAND", ("a", -2, 0), ("1",), "1\n"),
    ("qemu-agent-command web --pretty a", "DOMAIN_AGENT_COMMAND", ("a", -1, 0), ('{"r":[1]}',),
     '{\n  "r": [\n    1\n  ]\n}\n'),
    ("guest-agent-timeout web", "DOMAIN_AGENT_SET_RESPONSE_TIMEOUT", (-2, 0), (0,), ""),
    ("guest-agent-timeout web --timeout 5", "DOMAIN_AGENT_SET_RESPONSE_TIMEOUT", (5, 0), (0,), ""),
    ("domfsfreeze web", "DOMAIN_FSFREEZE", ([], 0), (2,), "Froze 2 filesystem(s)\n"),
    ("domfsfreeze web / --mountpoint /mnt", "DOMAIN_FSFREEZE", (["/", "/mnt"], 0), (2,), "Froze 2 filesystem(s)\n"),
    ("domfsthaw web", "DOMAIN_FSTHAW", ([], 0), (0,), "Thawed 0 filesystem(s)\n"),
    ("domfstrim web", "DOMAIN_FSTRIM", (None, 0, 0), (), ""),
    ("domfstrim web 4096 /", "DOMAIN_FSTRIM", ("/", 4096, 0), (), ""),
    ("domfsinfo web", "DOMAIN_GET_FSINFO", (0,), ([], 0), "No filesystems are mounted in the domain"),
    ("domfsinfo web", "DOMAIN_GET_FSINFO", (0,), ([("/", "dm-0", "ext4", ["vda", "vdb"]), ("/b", "b", "xfs", [])], 2),
     " Mountpoint   Name   Type   Target\n-------------------------------------\n"
     " /            dm-0   ext4   vda,vdb\n /b           b      xfs    \n"),
    ("domhostname web", "DOMAIN_GET_HOSTNAME", (0,), ("guest",), "guest\n"),
    ("domhostname web --source lease", "DOMAIN_GET_HOSTNAME", (1,), ("guest",), "guest\n"),
    ("domhostname web --source agent", "DOMAIN_GET_HOSTNAME", (2,), ("guest",), "guest\n"),
    ("guestinfo web --os --disk", "DOMAIN_GET_GUEST_INFO", (34, 0),
     ([TypedParam("os.id", (T.STRING, "debian")), TypedParam("disk.0.partition", (T.BOOLEAN, 1))],),
     "os.id               : debian\ndisk.0.partition    : yes\n"),
    ("set-user-password web root secret", "DOMAIN_SET_USER_PASSWORD", ("root", "secret", 0), (),
     "Password set successfully for root in web"),
    ("set-user-password web root $6$x --encrypted", "DOMAIN_SET_USER_PASSWORD", ("root", "$6$x", 1), (),
     "Password set successfully for root in web"),
    ("get-user-sshkeys web root", "DOMAIN_AUTHORIZED_SSH_KEYS_GET", ("root", 0), (["one", "two"],), "onetwo"),
    ("set-user-sshkeys web root --reset", "DOMAIN_AUTHORIZED_SSH_KEYS_SET", ("root", [], 0), (), ""),
    ("guestvcpus web", "DOMAIN_GET_GUEST_VCPUS", (0,), ([TypedParam("online", (T.STRING, "0-1"))],),
     "online         : 0-1\n"),
    ("guestvcpus web --enable 1", "DOMAIN_SET_GUEST_VCPUS", ("1", 1, 0), (), ""),
    ("guestvcpus web --disable --cpulist 1", "DOMAIN_SET_GUEST_VCPUS", ("1", 0, 0), (), ""),
    ("dompmsuspend web mem", "DOMAIN_PM_SUSPEND_FOR_DURATION", (0, 0, 0), (), "Domain 'web' successfully suspended"),
    ("dompmsuspend web hybrid --duration 9", "DOMAIN_PM_SUSPEND_FOR_DURATION", (2, 9, 0), (),
     "Domain 'web' successfully suspended"),
    ("dompmwakeup web", "DOMAIN_PM_WAKEUP", (0,), (), "Domain 'web' successfully woken up"),
    ("domtime web", "DOMAIN_GET_TIME", (0,), (1_000_000_000, 5), "Time: 1000000000"),
    ("domtime web --pretty", "DOMAIN_GET_TIME", (0,), (1_000_000_000, 5), "Time: 2001-09-09 01:46:40"),
    ("domtime web --time 5", "DOMAIN_SET_TIME", (5, 0, 0), (), ""),
    ("domtime web --sync", "DOMAIN_SET_TIME", (0, 0, 1), (), ""),
]  # fmt: skip


@pytest.mark.parametrize(("words", "procedure", "arguments", "answer", "out"), CALLS, ids=[call[0] for call in CALLS])
def test_calls(
    roost: Roost,
    daemon: Answers,
    words: str,
    procedure: str,
    arguments: tuple[Any, ...],
    answer: tuple[Any, ...],
    out: str,
) -> None:
    daemon.answers[procedure] = lambda *_: answer
    assert roost(*words.split()) == (0, f"{out}\n", "")
    assert sent(daemon, procedure) == arguments


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("qemu-agent-command web --timeout 0 a", "timeout must be positive"),
        ("qemu-agent-command web --async --block a", "timeout, async and block options are exclusive"),
        ("qemu-agent-command web --async --timeout 1 a", "timeout, async and block options are exclusive"),
        ("domhostname web --source arp", "Unknown data source 'arp'"),
        ("domifaddr web --source dns", "Unknown data source 'dns'"),
        ("set-user-sshkeys web root", "Option --file is required"),
        ("set-user-sshkeys web root --remove", "Option --file is required by option --remove"),
        ("set-user-sshkeys web root --remove --reset --file x", "Options --reset and --remove are mutually exclusive"),
        ("guestvcpus web --enable", "Option --cpulist is required by option --enable"),
        ("guestvcpus web --enable --disable 1", "Options --enable and --disable are mutually exclusive"),
        ("guestvcpus web 1", "One of options --enable or --disable is required by option --cpulist"),
        ("dompmsuspend web idle", "Invalid target"),
        ("domtime web --now --time 1", "Options --time and --now are mutually exclusive"),
    ],
)
def test_words_that_make_no_sense(roost: Roost, words: str, error: str) -> None:
    assert roost(*words.split()).err == f"error: {error}\n"


@pytest.mark.parametrize(
    ("words", "procedure", "error"),
    [
        ("domfsfreeze web", "DOMAIN_FSFREEZE", "Unable to freeze filesystems"),
        ("domfsthaw web", "DOMAIN_FSTHAW", "Unable to thaw filesystems"),
        ("domfstrim web", "DOMAIN_FSTRIM", "Unable to invoke fstrim"),
        ("domfsinfo web", "DOMAIN_GET_FSINFO", "Unable to get filesystem information"),
        ("domhostname web", "DOMAIN_GET_HOSTNAME", "failed to get hostname"),
        ("domifaddr web", "DOMAIN_INTERFACE_ADDRESSES", "Failed to query for interfaces addresses"),
        ("dompmsuspend web mem", "DOMAIN_PM_SUSPEND_FOR_DURATION", "Domain 'web' could not be suspended"),
        ("dompmwakeup web", "DOMAIN_PM_WAKEUP", "Domain 'web' could not be woken up"),
    ],
)
def test_refusals(roost: Roost, daemon: Answers, words: str, procedure: str, error: str) -> None:
    def refuse(*_: object) -> tuple[object, ...]:
        raise AgentUnresponsive("QEMU guest agent is not connected", domain=From.QEMU)

    daemon.answers[procedure] = refuse
    answer = roost(*words.split())
    cause = "Guest agent is not responding: QEMU guest agent is not connected"
    assert (answer.code, answer.err) == (1, f"error: {error}\nerror: {cause}\n")


@pytest.mark.parametrize(("option", "flags"), [("", 1), ("--reset", 0), ("--remove", 2)])
def test_keys_from_a_file(roost: Roost, daemon: Answers, tmp_path: Path, option: str, flags: int) -> None:
    (tmp_path / "keys").write_text("one\ntwo\n")
    daemon.answers["DOMAIN_AUTHORIZED_SSH_KEYS_SET"] = lambda *_: ()
    words = ["set-user-sshkeys", "web", "root", "--file", str(tmp_path / "keys"), *option.split()]
    assert roost(*words).code == 0
    assert sent(daemon, "DOMAIN_AUTHORIZED_SSH_KEYS_SET") == ("root", ["one", "two", ""], flags)


def test_the_time_here(roost: Roost, daemon: Answers) -> None:
    daemon.answers["DOMAIN_SET_TIME"] = lambda *_: ()
    assert roost("domtime", "web", "--now").code == 0
    seconds, nanoseconds, flags = sent(daemon, "DOMAIN_SET_TIME")
    assert (seconds > 1_700_000_000, nanoseconds, flags) == (True, 0, 0)


ADDRESSES = [
    ("lo", None, []),
    ("eth0", "52:54:00:00:00:01", [(0, "192.0.2.7", 24), (1, "fe80::1", 64)]),
    ("eth1", None, [(0, "192.0.2.8", 24)]),
]
LINES = {
    "lo": " lo         N/A                  N/A          N/A\n",
    "eth0": " eth0       52:54:00:00:00:01    ipv4         192.0.2.7/24\n",
    "more": " -          -                    ipv6         fe80::1/64\n",
    "full": " eth0       52:54:00:00:00:01    ipv6         fe80::1/64\n",
    "eth1": " eth1                            ipv4         192.0.2.8/24\n",
}


@pytest.mark.parametrize(
    ("words", "source", "lines"),
    [
        ("", 0, "lo eth0 more eth1"),
        ("--source agent --full", 1, "lo eth0 full eth1"),
        ("eth1 --source arp", 2, "eth1"),
        ("eth7", 0, ""),
    ],
)
def test_addresses(roost: Roost, daemon: Answers, words: str, source: int, lines: str) -> None:
    daemon.answers["DOMAIN_INTERFACE_ADDRESSES"] = lambda *_: (ADDRESSES,)
    assert roost("-q", "domifaddr", "web", *words.split()).out == "".join(LINES[line] for line in lines.split())
    assert sent(daemon, "DOMAIN_INTERFACE_ADDRESSES") == (source, 0)
    header = " Name       MAC address          Protocol     Address\n" + "-" * 79 + "\n"
    assert roost("domifaddr", "web").out.startswith(header)
