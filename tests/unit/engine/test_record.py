"""Documents of a record: read when needed, described as they are now."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from roost.constants import domain as D
from roost.engine.record import Definition, Record
from roost.errors import OperationInvalid
from roost.model import domain as model
from roost.model.domain import Domain
from support.records import UUID_A, document

PASSWORD = "<graphics type='vnc' port='-1' autoport='yes' passwd='secret'/>"


@pytest.fixture
def record() -> Record[None]:
    return Record("guest", bytes.fromhex(UUID_A.replace("-", "")))


def test_a_definition_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = Definition(document())
    first = definition.document
    monkeypatch.setattr(model, "parse", None)
    assert definition.document is first


def test_only_the_documents_used_last_are_kept() -> None:
    definitions = [Definition(document()) for _ in range(100)]
    for definition in definitions:
        assert definition.document.name == "guest"
    assert len(Definition._recent) <= 64
    assert definitions[0].document.name == "guest"


def test_derived_facts_are_worked_out_once() -> None:
    definition, calls = Definition(document()), []

    def memory(found: Domain) -> int:
        calls.append(found.name)
        return found.memory

    assert definition.derive(memory) == definition.derive(memory) == 65536
    assert calls == ["guest"]


def test_secrets_are_described_on_request_only(record: Record[None]) -> None:
    text = model.format(model.parse(document(extra=PASSWORD)), secure=True)
    record.definition = Definition(text)
    assert "secret" in record.describe(inactive=False, secure=True)
    assert "secret" not in record.describe(inactive=False, secure=False)
    record.live = model.parse(text)
    record.id = 1
    assert "secret" in record.describe(inactive=False, secure=True)
    assert "secret" not in record.describe(inactive=False, secure=False)


def test_a_replaced_live_document_is_described_anew(record: Record[None]) -> None:
    record.live = model.parse(document())
    record.id = 1
    assert ">65536<" in record.describe(inactive=False, secure=False)
    record.live = replace(record.live, memory=131072)
    assert ">131072<" in record.describe(inactive=False, secure=False)


def test_a_transient_domain_has_no_config(record: Record[None]) -> None:
    record.live = model.parse(document())
    with pytest.raises(OperationInvalid, match="transient domains do not have any persistent config"):
        _ = record.config
    assert record.describe(inactive=True, secure=False)


def test_the_reference_follows_id_and_name(record: Record[None]) -> None:
    before = record.ref
    assert record.ref is before
    record.id = 7
    assert record.ref.id == 7
    record.name = "other"
    assert record.ref.name == "other"
    record.set_state(D.RUNNING, D.RUNNING_BOOTED)
    assert record.ref is record.ref
