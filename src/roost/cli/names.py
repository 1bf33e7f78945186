"""Words for the numbers of the API, as virsh says them."""

from __future__ import annotations

#: Domain states.
STATES = {
    0: "no state",
    1: "running",
    2: "idle",
    3: "paused",
    4: "in shutdown",
    5: "shut off",
    6: "crashed",
    7: "pmsuspended",
}

#: Why a domain is in its state: by state, the reasons in the order of their numbers.
REASONS: dict[int, tuple[str, ...]] = {
    0: ("unknown",),
    1: (
        "unknown",
        "booted",
        "migrated",
        "restored",
        "from snapshot",
        "unpaused",
        "migration canceled",
        "save canceled",
        "event wakeup",
        "crashed",
        "post-copy",
        "post-copy failed",
    ),
    2: ("unknown",),
    3: (
        "unknown",
        "user",
        "migrating",
        "saving",
        "dumping",
        "I/O error",
        "watchdog",
        "from snapshot",
        "shutting down",
        "creating snapshot",
        "crashed",
        "starting up",
        "post-copy",
        "post-copy failed",
        "api error",
    ),
    4: ("unknown", "user"),
    5: ("unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed", "from snapshot", "daemon"),
    6: ("unknown", "panicked"),
    7: ("unknown",),
}

#: States of the control interface, and what its error state means.
CONTROL_STATES = ("ok", "background job", "occupied", "error")
CONTROL_ERRORS = ("", "unknown", "monitor failure", "internal (locking) error")


def pick(names: tuple[str, ...], number: int, unknown: str = "unknown") -> str:
    """The name at that number."""
    return names[number] if 0 <= number < len(names) else unknown
