"""Signal tracks: bigWig files, kept where they are because they are large.

Layout: https://genome.ucsc.edu/goldenPath/help/bigWig.html, after Kent et al. (2010), doi:10.1093/bioinformatics/btq351
"""

import os
import tempfile
from pathlib import Path

from bindgram.errors import InputError

_MAGIC = bytes.fromhex("26fc8f88")  # of a little-endian file, at its start and, as the sign of a whole file, at its end
_MAGICS = (_MAGIC, _MAGIC[::-1])


def check_bigwig(path: Path) -> None:
    """Refuse a file that is no bigWig or was cut off.

    Raises
    ------
    InputError : what is wrong with it.
    """
    with Path(path).open("rb") as handle:
        start = handle.read(len(_MAGIC))
        handle.seek(-len(start), os.SEEK_END)
        end = handle.read()
    if start not in _MAGICS:
        raise InputError("not a bigWig file (it does not begin as one); give the signal as bigWig")
    if end != start:
        raise InputError("truncated: the end mark of a bigWig file is missing; fetch it again")


def signal_chroms(path: Path) -> dict[str, int]:
    """Chromosomes of a bigWig file with their lengths in bp.

    Raises
    ------
    InputError : it cannot be read; names the file.
    """
    import pybigtools

    try:
        check_bigwig(path)
        with pybigtools.open(str(path)) as signal:
            return dict(signal.chroms())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (OSError, pybigtools.BBIReadError) as error:
        raise InputError(f"{path}: not a readable bigWig file ({error}); fetch it again") from None


def place_signal(raw: Path, destination: Path, *, downloaded: bool) -> None:
    """Bring a checked bigWig to `destination` without copying: a download is moved, a file of the user's is linked.

    The link to a file within the checkout is relative, so that the checkout may move.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    if downloaded:
        raw.replace(destination)
        return
    target = raw if raw.is_absolute() else os.path.relpath(raw, destination.parent)
    with tempfile.TemporaryDirectory(prefix=".part.", dir=destination.parent) as folder:
        link = Path(folder) / destination.name
        link.symlink_to(target)
        link.replace(destination)
