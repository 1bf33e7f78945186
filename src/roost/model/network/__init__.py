"""The documents of virtual networks and of the ports that guests have in them.

`parse` makes a Network of XML, `complete` adds what libvirt adds at define and
refuses what it refuses, `format` writes it back; `parse_port`, `complete_port`
and `format_port` do the same for a NetworkPort. May enter: records, and dry
rules over them.
"""

from roost.model.network.complete import complete
from roost.model.network.document import format, format_port, parse, parse_port
from roost.model.network.network import Network
from roost.model.network.port import NetworkPort, complete_port

__all__ = ["Network", "NetworkPort", "complete", "complete_port", "format", "format_port", "parse", "parse_port"]
