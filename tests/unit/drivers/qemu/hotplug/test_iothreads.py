"""I/O threads in documents, and the values that can be set of one."""

from __future__ import annotations

import pytest

from roost.contract.typed_params import int_, uint, ullong
from roost.drivers.qemu.hotplug import iothreads
from roost.errors import (
    ArgumentUnsupported,
    ConfigUnsupported,
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
)
from roost.model.domain import Domain, parse


def document(iothreads: str = "", devices: str = "") -> Domain:
    return parse(
        f"<domain type='qemu'><name>x</name><memory>1</memory>{iothreads}<os><type>hvm</type></os>"
        f"<devices>{devices}</devices></domain>"
    )


def test_bounds() -> None:
    one = document("<iothreads>1</iothreads>")
    made = iothreads.changed(one, 1, iothreads.values([int_("thread_pool_min", 2), int_("thread_pool_max", 8)]))
    assert (made.iothread_ids[0].thread_pool_min, made.iothread_ids[0].thread_pool_max) == (2, 8)
    assert iothreads.changed(one, 1, iothreads.values([ullong("poll_max_ns", 5)])) is one
    with pytest.raises(OperationInvalid, match=r"thread_pool_min \(9\) can't be greater than thread_pool_max \(8\)"):
        iothreads.changed(made, 1, {"thread_pool_min": 9})
    with pytest.raises(InvalidArg, match="cannot find IOThread '4' in iothreadids"):
        iothreads.changed(one, 4, {})


def test_values_out_of_range() -> None:
    with pytest.raises(ConfigUnsupported, match=r"poll-grow \(2147483648\) must be less than or equal to 2147483647"):
        iothreads.values([uint("poll_grow", 1 << 31)])
    with pytest.raises(ConfigUnsupported, match="must be a positive number or -1"):
        iothreads.values([int_("thread_pool_max", 0)])
    with pytest.raises(ConfigUnsupported, match="must be equal to or greater than -1"):
        iothreads.values([int_("thread_pool_min", -2)])
    with pytest.raises(ArgumentUnsupported, match="parameter 'speed' not supported"):
        iothreads.values([uint("speed", 1)])
    with pytest.raises(OperationInvalid, match="for live change"):
        iothreads.check_live({"thread_pool_max": -1})
    with pytest.raises(OperationUnsupported, match="persistent polling values"):
        iothreads.check_config({"poll_grow": 1})


def test_bounds_never_cross_on_their_way() -> None:
    values = {"thread_pool_max": 20, "thread_pool_min": 10, "poll_grow": 1}
    assert [name for name, _ in iothreads.properties(values, 64)] == ["poll-grow", "thread-pool-min", "thread-pool-max"]
    assert [name for name, _ in iothreads.properties(values, 8)] == ["poll-grow", "thread-pool-max", "thread-pool-min"]
