"""The documents of the host's devices.

`parse` makes a NodeDevice of XML, `complete` refuses what libvirt refuses and
brings the parts into its order, `format` writes it back. May enter: a record
for each capability, and dry rules over them.
"""

from roost.model.nodedev.device import NodeDevice
from roost.model.nodedev.document import complete, format, parse

__all__ = ["NodeDevice", "complete", "format", "parse"]
