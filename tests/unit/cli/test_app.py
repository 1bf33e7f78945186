"""The program's own options, its exit codes, and how it reports errors."""

from __future__ import annotations

from pathlib import Path

import pytest

import roost as package
from roost.errors import AccessDenied, NoDomain
from support.answers import Answers
from unit.cli.conftest import Roost


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-x"], "unsupported option '-x'. See --help."),
        (["--foo"], "unsupported option '--foo'. See --help."),
        (["--keepalive"], "unsupported option '--keepalive'. See --help."),
        (["--quiet=1", "pwd"], "unsupported option '-q'. See --help."),
        (["-c"], "option '-c'/'--connect' requires an argument"),
        (["--connect"], "option '-c'/'--connect' requires an argument"),
        (["-d", "x", "pwd"], "option -d takes a numeric argument"),
        (["--debug=x", "pwd"], "option --debug takes a numeric argument"),
        (["-e", "abc", "pwd"], "Invalid string 'abc' for escape sequence"),
        (["-e", "^", "pwd"], "Invalid string '^' for escape sequence"),
        (["-k", "x", "pwd"], "Invalid value for option -k"),
        (["-k", "-1", "pwd"], "option -k requires a positive integer argument"),
        (["--keepalive-count", "x", "pwd"], "Invalid value for option --keepalive-count"),
        (["-l", "/proc/nonexistent/log", "pwd"], "failed to open the log file. check the log file path"),
        (["nosuch"], "unknown command: 'nosuch'"),
        (["pwd; nosuch"], "unknown command: 'nosuch'"),
        (["pwd", ";", "pwd"], "unexpected data ';'"),
        (["cd", "/"], "cd: command valid only in interactive mode"),
        (["help", "nosuch"], "command or command group 'nosuch' doesn't exist"),
        (["completion", "csh"], "no completion for 'csh': choose one of bash, zsh, fish"),
    ],
)
def test_refusals(roost: Roost, words: list[str], message: str) -> None:
    outcome = roost(*words)
    assert outcome.code == 1
    assert outcome.err == f"error: {message}\n"


@pytest.mark.parametrize("words", [["-q", "pwd"], ["--qu", "pwd"], ["-qt", "-q", "pwd"], ["--", "pwd"], ["-d9", "pwd"]])
def test_options_before_the_command(roost: Roost, words: list[str]) -> None:
    assert roost(*words).code == 0


def test_versions(roost: Roost) -> None:
    assert roost("-v").out == roost("--version=short").out == f"{package.__version__}\n"
    assert package.__version__ in roost("-V").out
    assert roost("-V") == roost("--version=long")


def test_usage(roost: Roost) -> None:
    outcome = roost("--help")
    assert outcome.code == 0
    assert "\nroost [options]... <command> [args...]\n" in outcome.out
    assert "\n    -c | --connect=URI " in outcome.out
    assert "\n    dominfo " in outcome.out


def test_empty_words(roost: Roost) -> None:
    assert roost("") == (1, "", "")
    assert roost(" ") == (0, "", "")
    assert roost("#nothing") == (0, "", "")


def test_output_ends_with_a_line_unless_quiet(roost: Roost) -> None:
    assert roost("echo", "x").out == "x\n"
    assert roost("-q", "echo", "x").out == "x"
    assert roost("echo x; echo y").out == "x\ny\n"


def test_timing(roost: Roost) -> None:
    lines = roost("-t", "echo", "x").out.splitlines()
    assert lines[0] == "x"
    assert lines[1].startswith("(Time: ")


def test_the_last_command_decides(roost: Roost, daemon: Answers) -> None:
    assert roost("help nosuch; pwd").code == 0
    assert roost("pwd; help nosuch").code == 1
    assert roost("quit; help nosuch").code == 0


def test_a_given_uri_is_opened_whatever_the_command(roost: Roost) -> None:
    outcome = roost("-c", "nonsense", "pwd")
    assert outcome.code == 1
    assert outcome.err.startswith(
        "error: failed to connect to the hypervisor\nerror: internal error: Unable to parse URI"
    )


def test_no_connection_without_need(roost: Roost, daemon: Answers) -> None:
    assert roost("pwd").code == 0
    assert daemon.calls == []


def test_read_only(roost: Roost, daemon: Answers) -> None:
    daemon.answers["CONNECT_GET_HOSTNAME"] = lambda: ("here",)
    assert roost("-r", "hostname").out == "here\n\n"
    assert ("CONNECT_OPEN", ("", 1)) in daemon.calls


def test_environment_names_the_uri(roost: Roost, daemon: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIRSH_DEFAULT_CONNECT_URI", "test:///default")
    assert roost("uri").out == "test:///default\n\n"
    monkeypatch.setenv("ROOST_DEFAULT_URI", "qemu:///session")
    assert roost("uri").out == "qemu:///session\n\n"
    assert roost("-c", "lxc:///", "uri").out == "lxc:///\n\n"


def refuse(*_: object) -> tuple[object, ...]:
    raise AccessDenied("'domain' denies 'getattr'")


def missing(*_: object) -> tuple[object, ...]:
    raise NoDomain("nothing by that name")


def test_errors_of_the_daemon(roost: Roost, daemon: Answers) -> None:
    daemon.answers["CONNECT_GET_HOSTNAME"] = refuse
    assert roost("hostname").err == "error: failed to get hostname\nerror: access denied: 'domain' denies 'getattr'\n"


def test_a_domain_that_is_not_there(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {"DOMAIN_LOOKUP_BY_ID": missing, "DOMAIN_LOOKUP_BY_NAME": missing}
    assert roost("domstate", "5").err == "error: failed to get domain '5'\n"
    assert [name for name, _ in daemon.calls if "LOOKUP" in name] == ["DOMAIN_LOOKUP_BY_ID", "DOMAIN_LOOKUP_BY_NAME"]


def test_a_lookup_that_fails_otherwise_says_why(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {"DOMAIN_LOOKUP_BY_NAME": refuse}
    assert "access denied" in roost("domstate", "web").err


def test_the_end_of_the_daemon(roost: Roost, daemon: Answers) -> None:
    def die() -> tuple[object, ...]:
        daemon.hang_up()
        return ("",)

    daemon.answers["CONNECT_GET_HOSTNAME"] = die
    outcome = roost("hostname")
    assert outcome.code == 1
    assert "error: Disconnected from qemu:///system due to " in outcome.err
    assert "error: failed to get hostname\n" in outcome.err


def test_log_file(roost: Roost, tmp_path: Path) -> None:
    log = tmp_path / "log"
    roost("-l", str(log), "help", "nosuch")
    (line,) = log.read_text().splitlines()
    assert line.startswith("[")
    assert " roost " in line
    assert line.endswith("] ERROR command or command group 'nosuch' doesn't exist")


def test_debug_shows_how_words_were_understood(roost: Roost) -> None:
    assert roost("-d", "1", "echo", "--err", "x").out.splitlines()[:2] == [
        "echo: err(bool): (none)",
        "echo: string(optdata): x",
    ]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["a", "b c"], "a b c"),
        (["--shell", "a", "b c", "it's", "x~"], "a 'b c' 'it'\\''s' 'x~'"),
        (["--shell", ""], "''"),
        (["--xml", "<a b='\"'>&"], "&lt;a b=&apos;&quot;&apos;&gt;&amp;"),
        (["--split", "a,,b,c"], "a,b\nc\n"),
        (["--hi"], "hello"),
    ],
)
def test_echo(roost: Roost, words: list[str], text: str) -> None:
    assert roost("-q", "echo", *words).out == text
