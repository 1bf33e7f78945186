"""The objects that test:///default begins with."""

from __future__ import annotations

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import node as N
from roost.contract.node import NodeInfo
from roost.engine.bus import EventBus
from roost.engine.checkpoints import CheckpointStore
from roost.engine.moments import Shelf
from roost.engine.record import Definition, Record
from roost.engine.snapshots import SnapshotStore
from roost.engine.store import MemoryStore
from roost.engine.table import DomainTable, uuid_bytes
from roost.errors import From
from roost.model import domain as model

NODE = NodeInfo("i686", 3 * 1024 * 1024, 16, 1400, 2, 2, 2, 2)

#: Bytes free in each NUMA cell, and what the host as a whole says, which differs there too.
CELLS_FREE_MEMORY = (2048 * 1024, 4096 * 1024)
FREE_MEMORY = 3072 * 1024

CPU_STATS = (
    (N.CPU_STATS_USER, 9_797_400_000),
    (N.CPU_STATS_KERNEL, 34_678_723_400_000),
    (N.CPU_STATS_IDLE, 87_264_900_000),
    (N.CPU_STATS_IOWAIT, 763_600_000),
)

#: CPUs 0, 2 and 4 of eight are online.
CPU_MAP = (b"\x15", 3, 8)

GUEST = """\
<domain type='test'>
  <name>test</name>
  <uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>
  <memory unit='KiB'>8388608</memory>
  <currentMemory unit='KiB'>2097152</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <os>
    <type arch='i686'>hvm</type>
    <boot dev='hd'/>
  </os>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <source file='/guest/diskimage1'/>
      <target dev='vda' bus='virtio'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </disk>
    <interface type='network'>
      <mac address='aa:bb:cc:dd:ee:ff'/>
      <source network='default'/>
      <target dev='testnet0'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/>
    </interface>
    <memballoon model='virtio'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>
    </memballoon>
  </devices>
</domain>
"""


class World:
    """What the connections that are open at one time share."""

    def __init__(self) -> None:
        self.table: DomainTable[None] = DomainTable(From.TEST)
        self.store = MemoryStore()
        self.bus = EventBus()
        self.snapshots = SnapshotStore(Shelf(), From.TEST)
        self.checkpoints = CheckpointStore(Shelf(), From.TEST)
        #: What was set of I/O threads, by domain and number.
        self.polling: dict[tuple[bytes, int], dict[str, int]] = {}
        self.table.removed.append(self._forget)
        document = model.parse(GUEST)
        record = self.table.add(document.name, uuid_bytes(document.uuid or ""))
        record.definition = Definition(GUEST, document)
        record.live = replace(document, id=self.table.activate(record))
        record.set_state(D.RUNNING, D.RUNNING_UNKNOWN)

    def _forget(self, record: Record[None]) -> None:
        for key in [key for key in self.polling if key[0] == record.uuid]:
            del self.polling[key]
