"""What clients see of a long job, and its end on demand."""

from __future__ import annotations

import asyncio

import pytest

from roost.constants import domain as D
from roost.constants import jobs as J
from roost.contract.references import DomainRef
from roost.contract.typed_params import ullong
from roost.engine.jobs import Amount, Completed, LongJob, Measure
from roost.engine.jobstats import NO_JOB, RecordJobs
from roost.engine.record import Record
from roost.engine.table import DomainTable
from roost.errors import From, InvalidArg, OperationInvalid, OperationTimeout

UUID = bytes(range(16))
REF = DomainRef("web", UUID, -1)
MEASURE = Measure(Amount(100, 40, 60), Amount(10, 5, 5), downtime=3, parameters=(ullong(J.DATA_TOTAL, 110),))


class World:
    def __init__(self) -> None:
        self.table: DomainTable[None] = DomainTable(From.QEMU)
        self.record: Record[None] = self.table.add("web", UUID)
        self.table.activate(self.record)
        self.jobs = RecordJobs(self.table, "qemu")
        self.aborted = 0

    async def measure(self) -> Measure:
        return MEASURE

    async def abort(self) -> None:
        self.aborted += 1


def test_without_a_job() -> None:
    async def scenario() -> None:
        world = World()
        assert await world.jobs.info(REF) == NO_JOB
        assert await world.jobs.statistics(REF, 0) == (J.NONE, ())
        assert await world.jobs.statistics(REF, J.STATS_COMPLETED) == (J.NONE, ())
        with pytest.raises(OperationInvalid, match="no job is active on the domain"):
            await world.jobs.abort(REF, 0)
        with pytest.raises(OperationInvalid, match="post-copy"):
            await world.jobs.abort(REF, D.ABORT_JOB_POSTCOPY)
        with pytest.raises(InvalidArg, match="qemuDomainGetJobStats"):
            await world.jobs.statistics(REF, 4)

    asyncio.run(scenario())


def test_a_job_under_way_is_seen_and_aborted() -> None:
    async def scenario() -> None:
        world = World()
        async with world.record.job("save") as job:
            with job.watched(LongJob(J.OPERATION_SAVE, measure=world.measure, abort=world.abort)) as long:
                kind, _, left, *amounts = await world.jobs.info(REF)
                assert (kind, left) == (J.UNBOUNDED, 0)
                assert amounts == [110, 45, 65, 100, 40, 60, 10, 5, 5]
                kind, parameters = await world.jobs.statistics(REF, 0)
                assert kind == J.UNBOUNDED
                names = ["operation", "time_elapsed", "downtime", "data_total"]
                assert [field for field, _ in parameters] == names
                assert parameters[0].value[1] == J.OPERATION_SAVE
                assert parameters[2].value[1] == 3
                # The one before is not told while another runs.
                job.completed = Completed(J.COMPLETED, tuple(parameters))
                assert await world.jobs.statistics(REF, J.STATS_COMPLETED) == (J.NONE, ())
                await world.jobs.abort(REF, 0)
                assert world.aborted == 1
                long.halt()
                assert job.complete(long)[2].field == "downtime"
        assert await world.jobs.info(REF) == NO_JOB

    asyncio.run(scenario())


def test_the_last_jobs_statistics_are_told_once_unless_kept() -> None:
    async def scenario() -> None:
        world = World()
        world.record.job.complete(LongJob(J.OPERATION_DUMP))
        world.table.deactivate(world.record)
        world.table.add("web", UUID)
        jobs, keep = world.jobs, J.STATS_COMPLETED | J.STATS_KEEP_COMPLETED
        world.table.by_name("web").job = world.record.job
        kept = await jobs.statistics(REF, keep)
        assert kept[0] == J.COMPLETED
        assert await jobs.statistics(REF, J.STATS_COMPLETED) == kept
        assert await jobs.statistics(REF, J.STATS_COMPLETED) == (J.NONE, ())
        with pytest.raises(OperationInvalid, match="domain is not running"):
            await jobs.statistics(REF, 0)

    asyncio.run(scenario())


def test_a_job_that_nothing_can_end_says_why() -> None:
    async def scenario() -> None:
        world = World()
        dump = LongJob(J.OPERATION_DUMP, refusal="cannot abort memory-only dump")
        with world.record.job.watched(dump), pytest.raises(OperationInvalid, match=dump.refusal):
            await world.jobs.abort(REF, 0)

    asyncio.run(scenario())


def test_what_was_known_last_serves_when_nothing_answers() -> None:
    async def scenario() -> None:
        world = World()

        async def hangs() -> Measure:
            raise OperationTimeout("nothing", domain=From.QEMU)

        with world.record.job.watched(LongJob(J.OPERATION_SAVE, measure=hangs)) as long:
            long.latest = MEASURE
            assert (await world.jobs.info(REF))[3:6] == (110, 45, 65)

    asyncio.run(scenario())


def test_one_at_a_time() -> None:
    """A backup goes on without the job: what would take its place in clients' eyes has to wait for its end."""
    world = World()
    job = world.record.job
    job.long = backup = LongJob(J.OPERATION_BACKUP)
    with (
        pytest.raises(OperationTimeout, match=r"cannot acquire state change lock \(held by backup\)") as refused,
        job.watched(LongJob(J.OPERATION_SAVE)),
    ):
        pass
    assert "domjobabort" in (refused.value.hint or "")
    assert job.long is backup
