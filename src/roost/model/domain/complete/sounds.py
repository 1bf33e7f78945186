"""Defaults of sound: what of a document only some cards and settings have."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from roost.model.domain.devices.sound import AudioSettings
from roost.model.domain.draft import Draft

#: Cards that are made of codecs.
_HDA = frozenset(("ich6", "ich9"))


def complete_sounds(draft: Draft) -> None:
    for place, sound in enumerate(draft.sounds):
        if sound.codecs and sound.model not in _HDA:
            draft.sounds[place] = replace(sound, codecs=())
    for place, audio in enumerate(draft.audios):
        backend = audio.backend
        changes: dict[str, Any] = {
            name: replace(direction, settings=AudioSettings())
            for name in ("input", "output")
            if (direction := getattr(backend, name)) is not None
            and direction.fixed_settings
            and direction.settings is None
        }
        if changes:
            draft.audios[place] = replace(audio, backend=replace(backend, **changes))


__all__ = ["complete_sounds"]
