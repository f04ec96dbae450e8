"""``bindgram scan``: score the tiles of a test block with classifier bundles or baselines."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bindgram.cli.baseline import (
    BASELINE,
    Baselines,
    Motifs,
    known_to,
    motifs_option,
    provenance_of,
    tf_option,
)
from bindgram.cli.options import (
    ExistingDirectory,
    ExistingFile,
    NewFile,
    device_option,
    revision_option,
    threads_option,
)
from bindgram.errors import InputError
from bindgram.provenance import make_provenance

if TYPE_CHECKING:
    from bindgram.data.tiled import TiledLabels
    from bindgram.evaluation.fitted import Known
    from bindgram.genome.fasta import Genome


@click.command()
@click.option(
    "--bundle",
    "bundles",
    type=(ExistingDirectory, NewFile),
    multiple=True,
    metavar="FOLDER SCORES",
    help="Classifier bundle, and its scores to write (HDF5); repeatable.",
)
@click.option(
    "--baseline",
    "baselines",
    type=BASELINE,
    multiple=True,
    metavar="NAME SETTINGS SCORES",
    help="Baseline as in bindgram baseline, and its scores to write; needs --labelled. Repeatable.",
)
@click.option("--labelled", type=ExistingFile, help="Labelled examples to which baselines are fitted.")
@click.option("--tiled", type=ExistingFile, required=True, help="Labels of the tiles from bindgram battery (HDF5).")
@click.option("--genome", type=ExistingFile, required=True, help="Unpacked FASTA with its index beside it.")
@tf_option
@motifs_option
@threads_option
@device_option
@revision_option
def scan(
    bundles: tuple[tuple[Path, Path], ...],
    baselines: Baselines,
    labelled: Path | None,
    tiled: Path,
    genome: Path,
    tf: str | None,
    motifs: Motifs,
    threads: int,
    device: str,
    revision: int,
) -> None:
    """Score every tile that is not ignored on both strands and average, with one model after another."""
    from bindgram.data.tiled import read_tiled
    from bindgram.genome.fasta import Genome

    if not bundles and not baselines:
        raise InputError("nothing to score with; give --bundle or --baseline")
    if baselines and labelled is None:
        raise InputError("--baseline is fitted to examples; give --labelled as well")
    tiles = read_tiled(tiled)
    with Genome.open(genome) as opened:
        if bundles:
            _scan_with_bundles(bundles, tiles, opened, threads, device, revision)
        if baselines:
            known = known_to(baselines, tf, motifs, seed=0, threads=threads)  # none that scores tiles draws anything
            _scan_with_baselines(baselines, known, motifs, labelled, tiles, opened, revision)


def _scan_with_bundles(
    bundles: tuple[tuple[Path, Path], ...],
    tiles: "TiledLabels",
    genome: "Genome",
    threads: int,
    device: str,
    revision: int,
) -> None:
    from bindgram.training.device import choose_device

    chosen = choose_device(device, threads)

    from bindgram.evaluation.predict import predict_tiles
    from bindgram.evaluation.tiled import TiledScores, write_tiled_scores
    from bindgram.models.bundle import load_bundle

    for folder, output in bundles:
        model = load_bundle(folder)
        inputs = {"bundle": model.provenance, "tiled": tiles.provenance}
        provenance = make_provenance("scan", revision, {}, inputs, packages=["torch"])
        reason = model.reason if model.skipped else tiles.reason
        if reason:
            scored = TiledScores(status="skipped", reason=reason, provenance=provenance)
        else:
            scored = TiledScores.of(tiles, predict_tiles(model, tiles, genome, chosen), provenance)
        write_tiled_scores(output, scored)


def _scan_with_baselines(
    baselines: Baselines,
    known: "Known",
    motifs: Motifs,
    labelled: Path,
    tiles: "TiledLabels",
    genome: "Genome",
    revision: int,
) -> None:
    from bindgram.data.examples import read_examples
    from bindgram.evaluation.baselines import score_tiles
    from bindgram.evaluation.fitted import Unfitted
    from bindgram.evaluation.tiled import TiledScores, write_tiled_scores

    examples = read_examples(labelled)
    inputs = {"labelled": examples.provenance, "tiled": tiles.provenance}
    for name, settings, output in baselines:
        provenance = provenance_of("scan", revision, name, settings, inputs, motifs)
        scores = score_tiles(examples, tiles, genome, settings, known)
        if isinstance(scores, Unfitted):
            scored = TiledScores(status="skipped", reason=scores.reason, provenance=provenance)
        else:
            scored = TiledScores.of(tiles, scores, provenance)
        write_tiled_scores(output, scored)
