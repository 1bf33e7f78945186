"""Secrets for guests whose memory the host cannot read."""

from __future__ import annotations

import pytest

from roost.contract.typed_params import TypedParam, string, uint, ullong
from roost.drivers.qemu.security import secret_arguments
from roost.errors import ArgumentUnsupported, InternalError, InvalidArg

HEADER, SECRET = string("sev-secret-header", "aGVhZGVy"), string("sev-secret", "c2VjcmV0")


def test_a_secret() -> None:
    assert secret_arguments([SECRET, HEADER]) == {"packet-header": "aGVhZGVy", "secret": "c2VjcmV0"}
    placed = secret_arguments([SECRET, HEADER, ullong("sev-secret-set-address", 4096)])
    assert placed["gpa"] == 4096


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ([SECRET], InternalError, "Both secret and the secret header are required"),
        ([SECRET, string("other", "")], ArgumentUnsupported, "parameter 'other' not supported"),
        ([HEADER, uint("sev-secret", 1)], InvalidArg, "invalid type 'uint' for parameter 'sev-secret'"),
    ],
)
def test_what_is_no_secret(params: list[TypedParam], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        secret_arguments(params)
