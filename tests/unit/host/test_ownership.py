"""Files lent to the guests' account."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.errors import ConfigUnsupported, SystemCallError
from roost.host.api import Account
from roost.host.linux.ownership import FileOwnership, find_account, guest_account

STRANGER = Account("stranger", 54321, 54321)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that any user may pass through, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="roost-own", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_the_blocking_component_is_named(place: Path) -> None:
    closed = place / "closed"
    inner = closed / "inner"
    inner.mkdir(parents=True)
    image = inner / "disk.img"
    image.touch()
    closed.chmod(0o700)
    ownership = FileOwnership(STRANGER)
    with pytest.raises(SystemCallError) as caught:
        ownership.check(str(image), write=True)
    text = str(caught.value)
    assert text.startswith(f"Cannot access storage file '{image}' (as uid:54321, gid:54321): Permission denied")
    assert f"directory '{closed}' may not be searched by user 'stranger'" in text
    assert f"chmod o+x '{closed}'" in text
    assert caught.value.int1 == 13
    closed.chmod(0o711)
    if os.geteuid() == 0:
        ownership.check(str(image), write=True)  # it will be lent


def test_a_missing_file(place: Path) -> None:
    with pytest.raises(SystemCallError, match=r"No such file or directory; '.*/no' does not exist"):
        FileOwnership(None).check(str(place / "no" / "disk.img"), write=False)


def test_permission_bits_by_user_group_and_others(place: Path) -> None:
    image = place / "disk.img"
    image.touch()
    ownership = FileOwnership(None)
    ownership._reader = Account("other", 77777, 77777, (88888,))
    for mode, write, allowed in (
        (0o604, False, True),
        (0o604, True, False),
        (0o606, True, True),
        (0o660, False, False),
    ):
        image.chmod(mode)
        if allowed:
            ownership.check(str(image), write=write)
        else:
            with pytest.raises(SystemCallError, match="Permission denied"):
                ownership.check(str(image), write=write)


@pytest.mark.root
def test_lent_to_several_and_given_back_once(place: Path) -> None:
    image = place / "shared.img"
    image.touch()
    os.chown(image, 12345, 23456)
    ownership = FileOwnership(STRANGER)
    first = ownership.owner(str(image))
    assert first is not None
    ownership.take(first)
    second = ownership.owner(str(image))
    assert second == first  # not what it is now, but whom it goes back to
    ownership.take(second)
    assert image.stat().st_uid == 54321
    ownership.restore(first)
    assert image.stat().st_uid == 54321
    ownership.restore(second)
    assert (image.stat().st_uid, image.stat().st_gid) == (12345, 23456)


@pytest.mark.root
def test_a_hold_of_an_earlier_daemon_counts(place: Path) -> None:
    image = place / "disk.img"
    image.touch()
    before = FileOwnership(STRANGER)
    owner = before.owner(str(image))
    assert owner is not None
    before.take(owner)
    after = FileOwnership(STRANGER)
    after.adopt(owner)
    assert after.owner(str(image)) == owner
    after.restore(owner)
    assert image.stat().st_uid == 0


@pytest.mark.root
def test_devices_and_directories_stay_as_they_are(place: Path) -> None:
    ownership = FileOwnership(STRANGER)
    assert ownership.owner("/dev/null") is None
    assert ownership.owner(str(place)) is None
    assert ownership.owner(str(place / "missing")) is None


@pytest.mark.root
def test_a_directory_of_the_account(place: Path) -> None:
    FileOwnership(STRANGER).directory(place / "a" / "b")
    assert (place / "a" / "b").stat().st_uid == 54321
    assert (place / "a" / "b").stat().st_mode & 0o777 == 0o750
    with pytest.raises(SystemCallError, match="cannot create directory"):
        FileOwnership(STRANGER).directory(Path("/proc/roost"))


def test_accounts() -> None:
    assert find_account("nobody").uid == find_account(str(find_account("nobody").uid)).uid
    assert find_account("+31337", "+31338") == Account("+31337", 31337, 31338)
    assert guest_account("root") is None
    with pytest.raises(ConfigUnsupported, match="user 'no-such-user' does not exist; set 'user'"):
        find_account("no-such-user")
    with pytest.raises(ConfigUnsupported, match="group 'no-such-group' does not exist"):
        find_account("nobody", "no-such-group")
    found = guest_account()
    assert found is not None
    assert found.uid != 0
