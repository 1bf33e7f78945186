"""The parser: splitting, options, positions, errors."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.cli.failure import CommandFailed
from roost.cli.parser import END_OF_COMMAND, Arguments, parse, parse_integer, split
from roost.cli.table import ALIAS, DATA, NUMBER, REST, TEXT, Command, Option, flag


def nothing(*_: object) -> None:
    """A handler that is never called."""


COMMANDS = {
    command.name: command
    for command in (
        Command("help", nothing, "", "", Option("command", TEXT)),
        Command("plain", nothing, "", ""),
        Command(
            "show",
            nothing,
            "",
            "",
            Option("domain", DATA, required=True),
            flag("all", ""),
            Option("count", NUMBER),
            Option("name", TEXT, empty_ok=True),
            Option("hidden", TEXT, named_only=True),
        ),
        Command(
            "say",
            nothing,
            "",
            "",
            flag("loud", ""),
            Option("word", ALIAS, target="text"),
            Option("hi", ALIAS, target="text=hello"),
            Option("text", REST, required=True),
        ),
        Command("wait", nothing, "", "", Option("timeout", NUMBER)),
    )
}


def one(*words: str) -> Arguments:
    (arguments,) = parse(iter(words), COMMANDS.get)
    return arguments


def given_to(arguments: Arguments) -> list[tuple[str, str]]:
    return [(option.name, value) for option, value in arguments.given]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["show", "web"], [("domain", "web")]),
        (["show", "--domain", "web"], [("domain", "web")]),
        (["show", "--domain=web"], [("domain", "web")]),
        (["show", "--all", "web"], [("all", ""), ("domain", "web")]),
        (["show", "web", "3", "x"], [("domain", "web"), ("count", "3"), ("name", "x")]),
        (["show", "--count", "3", "web", "x"], [("count", "3"), ("domain", "web"), ("name", "x")]),
        (["show", "web", "--hidden", "x"], [("domain", "web"), ("hidden", "x")]),
        (["show", "--name=", "web"], [("name", ""), ("domain", "web")]),
        (["show", "--name=a=b", "web"], [("name", "a=b"), ("domain", "web")]),
        (["show", "--", "--all"], [("domain", "--all")]),
        (["show", "web", "--", "--count"], [("domain", "web"), ("count", "--count")]),
        (["show", "-x"], [("domain", "-x")]),
        (["show", "---"], [("domain", "---")]),
        (["show", "--count", "--all", "web"], [("count", "--all"), ("domain", "web")]),
        (["say", "a", "--loud", "b"], [("text", "a"), ("loud", ""), ("text", "b")]),
        (["say", "--text", "a", "--text", "b"], [("text", "a"), ("text", "b")]),
        (["say", "--word", "a"], [("text", "a")]),
        (["say", "--hi", "b"], [("text", "hello"), ("text", "b")]),
        (["help", "list", "more", "--strange", "--odd=1"], [("command", "list")]),
    ],
)
def test_words_fill_options(words: list[str], expected: list[tuple[str, str]]) -> None:
    assert given_to(one(*words)) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nosuch"], "unknown command: 'nosuch'"),
        (["show"], "command 'show' requires <domain> option"),
        (["say", "--loud"], "command 'say' requires <text> option"),
        (["show", "web", "--nosuch"], "command 'show' doesn't support option --nosuch"),
        (["show", "web", "--al"], "command 'show' doesn't support option --al"),
        (["show", "web", "1", "x", "y"], "unexpected data 'y'"),
        (["plain", "x"], "unexpected data 'x'"),
        (["show", "--domain", "web", "--domain", "db"], "option --domain already seen"),
        (["show", "--all", "--all", "web"], "option --all already seen"),
        (["show", "web", "--all=1"], "invalid '=' after option --all"),
        (["say", "--hi=x"], "invalid '=' after option --hi"),
        (["show", "web", "--name"], "expected syntax: --name <string>"),
        (["show", "web", "--count"], "expected syntax: --count <number>"),
    ],
)
def test_errors(words: list[str], message: str) -> None:
    with pytest.raises(CommandFailed) as error:
        one(*words)
    assert error.value.lines == (message,)


def test_help_option_asks_for_the_page() -> None:
    arguments = one("show", "--help")
    assert arguments.command.name == "help"
    assert given_to(arguments) == [("command", "show")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a b\tc", ["a", "b", "c"]),
        ("  a  ", ["a"]),
        ("", []),
        ("a;b", ["a", END_OF_COMMAND, "b"]),
        ("a\nb", ["a", END_OF_COMMAND, "b"]),
        ("a \\\n b", ["a", "b"]),
        ("a\\\nb", ["ab"]),
        ("'a b' \"c d\"", ["a b", "c d"]),
        ("a'b'\"c\"", ["abc"]),
        ('"a\'b"', ["a'b"]),
        ("'a\"b'", ['a"b']),
        ('"a\\"b"', ['a"b']),
        ("'a\\b'", ["a\\b"]),
        ("a\\ b", ["a b"]),
        ("'a;b'", ["a;b"]),
        ("''", [""]),
        ("'open", ["open"]),
        ("a # b ; c\nd", ["a", END_OF_COMMAND, "d"]),
        ("a#b", ["a#b"]),
    ],
)
def test_splitting(line: str, words: list[str | None]) -> None:
    assert list(split(line)) == words


@pytest.mark.parametrize(("line", "message"), [('"open', 'missing "'), ("a\\", "dangling \\")])
def test_open_ends(line: str, message: str) -> None:
    with pytest.raises(CommandFailed) as error:
        list(split(line))
    assert error.value.lines == (message,)


@given(st.lists(st.text(min_size=1), max_size=5))
def test_quoted_words_come_back(words: list[str]) -> None:
    line = " ".join("'" + word.replace("'", "'\"'\"'") + "'" for word in words)
    assert list(split(line)) == words


@given(st.text())
def test_splitting_never_fails_otherwise(line: str) -> None:
    with contextlib.suppress(CommandFailed):
        assert all(word is END_OF_COMMAND or isinstance(word, str) for word in split(line))


def test_several_commands() -> None:
    commands = parse(split("plain; show web;; # nothing\nsay hi"), COMMANDS.get)
    assert [command.command.name for command in commands] == ["plain", "show", "say"]


def test_a_comment_among_words() -> None:
    assert parse(iter(["#plain", "x"]), COMMANDS.get) == []


def test_nothing_runs_when_one_is_wrong() -> None:
    with pytest.raises(CommandFailed, match="unknown command: 'bad'"):
        parse(split("plain; bad"), COMMANDS.get)


@pytest.mark.parametrize(
    ("text", "base", "number"),
    [
        ("12", 10, 12),
        ("-3", 10, -3),
        ("+4", 10, 4),
        (" 5", 10, 5),
        ("5 ", 10, None),
        ("", 10, None),
        ("-", 10, None),
        ("1_0", 10, None),
        ("٣", 10, None),
        ("0x10", 10, None),
        ("0x10", 0, 16),
        ("010", 0, 8),
        ("0", 0, 0),
        ("9x", 0, None),
    ],
)
def test_integers_are_read_as_c_reads_them(text: str, base: int, number: int | None) -> None:
    assert parse_integer(text, base) == number


def test_values() -> None:
    arguments = one("show", "web", "--count", "7", "--name=")
    assert arguments.has("domain")
    assert not arguments.has("all")
    assert arguments.text("name") == ""
    assert arguments.text("hidden") is None
    assert arguments.number("count") == 7
    assert one("show", "web").number("count") is None
    assert one("say", "a", "b").rest() == ["a", "b"]


@pytest.mark.parametrize("value", ["x", "", "2147483648", "-2147483649", "1.5"])
def test_bad_numbers(value: str) -> None:
    with pytest.raises(CommandFailed, match=f"Numeric value '{value}' for <count> option is malformed"):
        one("show", "web", f"--count={value}").number("count")


@pytest.mark.parametrize(("value", "seconds"), [("1", 1), ("2147483", 2147483)])
def test_timeouts(value: str, seconds: int) -> None:
    assert one("wait", value).timeout() == seconds


@pytest.mark.parametrize("value", ["0", "2147484", "-1", "x"])
def test_bad_timeouts(value: str) -> None:
    with pytest.raises(CommandFailed, match=f"Numeric value '{value}' for <timeout>"):
        one("wait", value).timeout()


def test_no_timeout() -> None:
    assert one("wait").timeout() == 0


def test_empty_values_are_refused() -> None:
    with pytest.raises(CommandFailed, match="Failed to get option 'domain': Option argument is empty"):
        one("show", "").required("domain")


def test_exclusive_options() -> None:
    with pytest.raises(CommandFailed, match="Options --all and --name are mutually exclusive"):
        one("show", "web", "--all", "--name", "x").exclude(("count", "name"), ("all", "name"))
    one("show", "web", "--all").exclude(("all", "name"))
