"""docs/compatibility.md is what its tables give, and nothing in them is empty or points nowhere."""

from __future__ import annotations

from roost.rpc import handlers
from roost.rpc.subscriptions import KINDS
from support import commands, compatibility, heard, procedures

SERVED = {heard.name_in(program.number, row.name) for program, rows in handlers.MAIN.items() for row in rows}
SENT = {name for kind in KINDS.values() for name in (kind.callback, kind.legacy) if name} | {
    "QEMU_DOMAIN_MONITOR_EVENT"
}

#: Served for other drivers, or only to say what to do instead.
NOT_FOR_GUESTS = {
    "DOMAIN_CREATE_WITH_FILES",
    "DOMAIN_CREATE_XML_WITH_FILES",
    "DOMAIN_SEND_PROCESS_SIGNAL",
    "QEMU_DOMAIN_ATTACH",
}


def test_every_procedure_has_a_line() -> None:
    assert list(procedures.table()) == [procedures.key(each) for each in procedures.of_domains()]


def test_a_procedure_is_tested_or_has_a_reason() -> None:
    for line in procedures.table().values():
        if line.tested:
            assert procedures.exists(line.where), line
        else:
            assert line.where.startswith(("yes: ", "no: ")), f"{line.procedure} needs a test or a reason"
            assert len(line.reason) > 10, line


def test_what_is_said_to_be_there_is_served() -> None:
    said = {line.procedure for line in procedures.table().values() if line.there}
    assert said <= SERVED | SENT
    assert {name for name in SERVED | SENT if name in procedures.table()} - said <= NOT_FOR_GUESTS


def test_every_command_is_compared_or_has_a_reason() -> None:
    for line in commands.table().values():
        assert procedures.exists(line.where) if line.where else len(line.reason) > 10, line


def test_the_page_is_current() -> None:
    assert compatibility.PAGE.read_text() == compatibility.page(), "run ./dev reference"
