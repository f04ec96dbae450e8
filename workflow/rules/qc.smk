"""Quality control: overlap between the experiments of an assembly."""


# Reads the tables of all experiments in seconds, and their list is longer than a job's command may be.
localrules:
    measure_overlap,


rule measure_overlap:
    input:
        positives=lambda wildcards: expand(
            POSITIVES, split=wildcards.split, experiment=experiments_on(wildcards.assembly)
        ),
    output:
        table=report(
            "results/qc/{split}/overlap.{assembly}.tsv",
            category="3. Data",
            caption="../report/overlap.rst",
            labels=lambda wildcards: {"content": f"overlap between experiments on {wildcards.assembly} (table)"},
        ),
        figure=report(
            "results/qc/{split}/overlap.{assembly}.svg",
            category="3. Data",
            caption="../report/overlap.rst",
            labels=lambda wildcards: {"content": f"overlap between experiments on {wildcards.assembly}"},
        ),
        union="results/qc/{split}/union.{assembly}.bed",
    log:
        "results/logs/measure_overlap/{split}/{assembly}.log",
    benchmark:
        "results/benchmarks/measure_overlap/{split}/{assembly}.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=lambda wildcards: dict(
            experiments=",".join(experiments_on(wildcards.assembly)),
            template=POSITIVES,
            max_regions=CONFIG.qc.union_regions,
            seed=CONFIG.seed,
            revision=REVISIONS["overlap"],
        ),
    shell:
        "bindgram overlap --experiments {params.settings[experiments]} --template {params.settings[template]}"
        " --split {wildcards.split} --assembly {wildcards.assembly}"
        " --max-regions {params.settings[max_regions]} --seed {params.settings[seed]}"
        " --table {output.table} --figure {output.figure} --union {output.union}"
        " --revision {params.settings[revision]} > {log} 2>&1"
