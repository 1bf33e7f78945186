"""What follows a guest's end."""

from __future__ import annotations

import pytest

from roost.constants import domain as D
from roost.drivers.qemu.actions import on_reboot, with_action
from roost.engine.edits.actions import check
from roost.errors import ConfigUnsupported, InvalidArg
from roost.model import domain as model

DOCUMENT = model.parse("<domain type='qemu'><name>g</name><memory>65536</memory><os><type>hvm</type></os></domain>")


def test_each_end_has_its_field() -> None:
    assert with_action(DOCUMENT, D.LIFECYCLE_POWEROFF, D.LIFECYCLE_ACTION_RESTART).on_poweroff == "restart"
    assert with_action(DOCUMENT, D.LIFECYCLE_REBOOT, D.LIFECYCLE_ACTION_DESTROY).on_reboot == "destroy"
    assert with_action(DOCUMENT, D.LIFECYCLE_CRASH, D.LIFECYCLE_ACTION_COREDUMP_RESTART).on_crash == "coredump-restart"


@pytest.mark.parametrize(
    ("kind", "action", "words"),
    [
        (D.LIFECYCLE_POWEROFF, D.LIFECYCLE_ACTION_RESTART_RENAME, "doesn't support the 'rename-restart' action"),
        (D.LIFECYCLE_REBOOT, D.LIFECYCLE_ACTION_PRESERVE, "doesn't support the 'preserve' action"),
        (D.LIFECYCLE_REBOOT, D.LIFECYCLE_ACTION_COREDUMP_DESTROY, "event 'reboot' doesn't support 'coredump-destroy'"),
    ],
)
def test_what_cannot_follow(kind: int, action: int, words: str) -> None:
    with pytest.raises(ConfigUnsupported, match=words):
        with_action(DOCUMENT, kind, action)


def test_restart_after_a_reboot_that_destroys() -> None:
    destroying = with_action(DOCUMENT, D.LIFECYCLE_REBOOT, D.LIFECYCLE_ACTION_DESTROY)
    with pytest.raises(ConfigUnsupported, match="'onReboot' set to 'destroy"):
        with_action(destroying, D.LIFECYCLE_POWEROFF, D.LIFECYCLE_ACTION_RESTART)


def test_numbers_that_mean_nothing() -> None:
    with pytest.raises(InvalidArg, match="invalid lifecycle type '3'"):
        check(3, 0)
    with pytest.raises(InvalidArg, match="invalid lifecycle action '6'"):
        check(0, 6)
    with pytest.raises(ConfigUnsupported, match="event 'poweroff' doesn't support 'coredump-restart' action"):
        check(0, 5)
    check(2, 5)


def test_qemu_is_told_of_reboots_alone() -> None:
    assert on_reboot(D.LIFECYCLE_REBOOT, D.LIFECYCLE_ACTION_DESTROY) == "shutdown"
    assert on_reboot(D.LIFECYCLE_REBOOT, D.LIFECYCLE_ACTION_RESTART) == "reset"
    assert on_reboot(D.LIFECYCLE_REBOOT, D.LIFECYCLE_ACTION_PRESERVE) is None
    assert on_reboot(D.LIFECYCLE_CRASH, D.LIFECYCLE_ACTION_DESTROY) is None
