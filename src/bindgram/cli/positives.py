"""``bindgram positives``: make the positive examples of one experiment."""

from pathlib import Path
from typing import Any, get_args

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option, seed_option
from bindgram.errors import InputError
from bindgram.provenance import make_provenance, read_count, read_record, sha256_file
from bindgram.settings.filters import FilterName, FilterSetting, parse_filter_text
from bindgram.settings.sheets import SEQUENCE_FORMATS, StoredFormat
from bindgram.settings.splits import HELD_SPLITS


class FilterOption(click.ParamType):
    """``NAME`` or ``NAME=VALUE``; converts to a `FilterSetting`."""

    name = "NAME[=VALUE]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> FilterSetting:
        """Read the text."""
        try:
            return value if isinstance(value, FilterSetting) else parse_filter_text(str(value))
        except ValueError as error:
            self.fail(f"{error} (got {value!r})", param, ctx)


@click.command()
@click.option("--experiment", required=True, help="Id of the experiment; begins the ids of its examples.")
@click.option("--format", "format_", type=click.Choice(get_args(StoredFormat)), required=True, help="Of --peaks.")
@click.option("--peaks", type=ExistingFile, required=True, help="Peaks; of a published set the training sequences.")
@click.option(
    "--peaks-record", type=ExistingFile, required=True, help="Its record from bindgram fetch or extract (JSON)."
)
@click.option("--valid-sequences", type=ExistingFile, help="Validation sequences; format gue only, required there.")
@click.option("--valid-sequences-record", type=ExistingFile, help="Its record from bindgram fetch (JSON).")
@click.option("--test-sequences", type=ExistingFile, help="Test sequences; published sets only, required there.")
@click.option("--test-sequences-record", type=ExistingFile, help="Its record from bindgram fetch (JSON).")
@click.option("--genome", type=ExistingFile, help="Unpacked, indexed FASTA; required but for sequences.")
@click.option("--genome-record", type=ExistingFile, help="Its record from bindgram fetch (JSON).")
@click.option("--assembly", help="Assembly id in --split; required but for sequences.")
@click.option("--split", type=ExistingFile, help="Split file (YAML); required but for sequences.")
@click.option("--blacklist", type=ExistingFile, help="Regions (BED) that the filter blacklist keeps off; optional.")
@click.option("--tiles", type=ExistingFile, help="Tile table of the assembly; for the filter soft_masked only.")
@click.option("--width", type=click.IntRange(min=1), required=True, help="Window in bp; sequences keep their own.")
@click.option("--strongest", type=click.IntRange(min=1), help="Keep only the N strongest positives; optional.")
@click.option(
    "--filter",
    "filters",
    type=FilterOption(),
    multiple=True,
    help=f"One of {', '.join(get_args(FilterName))}, with the value that it takes; repeat, applied in this order.",
)
@click.option(
    "--minimum-train",
    type=click.IntRange(min=1),
    required=True,
    help="Fewer positives in train: experiment is skipped.",
)
@click.option(
    "--minimum-valid",
    type=click.IntRange(min=1),
    required=True,
    help="Fewer positives in valid: experiment is skipped.",
)
@click.option(
    "--minimum-test", type=click.IntRange(min=1), required=True, help="Fewer positives in test: experiment is skipped."
)
@click.option(
    "--held-out",
    type=(click.Choice(HELD_SPLITS), str),
    metavar="SPLIT REASON",
    help="Keep positives of SPLIT only, because the whole experiment is held out of training; optional.",
)
@seed_option
@click.option("--output", type=NewFile, required=True, help="Positive examples (Parquet).")
@click.option("--filter-table", type=NewFile, required=True, help="Rows in, rows out and why (TSV: reason, n).")
@revision_option
def positives(output: Path, filter_table: Path, revision: int, **given: Any) -> None:
    """Cut windows around the summits of the peaks, filter them, and give each its split."""
    from bindgram.data.examples import write_examples
    from bindgram.data.filters import write_filter_table

    _check_options(given)
    make = _from_sequences if given["format_"] in SEQUENCE_FORMATS else _from_peaks
    table, counts = make(given, revision)
    write_examples(output, table)
    write_filter_table(filter_table, counts)
    click.echo(f"{given['experiment']}: {len(table.frame)} positives" + (f" ({table.reason})" if table.skipped else ""))


def _check_options(given: dict[str, Any]) -> None:
    of_peaks = ("genome", "genome_record", "assembly", "split")
    test, valid = (tuple(f"{part}_sequences{end}" for end in ("", "_record")) for part in ("test", "valid"))
    needed, foreign = {"deepbind": (test, valid), "gue": (valid + test, ())}.get(
        given["format_"], (of_peaks, valid + test)
    )
    problems = [f"--{name.replace('_', '-')} is missing" for name in needed if given[name] is None]
    problems += [f"--{name.replace('_', '-')} is not used" for name in foreign if given[name] is not None]
    if problems:
        raise InputError(f"{given['experiment']}: format {given['format_']}: {'; '.join(problems)}")


def _from_peaks(given: dict[str, Any], revision: int) -> tuple[Any, list[tuple[str, int]]]:
    from bindgram.data.peaks import read_assembly_peaks
    from bindgram.data.positives import Places, genomic_positives
    from bindgram.data.splits import Split
    from bindgram.data.tiles import Tiles
    from bindgram.genome.fasta import Genome
    from bindgram.genome.regions import read_bed3

    inputs = {"peaks": read_record(given["peaks_record"]), "genome": read_record(given["genome_record"])}
    places = {}
    if given["blacklist"] is not None:
        places["blacklist"] = read_bed3(given["blacklist"])
        inputs["blacklist"] = {"digest": sha256_file(given["blacklist"])}
    if given["tiles"] is not None:
        places["tiles"] = Tiles.open(given["tiles"])
        inputs["tiles"] = places["tiles"].provenance
        _check_tiles(given["tiles"], inputs)
    with Genome.open(given["genome"]) as genome:
        peaks = read_assembly_peaks(given["peaks"], given["format_"], genome.chrom_sizes)
        split = Split.load(given["split"], given["assembly"], genome.chrom_sizes)
        settings = _settings(given) | {"width": given["width"], "split": split.to_json(), "coordinates": True}
        provenance = make_provenance("positives", revision, settings, inputs, given["seed"])
        n_not_lifted = read_count(given["peaks_record"], "n_not_lifted")
        return genomic_positives(_plan(given), peaks, genome, split, Places(**places), provenance, n_not_lifted)


def _check_tiles(path: Path, inputs: dict[str, Any]) -> None:
    if inputs["tiles"]["inputs"]["genome"] != inputs["genome"]["digest"]:
        raise InputError(f"{path}: these are the tiles of another genome; make them again with bindgram tile")


def _from_sequences(given: dict[str, Any], revision: int) -> tuple[Any, list[tuple[str, int]]]:
    from bindgram.data.filters import applicable
    from bindgram.data.positives import published_positives
    from bindgram.data.published import read_sequences

    names = [name for name in ("peaks", "valid_sequences", "test_sequences") if given[name] is not None]
    tables = {name: read_sequences(given[name], given["format_"]) for name in names}
    inputs = {name: read_record(given[f"{name}_record"]) for name in names}
    applied = [setting.item for setting in applicable(given["filters"], placed=False)]
    passed = [item for item in (setting.item for setting in given["filters"]) if item not in applied]
    settings = _settings(given) | {"coordinates": False, "filters": applied, "filters_not_applicable": passed}
    provenance = make_provenance("positives", revision, settings, inputs, given["seed"])
    training, test, valid = (tables.get(name) for name in ("peaks", "test_sequences", "valid_sequences"))
    return published_positives(_plan(given), training, test, provenance, valid)


def _minimum(given: dict[str, Any]) -> dict[str, int]:
    return {split: given[f"minimum_{split}"] for split in ("train", "valid", "test")}


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    kept = {name: given[name] for name in ("experiment", "assembly", "strongest")}
    split, reason = given["held_out"] or ("", "")
    held_out = {"split": split, "reason": reason} if split else {}
    return kept | {
        "format": given["format_"],
        "filters": [setting.item for setting in given["filters"]],
        "minimum": _minimum(given),
        "held_out": held_out,
    }


def _plan(given: dict[str, Any]) -> Any:
    from bindgram.data.positives import PositivesPlan

    chosen = {name: given[name] for name in ("experiment", "width", "strongest", "filters", "seed")}
    held_out, _ = given["held_out"] or ("", "")
    return PositivesPlan(**chosen, minimum=_minimum(given), held_out=held_out)
