"""A classifier as one program that needs no bindgram: base codes in, scores out (torch.export, file .pt2)."""

from pathlib import Path

import torch
from torch import Tensor, nn

from bindgram.batch import Batch
from bindgram.errors import InputError
from bindgram.models.bundle import Bundle
from bindgram.provenance import atomic_path
from bindgram.sequence.dna import AMBIGUOUS
from bindgram.sequence.kmers import N_SPECIAL, UNK, Vocabulary
from bindgram.training.scoring import classifier_of

EXAMPLE_BATCH = 3  # that the program is traced with; it takes any


class StrandAveraged(nn.Module):
    """A classifier that reads base codes itself and averages both strands.

    The score is that of ``bindgram predict`` for a window without ambiguous bases.
    """

    def __init__(self, classifier: nn.Module, vocabulary: Vocabulary | None) -> None:
        super().__init__()
        self.classifier = classifier
        self.vocabulary = vocabulary
        self.register_buffer("complement", torch.tensor([3, 2, 1, 0, AMBIGUOUS]), persistent=False)
        self.register_buffer("one_hot", torch.eye(AMBIGUOUS + 1, AMBIGUOUS), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Map (batch, bp) int64 codes, A, C, G, T = 0, 1, 2, 3 and 4 for any other, to (batch,) logits."""
        return (self._score(codes) + self._score(self.complement[codes.flip(1)])) / 2

    def _score(self, codes: Tensor) -> Tensor:
        if self.vocabulary is None:
            return self.classifier(Batch(one_hot=self.one_hot[codes]))
        return self.classifier(Batch(tokens=kmer_tokens(codes, self.vocabulary)))


def kmer_tokens(codes: Tensor, vocabulary: Vocabulary) -> Tensor:
    """Token ids (batch, tokens) of base codes (batch, bp), as `Vocabulary.encode` gives them."""
    kmers = codes.unfold(1, vocabulary.k, vocabulary.stride)
    powers = 4 ** torch.arange(vocabulary.k - 1, -1, -1, device=codes.device)
    ids = (kmers * powers).sum(dim=2) + N_SPECIAL
    return ids.masked_fill((kmers == AMBIGUOUS).any(dim=2), UNK)


def export_classifier(bundle: Bundle) -> torch.export.ExportedProgram:
    """Trace a classifier for batches of any size, on the CPU.

    Raises
    ------
    InputError : the bundle holds no classifier.
    """
    if bundle.skipped or bundle.kind != "classifier":
        what = f"holds no model: {bundle.reason}" if bundle.skipped else f"its kind is {bundle.kind}"
        raise InputError(f"{bundle.where}: {what}; give the bundle of a classifier")
    classifier, vocabulary = classifier_of(bundle)
    program = StrandAveraged(classifier, vocabulary).eval()
    example = torch.randint(0, 4, (EXAMPLE_BATCH, bundle.settings["width"]), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return torch.export.export(program, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))


def save_exported(path: Path, program: torch.export.ExportedProgram) -> None:
    """Write a program, whole or not at all."""
    with atomic_path(path) as part:
        torch.export.save(program, part)
