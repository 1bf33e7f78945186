"""contract.Jobs from records: the running job tells, or the last one's statistics do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Generic

from roost.constants import domain as D
from roost.constants import jobs as J
from roost.contract import flags as F
from roost.contract.jobs import Jobs
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam
from roost.engine.jobs import LongJob
from roost.engine.record import RuntimeT
from roost.engine.table import DomainTable
from roost.errors import OperationInvalid, RoostError

log = logging.getLogger(__name__)

#: virDomainJobInfo's twelve numbers when no job runs.
NO_JOB = (0,) * 12


class RecordJobs(Jobs, Generic[RuntimeT]):
    """prefix: as in RegistryDomains."""

    def __init__(self, table: DomainTable[RuntimeT], prefix: str) -> None:
        self._table: DomainTable[RuntimeT] = table
        self._prefix = prefix

    async def info(self, domain: DomainIdentity) -> tuple[int, ...]:
        long = self._table.get_active(domain).job.long
        if long is None:
            return NO_JOB
        await _measure(long)
        memory, files = long.latest.memory, long.latest.files
        data = tuple(a + b for a, b in zip(memory, files, strict=True))
        return long.status, long.milliseconds, 0, *data, *memory, *files

    async def statistics(self, domain: DomainIdentity, flags: int) -> tuple[int, Sequence[TypedParam]]:
        self._check(flags, J.STATS_COMPLETED | J.STATS_KEEP_COMPLETED, "DomainGetJobStats")
        job = self._table.get(domain).job
        if flags & J.STATS_COMPLETED:
            if job.completed is None or job.long is not None:
                return J.NONE, ()
            completed = job.completed
            if not flags & J.STATS_KEEP_COMPLETED:
                job.completed = None
            return completed
        long = self._table.get_active(domain).job.long
        if long is None:
            return J.NONE, ()
        await _measure(long)
        return long.status, long.parameters()

    async def abort(self, domain: DomainIdentity, flags: int) -> None:
        """Takes no job: it is what ends one."""
        self._check(flags, D.ABORT_JOB_POSTCOPY, "DomainAbortJobFlags")
        long = self._table.get_active(domain).job.long
        refusal = None
        if flags & D.ABORT_JOB_POSTCOPY:
            refusal = "current job is not outgoing migration in post-copy mode"
        elif long is None:
            refusal = "no job is active on the domain"
        elif long.abort is None:
            refusal = long.refusal
        if refusal is not None or long is None or long.abort is None:
            raise OperationInvalid(refusal or "", domain=self._table.error_domain)
        await long.abort()

    def _check(self, flags: int, allowed: int, function: str) -> None:
        F.check(flags, allowed, self._prefix + function, self._table.error_domain)


async def _measure(long: LongJob) -> None:
    """Ask anew how far it has come; what was known last serves when nothing answers."""
    if long.measure is None:
        return
    try:
        long.latest = await long.measure()
    except RoostError as error:
        log.debug("a job cannot tell how far it has come: %s", error)
