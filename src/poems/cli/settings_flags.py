"""One flag a setting, derived from :mod:`poems.settings.schema`; how flags, file and preset mix."""

from __future__ import annotations

import inspect
import types
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import typer

from poems.cli.everyday import EverydayCommand
from poems.wording import in_omics

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from poems.settings.one_of import OneOf
    from poems.settings.schema import Settings

_KEY = "poems.settings"


class SettingsCommand(EverydayCommand):
    """A command that takes every setting as a flag; :func:`resolve_settings` returns them.

    The flags are made when the command's parameters are first asked for, so
    that listing the commands does not load the settings.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the command's own parameters, the settings', and ``--help``."""
        own = super().get_params(ctx)
        settings = self.shortened(ctx, settings_parameters())
        return [*own[: len(self.params)], *settings, *own[len(self.params) :]]

    def invoke(self, ctx: Any) -> Any:
        """Run the command without the settings, which go into the context."""
        names = [parameter.name for parameter in settings_parameters()]
        given = {name: ctx.params.pop(name, None) for name in names}
        ctx.meta[_KEY] = {name: value for name, value in given.items() if value is not None}
        return super().invoke(ctx)


def resolve_settings(ctx: typer.Context, preset: str, config: Path | None) -> Settings:
    """Return the settings: flags first, then the file, then the preset.

    Raises
    ------
    SettingsError
        If the file, a name or a value is not right; the text names the file
        or the flag.
    """
    from pydantic import ValidationError

    from poems.errors import SettingsError
    from poems.settings.schema import Settings, group_of, settings_from_mapping
    from poems.settings.toml_file import read_settings

    groups = Settings.preset(preset).model_dump()
    if config is not None:
        for group, values in read_settings(config).items():
            groups[group].update(values)
        try:
            settings_from_mapping(groups)
        except SettingsError as error:
            raise SettingsError(f"{config}: {error}") from None
    for name, raw in ctx.meta[_KEY].items():
        groups[group_of(name)][name] = _value(name, raw)
    try:
        return Settings.model_validate(groups)
    except ValidationError as error:
        problems = [_problem(item["loc"], item["msg"], item["input"]) for item in error.errors()]
        raise SettingsError("; ".join(problems)) from None


def flags_given(ctx: typer.Context) -> list[str]:
    """Return the settings' flags that were given, as they are typed."""
    return [_as_flag(name) for name in ctx.meta[_KEY]]


def _problem(place: tuple[int | str, ...], message: str, given: object) -> str:
    """Say in the words of the command line what pydantic says of a setting."""
    from poems.settings.schema import setting_groups

    said = message.removeprefix("Value error, ").removeprefix("Input ").partition(", unable to")[0]
    for name in (name for group in setting_groups().values() for name in group.model_fields):
        if "_" in name:
            said = said.replace(name, _as_flag(name))
    if len(place) < 2:
        return said
    value = f" {given}" if isinstance(given, str | int | float) else ""
    return f"{_as_flag(str(place[1]))}:{value} {said}"


def _as_flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@cache
def settings_parameters() -> list[Any]:
    """Return the flags of all settings."""
    from poems.settings.schema import Settings, setting_groups

    defaults = Settings().model_dump()
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=_flag(name, field, defaults[group][name], group),
        )
        for group, fields in setting_groups().items()
        for name, field in fields.model_fields.items()
    ]

    def probe() -> None: ...

    # The flags are read off a function made for it: only typer knows how to turn one into flags.
    probe.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    probe.__annotations__ = {each.name: each.annotation for each in parameters}
    made = typer.Typer(add_completion=False)
    made.command()(probe)
    return [each for each in typer.main.get_command(made).params if each.name != "help"]


def _flag(name: str, field: FieldInfo, default: object, group: str) -> object:
    kind = field.annotation
    flag = _as_flag(name)
    declaration = f"{flag}/--no-{flag.removeprefix('--')}" if kind is bool else flag
    accepted, metavar = _accepted(kind)
    names = get_args(kind) if get_origin(kind) is Literal else ()
    parser = None
    if (parts := _parts(field)) is not None:
        accepted, names, by_view = str, parts.names, kind is not str
        metavar = "NAME|V=NAME" if by_view else "NAME"
        parser = partial(_part_name, parts=parts, by_view=by_view)
    choices = f" One of {', '.join(names)}." if names else ""
    said = in_omics(f"{field.description}{choices}")
    option = typer.Option(
        declaration,
        help=f"{_escape(said)} [dim]\\[{_shown(default)}][/dim]",
        show_default=False,
        metavar=metavar,
        rich_help_panel=f"Settings: {group}",
        parser=parser,
    )
    return Annotated[Union[accepted, None], option]  # noqa: UP007  # built at run time


def _parts(field: FieldInfo) -> OneOf | None:
    """The parts that a setting names one of, if it does."""
    from poems.settings.one_of import OneOf

    return next((each for each in field.metadata if isinstance(each, OneOf)), None)


def _part_name(given: str, parts: OneOf, *, by_view: bool) -> str | dict[str, str]:
    """Check the name of a registered part, or OMIC=NAME for some views, with commas between."""
    from poems.errors import SettingsError

    found: str | dict[str, str] = given
    if by_view and "=" in given:
        # A view's name may hold an equals sign, a part's does not.
        pairs = [part.strip().rpartition("=") for part in given.split(",")]
        if bare := [part for _, equals, part in pairs if not equals]:
            raise typer.BadParameter(f"'{bare[0]}' is not OMIC=NAME")
        found = {view: part for view, _, part in pairs}
    for part in [found] if isinstance(found, str) else found.values():
        try:
            parts.require(part)
        except SettingsError as error:
            raise typer.BadParameter(str(error)) from None
    return found


def _accepted(kind: Any) -> tuple[Any, str]:
    # Numbers, choices and switches are checked by typer; the rest is text that pydantic reads.
    plain = {bool: "", int: "N", float: "X", str: "TEXT"}
    if get_origin(kind) is Literal:
        return kind, "NAME"
    if kind in plain:
        return kind, plain[kind]
    if get_origin(kind) is tuple:
        each = plain.get(get_args(kind)[0], "TEXT")
        return str, f"{each},…"
    inner = [each for each in get_args(kind) if each is not types.NoneType]
    return str, f"{plain.get(inner[0], 'TEXT')}|none"


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return ",".join(map(str, default)) or "empty"
    return (
        "none"
        if default is None
        else f"{default:g}"
        if isinstance(default, float)
        else str(default)
    )


def _value(name: str, raw: object) -> object:
    from poems.settings.schema import group_of, setting_groups
    from poems.settings.toml_file import none_if_off

    kind = setting_groups()[group_of(name)].model_fields[name].annotation
    if isinstance(raw, dict):
        return raw
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in str(raw).split(",") if part.strip())
    return none_if_off(name, raw)


def _escape(text: str) -> str:
    # Help is markup, descriptions are not.
    return text.replace("[", "\\[")
