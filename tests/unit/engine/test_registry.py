"""Define, redefine, create, undefine: libvirt's rules for names, UUIDs and persistence."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract.events import DomainEvent
from roost.contract.references import DomainRef
from roost.engine.registry import load_definitions
from roost.engine.store import MemoryStore, Store
from roost.errors import InvalidArg, NoDomain, OperationFailed, OperationInvalid, RoostError, SystemCallError, XmlError
from support.records import UUID_A, UUID_B, Registry, document

Scenario = Callable[[Registry], Awaitable[None]]


def run(scenario: Scenario) -> None:
    async def main() -> None:
        await scenario(Registry())

    asyncio.run(main())


def test_a_definition_is_found_by_name_and_uuid_and_described() -> None:
    async def scenario(domains: Registry) -> None:
        ref = await domains.define(document(), 0)
        assert ref == DomainRef("guest", bytes.fromhex(UUID_A.replace("-", "")), -1)
        assert domains.lookup_by_name("guest") == domains.lookup_by_uuid(ref.uuid) == ref
        assert domains.list_all(0) == [ref]
        assert UUID_A in domains.describe(ref, 0)
        assert domains.is_persistent(ref)
        assert not domains.is_active(ref)

    run(scenario)


@pytest.mark.parametrize(
    ("name", "uuid", "message"),
    [
        ("guest", UUID_B, f"domain 'guest' already exists with uuid {UUID_A}"),
        ("other", UUID_A, f"domain 'guest' is already defined with uuid {UUID_A}"),
    ],
)
def test_a_name_and_a_uuid_belong_to_one_domain(name: str, uuid: str, message: str) -> None:
    async def scenario(domains: Registry) -> None:
        await domains.define(document(), 0)
        with pytest.raises(OperationFailed, match=message):
            await domains.define(document(name, uuid), 0)
        assert [ref.name for ref in domains.list_all(0)] == ["guest"]

    run(scenario)


def test_redefining_replaces_the_definition_and_says_updated() -> None:
    async def scenario(domains: Registry) -> None:
        seen: list[DomainEvent] = []
        domains.bus.subscribe(DomainEvent, seen.append)
        await domains.define(document(), 0)
        ref = await domains.define(document(memory=131072), 0)
        assert "131072" in domains.describe(ref, 0)
        assert [event.args for event in seen] == [(E.DEFINED, E.DEFINED_ADDED), (E.DEFINED, E.DEFINED_UPDATED)]

    run(scenario)


def test_a_running_domain_keeps_its_live_document_when_redefined() -> None:
    async def scenario(domains: Registry) -> None:
        ref = await domains.create_xml(document(), 0)
        assert not domains.is_persistent(ref)
        await domains.define(document(memory=131072), 0)
        assert domains.is_persistent(ref)
        assert "65536" in domains.describe(ref, 0)
        assert "131072" in domains.describe(ref, D.XML_INACTIVE)

    run(scenario)


def test_a_running_domain_cannot_be_created_again() -> None:
    async def scenario(domains: Registry) -> None:
        await domains.create_xml(document(), 0)
        with pytest.raises(OperationInvalid, match="domain 'guest' is already active"):
            await domains.create_xml(document(), 0)

    run(scenario)


def test_a_transient_domain_that_fails_to_start_leaves_no_trace() -> None:
    async def scenario(domains: Registry) -> None:
        domains.fails = OperationFailed("no")
        with pytest.raises(OperationFailed):
            await domains.create_xml(document(), 0)
        assert domains.list_all(0) == []
        domains.fails = None
        await domains.create_xml(document("other"), 0)

    run(scenario)


def test_undefining_a_stopped_domain_forgets_it() -> None:
    async def scenario(domains: Registry) -> None:
        ref = await domains.define(document(), 0)
        await domains.undefine(ref, 0)
        for call in (domains.describe, lambda ref, flags: domains.lookup_by_name("guest")):
            with pytest.raises(NoDomain):
                call(ref, 0)

    run(scenario)


def test_undefining_a_running_domain_makes_it_transient() -> None:
    async def scenario(domains: Registry) -> None:
        await domains.define(document(), 0)
        record = domains.table.by_name("guest")
        await domains.launch(record, record.config, 0)
        await domains.undefine(record.ref, 0)
        assert domains.is_active(record.ref)
        assert not domains.is_persistent(record.ref)
        with pytest.raises(OperationInvalid, match="cannot undefine transient domain"):
            await domains.undefine(record.ref, 0)
        domains.table.deactivate(record)
        assert domains.list_all(0) == []

    run(scenario)


def test_autostart_is_for_persistent_domains() -> None:
    async def scenario(domains: Registry) -> None:
        ref = await domains.define(document(), 0)
        await domains.set_autostart(ref, True)
        assert domains.autostart(ref)
        transient = await domains.create_xml(document("other", UUID_B), 0)
        with pytest.raises(OperationInvalid, match="cannot set autostart for transient domain"):
            await domains.set_autostart(transient, True)

    run(scenario)


def test_once_is_apart_from_always() -> None:
    async def scenario(domains: Registry) -> None:
        ref = await domains.define(document(), 0)
        await domains.set_autostart_once(ref, True)
        assert (domains.autostart(ref), domains.autostart_once(ref)) == (False, True)
        await domains.set_autostart_once(ref, False)
        assert not domains.autostart_once(ref)
        transient = await domains.create_xml(document("other", UUID_B), 0)
        with pytest.raises(OperationInvalid, match="cannot set autostart for transient domain"):
            await domains.set_autostart_once(transient, True)

    run(scenario)


def test_rename() -> None:
    async def scenario(domains: Registry) -> None:
        told: list[tuple[Any, ...]] = []
        ref = await domains.define(document(), 0)
        domains.bus.subscribe(DomainEvent, lambda event: told.append((event.domain.name, *event.args)))
        await domains.rename(ref, "new name", 0)
        assert [each.name for each in domains.list_all(0)] == ["new name"]
        assert domains.lookup_by_name("new name").uuid == ref.uuid
        assert "<name>new name</name>" in domains.describe(ref, 0)
        assert told == [
            ("guest", E.UNDEFINED, E.UNDEFINED_RENAMED),
            ("new name", E.DEFINED, E.DEFINED_RENAMED),
        ]

    run(scenario)


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("guest", OperationInvalid, "Can't rename domain to itself"),
        ("other", OperationInvalid, "domain with name 'other' already exists"),
        ("", InvalidArg, "string new_name in virDomainRename must not be empty"),
        (None, InvalidArg, "new_name in virDomainRename must not be NULL"),
        ("a/b", XmlError, "name a/b cannot contain '/'"),
    ],
)
def test_names_that_cannot_be_given(name: str | None, error: type[Exception], words: str) -> None:
    async def scenario(domains: Registry) -> None:
        ref = await domains.define(document(), 0)
        await domains.create_xml(document("other", UUID_B), 0)
        with pytest.raises(error, match=words):
            await domains.rename(ref, name, 0)
        assert domains.lookup_by_name("guest").uuid == ref.uuid

    run(scenario)


def test_what_cannot_be_renamed() -> None:
    async def scenario(domains: Registry) -> None:
        running = await domains.create_xml(document("other", UUID_B), 0)
        with pytest.raises(OperationInvalid, match="cannot rename active domain"):
            await domains.rename(running, "x", 0)
        ref = await domains.define(document(), 0)
        domains.table.by_name("guest").managed_save = True
        with pytest.raises(OperationInvalid, match="managed saved state can't be renamed"):
            await domains.rename(ref, "x", 0)

    run(scenario)


def test_a_new_name_is_on_disk_with_its_autostart(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store(tmp_path / "etc", tmp_path / "run", "boot")
        first = Registry(store)
        ref = await first.define(document(), 0)
        await first.set_autostart(ref, True)
        await first.set_autostart_once(ref, True)
        await first.rename(ref, "new", 0)
        # Beside the file that is kept for the next definition.
        shown = [path.name for path in (tmp_path / "etc").iterdir() if not path.name.startswith(".")]
        assert sorted(shown) == ["autostart", "new.xml"]
        second = Registry(store)
        load_definitions(second.table, store)
        assert [each.name for each in second.list_all(0)] == ["new"]
        assert second.autostart(ref)
        assert second.autostart_once(ref)

    asyncio.run(main())


def test_unknown_flags_are_named_with_the_function_that_refuses_them() -> None:
    async def scenario(domains: Registry) -> None:
        with pytest.raises(InvalidArg, match=r"unsupported flags \(0x80000000\) in function unitConnectListAllDomains"):
            domains.list_all(0x80000000)

    run(scenario)


def test_a_definition_that_cannot_be_written_changes_nothing() -> None:
    class FullDisk(MemoryStore):
        async def save_definition(self, name: str, text: str) -> None:
            raise SystemCallError("cannot write file", int1=errno.ENOSPC)

    async def main() -> None:
        domains = Registry(FullDisk())
        with pytest.raises(SystemCallError):
            await domains.define(document(), 0)
        assert domains.list_all(0) == []

    asyncio.run(main())


def test_two_clients_defining_one_name_at_once_leave_one_domain() -> None:
    class Slow(MemoryStore):
        async def save_definition(self, name: str, text: str) -> None:
            await asyncio.sleep(0.001)

    async def main() -> None:
        domains = Registry(Slow())
        results = await asyncio.gather(
            *(domains.define(document(uuid=uuid), 0) for uuid in (UUID_A, UUID_B)), return_exceptions=True
        )
        assert sorted(isinstance(result, RoostError) for result in results) == [False, True]
        assert len(domains.list_all(0)) == 1

    asyncio.run(main())


def test_a_transient_domain_that_ends_while_it_is_being_defined_is_defined() -> None:
    async def main() -> None:
        domains = Registry()
        await domains.create_xml(document(), 0)
        record = domains.table.by_name("guest")

        class EndsNow(MemoryStore):
            async def save_definition(self, name: str, text: str) -> None:
                domains.table.deactivate(record)

        domains.store = EndsNow()
        ref = await domains.define(document(), 0)
        assert domains.lookup_by_name("guest") == ref
        assert domains.is_persistent(ref)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (0, ["running", "stopped", "transient"]),
        (D.LIST_DOMAINS_ACTIVE, ["running", "transient"]),
        (D.LIST_DOMAINS_INACTIVE, ["stopped"]),
        (D.LIST_DOMAINS_ACTIVE | D.LIST_DOMAINS_INACTIVE, ["running", "stopped", "transient"]),
        (D.LIST_DOMAINS_PERSISTENT, ["running", "stopped"]),
        (D.LIST_DOMAINS_TRANSIENT, ["transient"]),
        (D.LIST_DOMAINS_RUNNING | D.LIST_DOMAINS_PERSISTENT, ["running"]),
        (D.LIST_DOMAINS_SHUTOFF, ["stopped"]),
        (D.LIST_DOMAINS_PAUSED | D.LIST_DOMAINS_OTHER, []),
        (D.LIST_DOMAINS_AUTOSTART, ["stopped"]),
        (D.LIST_DOMAINS_NO_AUTOSTART | D.LIST_DOMAINS_ACTIVE, ["running", "transient"]),
        (D.LIST_DOMAINS_HAS_SNAPSHOT, []),
        (D.LIST_DOMAINS_NO_SNAPSHOT | D.LIST_DOMAINS_NO_MANAGEDSAVE, ["running", "stopped", "transient"]),
    ],
)
def test_list_filters(flags: int, names: list[str]) -> None:
    async def scenario(domains: Registry) -> None:
        await domains.define(document("running", UUID_A), 0)
        running = domains.table.by_name("running")
        await domains.launch(running, running.config, 0)
        stopped = await domains.define(document("stopped", UUID_B), 0)
        await domains.set_autostart(stopped, True)
        await domains.create_xml(document("transient", UUID_A.replace("1", "2")), 0)
        assert [ref.name for ref in domains.list_all(flags)] == names

    run(scenario)


def test_definitions_on_disk_fill_the_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        store = Store(tmp_path / "etc", tmp_path / "run", "boot")
        first = Registry(store)
        ref = await first.define(document(), 0)
        await first.set_autostart(ref, True)
        await store.save_definition("twin", document("twin", UUID_A))
        second = Registry(store)
        load_definitions(second.table, store)
        assert second.list_all(0) == [ref]
        assert second.autostart(ref)
        assert second.describe(ref, 0) == first.describe(ref, 0)
        assert "ignoring the definition of 'twin'" in caplog.text

    asyncio.run(main())
