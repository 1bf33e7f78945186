"""Labels of running guests, and guests whose memory the host cannot read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract import flags as F
from roost.contract.references import DomainIdentity
from roost.contract.security import Security
from roost.contract.typed_params import TypedParam, checked, string, uint
from roost.drivers.qemu.context import Context, require_monitor
from roost.errors import From, InternalError, OperationInvalid, OperationUnsupported
from roost.model.domain import Domain
from roost.model.domain.security import SevSecurity

#: What query-sev says -> its public name.
_SEV = (
    ("api-major", D.LAUNCH_SECURITY_SEV_API_MAJOR),
    ("api-minor", D.LAUNCH_SECURITY_SEV_API_MINOR),
    ("build-id", D.LAUNCH_SECURITY_SEV_BUILD_ID),
    ("policy", D.LAUNCH_SECURITY_SEV_POLICY),
)
#: Parameters of a secret: what sev-inject-launch-secret calls them.
_SECRET = {
    D.LAUNCH_SECURITY_SEV_SECRET_HEADER: "packet-header",
    D.LAUNCH_SECURITY_SEV_SECRET: "secret",
    D.LAUNCH_SECURITY_SEV_SECRET_SET_ADDRESS: "gpa",
}
_SECRET_TYPES = {
    D.LAUNCH_SECURITY_SEV_SECRET_HEADER: T.STRING,
    D.LAUNCH_SECURITY_SEV_SECRET: T.STRING,
    D.LAUNCH_SECURITY_SEV_SECRET_SET_ADDRESS: T.ULLONG,
}


def secret_arguments(params: Sequence[TypedParam]) -> Mapping[str, Any]:
    """The arguments of sev-inject-launch-secret. Raises as `checked`, and InternalError when one is missing."""
    found = {_SECRET[name]: value for name, value in checked(params, _SECRET_TYPES).items()}
    if not {"packet-header", "secret"} <= found.keys():
        raise InternalError("Both secret and the secret header are required", domain=From.QEMU)
    return found


def _is_sev(document: Domain) -> bool:
    return isinstance(document.launch_security, SevSecurity)


class QemuSecurity(Security):
    """contract.Security."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def labels(self, domain: DomainIdentity) -> Sequence[tuple[str, bool]]:
        record = self._context.table.get(domain)
        if record.live is None:
            return []
        # The main model confines nothing; the files' owner is what the other one is about.
        return [("", False), *((label.label, False) for label in record.live.seclabels if label.label)]

    async def launch_info(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        record = self._context.table.get(domain)
        if not _is_sev(record.document):
            return []
        F.check(flags, T.STRING_OKAY, "qemuDomainGetSEVInfo", From.QEMU)
        monitor = require_monitor(self._context.table.get_active(domain))
        measure = await monitor.execute("query-sev-launch-measure")
        facts = await monitor.execute("query-sev")
        return [
            string(D.LAUNCH_SECURITY_SEV_MEASUREMENT, measure["data"]),
            *(uint(name, facts[key]) for key, name in _SEV),
        ]

    async def set_launch_state(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        F.check(flags, 0, "qemuDomainSetLaunchSecurityState", From.QEMU)
        record = self._context.table.get(domain)
        if not _is_sev(record.document):
            raise OperationUnsupported(
                "setting a launch secret is only supported in SEV-enabled domains",
                domain=From.QEMU,
                hint="the domain has no <launchSecurity type='sev'>",
            )
        arguments = secret_arguments(params)
        self._context.table.get_active(domain)
        async with record.job("set launch secret"):
            monitor = require_monitor(record)
            if record.state != D.PAUSED:
                raise OperationInvalid(
                    "domain must be in a paused state", domain=From.QEMU, hint="start it with --paused"
                )
            await monitor.execute("sev-inject-launch-secret", arguments)
