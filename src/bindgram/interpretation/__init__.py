"""What a model has learnt: attributions, motifs, and how faithful both are. Torch and sequences; no page."""
