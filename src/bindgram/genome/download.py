"""Transport: bring the bytes of a URL to disk, with retries and resuming.

A download grows in ``<destination>.part``; ``<destination>.part.json`` beside it remembers what the server said of the
file (ETag, date, length). A later attempt, in this run or the next, asks for the rest only when the server takes byte
ranges and its file is provably the same one; otherwise it starts again. What the bytes mean is `genome.fetch`'s matter.
"""

import ftplib
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bindgram.errors import InputError
from bindgram.provenance import write_json

_CHUNK_BYTES = 1 << 20
_TEMPORARY_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT_S = 60.0


class InterruptedDownload(InputError):
    """The download did not finish; its ``.part`` file stays where a later attempt can go on from it."""


class _TransferError(Exception):
    """One attempt failed for a cause that may pass; `wait_s` is how long the server asked to wait, if it did."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Patience:
    """How long to try: `attempts` in a row without progress, waits that double from `first_wait_s`."""

    attempts: int = 6
    first_wait_s: float = 2.0
    timeout_s: float = 60.0


@dataclass(frozen=True)
class RemoteFile:
    """What a server said of the file that is being downloaded; `length` in bytes."""

    source: str
    etag: str | None
    last_modified: str | None
    length: int | None
    takes_ranges: bool

    @property
    def validator(self) -> str | None:
        """Value for ``If-Range``: a strong ETag, else the date of last change."""
        strong = self.etag is not None and not self.etag.startswith("W/")
        return self.etag if strong else self.last_modified

    def same_as(self, other: "RemoteFile") -> bool:
        """Whether nothing that both servers' answers say differs, and at least one thing agrees."""
        pairs = [(self.etag, other.etag), (self.last_modified, other.last_modified), (self.length, other.length)]
        known = [(mine, theirs) for mine, theirs in pairs if mine is not None and theirs is not None]
        return bool(known) and all(mine == theirs for mine, theirs in known)


def part_path(destination: Path) -> Path:
    """Where the download for `destination` grows."""
    return destination.with_name(destination.name + ".part")


def discard_part(part: Path) -> None:
    """Delete a partial download and what is remembered of it."""
    part.unlink(missing_ok=True)
    _memory_of(part).unlink(missing_ok=True)


def download(url: str, part: Path, patience: Patience) -> None:
    """Bring the file at `url` (http, https, ftp) to `part`, whole.

    Raises
    ------
    InterruptedDownload : attempts are used up; `part` stays if the server can resume it.
    InputError : the server refuses for good (404, 403, ...); `part` is of no use any more. Without the URL.
    """
    transfer = _ftp_transfer if url.startswith("ftp://") else _http_transfer
    failures, furthest = 0, 0
    while True:
        try:
            return transfer(url, part, patience.timeout_s)
        except _TransferError as error:
            reached = part.stat().st_size if part.exists() else 0
            failures = 1 if reached > furthest else failures + 1
            furthest = max(furthest, reached)
            if failures >= patience.attempts:
                raise _give_up(url, part, patience, error) from None
            wait_s = _wait_s(error, patience, failures)
            _say(f"{url}: {error}; trying again in {wait_s:.0f} s ({failures} of {patience.attempts} attempts used)")
            time.sleep(wait_s)


def _wait_s(error: _TransferError, patience: Patience, failures: int) -> float:
    doubled = patience.first_wait_s * 2 ** (failures - 1)
    return min(doubled if error.wait_s is None else error.wait_s, _LONGEST_WAIT_S)


def _give_up(url: str, part: Path, patience: Patience, error: _TransferError) -> InterruptedDownload:
    remembered = _recall(part, url)
    if remembered is None or not remembered.takes_ranges:
        discard_part(part)
        remedy = "nothing was kept; run again later"
    else:
        remedy = "run again to go on from there"
    return InterruptedDownload(f"{url}: gave up after {patience.attempts} attempts: {error}; {remedy}")


def _http_transfer(url: str, part: Path, timeout_s: float) -> None:
    import requests  # slow to import, and needed for http only
    import urllib3

    remembered = _recall(part, url)
    offset = _resume_offset(part, remembered)
    try:
        with requests.get(url, headers=_headers(remembered, offset), stream=True, timeout=timeout_s) as response:
            _check_status(part, response.status_code, response.reason, response.headers)
            remote = _describe(url, response.status_code, response.headers, offset)
            if response.status_code != 206:
                offset = 0
                discard_part(part)  # before its bytes could be taken for a part of the new file
            elif remembered is None or not remembered.same_as(remote):
                discard_part(part)
                raise _TransferError("the file changed at its source, starting again", wait_s=0.0)
            part.parent.mkdir(parents=True, exist_ok=True)
            write_json(_memory_of(part), asdict(remote))
            _save(response.raw.stream(_CHUNK_BYTES, decode_content=False), part, offset, remote.length)
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise InputError(f"not a valid address ({error})") from None
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _TransferError(_short(error)) from None


def _resume_offset(part: Path, remembered: RemoteFile | None) -> int:
    """First byte to ask for: at least one byte, so that the answer to a complete part still tells what it is of."""
    if remembered is None or not remembered.takes_ranges or not part.exists():
        return 0
    size = part.stat().st_size
    return size if remembered.length is None else max(0, min(size, remembered.length - 1))


def _headers(remembered: RemoteFile | None, offset: int) -> dict[str, str]:
    # identity: the bytes as published, not compressed once more on the way
    headers = {"Accept-Encoding": "identity", "User-Agent": "bindgram"}
    if offset and remembered is not None:
        headers["Range"] = f"bytes={offset}-"
        if remembered.validator is not None:
            headers["If-Range"] = remembered.validator
    return headers


def _check_status(part: Path, status: int, reason: str, headers: Mapping[str, str]) -> None:
    if status in (200, 206):
        return
    if status == 416:
        discard_part(part)
        raise _TransferError("the file is shorter than what was downloaded of it, starting again", wait_s=0.0)
    if status in _TEMPORARY_STATUS:
        asked = headers.get("Retry-After", "")
        raise _TransferError(f"HTTP {status} {reason}", float(asked) if asked.isdigit() else None)
    raise InputError(f"HTTP status {status} {reason}; check the address in the sheet")


def _describe(url: str, status: int, headers: Mapping[str, str], offset: int) -> RemoteFile:
    if status == 206:
        span, _, total = headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        if not span.startswith(f"{offset}-"):
            raise InputError(f"the server sent the range {span!r} when asked for {offset}-; it does not resume rightly")
    else:
        total = headers.get("Content-Length", "")
    length = int(total) if total.isdigit() else None
    takes_ranges = status == 206 or headers.get("Accept-Ranges", "").strip().lower() == "bytes"
    return RemoteFile(url, headers.get("ETag"), headers.get("Last-Modified"), length, takes_ranges)


def _ftp_transfer(url: str, part: Path, timeout_s: float) -> None:
    discard_part(part)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as response:
            total = response.headers.get("Content-Length", "")
            chunks = iter(lambda: response.read(_CHUNK_BYTES), b"")
            _save(_network_errors(chunks), part, 0, int(total) if total.isdigit() else None)
    except urllib.error.URLError as error:
        for cause in _causes(error):
            if isinstance(cause, ftplib.error_perm) and str(cause).startswith("55"):  # 530 is often "too many users"
                raise InputError(f"FTP {cause}; check the address in the sheet") from None
        raise _TransferError(_short(error)) from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those it came from; urllib wraps what the FTP server said more than once."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _network_errors(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Tell a failing connection from a failing disk: both are `OSError`."""
    try:
        yield from chunks
    except ftplib.all_errors as error:
        raise _TransferError(_short(error)) from None


def _save(chunks: Iterable[bytes], part: Path, offset: int, length: int | None) -> None:
    """Write `chunks` from byte `offset` on, showing progress, and check the length at the end."""
    with part.open("r+b" if offset else "wb") as handle, progress_bar(part.stem, length, offset) as bar:
        handle.truncate(offset)
        handle.seek(offset)
        for chunk in chunks:
            handle.write(chunk)
            bar.update(len(chunk))
        size = handle.tell()
    if length is not None and size != length:
        if size > length:
            discard_part(part)
        raise _TransferError(f"truncated: got {size} of {length} bytes")


def progress_bar(description: str, total_bytes: int | None, done_bytes: int = 0):
    """Bar on stderr; where stderr is a log file, a line every half minute is enough."""
    from tqdm import tqdm

    return tqdm(
        desc=description, total=total_bytes, initial=done_bytes, unit="B", unit_scale=True, file=sys.stderr,
        mininterval=0.2 if sys.stderr.isatty() else 30.0, delay=0 if sys.stderr.isatty() else 30.0,
    )  # fmt: skip


def _memory_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _recall(part: Path, url: str) -> RemoteFile | None:
    """What is remembered of `part`, if it is a part of the file at `url`."""
    try:
        remembered = RemoteFile(**json.loads(_memory_of(part).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return remembered if remembered.source == url else None


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _short(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text if len(text) <= 200 else text[:200] + '...'}"
