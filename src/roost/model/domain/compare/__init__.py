"""Guest ABI: whether a running guest would notice that its document was exchanged for another.

Tables of what the guest can see, of the machine and of each class of device.
The first difference is named in libvirt's words, with the device it belongs to.
"""

from __future__ import annotations

from roost.model.domain.compare.devices import compare_devices
from roost.model.domain.compare.machine import compare_machine
from roost.model.domain.domain import Domain


def compare_abi(old: Domain, new: Domain, *, volatile: bool = True) -> None:
    """Raises ConfigUnsupported for the first thing in `new` that the guest of `old` would see differently.

    Both must be completed: what libvirt would fill in counts. volatile: so
    does memory that the guest was asked to give back; not where the guest
    moves while that goes on.
    """
    compare_machine(old, new, volatile=volatile)
    compare_devices(old, new)


__all__ = ["compare_abi"]
