"""Memory devices of running guests."""

from __future__ import annotations

from typing import Any

from roost.drivers.qemu.memory import with_memory_devices
from roost.drivers.qemu.qmp import QmpCommandError
from roost.model.domain import Domain, parse
from roost.model.domain.device import DimmAddress

DEVICES = (
    "<memory model='dimm'><target><size>1024</size></target><alias name='dimm0'/>"
    "<address type='dimm' slot='0'/></memory>"
    "<memory model='virtio-mem'><target><size>4096</size><block>2048</block></target><alias name='virtiomem0'/>"
    "</memory>"
    "<memory model='virtio-pmem'><target><size>4096</size></target><alias name='virtiopmem0'/></memory>"
    "<memory model='sgx-epc'><target><size>4096</size></target><alias name='epc0'/></memory>"
)


def live() -> Domain:
    return parse(
        f"<domain type='qemu'><name>x</name><os><type>hvm</type></os><devices>{DEVICES}</devices></domain>", live=True
    )


def test_where_memory_is_and_how_much_is_used() -> None:
    answer: list[dict[str, Any]] = [
        {"type": "dimm", "data": {"id": "dimm0", "slot": 0, "addr": 1 << 32, "size": 1 << 20}},
        {"type": "virtio-mem", "data": {"id": "virtiomem0", "memaddr": 5 << 30, "size": 2 << 20}},
        {"type": "virtio-pmem", "data": {"id": "virtiopmem0", "memaddr": 6 << 30, "size": 4 << 20}},
        {"type": "sgx-epc", "data": {"memaddr": 7 << 30, "size": 4 << 20}},
    ]
    dimm, grown, lasting, enclave = with_memory_devices(live(), answer).devices.memories
    assert dimm.address == DimmAddress(slot=0, base=1 << 32)
    assert (getattr(grown, "base", 0), getattr(grown, "current", 0)) == (5 << 30, 2048)
    assert getattr(lasting, "base", 0) == 6 << 30
    assert enclave == live().devices.memories[3]


def test_a_qemu_that_does_not_tell() -> None:
    assert with_memory_devices(live(), QmpCommandError("query-memory-devices", "GenericError", "no")) == live()
    memories = with_memory_devices(live(), []).devices.memories
    assert getattr(memories[1], "current", None) == 0
