"""``bindgram tokenize``: turn the train and valid regions of a genome into a k-mer corpus."""

from pathlib import Path

import click

from bindgram.cli.options import ExistingFile, NewFile, revision_option
from bindgram.provenance import make_provenance, read_record
from bindgram.settings.sheets import SEQUENCE_FORMATS

MASK = (str, click.Choice(SEQUENCE_FORMATS), ExistingFile, ExistingFile)


@click.command()
@click.option("--genome", type=ExistingFile, required=True, help="Unpacked FASTA with its index beside it.")
@click.option("--assembly", required=True, help="Id of the assembly in the split file.")
@click.option("--split", type=ExistingFile, required=True, help="Split file (YAML): train, valid and test regions.")
@click.option("--k", type=int, required=True, help="Bases per k-mer.")
@click.option("--stride", type=int, required=True, help="Bases from one k-mer to the next, k at most.")
@click.option("--chunk-bp", type=click.IntRange(min=1), required=True, help="Bases held in memory at a time.")
@click.option(
    "--min-contig-bp", type=click.IntRange(min=1), required=True, help="Shorter stretches without N are left out."
)
@click.option(
    "--mask",
    type=MASK,
    multiple=True,
    metavar="EXPERIMENT FORMAT SEQUENCES RECORD",
    help="Published test sequences that the corpus must not hold, on either strand, with the record of their download."
    " Repeatable.",
)
@click.option("--record", type=ExistingFile, required=True, help="The genome's record from bindgram fetch (JSON).")
@click.option("--output", type=NewFile, required=True, help="Corpus (HDF5).")
@revision_option
def tokenize(
    genome: Path,
    assembly: str,
    split: Path,
    k: int,
    stride: int,
    chunk_bp: int,
    min_contig_bp: int,
    mask: tuple[tuple[str, str, Path, Path], ...],
    record: Path,
    output: Path,
    revision: int,
) -> None:
    """Write the k-mers of the train and valid regions as one token stream; test regions stay out."""
    import pandas as pd

    from bindgram.data.corpus import CORPUS_SPLITS, write_corpus
    from bindgram.data.masking import find_sequences
    from bindgram.data.published import read_sequences
    from bindgram.data.splits import Split
    from bindgram.genome.fasta import Genome
    from bindgram.sequence.dna import codes_of
    from bindgram.sequence.kmers import Vocabulary

    inputs = {"genome": read_record(record)}
    inputs |= {f"mask.{experiment}": read_record(fetched) for experiment, _, _, fetched in mask}
    vocabulary = Vocabulary(k, stride)
    with Genome.open(genome) as opened:
        blocks = Split.load(split, assembly, opened.chrom_sizes)
        # chunk_bp is no setting of the result: it changes no byte of it
        settings = {"k": k, "stride": stride, "min_contig_bp": min_contig_bp, "split": blocks.to_json()}
        provenance = make_provenance("tokenize", revision, settings, inputs)
        sets = {name: codes_of(list(read_sequences(path, kind)["sequence"])) for name, kind, path, _ in mask}
        read = pd.concat([blocks.of(name) for name in CORPUS_SPLITS])
        masked = find_sequences(opened, read, sets, chunk_bp)
        counts = write_corpus(output, opened, blocks, vocabulary, chunk_bp, min_contig_bp, provenance, masked)
    for name in ("train", "valid"):
        tally = counts[name]
        click.echo(f"{name}: {tally['n_tokens']} tokens from {tally['n_contigs']} contigs of {tally['n_bases']} bp")
    for name, tally in counts["masked"].items():
        click.echo(
            f"masked for {name}: {tally['n_bases']} bp in {tally['n_places']} places, where {tally['n_found']} of "
            f"{tally['n_sequences']} test sequences are ({tally['n_not_searched']} too short or unclear to look for)"
        )
