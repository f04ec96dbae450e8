"""Filters of positives as the configuration and the command line write them: a name, or a name with a value.

In the configuration an item is ``blacklist`` or ``{n_fraction: 0.0}``, on the command line ``blacklist`` or
``n_fraction=0.0``. What the filters do is `bindgram.data.filters`.
"""

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import PlainValidator

from bindgram.settings.base import suggestion

FilterName = Literal[
    "split",
    "blacklist",
    "n_fraction",
    "soft_masked",
    "duplicate",
    "peak_width",
    "chromosomes",
    "overlap",
    "support",
    "strength",
]
OVERLAP_MODES = ("keep_strongest", "merge")


class FilterSetting(NamedTuple):
    """One filter: `value` is None for a filter that takes none; lists are tuples."""

    name: str
    value: Any = None

    @property
    def item(self) -> str | dict[str, Any]:
        """As an item of ``positives.filters``."""
        if self.value is None:
            return self.name
        return {self.name: list(self.value) if isinstance(self.value, tuple) else self.value}

    @property
    def text(self) -> str:
        """As a value of the option ``--filter``."""
        if self.value is None:
            return self.name
        parts = self.value if isinstance(self.value, tuple) else (self.value,)
        return f"{self.name}={','.join(str(part) for part in parts)}"


def parse_filter(item: Any) -> FilterSetting:
    """Read a name, a one-key mapping, or a `FilterSetting`. Text where a number is wanted is read as one.

    Raises
    ------
    ValueError : says what is wrong, with the choices.
    """
    if isinstance(item, FilterSetting):
        item = item.item
    if isinstance(item, dict) and len(item) == 1:
        name, value = next(iter(item.items()))
    elif isinstance(item, str):
        name, value = item, None
    else:
        raise ValueError(f"a filter is a name, or one name with a value (n_fraction: 0.0); names: {', '.join(_VALUES)}")
    if name not in _VALUES:
        raise ValueError(f"no filter {name!r}{suggestion(name, _VALUES)}; there are {', '.join(_VALUES)}")
    parse = _VALUES[name]
    if parse is None:
        if value is not None:
            raise ValueError(f"filter {name} takes no value")
        return FilterSetting(name)
    return FilterSetting(name, parse(name, value))


def parse_filter_text(text: str) -> FilterSetting:
    """Read ``NAME`` or ``NAME=VALUE``; lists are separated by commas.

    Raises
    ------
    ValueError : see `parse_filter`.
    """
    name, separator, value = text.partition("=")
    return parse_filter({name: value} if separator else name)


def check_filters(filters: Iterable[FilterSetting]) -> tuple[FilterSetting, ...]:
    """Refuse a filter that is given twice. Overlaps may be first merged and then thinned.

    Raises
    ------
    ValueError : names the filter.
    """
    filters = tuple(filters)
    seen = [(name, value if name == "overlap" else None) for name, value in filters]
    repeated = sorted({name for name, value in seen if seen.count((name, value)) > 1})
    if repeated:
        raise ValueError(f"{', '.join(repeated)} given twice; keep one")
    return filters


def _fraction(name: str, value: Any) -> float:
    number = _number(value)
    if number is None or not 0 <= number <= 1:
        raise ValueError(f"filter {name}: the largest fraction to keep, a number from 0 to 1")
    return number


def _strength(name: str, value: Any) -> float:
    number = _number(value)
    if number is None:
        raise ValueError(f"filter {name}: the smallest strength to keep, a number")
    return number


def _support(name: str, value: Any) -> int:
    number = _whole(value)
    if number is None or number < 1:
        raise ValueError(f"filter {name}: the smallest support to keep, an integer of 1 or more")
    return number


def _width_range(name: str, value: Any) -> tuple[int, int]:
    parts = [_whole(part) for part in _parts(value)]
    if len(parts) != 2 or None in parts or not 1 <= parts[0] <= parts[1]:
        raise ValueError(f"filter {name}: [smallest, largest] width of the peak in bp, 1 or more")
    return parts[0], parts[1]


def _chromosomes(name: str, value: Any) -> tuple[str, ...]:
    # Names such as 1 and 2 come as numbers from YAML.
    parts = [str(part) if isinstance(part, int) and not isinstance(part, bool) else part for part in _parts(value)]
    if not parts or not all(isinstance(part, str) and part.split() == [part] for part in parts):
        raise ValueError(f"filter {name}: a list of names of chromosomes to keep, such as [chr1, chr2]")
    repeated = sorted({part for part in parts if parts.count(part) > 1})
    if repeated:
        raise ValueError(f"filter {name}: {', '.join(repeated)} given twice; keep one")
    return tuple(parts)


def _overlap_mode(name: str, value: Any) -> str:
    if value not in OVERLAP_MODES:
        close = suggestion(value, OVERLAP_MODES) if isinstance(value, str) else ""
        raise ValueError(f"filter {name}: one of {', '.join(OVERLAP_MODES)}{close}")
    return value


_VALUES: dict[str, Callable[[str, Any], Any] | None] = {
    "split": None,
    "blacklist": None,
    "n_fraction": _fraction,
    "soft_masked": _fraction,
    "duplicate": None,
    "peak_width": _width_range,
    "chromosomes": _chromosomes,
    "overlap": _overlap_mode,
    "support": _support,
    "strength": _strength,
}


def _parts(value: Any) -> list[Any]:
    if isinstance(value, str):
        return value.split(",")
    return list(value) if isinstance(value, (list, tuple)) else []


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == int(number) and not isinstance(value, float) else None


# The annotation names the choices; the validator reads an item whole, because the messages of a union help nobody.
FilterItem = Annotated[FilterName | dict[FilterName, Any], PlainValidator(lambda item: parse_filter(item).item)]
