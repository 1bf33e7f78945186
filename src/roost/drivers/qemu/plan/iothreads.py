"""Which iothreads serve a virtio device."""

from __future__ import annotations

from roost.drivers.qemu.plan.pieces import Props, compact
from roost.model.domain.devices.disk import IoThreadMapping


def iothread_props(number: int | None, mapping: tuple[IoThreadMapping, ...]) -> Props:
    """Who serves a device's queues: one iothread for all, or each some of them."""
    if not mapping:
        return {"iothread": f"iothread{number}" if number else None}
    return {
        "iothread-vq-mapping": [
            compact({"iothread": f"iothread{each.id}", "vqs": [queue.id for queue in each.queues] or None})
            for each in mapping
        ]
    }


__all__ = ["iothread_props"]
