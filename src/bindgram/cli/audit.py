"""``bindgram audit``: measure what gives the negatives of one experiment away, and check its examples."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from bindgram.cli.options import ExistingFile, NamedFile, NewFile, revision_option, seed_option
from bindgram.errors import InputError
from bindgram.settings.sheets import StoredFormat

if TYPE_CHECKING:
    from bindgram.evaluation.audit import Surroundings
    from bindgram.evaluation.sanity_case import Places

_PLACE_OPTIONS = ("genome", "tiles", "assembly", "split", "peaks")


@click.command()
@click.option("--experiment", required=True, help="Id of the experiment.")
@click.option("--format", "format_", type=click.Choice(get_args(StoredFormat)), required=True, help="Of its peaks.")
@click.option("--positives", type=ExistingFile, required=True, help="Positive examples (Parquet).")
@click.option("--labelled", type=NamedFile(), multiple=True, help="SCHEME=FILE of labelled examples; repeatable.")
@click.option("--test-set", type=NamedFile(), multiple=True, help="NAME=FILE of a test set; repeatable.")
@click.option("--filter-table", type=ExistingFile, multiple=True, help="Counts of any of these (TSV); repeatable.")
@click.option("--genome", type=ExistingFile, help="Unpacked, indexed FASTA; needed where there are coordinates.")
@click.option("--tiles", type=ExistingFile, help="Tile table of the assembly (HDF5); needed with --genome.")
@click.option("--assembly", help="Its id in the split file; needed with --genome.")
@click.option("--split", type=ExistingFile, help="Split file; needed with --genome.")
@click.option("--peaks", type=ExistingFile, help="All peaks of the experiment; needed with --genome.")
@click.option("--blacklist", type=ExistingFile, help="BED of regions where no negative may lie (optional).")
@click.option("--exclusion-bp", type=click.IntRange(min=0), required=True, help="Distance of negatives to peaks, bp.")
@click.option(
    "--suspicious-auroc",
    type=click.FloatRange(min=0.5, max=1),
    required=True,
    help="A set is suspicious where the lower bound for something it should preserve is higher.",
)
@click.option(
    "--max-per-class", type=click.IntRange(min=10), required=True, help="Positives, and negatives, measured per set."
)
@click.option(
    "--confidence",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    required=True,
    help="Of intervals.",
)
@seed_option
@click.option("--audit", "audit_table", type=NewFile, required=True, help="AUROC of every property of every set (TSV).")
@click.option("--sanity", "sanity_table", type=NewFile, required=True, help="What was checked and what failed (TSV).")
@revision_option
def audit(
    experiment: str,
    format_: str,
    positives: Path,
    labelled: tuple[tuple[str, Path], ...],
    test_set: tuple[tuple[str, Path], ...],
    filter_table: tuple[Path, ...],
    suspicious_auroc: float,
    max_per_class: int,
    confidence: float,
    seed: int,
    audit_table: Path,
    sanity_table: Path,
    revision: int,
    **given: Any,
) -> None:
    """Measure how well composition and place tell negatives from positives, and check all against raw files."""
    from bindgram.data.examples import read_examples
    from bindgram.evaluation.audit import AuditSettings, audit_tables, write_audit
    from bindgram.evaluation.sanity import check_sanity, filter_counts, refuse_failures, write_sanity
    from bindgram.evaluation.sanity_case import Case

    trained = {f"labelled/{scheme}": read_examples(path) for scheme, path in labelled}
    tests = {name: read_examples(path) for name, path in test_set}
    settings = AuditSettings(suspicious_auroc, max_per_class, confidence, seed)
    with _open_places(given, format_) as (places, around):
        counts = filter_counts(filter_table)
        sanity = check_sanity(Case(experiment, read_examples(positives), trained, tests, counts, places, seed))
        write_sanity(sanity_table, sanity)
        refuse_failures(experiment, sanity)
        write_audit(audit_table, audit_tables(experiment, {**trained, **tests}, format_, around, settings))


@contextmanager
def _open_places(given: dict[str, Any], format_: str) -> "Iterator[tuple[Places | None, Surroundings]]":
    """What is known of the places of an experiment; nothing for published sequences."""
    from bindgram.data.peaks import read_assembly_peaks
    from bindgram.data.splits import Split
    from bindgram.data.tiles import Tiles
    from bindgram.evaluation.audit import Surroundings
    from bindgram.evaluation.sanity_case import Places
    from bindgram.genome.fasta import Genome
    from bindgram.genome.regions import read_blacklist

    named = [name for name in _PLACE_OPTIONS if given[name] is not None]
    if not named:
        yield None, Surroundings()
        return
    missing = [f"--{name}" for name in _PLACE_OPTIONS if given[name] is None]
    if missing:
        raise InputError(f"--{named[0]} is given; give {', '.join(missing)} as well")
    with Genome.open(given["genome"]) as genome:
        sizes = genome.chrom_sizes
        peaks = read_assembly_peaks(given["peaks"], format_, sizes)
        blocks = Split.load(given["split"], given["assembly"], sizes).regions
        blacklist = None if given["blacklist"] is None else read_blacklist(given["blacklist"], sizes)
        places = Places(given["genome"], sizes, peaks, blocks, blacklist, given["exclusion_bp"])
        yield places, Surroundings(Tiles.open(given["tiles"]), peaks)
