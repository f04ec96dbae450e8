"""How settings are read: YAML without surprises, unknown keys refused, every problem named by file and key."""

import difflib
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bindgram.errors import InputError

ID_PATTERN = r"^[A-Za-z0-9_-]+$"
CHECKSUM_PATTERN = r"^(md5:[0-9a-fA-F]{32}|sha256:[0-9a-fA-F]{64})$"
PATTERN_WORDS = {  # patterns in words, for those who do not read regular expressions
    ID_PATTERN: "an id has letters A-Z a-z, digits, _ and - only, no spaces or other signs",
    CHECKSUM_PATTERN: "a checksum is md5: and 32 hex digits, or sha256: and 64 hex digits",
}
LISTED = 20  # names quoted in one message
Id = Annotated[str, Field(pattern=ID_PATTERN)]
Checksum = Annotated[str, Field(pattern=CHECKSUM_PATTERN)]


class Settings(BaseModel):
    """Base of all settings: immutable, unknown keys are errors, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


# libyaml's parser is several times faster; wheels have it, other builds may not
class _UniqueKeyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Safe loader that refuses a key given twice (plain YAML keeps the last one silently)."""

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


def problems_of(
    error: ValidationError, model: type[BaseModel], missing: str = "required key is missing; see config/README.md"
) -> list[str]:
    """Turn a pydantic error into one text per problem: ``key: what (got value)``.

    Parameters
    ----------
    model : the settings model that refused.
    missing : what to say of a key that is not there.
    """
    texts = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in _keys(model, item["loc"])) or "(whole file)"
        kind, got = item["type"], _short(item["input"])
        if kind == "extra_forbidden":
            name = item["loc"][-1]  # known where it belongs to another kind of the same section
            close = suggestion(name, _known_keys(model, item["loc"][:-1]) - {name})
            texts.append(f"{key}: unknown key; check the spelling against config/README.md{close}")
        elif kind == "missing":
            texts.append(f"{key}: {missing}")
        elif kind == "string_pattern_mismatch" and item["ctx"]["pattern"] in PATTERN_WORDS:
            texts.append(f"{key}: {PATTERN_WORDS[item['ctx']['pattern']]} (got {got})")
        else:
            choices = re.findall(r"'([^']+)'", item["ctx"]["expected"]) if kind == "literal_error" else ()
            texts.append(
                f"{key}: {item['msg'].removeprefix('Value error, ')} (got {got}){suggestion(item['input'], choices)}"
            )
    return texts


def _keys(annotation: Any, path: Sequence[str | int]) -> Iterator[str | int]:
    """`path` of a problem in what is annotated, without the kinds that tell the models of a union apart."""
    if not path:
        return
    part, *rest = path
    members = _models_in_place(annotation)
    fields = {name: field.annotation for member in members for name, field in member.model_fields.items()}
    kind = [member for member in members if any(part in get_args(f.annotation) for f in member.model_fields.values())]
    if part in fields or not kind:
        yield part
        yield from _keys(fields.get(part, _inside(annotation)), rest)
    else:
        yield from _keys(kind[0], rest)


def _models_in_place(annotation: Any) -> list[type[BaseModel]]:
    """Settings models that a value may be, not those of its items."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return [found for part in get_args(annotation) for found in _models_in_place(part)]
    return []


def _inside(annotation: Any) -> Any:
    """What the items of a list or the values of a mapping are."""
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return next((inner for part in get_args(annotation) if (inner := _inside(part)) is not None), None)
    return get_args(annotation)[-1] if get_origin(annotation) in (list, dict, tuple) else None


def _known_keys(model: type[BaseModel], path: Iterable[str | int]) -> set[str]:
    """Keys that the section at `path` of a settings model may have; parts that are no keys (list items) are passed."""
    here = {model}
    for part in path:
        inner = [m.model_fields[part].annotation for m in here if part in m.model_fields]
        here = {found for annotation in inner for found in _models_in(annotation)} or here
    return {name for m in here for name in m.model_fields}


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {found for part in get_args(annotation) for found in _models_in(part)}


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


def named_file(path: Path) -> Path:
    """`path`, a file that a setting names by its stem.

    Raises
    ------
    InputError : there is no such file; with the closest name there is.
    """
    if not path.is_file():
        names = sorted(other.stem for other in path.parent.glob(f"*{path.suffix}"))
        raise InputError(
            f"{path}: no such file; check the name that refers to it{suggestion(path.stem, names)}; "
            f"there are {', '.join(names) or 'none'}"
        )
    return path


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
        raise InputError("\n".join(f"{where}: {text}" for text in problems_of(error, model))) from None
