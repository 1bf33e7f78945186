"""QEMU's own jobs on internal snapshots: begun, waited for, and forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roost.drivers.qemu.qmp import QmpClient, QmpClosed
from roost.drivers.qemu.state.migration import gone
from roost.errors import From, OperationFailed


async def run_job(monitor: QmpClient, command: str, name: str, arguments: Mapping[str, Any], failure: str) -> None:
    """Have QEMU do it, however long it takes; other questions may have to wait meanwhile.

    name: of the job. failure: what could not be done. Raises OperationFailed with QEMU's reason, or when it ends.
    """
    try:
        with monitor.expecting("JOB_STATUS_CHANGE") as events:
            await monitor.execute(command, {"job-id": name, **arguments})
            while True:
                data = (await events.next()).data
                if data.get("id") == name and data.get("status") == "concluded":
                    break
        jobs, _ = await monitor.batch([("query-jobs", None), ("job-dismiss", {"id": name})])
    except QmpClosed as error:
        raise gone() from error
    reason = next((each.get("error") for each in jobs if each["id"] == name), None)
    if reason:
        raise OperationFailed(f"{failure}: {reason}", domain=From.QEMU)


class HeldSnapshots:
    """The internal snapshots in the images that a guest has open, by block node."""

    def __init__(self, answer: Iterable[Mapping[str, Any]]) -> None:
        self._nodes = {
            str(entry["node-name"]): {str(each["name"]): each for each in entry["image"].get("snapshots", ())}
            for entry in answer
        }

    @classmethod
    async def ask(cls, monitor: QmpClient) -> HeldSnapshots:
        return cls(await monitor.execute("query-named-block-nodes", {"flat": True}))

    def with_snapshot(self, name: str, among: Sequence[str]) -> list[str]:
        """The nodes of `among` that have it."""
        return [node for node in among if name in self._nodes.get(node, {})]

    def with_memory(self, name: str, among: Sequence[str]) -> str | None:
        """The node that has the guest's memory in it."""
        found = self.with_snapshot(name, among)
        return next((node for node in found if self._nodes[node][name].get("vm-state-size")), None)


__all__ = ["HeldSnapshots", "run_job"]
