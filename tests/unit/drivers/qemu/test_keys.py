"""Keys of every code set as QEMU's numbers."""

from __future__ import annotations

import pytest

from roost.constants import keycodes as C
from roost.constants import keys
from roost.drivers.qemu.keys import send_key, translate
from roost.errors import InternalError, InvalidArg

#: Left shift, Q, the up arrow and the keypad's Enter in each code set; the latter two are extended keys.
SAME = {
    C.SET_LINUX: (42, 16, 103, 96),
    C.SET_XT: (0x2A, 0x10, 0xE048, 0xE01C),
    C.SET_ATSET1: (0x2A, 0x10, 0xE048, 0xE01C),
    C.SET_ATSET2: (0x12, 0x15, 0xE075, 0xE05A),
    C.SET_ATSET3: (0x12, 0x15, 0x63, 0x79),
    C.SET_OSX: (0x38, 0x0C, 0x7E, 0x4C),
    C.SET_USB: (0xE1, 0x14, 0x52, 0x58),
    C.SET_QNUM: (0x2A, 0x10, 0xC8, 0x9C),
}


@pytest.mark.parametrize("codeset", SAME, ids=lambda codeset: keys.CODESETS[codeset])
def test_the_same_keys_in_every_set(codeset: int) -> None:
    assert translate(codeset, SAME[codeset]) == [0x2A, 0x10, 0xC8, 0x9C]


def test_windows_does_not_tell_its_enter_keys_apart() -> None:
    assert translate(C.SET_WIN32, [0xA0, 0x51, 0x26, 0x0D]) == [0x2A, 0x10, 0xC8, 0x1C]


def test_names() -> None:
    assert keys.names(C.SET_LINUX)["KEY_LEFTCTRL"] == 29
    assert keys.names(C.SET_WIN32)["VK_DELETE"] == 46
    assert keys.names(C.SET_OSX)["UpArrow"] == 0x7E
    assert keys.names(C.SET_USB) == {}


@pytest.mark.parametrize("codeset", range(10), ids=keys.CODESETS)
def test_every_name_and_number_can_be_pressed(codeset: int) -> None:
    translate(codeset, list(keys.names(codeset).values()))
    assert set(translate(codeset, list(keys.numbers(codeset)))) <= set(keys.numbers(C.SET_QNUM))


def test_what_is_no_key() -> None:
    with pytest.raises(InternalError, match="cannot translate keycode 600 of linux codeset to qnum keycode"):
        translate(C.SET_LINUX, [30, 600])
    with pytest.raises(InvalidArg, match=r"^Unsupported codeset '99'"):
        translate(99, [1])


def test_the_command() -> None:
    number = {"type": "number", "data": 30}
    assert send_key([30], 0) == {"keys": [number]}
    assert send_key([30, 30], 250) == {"keys": [number, number], "hold-time": 250}
