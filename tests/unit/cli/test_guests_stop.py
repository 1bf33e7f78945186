"""Stopping all guests: order, number at a time, and what is told of those that stay."""

from __future__ import annotations

from typing import Any

import pytest

from roost.errors import OperationInvalid
from roost.protocol.types import Domain
from support.answers import Answers
from unit.cli.conftest import Roost

OLD = Domain("old", bytes(15) + b"\1", 1)
NEW = Domain("new", bytes(15) + b"\2", 2)


@pytest.fixture(autouse=True)
def domains(daemon: Answers) -> None:
    daemon.answers |= {
        "CONNECT_LIST_ALL_DOMAINS": lambda need, flags: ([OLD, NEW], 2),
        "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY": lambda event, domain: (9,),
        "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY": lambda callback: (),
        "DOMAIN_IS_PERSISTENT": lambda domain: (int(domain.name == "new"),),
        "DOMAIN_SET_AUTOSTART_ONCE": lambda domain, autostart: (),
    }


def refused(*_: object) -> tuple[object, ...]:
    raise OperationInvalid("it does not want to")


def sent(daemon: Answers, *names: str) -> list[tuple[str, str]]:
    return [(procedure, arguments[0].name) for procedure, arguments in daemon.calls if procedure in names]


def test_those_that_refuse_are_told(daemon: Answers, roost: Roost) -> None:
    daemon.answers["DOMAIN_SHUTDOWN_FLAGS"] = refused
    outcome: Any = roost("guests-stop")
    assert outcome.code == 1
    assert "Domain 'new' still runs: " in outcome.err
    assert "it does not want to" in outcome.err
    assert sent(daemon, "DOMAIN_SHUTDOWN_FLAGS") == [("DOMAIN_SHUTDOWN_FLAGS", "new"), ("DOMAIN_SHUTDOWN_FLAGS", "old")]


def test_memory_is_saved_of_those_that_have_a_definition(daemon: Answers, roost: Roost) -> None:
    daemon.answers |= {"DOMAIN_SHUTDOWN_FLAGS": refused, "DOMAIN_MANAGED_SAVE": refused}
    assert roost("guests-stop", "--save", "--again").code == 1
    assert sent(daemon, "DOMAIN_MANAGED_SAVE", "DOMAIN_SHUTDOWN_FLAGS", "DOMAIN_SET_AUTOSTART_ONCE") == [
        ("DOMAIN_SET_AUTOSTART_ONCE", "new"),
        ("DOMAIN_MANAGED_SAVE", "new"),
        ("DOMAIN_SHUTDOWN_FLAGS", "old"),
    ]


def test_those_that_take_too_long_are_told(daemon: Answers, roost: Roost) -> None:
    daemon.answers["DOMAIN_SHUTDOWN_FLAGS"] = lambda domain, flags: ()
    outcome: Any = roost("guests-stop", "--timeout", "1", "--parallel", "1")
    assert outcome.code == 1
    assert "Domain 'old' still runs: not stopped within 1 s" in outcome.err
    assert sent(daemon, "DOMAIN_SHUTDOWN_FLAGS") == [("DOMAIN_SHUTDOWN_FLAGS", "new")]
