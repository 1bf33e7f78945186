"""What is on disk is found again, and what is damaged is left for a person to see."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import msgspec
import pytest

from roost.engine.store import STATUS_VERSION, Status, Store
from support.records import UUID_A, UUID_B, document


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "etc", tmp_path / "run", "boot-1")


def status(name: str = "guest", **changes: object) -> Status:
    return msgspec.structs.replace(
        Status(STATUS_VERSION, "boot-1", name, UUID_A, 1, 1, 1, document(name), msgspec.Raw(b'{"pid":1}')), **changes
    )


def test_definitions_and_autostart_are_found_again(store: Store) -> None:
    async def write() -> None:
        await store.save_definition("guest", document())
        await store.save_definition("other--x", document("other--x", UUID_B))
        await store.set_autostart("guest", True)

    asyncio.run(write())
    found = list(store.load_definitions())
    assert [(loaded.ref.name, loaded.text, loaded.autostart) for loaded in found] == [
        ("guest", document(), True),
        ("other--x", document("other--x", UUID_B), False),
    ]
    assert found[0].ref.uuid == bytes.fromhex(UUID_A.replace("-", ""))
    assert os.readlink(store.autostart / "guest.xml") == str(store.config / "guest.xml")
    assert (store.config / "guest.xml").stat().st_mode & 0o777 == 0o600
    assert "virsh edit other- -x" in (store.config / "other--x.xml").read_text()


def test_removing_takes_the_autostart_link_along(store: Store) -> None:
    async def change() -> None:
        await store.save_definition("guest", document())
        await store.set_autostart("guest", True)
        await store.remove_definition("guest")
        await store.remove_definition("guest")

    asyncio.run(change())
    assert list(store.load_definitions()) == []
    assert list(store.autostart.iterdir()) == []


def test_autostart_can_be_switched_off(store: Store) -> None:
    async def change() -> None:
        await store.save_definition("guest", document())
        for autostart in (True, True, False, False):
            await store.set_autostart("guest", autostart)

    asyncio.run(change())
    assert [loaded.autostart for loaded in store.load_definitions()] == [False]


def test_a_file_written_by_hand_is_parsed(store: Store) -> None:
    (store.config / "guest.xml").write_text(document().replace("\n", "\n\n").replace("  <name>", "<name>"))
    assert [loaded.ref.name for loaded in store.load_definitions()] == ["guest"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (document()[:200], "half a document"),
        ("", "empty"),
        (document("another"), "whose file is another.xml"),
        (document().replace(f"  <uuid>{UUID_A}</uuid>\n", ""), "no <uuid>"),
    ],
)
def test_a_damaged_definition_is_logged_left_alone_and_hides_no_other(
    store: Store, caplog: pytest.LogCaptureFixture, content: str, why: str
) -> None:
    asyncio.run(store.save_definition("whole", document("whole", UUID_B)))
    (store.config / "guest.xml").write_text(content)
    with caplog.at_level(logging.ERROR):
        assert [loaded.ref.name for loaded in store.load_definitions()] == ["whole"], why
    assert "guest.xml" in caplog.text
    assert (store.config / "guest.xml").read_text() == content


def test_status_round_trip_in_order_of_ids(store: Store) -> None:
    first, second = status(id=1), status("second", id=2)
    store.save_status(second)
    store.save_status(first)
    assert list(store.load_statuses()) == [first, second]
    store.remove_status("guest")
    store.remove_status("guest")
    assert list(store.load_statuses()) == [second]


def test_status_of_another_boot_is_deleted(store: Store) -> None:
    store.save_status(status(boot_id="boot-0"))
    assert list(store.load_statuses()) == []
    assert list(store.status.iterdir()) == []


@pytest.mark.parametrize("content", [b"{", b"\xff", b"{}", msgspec.json.encode(status(version=STATUS_VERSION + 1))])
def test_status_that_cannot_be_understood_is_left_alone(
    store: Store, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (store.status / "guest.json").write_bytes(content)
    with caplog.at_level(logging.ERROR):
        assert list(store.load_statuses()) == []
    assert "guest.json" in caplog.text
    assert (store.status / "guest.json").read_bytes() == content
