"""From peaks to example tables and from genomes to LM corpora. No torch."""
