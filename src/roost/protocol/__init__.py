"""The procedures of libvirt's RPC programs, as records: our own tables of the wire's facts.

    REMOTE.by_name["DOMAIN_CREATE"]  one procedure, loading only its object family
    REMOTE.by_number[9]              all of them, as does `for procedure in REMOTE`
    procedure.args.decode(payload)   -> (Domain(name='web', uuid=b'…', id=-1),)

PROGRAMS: all programs by number. `procedure` documents the attributes of a `Procedure`; `types` and the
families hold the records that values decode to, `limits` the longest lists, `acl` conditions of
permissions, `readonly` what such a connection refuses.
Event messages are flat: (callback_id, dom, …), and the older kind the same without callback_id.
Enters: what the wire says of a procedure; nothing about how it is answered. Dry.
Family modules are imported by name on first use, and codecs made likewise: start-up pays for none.
"""

from __future__ import annotations

from roost.protocol.procedure import Procedure, Program
from roost.wire.framing import KEEPALIVE_PROGRAM, KEEPALIVE_VERSION

_CONNECT = "roost.protocol.remote.connect"
_DOMAIN = "roost.protocol.remote.domain"
_STORAGE = "roost.protocol.remote.storage"
_NODE = "roost.protocol.remote.node"
_NODEDEV = "roost.protocol.remote.nodedev"
_NETWORK = "roost.protocol.remote.network"
_INTERFACE = "roost.protocol.remote.interface"
_SECRET = "roost.protocol.remote.secret"
_NWFILTER = "roost.protocol.remote.nwfilter"
_EVENTS = "roost.protocol.remote.events"

REMOTE = Program(
    0x20008086,
    1,
    "REMOTE",
    {
        "AUTH": ("roost.protocol.remote.auth",),
        "CONNECT": (
            _CONNECT,
            _DOMAIN,
            "roost.protocol.remote.statistics",
            _EVENTS,
            _NETWORK,
            _STORAGE,
            _NODEDEV,
            _SECRET,
            _INTERFACE,
            _NWFILTER,
        ),
        "DOMAIN": (
            _DOMAIN,
            "roost.protocol.remote.devices",
            "roost.protocol.remote.statistics",
            "roost.protocol.remote.blocks",
            "roost.protocol.remote.vcpus",
            "roost.protocol.remote.memory",
            "roost.protocol.remote.jobs",
            "roost.protocol.remote.agent",
            "roost.protocol.remote.tuning",
            "roost.protocol.remote.security",
            "roost.protocol.remote.snapshot",
            "roost.protocol.remote.checkpoint",
            "roost.protocol.remote.migration",
            _EVENTS,
        ),
        "INTERFACE": (_INTERFACE,),
        "NETWORK": (_NETWORK,),
        "NODE": (_NODE, _NODEDEV),
        "NWFILTER": (_NWFILTER,),
        "SECRET": (_SECRET,),
        "STORAGE": (_STORAGE,),
    },
)
QEMU = Program(0x20008087, 1, "QEMU", {"": ("roost.protocol.qemu",)})
LXC = Program(0x00068000, 1, "LXC", {"": ("roost.protocol.lxc",)})
ADMIN = Program(0x06900690, 1, "ADMIN", {"": ("roost.protocol.admin",)})
KEEPALIVE = Program(KEEPALIVE_PROGRAM, KEEPALIVE_VERSION, "KEEPALIVE", {"": ("roost.protocol.keepalive",)})

#: Every program by its number.
PROGRAMS = {program.number: program for program in (REMOTE, QEMU, LXC, ADMIN, KEEPALIVE)}

__all__ = ["ADMIN", "KEEPALIVE", "LXC", "PROGRAMS", "QEMU", "REMOTE", "Procedure", "Program"]
