"""Versions behind a report: of packages, as the commands that used them recorded them, and of the page's own."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("bindgram", "torch", "numpy", "pandas", "scikit-learn", "scipy", "seqpro", "pysam")
PACKAGES += ("matplotlib", "snakemake")


def versions_of(upstream: Mapping[str, Any]) -> dict[str, str]:
    """Python and packages by name.

    What the producers of the results recorded comes first: the environment of the report need not have torch. All other
    packages are those that are installed here, found without importing them.
    """
    recorded = upstream.get("packages", {})
    found = {"python": platform.python_version()}
    for name in (*PACKAGES, *sorted(set(recorded) - set(PACKAGES))):
        known = ", ".join(recorded.get(name, ())) or _installed(name)
        found |= {name: known} if known else {}
    return found


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def flatten(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys and values of nested settings, in their order."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from flatten(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)):
        texts = [", ".join(f"{k}: {v}" for k, v in i.items()) if isinstance(i, Mapping) else str(i) for i in value]
        yield key, ", ".join(texts) or "(empty)"
    else:
        yield key, "(none)" if value is None or value == {} else str(value)
