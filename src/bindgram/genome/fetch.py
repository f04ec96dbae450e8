"""Fetch: a file from a URL or a local path, verified, brought into the form the pipeline reads.

A file that is refused (wrong checksum, truncated, a web page, the wrong assembly, ...) leaves nothing behind; an older
file at the destination stays. Only a download that was interrupted keeps its ``.part`` file, to go on from.
"""

import gzip
import hashlib
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

from bindgram.errors import InputError
from bindgram.genome.download import InterruptedDownload, Patience, discard_part, download, part_path, progress_bar
from bindgram.genome.signal import check_bigwig, place_signal
from bindgram.genome.text import (
    BIGBED_MAGIC,
    GZIP_MAGIC,
    looks_like_html,
    open_maybe_gzip,
    parse_region,
    read_chrom_sizes,
    region_lines,
    text_blocks,
    text_lines,
)
from bindgram.provenance import atomic_path
from bindgram.settings.sheets import is_url

_CHECKSUM = re.compile(r"(md5):([0-9a-f]{32})|(sha256):([0-9a-f]{64})")
_BGZF_START = b"\x1f\x8b\x08\x04"
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_BLOCK_BYTES = 1 << 20
Sizes = Mapping[str, int]
Writer = Callable[[Path, Path, Sizes | None], dict[str, Any]]


def fetch_file(
    source: str,
    destination: Path,
    kind: str,
    checksum: str | None,
    chrom_sizes: str | None,
    patience: Patience,
    writers: Mapping[str, Writer] | None = None,
) -> dict[str, Any]:
    """Bring `source` to `destination`, verified, whole or not at all.

    Parameters
    ----------
    source : http, https or ftp URL, or a local path.
    kind : a key of `writers`, or ``bigWig``: a local one is linked to, not copied.
    checksum : ``md5:<hex>`` or ``sha256:<hex>`` of the file at the source; None = it is only recorded.
    chrom_sizes : table of chromosome lengths (local path or URL) that a FASTA must agree with; None = not compared.
    writers : what brings a verified file of each kind into its form; None = `FILE_KINDS`.

    Returns
    -------
    ``source, sha256, n_bytes`` (of the file at the source), ``checksum_verified``, and what `kind` adds.

    Raises
    ------
    InputError : the file is refused; nothing is left.
    InterruptedDownload : the network failed; run again to go on.
    """
    destination = Path(destination)
    part = part_path(destination)
    try:
        if chrom_sizes is not None and kind != "fasta":
            raise InputError(f"chromosome sizes are compared with a fasta only, not with kind {kind!r}; leave them out")
        expected = None if chrom_sizes is None else _read_expected(chrom_sizes, patience)
        if is_url(source):
            download(source, part, patience)
        raw = part if is_url(source) else Path(source)
        record = {"source": _public_name(source), **_verify(raw, checksum)}
        if kind == "bigWig":
            check_bigwig(raw)
            place_signal(raw, destination, downloaded=is_url(source))
        else:
            with atomic_path(destination) as whole:
                record |= (writers or FILE_KINDS)[kind](raw, whole, expected)
    except InterruptedDownload:
        raise
    except InputError as error:
        discard_part(part)
        raise InputError(f"{source}: refused, nothing was written: {error}") from None
    except OSError as error:
        raise InputError(f"{error.filename or destination}: {error.strerror}; see to free space, permissions") from None
    discard_part(part)
    return record


def _public_name(source: str) -> str:
    """`source` without user, password and the directories of an absolute path: fit for a record."""
    if is_url(source):
        parts = urlsplit(source)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return Path(source).name if Path(source).is_absolute() else source


def _read_expected(chrom_sizes: str, patience: Patience) -> dict[str, int]:
    if not is_url(chrom_sizes):
        return read_chrom_sizes(Path(chrom_sizes))
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "chrom.sizes"
        download(chrom_sizes, table, patience)
        return read_chrom_sizes(table)


def _verify(raw: Path, checksum: str | None) -> dict[str, Any]:
    """Hash the file as published and refuse a web page, a cut bgzip, or a wrong checksum."""
    if not raw.is_file():
        raise InputError("no such file; put it back, or correct the path in the sheet")
    if looks_like_html(_unpacked_start(raw).decode("utf-8", "replace")):
        raise InputError("it is a web page (HTML), most likely of an error; open the address in a browser")
    with raw.open("rb") as handle:
        start = handle.read(len(_BGZF_END))
        n_bytes = handle.seek(0, 2)
        if start.startswith(_BGZF_START) and start[12:14] == b"BC":
            handle.seek(max(0, n_bytes - len(_BGZF_END)))
            if handle.read() != _BGZF_END:
                raise InputError("truncated: the end mark of a bgzip file is missing; fetch it again")
        handle.seek(0)
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    if checksum is not None:
        _compare(raw, checksum, sha256)
    return {"sha256": sha256, "n_bytes": n_bytes, "checksum_verified": checksum is not None}


def _unpacked_start(raw: Path) -> bytes:
    try:
        with open_maybe_gzip(raw) as handle:
            return handle.read(512)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""  # whoever unpacks it whole says what is wrong


def _compare(raw: Path, checksum: str, sha256: str) -> None:
    match = _CHECKSUM.fullmatch(checksum.lower())
    if match is None:
        raise InputError(f"checksum {checksum!r} is neither md5:<32 hex digits> nor sha256:<64 hex digits>")
    found = f"sha256:{sha256}"
    if match[1]:
        with raw.open("rb") as handle:
            found = f"md5:{hashlib.file_digest(handle, 'md5').hexdigest()}"
    if found != checksum.lower():
        raise InputError(
            f"checksum: got {found}, expected {checksum.lower()}; the file changed at its source, was damaged on the "
            "way, or the checksum in the sheet is wrong: restore the file, or correct the sheet if this one is right"
        )


@contextmanager
def _open_unpacked(raw: Path, description: str) -> Iterator[IO[bytes]]:
    """Stream the content of a plain or gzip file, with progress in bytes of the file."""
    from tqdm.utils import CallbackIOWrapper

    with raw.open("rb") as handle, progress_bar(description, raw.stat().st_size) as bar:
        compressed = handle.read(2) == GZIP_MAGIC
        handle.seek(0)
        counted = CallbackIOWrapper(bar.update, handle, "read")
        try:
            yield gzip.GzipFile(fileobj=counted) if compressed else counted
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"truncated or damaged gzip ({error}); fetch it again") from None


def _write_fasta(raw: Path, target: Path, expected: Sizes | None) -> dict[str, Any]:
    """FASTA: unpacked and normalised, see `bindgram.genome.assembly`."""
    from bindgram.genome.assembly import check_sizes, normalise_fasta  # arrays and tables, which peaks do without

    with _open_unpacked(raw, "unpacking FASTA") as source, target.open("wb") as output:
        sizes = normalise_fasta(source, output)
    if expected is not None:
        check_sizes(sizes, expected)
    return {"n_sequences": len(sizes), "n_bp": sum(sizes.values())}


def _write_bed(raw: Path, target: Path, expected: Sizes | None) -> dict[str, Any]:
    """BED: unpacked, every line checked, line feeds only."""
    n_regions = sum(bool(parse_region(raw, number, cells)) for number, cells in region_lines(raw))
    with target.open("w", encoding="utf-8", newline="\n") as output:
        output.writelines(f"{line}\n" for line in text_lines(raw))
    return {"n_regions": n_regions}


def _write_genes(raw: Path, target: Path, expected: Sizes | None) -> dict[str, Any]:
    """GTF or GFF3: the transcription start sites of its genes and transcripts, as BED."""
    from bindgram.genome.genes import read_tss, tss_lines

    sites, n_unstranded = read_tss(raw)
    with target.open("w", encoding="utf-8", newline="\n") as output:
        output.writelines(tss_lines(sites))
    return {"n_regions": len(sites), "n_unstranded": n_unstranded}


def _write_peaks(raw: Path, target: Path, expected: Sizes | None) -> dict[str, Any]:
    """Peaks: text in a gzip file; bytes as published where they are gzip already."""
    n_lines = sum(block.count(b"\n") for _, block in text_blocks(raw))
    with raw.open("rb") as source, target.open("wb") as output:
        compressed = source.read(2) == GZIP_MAGIC
        source.seek(0)
        if compressed:
            shutil.copyfileobj(source, output, _BLOCK_BYTES)
        else:
            # no name and no time in the header: the same input gives the same bytes
            with gzip.GzipFile(filename="", mode="wb", fileobj=output, mtime=0) as packed:
                shutil.copyfileobj(source, packed, _BLOCK_BYTES)
    return {"n_lines": n_lines}


def _write_chain(raw: Path, target: Path, expected: Sizes | None) -> dict[str, Any]:
    """Chain: every chain checked; kept as peaks are."""
    from bindgram.genome.chain import read_chain

    return {"n_chains": len(read_chain(raw).to_chrom), **_write_peaks(raw, target, expected)}


def _write_bigbed(raw: Path, target: Path, expected: Sizes | None) -> dict[str, Any]:
    """bigBed: bytes as published; what is in it is looked at when peaks are taken out."""
    with raw.open("rb") as source:
        if source.read(4) not in (BIGBED_MAGIC, BIGBED_MAGIC[::-1]):
            raise InputError("not a bigBed file (it does not begin as one); check the format in the sheet")
    shutil.copyfile(raw, target)
    return {}


FILE_KINDS: Mapping[str, Writer] = {
    "bed": _write_bed,
    "bigBed": _write_bigbed,
    "chain": _write_chain,
    "fasta": _write_fasta,
    "genes": _write_genes,
    "peaks": _write_peaks,
}
