"""Positives, negatives and labelled tables of one experiment."""


rule make_positives:
    input:
        peaks=peaks_input,
        peaks_record=lambda wildcards: peaks_input(wildcards).removesuffix(".gz") + ".json",
        test_sequences=test_sequences_input,
        test_sequences_record=lambda wildcards: [
            path.removesuffix(".gz") + ".json" for path in test_sequences_input(wildcards)
        ],
        genome=with_coordinates(genome_input),
        fai=with_coordinates(lambda wildcards: genome_input(wildcards) + ".fai"),
        genome_record=with_coordinates(lambda wildcards: genome_input(wildcards).removesuffix(".fa") + ".json"),
        blacklist=with_coordinates(blacklist_input),
        split_file=ancient(with_coordinates(split_file)),
    output:
        positives="results/examples/{split}/{experiment}/positives.parquet",
        filter_table="results/examples/{split}/{experiment}/positives.filter.tsv",
    log:
        "results/logs/make_positives/{split}/{experiment}.log",
    benchmark:
        "results/benchmarks/make_positives/{split}/{experiment}.tsv"
    group:
        "examples"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        genome=genome_options,
        genome_record=lambda wildcards, input: option("--genome-record", input.genome_record),
        test_sequences=lambda wildcards, input: option("--test-sequences", input.test_sequences),
        test_sequences_record=lambda wildcards, input: option("--test-sequences-record", input.test_sequences_record),
        settings=lambda wildcards: dict(
            format=row(wildcards).format,
            width=CONFIG.positives.width,
            strongest=option("--strongest", CONFIG.positives.strongest),
            filters=options("--filter", CONFIG.positives.filters),
            minimum=CONFIG.positives.minimum.model_dump(),
            seed=CONFIG.seed,
            blocks=blocks_of_experiment(wildcards),
            revision=REVISIONS["positives"],
        ),
    shell:
        "bindgram positives --experiment {wildcards.experiment} --format {params.settings[format]}"
        " --peaks {input.peaks} --peaks-record {input.peaks_record}"
        " {params.test_sequences} {params.test_sequences_record} {params.genome} {params.genome_record}"
        " --width {params.settings[width]} {params.settings[strongest]} {params.settings[filters]}"
        " --minimum-train {params.settings[minimum][train]} --minimum-valid {params.settings[minimum][valid]}"
        " --minimum-test {params.settings[minimum][test]} --seed {params.settings[seed]}"
        " --output {output.positives} --filter-table {output.filter_table}"
        " --revision {params.settings[revision]} > {log} 2>&1"


rule make_negatives:
    input:
        positives="results/examples/{split}/{experiment}/positives.parquet",
        genome=for_negatives(genome_input),
        fai=for_negatives(lambda wildcards: genome_input(wildcards) + ".fai"),
        peaks=for_negatives(peaks_input),
        blacklist=for_negatives(blacklist_input),
        split_file=ancient(for_negatives(split_file)),
    output:
        negatives="results/examples/{split}/{experiment}/negatives/{scheme}.parquet",
        labelled="results/examples/{split}/{experiment}/labelled/{scheme}.parquet",
        filter_table="results/examples/{split}/{experiment}/labelled/{scheme}.filter.tsv",
    log:
        "results/logs/make_negatives/{split}/{experiment}/{scheme}.log",
    benchmark:
        "results/benchmarks/make_negatives/{split}/{experiment}/{scheme}.tsv"
    group:
        "examples"
    conda:
        "../../envs/data.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        genome=genome_options,
        peaks=lambda wildcards, input: (
            f"--peaks {input.peaks} --format {row(wildcards).format}" if input.peaks else ""
        ),
        settings=lambda wildcards: dict(
            ratio=CONFIG.negatives.ratio,
            exclusion_bp=CONFIG.negatives.exclusion_bp,
            gc_bins=CONFIG.negatives.gc_bins,
            candidates=CONFIG.negatives.candidates_per_negative,
            seed=CONFIG.seed,
            blocks=blocks_of_experiment(wildcards),
            revision=REVISIONS["negatives"],
        ),
    shell:
        "bindgram negatives --experiment {wildcards.experiment} --positives {input.positives}"
        " --scheme {wildcards.scheme} --ratio {params.settings[ratio]} --seed {params.settings[seed]}"
        " {params.genome} {params.peaks} --exclusion-bp {params.settings[exclusion_bp]}"
        " --gc-bins {params.settings[gc_bins]} --candidates-per-negative {params.settings[candidates]}"
        " --output {output.negatives} --labelled {output.labelled} --filter-table {output.filter_table}"
        " --revision {params.settings[revision]} > {log} 2>&1"
