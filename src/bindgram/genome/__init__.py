"""Genomes on disk: FASTA, regions, downloads. No torch, no labels."""
