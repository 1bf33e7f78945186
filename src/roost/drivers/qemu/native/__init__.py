"""A QEMU command line read as the domain document it describes. Dry.

`parse` understands what people write by hand and what this driver and libvirt
write. An option it does not know stays as it is, in <qemu:commandline>, so a
guest that started keeps starting. May enter: one function an option or device,
in a table; nothing about running guests.
"""

from roost.drivers.qemu.native.document import parse

__all__ = ["parse"]
