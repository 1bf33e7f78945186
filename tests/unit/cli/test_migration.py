"""What bounds the way of a domain to another host, at the command line."""

from __future__ import annotations

import pytest

from roost.protocol.types import Domain
from support.answers import Answers
from unit.cli.conftest import Roost

WEB = Domain("web", bytes(range(16)), 7)


@pytest.fixture(autouse=True)
def domain(daemon: Answers) -> None:
    daemon.answers["DOMAIN_LOOKUP_BY_NAME"] = lambda name: (WEB,)


def test_downtime(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {
        "DOMAIN_MIGRATE_SET_MAX_DOWNTIME": lambda *_: (),
        "DOMAIN_MIGRATE_GET_MAX_DOWNTIME": lambda *_: (300,),
    }
    assert roost("migrate-setmaxdowntime", "web", "300").out == "\n"
    assert roost("migrate-setmaxdowntime", "web", "0").err == "error: migrate: Invalid downtime\n"
    assert roost("migrate-getmaxdowntime", "web").out == "300\n\n"
    assert daemon.sent("DOMAIN_MIGRATE_SET_MAX_DOWNTIME") == [(WEB, 300, 0)]


def test_speed(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {
        "DOMAIN_MIGRATE_SET_MAX_SPEED": lambda *_: (),
        "DOMAIN_MIGRATE_GET_MAX_SPEED": lambda domain, flags: (5 + flags,),
    }
    assert roost("migrate-setspeed", "web", "7").out == "\n"
    assert roost("migrate-setspeed", "web", "--postcopy", "--bandwidth", "8").out == "\n"
    assert "<bandwidth> option is malformed or out of range" in roost("migrate-setspeed", "web", "-1").err
    assert roost("migrate-getspeed", "web").out == "5\n\n"
    assert roost("migrate-getspeed", "web", "--postcopy").out == "6\n\n"
    assert daemon.sent("DOMAIN_MIGRATE_SET_MAX_SPEED") == [(WEB, 7, 0), (WEB, 8, 1)]


def test_compression(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= {
        "DOMAIN_MIGRATE_SET_COMPRESSION_CACHE": lambda *_: (),
        "DOMAIN_MIGRATE_GET_COMPRESSION_CACHE": lambda *_: (65536,),
    }
    assert roost("migrate-compcache", "web").out == "Compression cache: 64.000 KiB\n\n"
    assert daemon.sent("DOMAIN_MIGRATE_SET_COMPRESSION_CACHE") == []
    assert roost("migrate-compcache", "web", "--size", "65536").code == 0
    assert daemon.sent("DOMAIN_MIGRATE_SET_COMPRESSION_CACHE") == [(WEB, 65536, 0)]


def test_post_copy(roost: Roost, daemon: Answers) -> None:
    daemon.answers["DOMAIN_MIGRATE_START_POST_COPY"] = lambda *_: ()
    assert roost("migrate-postcopy", "web").code == 0
    assert daemon.sent("DOMAIN_MIGRATE_START_POST_COPY") == [(WEB, 0)]
