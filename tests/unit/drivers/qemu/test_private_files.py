"""Files that are made for one guest: whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.drivers.qemu.plan import Made
from roost.drivers.qemu.private_files import make
from roost.errors import OperationFailed, SystemCallError


def test_copied_where_missing_and_on_demand(tmp_path: Path) -> None:
    template, own = tmp_path / "template", tmp_path / "own"
    template.write_bytes(b"first")
    made = Made(str(own), template=str(template))
    make(made, None, anew=False)
    assert own.read_bytes() == b"first"
    assert own.stat().st_mode & 0o777 == 0o600
    template.write_bytes(b"second")
    make(made, None, anew=False)
    assert own.read_bytes() == b"first"
    make(made, None, anew=True)
    assert own.read_bytes() == b"second"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "template"]


def test_zeros_and_texts_are_never_made_anew(tmp_path: Path) -> None:
    store, text = tmp_path / "store", tmp_path / "text"
    make(Made(str(store), size=4096), None, anew=False)
    assert store.read_bytes() == bytes(4096)
    store.write_bytes(b"last words".ljust(4096, b"\0"))
    make(Made(str(store), size=4096), None, anew=True)
    assert store.read_bytes().startswith(b"last words")
    make(Made(str(text), text="c2Vzc2lvbg=="), None, anew=False)
    assert text.read_text() == "c2Vzc2lvbg=="


def test_what_a_killed_daemon_left_is_no_obstacle(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.write_bytes(b"whole")
    (tmp_path / ".own.new").write_bytes(b"hal")
    make(Made(str(tmp_path / "own"), template=str(template)), None, anew=False)
    assert (tmp_path / "own").read_bytes() == b"whole"
    assert not (tmp_path / ".own.new").exists()


def test_without_anything_to_copy(tmp_path: Path) -> None:
    own = tmp_path / "own"
    with pytest.raises(OperationFailed, match=r"any master var store for loader: /code\.fd.*template"):
        make(Made(str(own), user="/code.fd"), None, anew=False)
    with pytest.raises(SystemCallError, match=f"Failed to open file '{tmp_path}/gone': No such file") as caught:
        make(Made(str(own), template=str(tmp_path / "gone")), None, anew=False)
    assert caught.value.int1 == 2
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemCallError, match="its directory is"):
        make(Made(str(tmp_path / "no" / "own"), size=1), None, anew=False)
