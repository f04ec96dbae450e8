"""The fixed test battery: test sets with validation twins, the same for every model."""


rule make_test_set:
    input:
        positives="results/examples/{split}/{experiment}/positives.parquet",
        test_sequences=lambda wildcards: (test_sequences_input(wildcards) if wildcards.test_set == "published" else []),
        genome=for_test_set(genome_input),
        fai=for_test_set(lambda wildcards: genome_input(wildcards) + ".fai"),
        peaks=for_test_set(peaks_input),
        blacklist=for_test_set(blacklist_input),
        split_file=ancient(for_test_set(split_file)),
    output:
        test_set="results/battery/{split}/{experiment}/{test_set}.parquet",
        filter_table="results/battery/{split}/{experiment}/{test_set}.filter.tsv",
    log:
        "results/logs/make_test_set/{split}/{experiment}/{test_set}.log",
    benchmark:
        "results/benchmarks/make_test_set/{split}/{experiment}/{test_set}.tsv"
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
        test_sequences=lambda wildcards, input: option("--test-sequences", input.test_sequences),
        settings=test_set_settings,
    shell:
        "bindgram battery --experiment {wildcards.experiment} --positives {input.positives}"
        " --test-set {wildcards.test_set} {params.settings[scheme]} {params.settings[ratio]} {output.test_set}"
        " {params.settings[max_positives]} {params.test_sequences} {params.genome} {params.peaks}"
        " --exclusion-bp {params.settings[exclusion_bp]} --gc-bins {params.settings[gc_bins]}"
        " --candidates-per-negative {params.settings[candidates]} --seed {params.settings[seed]}"
        " --filter-table {output.filter_table} --revision {params.settings[revision]} > {log} 2>&1"
