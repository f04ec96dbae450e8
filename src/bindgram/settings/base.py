"""How settings are read: YAML without surprises, unknown keys refused, every problem named by file and key."""

import difflib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bindgram.errors import InputError

ID_PATTERN = r"^[A-Za-z0-9_-]+$"
LISTED = 20  # names quoted in one message
Id = Annotated[str, Field(pattern=ID_PATTERN)]


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys are errors, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice (plain YAML keeps the last one silently)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise InputError(f"{self.name}:{key_node.start_mark.line + 1}: key {key!r} is given twice; keep one")
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises
    ------
    InputError : the file is missing, is not YAML, is not a mapping, or repeats a key.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path or the name that refers to it") from None
    loader = _UniqueKeyLoader(text)
    loader.name = str(path)
    try:
        value = loader.get_single_data()
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {error}") from None
    finally:
        loader.dispose()
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a mapping of keys to values (got {type(value).__name__})")
    return value


def problems_of(error: ValidationError, where: str) -> list[str]:
    """Turn a pydantic error into one line per problem: ``where: key: what (got value)``."""
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "(whole file)"
        if item["type"] == "extra_forbidden":
            lines.append(f"{where}: {key}: unknown key; check the spelling against config/README.md")
        elif item["type"] == "missing":
            lines.append(f"{where}: {key}: required key is missing; see config/README.md")
        else:
            message = item["msg"].removeprefix("Value error, ")
            lines.append(f"{where}: {key}: {message} (got {_short(item['input'])})")
    return lines


def suggestion(name: object, known: Iterable[object]) -> str:
    """`` (did you mean 'x'?)`` where one of the known names is close to `name`, else nothing."""
    lower = {str(other).lower(): str(other) for other in known}
    close = difflib.get_close_matches(str(name).lower(), lower, n=1, cutoff=0.6)
    return f" (did you mean {lower[close[0]]!r}?)" if close else ""


def with_suggestions(names: Sequence[object], known: Iterable[object]) -> str:
    """Names, comma-separated, each with the known name that it is close to; the first `LISTED` of many."""
    known = list(known)
    texts = [f"{name}{suggestion(name, known)}" for name in names[:LISTED]]
    more = [f"... ({len(names) - LISTED} more)"] if len(names) > LISTED else []
    return ", ".join(texts + more)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


SettingsType = TypeVar("SettingsType", bound=BaseModel)


def parse(model: type[SettingsType], value: Mapping[str, Any], where: str) -> SettingsType:
    """Check a mapping against a settings model.

    Raises
    ------
    InputError : with every problem, one per line.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InputError("\n".join(problems_of(error, where))) from None
