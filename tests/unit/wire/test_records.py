"""Records behave like the named tuples mypy takes them for."""

from __future__ import annotations

import copy
import pickle

import pytest

from roost.wire.records import Record


class Point(Record):
    """A place."""

    x: int
    y: int


class Empty(Record):
    pass


def test_a_record_is_a_tuple_with_names() -> None:
    point = Point(1, 2)
    x, y = point
    assert (point.x, point.y, point[0], point[-1], x, y, len(point)) == (1, 2, 1, 2, 1, 2, 2)
    assert point == (1, 2)
    assert hash(point) == hash((1, 2))
    assert isinstance(point, tuple)
    assert Point._fields == ("x", "y")
    assert Point.__doc__ == "A place."
    assert repr(point) == "Point(x=1, y=2)"
    assert repr(Empty()) == "Empty()"


def test_fields_may_be_named() -> None:
    assert Point(1, y=2) == Point(y=2, x=1) == (1, 2)
    assert Point(1, 2)._replace(y=3) == (1, 3)
    assert Point(1, 2)._asdict() == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("values", "named"), [((), {}), ((1,), {}), ((1, 2, 3), {}), ((1, 2), {"z": 3}), ((1, 2), {"x": 3})]
)
def test_missing_and_further_fields_are_refused(values: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Point(*values, **named)


def test_records_cannot_be_changed_and_hold_nothing_else() -> None:
    point = Point(1, 2)
    with pytest.raises(AttributeError):
        point.x = 3  # type: ignore[misc]  # that is what is tested
    with pytest.raises(AttributeError):
        point.z = 3  # type: ignore[attr-defined]  # that is what is tested


def test_records_can_be_copied_pickled_and_matched() -> None:
    point = Point(1, 2)
    for again in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert again == point
        assert type(again) is Point
    match point:
        case Point(x, y):
            assert (x, y) == (1, 2)
        case _:
            pytest.fail("no match")
