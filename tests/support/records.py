"""Small documents and an engine of its own for unit tests."""

from __future__ import annotations

from roost.constants import domain as D
from roost.engine.bus import EventBus
from roost.engine.record import Record
from roost.engine.registry import RegistryDomains
from roost.engine.store import DefinitionStore, MemoryStore
from roost.engine.table import DomainTable
from roost.errors import From
from roost.model.domain import Domain

UUID_A = "11111111-2222-4333-8444-555555555555"
UUID_B = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


def document(name: str = "guest", uuid: str = UUID_A, memory: int = 65536, extra: str = "") -> str:
    """The text of a small, complete domain."""
    return f"""\
<domain type='test'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='KiB'>{memory}</memory>
  <currentMemory unit='KiB'>{memory}</currentMemory>
  <vcpu placement='static'>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
  </os>
  <devices>{extra}
  </devices>
</domain>
"""


class Registry(RegistryDomains[str]):
    """A registry whose driver only notes that it was asked to start something."""

    prefix = "unit"
    fails: Exception | None = None

    def __init__(self, store: DefinitionStore | None = None) -> None:
        super().__init__(DomainTable(From.TEST), store or MemoryStore(), EventBus())

    async def prepare(self, document: Domain) -> Domain:
        return document

    async def launch(self, record: Record[str], document: Domain, flags: int) -> None:
        if self.fails:
            raise self.fails
        self.table.activate(record)
        record.live = document
        record.set_state(D.RUNNING, D.RUNNING_BOOTED)
