"""Numbers of running guests. Nothing here waits for a job; what asks QEMU has a deadline.

`answers` (dry): which questions a guest is asked, all in one write, and the shapes of
what it says. `groups` and `blocks` (dry): from answers to libvirt's parameters, a
function for each group. `sizes`: images of stopped guests. `service` does it.
"""

from __future__ import annotations

from roost.drivers.qemu.statistics.service import QemuStatistics

__all__ = ["QemuStatistics"]
