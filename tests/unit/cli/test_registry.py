"""The table of commands is complete and consistent with itself."""

from __future__ import annotations

import pytest

from roost.cli import completers, help, registry
from roost.cli.table import ALIAS, DATA, FLAG, NUMBER, REST, TEXT, Command

ALL = {name: (group, module) for group in registry.GROUPS for module, names in group.modules.items() for name in names}


def load(name: str) -> Command:
    command = registry.find(name)
    assert command is not None, name
    return command


def test_modules_declare_what_the_registry_says() -> None:
    for group in registry.GROUPS:
        for module, names in group.modules.items():
            declared = __import__(f"roost.cli.commands.{module}", fromlist=["COMMANDS"]).COMMANDS
            assert sorted(names) == sorted(command.name for command in declared), module


def test_names_are_unique() -> None:
    assert len(ALL) == sum(len(names) for group in registry.GROUPS for names in group.modules.values())


@pytest.mark.parametrize("name", sorted(ALL))
def test_declarations(name: str) -> None:
    command = load(name)
    options = command.options
    assert command.help
    assert not command.help.endswith(".")
    assert len({option.name for option in options}) == len(options)
    optional_seen = False
    for index, option in enumerate(options):
        assert option.kind in (FLAG, TEXT, NUMBER, DATA, REST, ALIAS)
        assert option.help or option.kind == ALIAS, option.name
        assert option.completes in ("", "files") or option.completes in completers.COMPLETERS, option.completes
        if option.kind == ALIAS:
            target = option.target.partition("=")[0]
            assert any(later.name == target for later in options[index + 1 :]), option.name
        elif option.kind == REST:
            assert option is options[-1]
        elif option.kind == DATA:
            assert option.required
            assert not optional_seen, "a required option stands behind an optional one"
        else:
            optional_seen = optional_seen or not option.required


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_has_a_page(name: str) -> None:
    command = load(name)
    page = help.page(command)
    assert page.startswith(f"  NAME\n    {name} - {command.help}\n")
    assert page.endswith("\n\n")
    for option in command.options:
        if option.kind != ALIAS:
            assert f"--{option.name}" in page or f"<{option.name}>" in page
            assert option.help in page


def test_overview_lists_what_is_not_hidden() -> None:
    text = help.overview()
    for name in ALL:
        assert (f"\n    {name} " in text) != load(name).hidden


def test_groups_by_title_and_keyword() -> None:
    host = registry.find_group("host")
    assert host is not None
    assert registry.find_group(host.title) is host
    assert registry.find_group("nosuch") is None


def test_only_what_is_there_is_known() -> None:
    assert registry.find("snapshot-take") is None
