"""Who may call what: the rules that hold before a driver is asked.

Which procedures a read-only connection refuses altogether stands in the
protocol's records (`Procedure.writes`); the guards here refuse the others by
their arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from roost.contract.identity import Identity
from roost.errors import From
from roost.rpc.routes import Values

AUTH_NONE, AUTH_SASL, AUTH_POLKIT = 0, 1, 2


def prevented(api: str) -> str:
    """The reason a read-only connection hears when it calls `api`."""
    return f"read only access prevents {api}"


def secure_flag(api: str, flag: int, index: int) -> Callable[[Values], str | None]:
    """A guard that refuses the flag for secrets in a document. index: which argument holds the flags."""

    def guard(values: Values) -> str | None:
        return f"{api} with secure flag" if values[index] & flag else None

    return guard


def writing_when(api: str, index: int, condition: Callable[[int], bool]) -> Callable[[Values], str | None]:
    """A guard for a call that asks more than reading only with some values of one argument."""

    def guard(values: Values) -> str | None:
        return prevented(api) if condition(values[index]) else None

    return guard


class Family(NamedTuple):
    """What the public API of an object family says in errors."""

    error_domain: int
    not_open: str


_HYPERVISOR = "hypervisor connection not open"
_SECONDARY = "connection not open"

#: Beginning of an API name to its family; the first match counts.
_FAMILIES = (
    ("virDomainSnapshot", Family(From.DOMAIN_SNAPSHOT, _HYPERVISOR)),
    ("virDomainRevertToSnapshot", Family(From.DOMAIN_SNAPSHOT, _HYPERVISOR)),
    ("virDomainHasCurrentSnapshot", Family(From.DOMAIN_SNAPSHOT, _HYPERVISOR)),
    ("virDomainListAllSnapshots", Family(From.DOMAIN_SNAPSHOT, _HYPERVISOR)),
    ("virDomainCheckpoint", Family(From.DOMAIN_CHECKPOINT, _HYPERVISOR)),
    ("virDomainListAllCheckpoints", Family(From.DOMAIN_CHECKPOINT, _HYPERVISOR)),
    ("virDomainQemu", Family(From.NONE, _HYPERVISOR)),
    ("virConnectDomainQemu", Family(From.NONE, _HYPERVISOR)),
    ("virDomainLxc", Family(From.NONE, _HYPERVISOR)),
    ("virNetwork", Family(From.NETWORK, _SECONDARY)),
    ("virInterface", Family(From.INTERFACE, _SECONDARY)),
    ("virStorage", Family(From.STORAGE, _SECONDARY)),
    ("virNodeDevice", Family(From.NODEDEV, _SECONDARY)),
    ("virNodeNumOfDevices", Family(From.NODEDEV, _SECONDARY)),
    ("virNodeListDevices", Family(From.NODEDEV, _SECONDARY)),
    ("virNWFilter", Family(From.NWFILTER, _SECONDARY)),
    ("virSecret", Family(From.SECRET, _SECONDARY)),
)

#: The same for the virConnect functions, by the word for the objects in their name.
_CONNECT_FAMILIES = (
    ("NWFilter", "virNWFilter"),
    ("Network", "virNetwork"),
    ("Interface", "virInterface"),
    ("Storage", "virStorage"),
    ("NodeDevice", "virNodeDevice"),
    ("Secret", "virSecret"),
)

_DOMAINS = Family(From.DOMAIN, _HYPERVISOR)


def family(api: str) -> Family:
    """The family that `api` belongs to; domains and the host where no other fits."""
    if api.startswith("virConnect") and not api.startswith("virConnectDomain"):
        for word, prefix in _CONNECT_FAMILIES:
            if word in api:
                api = prefix
                break
    for prefix, found in _FAMILIES:
        if api.startswith(prefix):
            return found
    return _DOMAINS


def auth_type(configured: int, peer: Identity, own_uid: int) -> int:
    """The authentication a peer is asked for on a socket configured for `configured`.

    Polkit does not question root or the user that the daemon itself runs as.
    """
    if configured == AUTH_POLKIT and peer.uid in (0, own_uid):
        return AUTH_NONE
    return configured
