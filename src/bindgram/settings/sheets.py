"""The two sheets: assemblies and experiments (tab-separated, one header line).

Unknown or missing columns, bad ids, duplicate ids and unknown assemblies are all reported together, with line numbers.
"""

import csv
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from bindgram.errors import InputError, raise_all
from bindgram.settings.base import ID_PATTERN, Id, Settings, problems_of

PeakFormat = Literal["narrowPeak", "broadPeak", "bed", "deepbind"]
Checksum = Annotated[str, Field(pattern=r"^(md5:[0-9a-fA-F]{32}|sha256:[0-9a-fA-F]{64})$")]

# Cells are text; strict settings convert nothing by themselves.
Tier = Annotated[int, Field(ge=0, strict=False)]
Fraction = Annotated[float, Field(ge=0, le=1, strict=False)]


class Assembly(Settings):
    """One row of the assembly sheet. Paths are local paths or http, https or ftp URLs."""

    assembly: Id
    fasta: str
    fasta_checksum: Checksum | None = None
    chrom_sizes: str | None = None
    blacklist: str | None = None
    blacklist_checksum: Checksum | None = None


class Experiment(Settings):
    """One row of the experiment sheet: one ChIP-seq peak set, or one published sequence set."""

    experiment: Id
    tf: Id
    biosample: str
    assembly: Id
    format: PeakFormat
    peaks: str
    peaks_checksum: Checksum | None = None
    test_sequences: str | None = None
    test_sequences_checksum: Checksum | None = None
    signal: str | None = None
    signal_checksum: Checksum | None = None
    accessibility: str | None = None
    accessibility_checksum: Checksum | None = None
    tier: Tier | None = None
    accession: str | None = None
    treatment: str | None = None
    lab: str | None = None
    frip: Fraction | None = None

    @property
    def has_coordinates(self) -> bool:
        """Whether the source gives genome coordinates (published sequence sets do not)."""
        return self.format != "deepbind"


Row = TypeVar("Row", Assembly, Experiment)
URL_SCHEMES = ("http://", "https://", "ftp://")


def is_url(source: str) -> bool:
    """Whether `source` is downloaded rather than read from disk."""
    return source.startswith(URL_SCHEMES)


def read_assemblies(path: Path) -> dict[str, Assembly]:
    """Read the assembly sheet: id to row, in file order.

    Raises
    ------
    InputError : every problem with its line number.
    """
    return _read_sheet(Path(path), Assembly, "assembly", [])


def read_experiments(path: Path) -> dict[str, Experiment]:
    """Read the experiment sheet: id to row, in file order.

    Raises
    ------
    InputError : every problem with its line number.
    """
    problems: list[str] = []
    rows = _read_sheet(Path(path), Experiment, "experiment", problems)
    for row in rows.values():
        if (row.format == "deepbind") != (row.test_sequences is not None):
            problems.append(
                f"{path}: experiment {row.experiment}: column test_sequences is "
                + ("required for format deepbind" if row.format == "deepbind" else f"not used by format {row.format}")
            )
    raise_all(problems, str(path))
    return rows


def _read_sheet(path: Path, model: type[Row], key: str, problems: list[str]) -> dict[str, Row]:
    lines = _read_lines(path)
    if not lines:
        raise InputError(f"{path}: empty; it needs a header line with the columns {', '.join(model.model_fields)}")
    reader = csv.reader(lines, delimiter="\t")
    header = next(reader)
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    unknown = [column for column in header if column not in model.model_fields]
    missing = sorted(required - set(header))
    if unknown or missing or len(set(header)) != len(header):
        raise InputError(
            f"{path}: header: unknown column(s) {unknown}, missing column(s) {missing}; "
            f"columns are {', '.join(model.model_fields)}, separated by tabs, each once"
        )
    rows: dict[str, Row] = {}
    first_line: dict[str, int] = {}
    for number, cells in enumerate(reader, start=2):
        if not cells or cells[0].startswith("#"):
            continue
        if len(cells) != len(header):
            problems.append(f"{path}:{number}: {len(cells)} cells where the header has {len(header)}; separate by tabs")
            continue
        values = {column: cell.strip() for column, cell in zip(header, cells, strict=True) if cell.strip()}
        try:
            row = model.model_validate(values)
        except ValidationError as error:
            problems += problems_of(error, f"{path}:{number}")
            continue
        name = values[key]
        if name in first_line:
            problems.append(f"{path}:{number}: {key} {name!r} repeats line {first_line[name]}; ids are unique")
            continue
        first_line[name] = number
        rows[name] = row
    if not rows and not problems:
        problems.append(f"{path}: no rows; add one line per {key}")
    raise_all(problems, str(path))
    return rows


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; ids in it must match {ID_PATTERN}") from None
