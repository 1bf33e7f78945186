"""What a QEMU binary can do, asked of the binary itself.

`record` is the answer (dry: what `plan` and the model's facts read), `probe`
asks over QMP, `cache` keeps answers on disk by binary. `documents` words them
as libvirt's <capabilities> and <domainCapabilities>.
"""

from roost.drivers.qemu.capabilities.cache import CapabilitiesCache as CapabilitiesCache
from roost.drivers.qemu.capabilities.record import Capabilities as Capabilities

__all__ = ["Capabilities", "CapabilitiesCache"]
