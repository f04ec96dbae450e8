"""The report: pages that stand alone, from the tables, curves and motifs of a run."""
