"""The documents of the host's own interfaces.

`parse` makes a HostInterface of XML, `complete` refuses what libvirt refuses
and forgets what it forgets, `format` writes it back. May enter: records, and
dry rules over them.
"""

from roost.model.interface.document import complete, format, parse
from roost.model.interface.interface import HostInterface

__all__ = ["HostInterface", "complete", "format", "parse"]
