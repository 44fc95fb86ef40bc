"""Settings as a TOML file: written with their descriptions, read back the same."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from poems.errors import SettingsError
from poems.settings.schema import Settings, setting_groups

# TOML has no null; a setting that may be off is written and read as this word.
OFF = "none"


def settings_to_toml(settings: Settings) -> str:
    """Return ``settings`` as TOML text, one table per group, each setting under its description.

    Examples
    --------
    >>> for line in settings_to_toml(Settings()).splitlines()[:3]:
    ...     print(line)
    [preprocessing]
    # Scaling of each feature, learned on the training samples.
    scale = "standard"
    """
    lines = []
    values = settings.model_dump()
    for group, fields in setting_groups().items():
        lines += [f"[{group}]"]
        for name, field in fields.model_fields.items():
            lines += [f"# {field.description}", f"{name} = {_toml(values[group][name])}"]
        lines += [""]
    return "\n".join(lines)


def read_settings(path: str | Path) -> dict[str, dict[str, Any]]:
    """Return the settings that a TOML file gives, by group, not yet validated.

    The word ``"none"`` becomes ``None`` where the setting may be ``None``.

    Raises
    ------
    SettingsError
        If the file cannot be read, is not TOML, or holds a group or a
        setting that does not exist; the text names it.
    """
    try:
        found = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read settings from {path}: {error.strerror}") from None
    # Whole numbers of thousands of digits are a ValueError, brackets in brackets a RecursionError.
    except RecursionError:
        raise SettingsError(f"{path} nests brackets too deeply for a file of settings") from None
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise SettingsError(
                f"{path} holds a whole number of thousands of digits; no setting takes such"
            ) from None
        raise SettingsError(
            f"{path} is not a TOML file: {error}; mend that line (text stands in quotation marks, "
            "lists in square brackets)"
        ) from None
    _check_names(path, found)
    return {
        group: {name: none_if_off(name, value) for name, value in values.items()}
        for group, values in found.items()
    }


def none_if_off(name: str, value: Any) -> Any:
    """Return ``None`` for the word ``"none"`` if the setting ``name`` may be ``None``.

    Examples
    --------
    >>> none_if_off("winsorise", "none") is None
    True
    >>> none_if_off("stopping", "none")
    'none'
    """
    fields = {
        key: field
        for group in setting_groups().values()
        for key, field in group.model_fields.items()
    }
    optional = type(None) in getattr(fields[name].annotation, "__args__", ())
    return None if optional and value == OFF else value


def _check_names(path: str | Path, found: Mapping[str, Any]) -> None:
    groups = setting_groups()
    problems = []
    for group, values in found.items():
        if group not in groups:
            homes = [home for home, fields in groups.items() if group in fields.model_fields]
            hint = f"; write it under [{homes[0]}]" if homes else ""
            problems.append(f"no group '{group}' (there are {', '.join(groups)}){hint}")
        elif not isinstance(values, dict):
            problems.append(f"'{group}' must be a table: [{group}]")
        else:
            known = groups[group].model_fields
            problems += [
                f"no setting '{name}' in [{group}] (there are {', '.join(known)})"
                for name in values
                if name not in known
            ]
    if problems:
        raise SettingsError(f"{path}: " + "; ".join(problems))


def _toml(value: Any) -> str:
    if value is None:
        return f'"{OFF}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL, which JSON leaves as it is and TOML forbids.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
