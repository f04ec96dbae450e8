"""Tiles of an assembly; positives, negatives and labelled tables of one experiment."""


rule tile_genome:
    input:
        unpack(tiles_inputs),
    output:
        tiles="results/tiles/{assembly}.w{width}.h5",
    log:
        "results/logs/tile_genome/{assembly}.w{width}.log",
    benchmark:
        "results/benchmarks/tile_genome/{assembly}.w{width}.tsv"
    priority: 100
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        masks=lambda wildcards, input: " ".join(
            option(f"--{name.replace('_', '-')}", input.get(name))
            for name in ("blacklist", "blacklist_record", "repeats", "repeats_record")
        ),
        settings=dict(revision=REVISIONS["tile"]),
    shell:
        "bindgram tile --genome {input.genome} --genome-record {input.genome_record}"
        " --assembly {wildcards.assembly} --width {wildcards.width} {params.masks} --output {output.tiles}"
        " --revision {params.settings[revision]} > {log} 2>&1"


rule make_positives:
    input:
        unpack(positives_inputs),
    output:
        positives="results/examples/{split}/{experiment}/positives.parquet",
        filter_table="results/examples/{split}/{experiment}/positives.filter.tsv",
    log:
        "results/logs/make_positives/{split}/{experiment}.log",
    benchmark:
        "results/benchmarks/make_positives/{split}/{experiment}.tsv"
    group:
        EXAMPLES_GROUP
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        genome=genome_options,
        records=lambda wildcards, input: " ".join(
            option(f"--{name.replace('_', '-')}", input.get(name))
            for name in ("genome_record", "tiles", *HELD_OUT, *(f"{column}_record" for column in HELD_OUT))
        ),
        settings=lambda wildcards: dict(
            format=row(wildcards).stored_format,
            width=CONFIG.positives.width,
            strongest=option("--strongest", CONFIG.positives.strongest),
            filters=options("--filter", CONFIG.positives.filter_options),
            minimum=CONFIG.positives.minimum.model_dump(),
            seed=CONFIG.seed,
            blocks=blocks_of_experiment(wildcards),
            held_out=held_out_option(wildcards),
            revision=REVISIONS["positives"],
        ),
    shell:
        "bindgram positives --experiment {wildcards.experiment} --format {params.settings[format]}"
        " --peaks {input.peaks} --peaks-record {input.peaks_record}"
        " {params.genome} {params.records}"
        " --width {params.settings[width]} {params.settings[strongest]} {params.settings[filters]}"
        " --minimum-train {params.settings[minimum][train]} --minimum-valid {params.settings[minimum][valid]}"
        " --minimum-test {params.settings[minimum][test]} {params.settings[held_out]} --seed {params.settings[seed]}"
        " --output {output.positives} --filter-table {output.filter_table}"
        " --revision {params.settings[revision]} > {log} 2>&1"


rule pool_universe:
    input:
        unpack(universe_inputs),
    output:
        universe="results/universe/{assembly}/{biosample}.parquet",
    log:
        "results/logs/pool_universe/{assembly}/{biosample}.log",
    benchmark:
        "results/benchmarks/pool_universe/{assembly}/{biosample}.tsv"
    priority: 100
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        biosample=lambda wildcards: members_of(wildcards)[0].biosample,
        peaks=lambda wildcards, input: " ".join(
            f"--peaks {row.experiment} {row.tf} {row.stored_format} {peaks} {record}"
            for row, peaks, record in zip(members_of(wildcards), input.peaks, input.records)
        ),
        settings=lambda wildcards: dict(
            factors={row.experiment: row.tf for row in members_of(wildcards)},
            revision=REVISIONS["universe"],
        ),
    shell:
        "bindgram universe --assembly {wildcards.assembly} --biosample {params.biosample:q}"
        " --chrom-sizes {input.chrom_sizes} {params.peaks} --output {output.universe}"
        " --revision {params.settings[revision]} > {log} 2>&1"


rule make_negatives:
    input:
        unpack(negatives_inputs),
        positives="results/examples/{split}/{experiment}/positives.parquet",
    output:
        negatives="results/examples/{split}/{experiment}/negatives/{scheme}.parquet",
        labelled="results/examples/{split}/{experiment}/labelled/{scheme}.parquet",
        filter_table="results/examples/{split}/{experiment}/labelled/{scheme}.filter.tsv",
    log:
        "results/logs/make_negatives/{split}/{experiment}/{scheme}.log",
    benchmark:
        "results/benchmarks/make_negatives/{split}/{experiment}/{scheme}.tsv"
    wildcard_constraints:
        scheme=NO_VARIANT,
    group:
        EXAMPLES_GROUP
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        background=background_options,
        sequences=sequence_options,
        tuned=scheme_options,
        settings=lambda wildcards: dict(
            ratio=CONFIG.negatives.ratio,
            schemes=scheme_settings(wildcards, [wildcards.scheme]),
            left_out=left_out_options(wildcards),
            seed=CONFIG.seed,
            blocks=blocks_of_experiment(wildcards),
            revision=REVISIONS["negatives"],
        ),
    shell:
        "bindgram negatives --experiment {wildcards.experiment} --positives {input.positives}"
        " --scheme {wildcards.scheme} --ratio {params.settings[ratio]} --seed {params.settings[seed]}"
        " {params.background} {params.sequences} {params.settings[left_out]} {params.tuned}"
        " --output {output.negatives} --labelled {output.labelled}"
        " --filter-table {output.filter_table}"
        " --revision {params.settings[revision]} > {log} 2>&1"
