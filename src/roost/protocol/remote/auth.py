"""Authentication: the only calls a client may make before it has passed."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.procedure import Procedure
from roost.protocol.types import STRING
from roost.wire.types import INT, Array, Chars

PROCEDURES = (
    Procedure(66, "AUTH_LIST", ret=(("types", Array(INT, limits.AUTH_TYPE_LIST)),), high_priority=True),
    Procedure(67, "AUTH_SASL_INIT", ret=(("mechlist", STRING),), high_priority=True),
    Procedure(
        68,
        "AUTH_SASL_START",
        args=(("mech", STRING), ("nil", INT), ("data", Chars(limits.AUTH_SASL_DATA))),
        ret=(("complete", INT), ("nil", INT), ("data", Chars(limits.AUTH_SASL_DATA))),
        high_priority=True,
    ),
    Procedure(
        69,
        "AUTH_SASL_STEP",
        args=(("nil", INT), ("data", Chars(limits.AUTH_SASL_DATA))),
        ret=(("complete", INT), ("nil", INT), ("data", Chars(limits.AUTH_SASL_DATA))),
        high_priority=True,
    ),
    Procedure(70, "AUTH_POLKIT", ret=(("complete", INT),), high_priority=True),
)
