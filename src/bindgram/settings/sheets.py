"""The two sheets: assemblies and experiments (tab-separated, one header line).

A sheet is read to its end whatever is wrong with it, so that all its problems come together, each with its line.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Generic, Literal, TypeVar, get_args

from pydantic import Field, ValidationError

from bindgram.errors import InputError, raise_all
from bindgram.settings.base import Checksum, Id, Settings, problems_of, suggestion, with_suggestions

PeakFormat = Literal[
    "narrowPeak", "broadPeak", "bed", "bigBed", "encode_clusters", "remap", "deepbind", "gue"
]  # of the files that the sheet names
StoredFormat = Literal["narrowPeak", "broadPeak", "bed", "extracted", "deepbind", "gue"]  # of those that are kept
SEQUENCE_FORMATS = ("deepbind", "gue")  # published sequences, without coordinates
POOLED_FORMATS = ("encode_clusters", "remap")  # one file holds many experiments

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
    repeats: str | None = None
    repeats_checksum: Checksum | None = None
    genes: str | None = None
    genes_checksum: Checksum | None = None


class Experiment(Settings):
    """One row of the experiment sheet: one ChIP-seq peak set, or one published sequence set."""

    experiment: Id
    tf: Id
    biosample: str
    assembly: Id
    format: PeakFormat
    peaks: str
    peaks_checksum: Checksum | None = None
    peak_name: str | None = None
    lift_from: str | None = None
    chain: str | None = None
    chain_checksum: Checksum | None = None
    valid_sequences: str | None = None
    valid_sequences_checksum: Checksum | None = None
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
    family: str | None = None

    @property
    def has_coordinates(self) -> bool:
        """Whether the source gives genome coordinates (published sequence sets do not)."""
        return self.format not in SEQUENCE_FORMATS

    @property
    def stored_format(self) -> str:
        """A `StoredFormat`: that of the source, or ``extracted`` where peaks are taken out of it or lifted over."""
        kept = self.format in get_args(StoredFormat) and self.chain is None
        return self.format if kept else "extracted"

    @property
    def families(self) -> tuple[str, ...]:
        """Families of the TF: the names of the column `family`, which ``;`` separates."""
        return tuple(name for part in (self.family or "").split(";") if (name := part.strip()))

    @property
    def family_slug(self) -> str:
        """All families of the TF as part of a file name, whatever their order in the sheet."""
        return slug(";".join(sorted(set(self.families))))


URL_SCHEMES = ("http://", "https://", "ftp://")
SOURCES = (
    "fasta", "chrom_sizes", "blacklist", "repeats", "genes", "peaks", "chain", "valid_sequences", "test_sequences",
    "signal", "accessibility",
)  # fmt: skip
# Columns that some formats need and the others do not use, and those that some formats may have.
_NEEDED_BY = {"valid_sequences": ("gue",), "test_sequences": SEQUENCE_FORMATS}
_TAKEN_BY = {
    "peak_name": POOLED_FORMATS,
    "chain": tuple(format for format in get_args(PeakFormat) if format not in SEQUENCE_FORMATS),
}
Row = TypeVar("Row", Assembly, Experiment)


@dataclass(frozen=True)
class Line:
    """One line of a sheet as it stands there, right or wrong: column to text, without empty cells."""

    number: int
    cells: dict[str, str]
    right: bool


@dataclass(frozen=True)
class Sheet(Generic[Row]):
    """A sheet with all that is wrong with it; `problems` are pairs (line number, text)."""

    path: Path
    key: str  # column of the ids
    rows: dict[str, Row] = field(default_factory=dict)  # those that are right, by id, in file order
    lines: list[Line] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def complain(self, number: int, text: str) -> None:
        """Add a problem of one line."""
        self.problems.append((number, f"{self.path}:{number}: {text}"))

    def complaints(self) -> list[str]:
        """All problems in the order of the lines."""
        return [text for _, text in sorted(self.problems, key=lambda problem: problem[0])]


def slug(text: str) -> str:
    """`text` as part of a file name: itself where it is an id, else with a digest, so that no two texts are one."""
    plain = re.sub("[^A-Za-z0-9_-]+", "_", text)
    return plain if plain == text else f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def is_url(source: str) -> bool:
    """Whether `source` is downloaded rather than read from disk."""
    return source.startswith(URL_SCHEMES)


def read_assemblies(path: Path) -> dict[str, Assembly]:
    """Read the assembly sheet: id to row, in file order.

    Raises
    ------
    InputError : every problem with its line number.
    """
    return _rows_of(read_sheet(Path(path), Assembly))


def read_experiments(path: Path) -> dict[str, Experiment]:
    """Read the experiment sheet: id to row, in file order.

    Raises
    ------
    InputError : every problem with its line number.
    """
    return _rows_of(read_sheet(Path(path), Experiment))


def _rows_of(sheet: Sheet[Row]) -> dict[str, Row]:
    raise_all(sheet.complaints(), str(sheet.path))
    return sheet.rows


def read_sheet(path: Path, model: type[Row]) -> Sheet[Row]:
    """Read and check every line of a sheet; the id is the first column of `model`.

    Raises
    ------
    InputError : there is no such file, or its header is wrong, so that no cell can be told from another.
    """
    texts = _read_lines(path, model)
    header = [name.strip() for name in texts[0].split("\t")]
    _check_header(path, header, model)
    key = next(iter(model.model_fields))
    sheet: Sheet[Row] = Sheet(path, key)
    first_line: dict[str, int] = {}
    for number, text in enumerate(texts[1:], start=2):
        if not text.strip() or text.startswith("#"):
            continue
        cells = [_unquoted(cell) for cell in text.split("\t")]
        values = {column: cell for column, cell in zip(header, cells, strict=False) if cell}
        n_before = len(sheet.problems)
        row = None
        if len(cells) == len(header):
            row = _check_row(sheet, number, values, model)
        else:  # nothing is known of its cells but, most likely, the id
            sheet.complain(number, f"{len(cells)} cells where the header has {len(header)}; {_CELLS}")
            values = {column: cell for column, cell in values.items() if column == key}
        name = values.get(key, "")
        if name in first_line:
            sheet.complain(number, f"{key} {name!r} repeats line {first_line[name]}; ids are unique, rename one")
        elif name:
            first_line[name] = number
        right = len(sheet.problems) == n_before
        sheet.lines.append(Line(number, values, right))
        if row is not None and right:
            sheet.rows[name] = row
    if not sheet.lines and not sheet.problems:
        sheet.complain(1, f"no rows; add one line per {key}")
    return sheet


_CELLS = "separate them by tabs, one tab for each empty cell too"


def _check_row(sheet: Sheet[Row], number: int, values: dict[str, str], model: type[Row]) -> Row | None:
    """Complain of everything that can be said of a line by itself; its row where the cells are of the right types."""
    row = None
    try:
        row = model.model_validate(values)
    except ValidationError as error:
        for text in problems_of(error, model, "empty; this column needs a value in every row"):
            sheet.complain(number, text)
    for column in SOURCES:
        source = values.get(column)
        if source is None:
            if f"{column}_checksum" in values:
                sheet.complain(number, f"{column}: empty, but {column}_checksum is given; fill in or clear both")
        elif "://" in source and not is_url(source):
            sheet.complain(
                number, f"{column}: {source!r} cannot be fetched; use http://, https://, ftp:// or a local path"
            )
    _check_format(sheet, number, values)
    if ("lift_from" in values) != ("chain" in values):
        given, missing = ("lift_from", "chain") if "lift_from" in values else ("chain", "lift_from")
        sheet.complain(number, f"{missing}: empty, but {given} is given; fill in or clear both")
    return row


def _check_format(sheet: Sheet[Row], number: int, values: dict[str, str]) -> None:
    """Complain of columns that the format of a row needs, or does not use."""
    format = values.get("format")
    if format not in get_args(PeakFormat):
        return
    for column, formats in _NEEDED_BY.items():
        if format in formats and column not in values:
            sheet.complain(number, f"{column}: required for format {format} (format is {format!r})")
    for column, formats in (_NEEDED_BY | _TAKEN_BY).items():
        if format not in formats and column in values:
            sheet.complain(number, f"{column}: not used by this format (format is {format!r})")


def _check_header(path: Path, header: list[str], model: type[Row]) -> None:
    columns = model.model_fields
    unknown = [name for name in header if name not in columns]
    missing = [name for name, column in columns.items() if column.is_required() and name not in header]
    repeated = sorted({name for name in header if header.count(name) > 1})
    problems = [
        f"unknown column(s): {with_suggestions([name or '(no name)' for name in unknown], columns)}" if unknown else "",
        f"missing column(s): {', '.join(missing)}" if missing else "",
        f"column(s) given twice: {', '.join(repeated)}" if repeated else "",
    ]
    if any(problems):
        raise InputError(
            f"{path}:1: header: {'; '.join(filter(None, problems))}; columns are {', '.join(columns)}, "
            "separated by tabs, each once"
        )


def unknown_assembly(sheet: Sheet[Experiment], line: Line, assemblies: Iterable[str], source: str) -> None:
    """Complain of a line whose assembly is not among those that `source` has."""
    name = line.cells.get("assembly")
    known = sorted(assemblies)
    if name is not None and name not in known:
        sheet.complain(
            line.number,
            f"assembly: {name!r} is not in {source}, which has {', '.join(known)}{suggestion(name, known)}; "
            "correct it, or add the assembly there",
        )


def missing_files(sheet: Sheet[Row], line: Line, root: Path) -> None:
    """Complain of the local files of a line that are not there; a URL is not looked at."""
    for column in SOURCES:
        source = line.cells.get(column)
        if source is not None and "://" not in source and not (root / source).is_file():
            sheet.complain(
                line.number,
                f"{sheet.key} {line.cells.get(sheet.key)}: {column}: no such file: {source}; give a path from the "
                "working directory or a URL, put the file back, or leave the row out with select",
            )


def _unquoted(cell: str) -> str:
    """A cell without the quotes in which spreadsheets put text."""
    cell = cell.strip()
    quoted = len(cell) >= 2 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"').strip() if quoted else cell


def _read_lines(path: Path, model: type[Row]) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")  # every kind of line end becomes a line feed
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file; check the path in the configuration") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start}); save it as text in UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}:{line}: not a text file (it has zero bytes); save it as text in UTF-8")
    if not text:
        raise InputError(f"{path}: empty; it needs a header line with the columns {', '.join(model.model_fields)}")
    return text.split("\n")
