"""Provenance, atomic files and seeded generators: what every output carries and how it is written.

Provenance holds no timestamp and no absolute path, so the same inputs give the same bytes. A file is hashed once, by
the command that writes it; consumers copy the digest.
"""

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bindgram.errors import InputError

if TYPE_CHECKING:
    import numpy as np

METADATA_KEY = "bindgram"  # Parquet key-value metadata, HDF5 attribute and safetensors metadata alike


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` that replaces it on success and vanishes on failure.

    The sibling keeps the suffixes of `path`, because writers choose formats by them.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part.", suffix="." + path.name, dir=path.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        part.chmod(0o666 & ~umask)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` whole or not at all."""
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented, key-sorted JSON, whole or not at all. NaN is refused: use ``None``."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def sha256_file(path: Path) -> str:
    """SHA-256 of the bytes of a file, as hexadecimal digits."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a JSON-serialisable value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()


def step_rng(seed: int, *names: str) -> "np.random.Generator":
    """Return the generator of one step: a function of the seed and of the names of command, experiment, ... alone."""
    import numpy as np  # not every command needs arrays

    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def read_record(path: Path) -> dict[str, Any]:
    """Provenance in the record that ``bindgram fetch`` writes beside a file.

    Raises
    ------
    InputError : it is no such record.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))["provenance"]
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{path}: not a record of bindgram fetch (JSON with the key provenance)") from None


def read_count(path: Path, name: str) -> int | None:
    """A count in a record that `read_record` accepts; None where it has none of this name."""
    read_record(path)
    return json.loads(Path(path).read_text(encoding="utf-8")).get(name)


def make_provenance(
    command: str,
    revision: int,
    settings: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int | None = None,
    packages: Iterable[str] = (),
) -> dict[str, Any]:
    """Describe how an output was made.

    Parameters
    ----------
    command : name of the ``bindgram`` command.
    revision : the command's integer from ``config/revisions.yaml``.
    settings : the stage's own resolved settings, JSON-serialisable.
    inputs : name of an input to the provenance that its producer stored in it (with key ``digest``).
    seed : seed of the step, if it draws random numbers.
    packages : installed packages whose numbers these are, such as torch; whoever reads the output may not have them.

    Returns
    -------
    Dict with ``package, version, command, revision, settings, seed, inputs`` (name to digest), ``revisions``: the
    revision of this command and of all commands upstream, and ``packages``: likewise, the versions of each package.

    Raises
    ------
    InputError : two inputs were made by different revisions of one command.
    """
    from importlib.metadata import version  # slow to import

    inputs = inputs or {}
    revisions: dict[str, int] = {}
    for name, upstream in inputs.items():
        for made_by, made_at in upstream.get("revisions", {}).items():
            if revisions.setdefault(made_by, made_at) != made_at:
                raise InputError(
                    f"{name}: made with revision {made_at} of {made_by}, another input with {revisions[made_by]}; "
                    f"run {made_by} and what depends on it again"
                )
    revisions[command] = revision
    own = {"packages": {name: [version(name)] for name in packages}}
    return {
        "package": "bindgram",
        "version": version("bindgram"),
        "command": command,
        "revision": revision,
        "settings": dict(settings),
        "seed": seed,
        "inputs": {name: upstream.get("digest") for name, upstream in sorted(inputs.items())},
        "revisions": dict(sorted(revisions.items())),
        "packages": merge_packages([own, *inputs.values()]),
    }


def merge_packages(provenances: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Package to all its versions in some provenances, sorted."""
    found: dict[str, set[str]] = {}
    for provenance in provenances:
        for name, versions in provenance.get("packages", {}).items():
            found.setdefault(name, set()).update(versions)
    return {name: sorted(versions) for name, versions in sorted(found.items())}
