"""What a QEMU binary can do, asked of the binary itself.

`record` is the answer (dry: what `plan` and the model's facts read), `probe`
asks over QMP, `cache` keeps answers on disk by binary. `documents` keeps the
texts of <capabilities> and <domainCapabilities>, which `host_document` and
`domain_document` word; `processors` says what <cpu> can be.
"""

from roost.drivers.qemu.capabilities.cache import CapabilitiesCache as CapabilitiesCache
from roost.drivers.qemu.capabilities.documents import CapabilityDocuments as CapabilityDocuments
from roost.drivers.qemu.capabilities.processors import GuestProcessors as GuestProcessors
from roost.drivers.qemu.capabilities.record import Capabilities as Capabilities

__all__ = ["Capabilities", "CapabilitiesCache", "CapabilityDocuments", "GuestProcessors"]
