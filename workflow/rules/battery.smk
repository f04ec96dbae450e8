"""The fixed test battery: test sets with validation twins, the same for every model."""


localrules:
    examples_all,


rule examples_all:
    input:
        sanity=expand("results/qc/{split}/{experiment}/sanity.tsv", split=SPLITS, experiment=EXPERIMENTS),


rule make_battery:
    input:
        unpack(battery_inputs),
        positives="results/examples/{split}/{experiment}/positives.parquet",
    output:
        test_sets=expand("results/battery/{{split}}/{{experiment}}/{test_set}.parquet", test_set=TEST_SETS),
        homology=["results/battery/{split}/{experiment}/homology.tsv"] if HOMOLOGS else [],
        tiled="results/battery/{split}/{experiment}/T4.h5",
        filter_table="results/battery/{split}/{experiment}/battery.filter.tsv",
    log:
        "results/logs/make_battery/{split}/{experiment}.log",
    benchmark:
        "results/benchmarks/make_battery/{split}/{experiment}.tsv"
    group:
        EXAMPLES_GROUP
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        background=background_options,
        homology=homology_options,
        tuned=scheme_options,
        test_sets=lambda wildcards: " ".join(
            f"--test-set {name} {made.scheme} {made.ratio} {battery_file(wildcards, name)}"
            for name, made in TEST_SETS.items()
        ),
        settings=lambda wildcards: dict(
            test_sets={name: [made.scheme, made.ratio] for name, made in TEST_SETS.items()},
            tiled=tiled_block(wildcards),
            **battery_settings(wildcards),
        ),
    shell:
        "bindgram battery --experiment {wildcards.experiment} --positives {input.positives} {params.test_sets}"
        " --tiled {output.tiled} {params.settings[max_positives]} {params.background} {params.tuned}"
        " --seed {params.settings[seed]}"
        " {params.homology} --filter-table {output.filter_table} --revision {params.settings[revision]} > {log} 2>&1"


rule make_published_test_set:
    input:
        unpack(held_out_inputs),
        positives="results/examples/{split}/{experiment}/positives.parquet",
    output:
        test_set="results/battery/{split}/{experiment}/published.parquet",
        homology=["results/battery/{split}/{experiment}/published.homology.tsv"] if HOMOLOGS else [],
        filter_table="results/battery/{split}/{experiment}/published.filter.tsv",
    log:
        "results/logs/make_published_test_set/{split}/{experiment}.log",
    benchmark:
        "results/benchmarks/make_published_test_set/{split}/{experiment}.tsv"
    group:
        EXAMPLES_GROUP
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        tuned=scheme_options,
        homology=homology_options,
        sequences=lambda wildcards, input: " ".join(
            option(f"--{name.replace('_', '-')}", input.get(name)) for name in HELD_OUT
        ),
        settings=lambda wildcards: dict(format=row(wildcards).format, **battery_settings(wildcards) | dict(schemes={})),
    shell:
        "bindgram battery --experiment {wildcards.experiment} --positives {input.positives}"
        " --test-set published published 1.0 {output.test_set} {params.sequences}"
        " --sequence-format {params.settings[format]}"
        " {params.settings[max_positives]} {params.tuned} --seed {params.settings[seed]} {params.homology}"
        " --filter-table {output.filter_table}"
        " --revision {params.settings[revision]} > {log} 2>&1"


rule audit_examples:
    input:
        unpack(audit_inputs),
        positives="results/examples/{split}/{experiment}/positives.parquet",
        labelled=expand("results/examples/{{split}}/{{experiment}}/labelled/{scheme}.parquet", scheme=SCHEMES),
        test_sets=battery_input,
        filter_tables=audited_filter_tables,
    output:
        audit="results/qc/{split}/{experiment}/audit.tsv",
        sanity="results/qc/{split}/{experiment}/sanity.tsv",
    log:
        "results/logs/audit_examples/{split}/{experiment}.log",
    benchmark:
        "results/benchmarks/audit_examples/{split}/{experiment}.tsv"
    group:
        EXAMPLES_GROUP
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        given=audit_options,
        settings=lambda wildcards: dict(
            format=row(wildcards).stored_format,
            exclusion_bp=CONFIG.negatives.exclusion_bp,
            audit=CONFIG.audit.model_dump(),
            confidence=CONFIG.evaluation.confidence,
            seed=CONFIG.seed,
            blocks=blocks_of_experiment(wildcards),
            revision=REVISIONS["audit"],
        ),
    shell:
        "bindgram audit --experiment {wildcards.experiment} --format {params.settings[format]}"
        " --positives {input.positives} {params.given} --exclusion-bp {params.settings[exclusion_bp]}"
        " --suspicious-auroc {params.settings[audit][suspicious_auroc]}"
        " --max-per-class {params.settings[audit][max_per_class]} --confidence {params.settings[confidence]}"
        " --seed {params.settings[seed]} --audit {output.audit} --sanity {output.sanity}"
        " --revision {params.settings[revision]} > {log} 2>&1"
