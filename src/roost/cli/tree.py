"""Names with parents, drawn as a tree."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def draw(parents: Mapping[str, str | None]) -> str:
    """Each name below its parent, in the order given; the roots have none."""
    lines: list[str] = []
    for name, parent in parents.items():
        if parent is None:
            _draw(parents, name, "", lines, is_root=True, is_last=True)
    return "".join(f"{line}\n" for line in lines)


def _draw(
    parents: Mapping[str, str | None], name: str, indent: str, lines: list[str], *, is_root: bool, is_last: bool
) -> None:
    lines.append(f"{indent}{'' if is_root else '+- '}{name}")
    if not is_root:
        indent += "  " if is_last else "| "
    children = [child for child, parent in parents.items() if parent == name]
    if children:
        lines.append(f"{indent}  |")
    for child in children:
        _draw(parents, child, indent + "  ", lines, is_root=False, is_last=child == children[-1])
    if not children and is_last:
        lines.append(indent)
