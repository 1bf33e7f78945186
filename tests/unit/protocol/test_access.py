"""Permissions with conditions, and what a read-only connection refuses."""

from __future__ import annotations

import pytest

from roost.protocol import PROGRAMS, QEMU, REMOTE
from roost.protocol.acl import CONDITIONS, needed
from roost.protocol.readonly import refused

DOMAIN = ("vm", bytes(16), 1)
CHANGE = [("domain", "write")]
SAVE = [("domain", "save")]
READ = [("domain", "read")]


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("DOMAIN_CREATE", (DOMAIN,), [("domain", "start")]),
        ("CONNECT_CLOSE", (), []),
        # Changing the definition needs `save`; flags without a choice mean both.
        ("DOMAIN_ATTACH_DEVICE_FLAGS", (DOMAIN, "<disk/>", 0), CHANGE + SAVE),
        ("DOMAIN_ATTACH_DEVICE_FLAGS", (DOMAIN, "<disk/>", 1), CHANGE),
        ("DOMAIN_ATTACH_DEVICE_FLAGS", (DOMAIN, "<disk/>", 2), CHANGE + SAVE),
        ("DOMAIN_ATTACH_DEVICE_FLAGS", (DOMAIN, "<disk/>", 3), CHANGE + SAVE),
        ("DOMAIN_GET_XML_DESC", (DOMAIN, 0), READ),
        ("DOMAIN_GET_XML_DESC", (DOMAIN, 1), [*READ, ("domain", "read_secure")]),
        ("DOMAIN_GET_XML_DESC", (DOMAIN, 8), [*READ, ("domain", "read_secure")]),
        ("DOMAIN_INTERFACE_ADDRESSES", (DOMAIN, 0, 1), READ),
        ("DOMAIN_INTERFACE_ADDRESSES", (DOMAIN, 1, 0), READ + CHANGE),
        ("DOMAIN_INTERFACE_ADDRESSES", (DOMAIN, 2, 0), READ),
    ],
)
def test_what_a_call_needs(name: str, args: tuple[object, ...], expected: list[tuple[str, str]]) -> None:
    assert needed(REMOTE.by_name[name], args) == expected


def test_every_condition_can_be_decided() -> None:
    for program in PROGRAMS.values():
        for procedure in program:
            fields = procedure.args.fields if procedure.args else ()
            for source in range(4):
                args = [source if name in ("flags", "source") else None for name, _ in fields]
                for kind, permission in needed(procedure, args):
                    assert kind.isidentifier()
                    assert permission.isidentifier()


def test_every_named_value_is_used() -> None:
    text = " ".join([entry for program in PROGRAMS.values() for procedure in program for entry in procedure.acl])
    assert [name for name in CONDITIONS if name not in text] == []


def test_a_condition_on_a_missing_argument_is_a_mistake_in_the_table() -> None:
    with pytest.raises(LookupError, match="DOMAIN_GET_XML_DESC has no number called flags"):
        needed(REMOTE.by_name["DOMAIN_GET_XML_DESC"], (DOMAIN, None))


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("DOMAIN_LOOKUP_BY_NAME", ("vm",), False),
        ("CONNECT_LIST_ALL_DOMAINS", (1, 0), False),
        ("DOMAIN_DESTROY", (DOMAIN,), True),
        ("SECRET_GET_VALUE", ((bytes(16), 0, ""), 0), True),
        ("DOMAIN_GET_XML_DESC", (DOMAIN, 0), False),
        ("DOMAIN_GET_XML_DESC", (DOMAIN, 1), True),
        ("DOMAIN_GET_VCPUS_FLAGS", (DOMAIN, 1), False),
        ("DOMAIN_GET_VCPUS_FLAGS", (DOMAIN, 8), True),
        ("DOMAIN_INTERFACE_ADDRESSES", (DOMAIN, 0, 0), False),
        ("DOMAIN_INTERFACE_ADDRESSES", (DOMAIN, 1, 0), True),
        # Where permissions and libvirt's read-only check disagree, the check is what clients see.
        ("NODE_DEVICE_GET_AUTOSTART", ("dev",), True),
        ("NODE_GET_SEV_INFO", (0, 0), True),
        ("DOMAIN_SET_SCHEDULER_PARAMETERS", (DOMAIN, []), True),
        ("DOMAIN_GET_LAUNCH_SECURITY_INFO", (DOMAIN, 0), True),
        ("CONNECT_SET_IDENTITY", ([], 0), False),
        ("DOMAIN_MIGRATE_GET_MAX_DOWNTIME", (DOMAIN, 0), False),
        ("DOMAIN_MIGRATE_GET_COMPRESSION_CACHE", (DOMAIN, 0), False),
    ],
)
def test_what_a_read_only_connection_refuses(name: str, args: tuple[object, ...], expected: bool) -> None:
    assert refused(REMOTE.by_name[name], args) is expected


def test_other_programs_follow_the_same_rule() -> None:
    assert refused(QEMU.by_name["DOMAIN_MONITOR_COMMAND"], (DOMAIN, "info", 0))


def test_no_event_is_a_write() -> None:
    assert [procedure.name for procedure in REMOTE if procedure.is_event and procedure.writes] == []
