"""The tiled test block, T4: scores of models and baselines at natural prevalence. Made only when asked for."""


localrules:
    tiled,
    collect_tiles,


rule tiled:
    input:
        "results/tiled.tsv",


rule score_tiles:
    input:
        bundle=bundle(MODEL_FOLDER),
        tiled=TILED_LABELS,
        genome=tiled_genome,
    output:
        scores="results/tiled/{model}/{split}/{experiment}/{scheme}/s{seed}.h5",
    log:
        "results/logs/score_tiles/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    benchmark:
        "results/benchmarks/score_tiles/{model}/{split}/{experiment}/{scheme}/s{seed}.tsv"
    wildcard_constraints:
        model=MODEL_NAMES,
    conda:
        TORCH_ENVIRONMENT
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=minutes("score_tiles"),
        gpu=GPUS,
    params:
        bundle=lambda wildcards, input: input.bundle[0].rpartition("/")[0],
        device=device_options,
        settings=dict(revision=REVISIONS["scan"]),
    shell:
        "bindgram scan --bundle {params.bundle} {output.scores} --tiled {input.tiled} --genome {input.genome[0]}"
        " --threads {threads} {params.device} --revision {params.settings[revision]} > {log} 2>&1"


rule score_tiles_with_baselines:
    input:
        labelled="results/examples/{split}/{experiment}/labelled/{scheme}.parquet",
        motifs=SCANNED_MOTIFS,
        tiled=TILED_LABELS,
        genome=tiled_genome,
    output:
        scores=BASELINE_TILED_SCORES,
    log:
        "results/logs/score_tiles_with_baselines/{split}/{experiment}/{scheme}.log",
    benchmark:
        "results/benchmarks/score_tiles_with_baselines/{split}/{experiment}/{scheme}.tsv"
    conda:
        TORCH_ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        baselines=lambda wildcards: baseline_options(FITTED, BASELINE_TILED_SCORES, wildcards),
        motifs=motif_options,
        settings=dict(baselines=FITTED, revision=REVISIONS["scan"]),
    shell:
        "bindgram scan {params.baselines} --labelled {input.labelled} {params.motifs} --tiled {input.tiled}"
        " --genome {input.genome[0]} --threads {threads} --device cpu --revision {params.settings[revision]} > {log} 2>&1"


rule evaluate_tiles:
    input:
        scores="results/tiled/{model}/{split}/{experiment}/{scheme}/s{seed}.h5",
        tiled=TILED_LABELS,
        predictions=PREDICTIONS,
    output:
        metrics="results/tiled/{model}/{split}/{experiment}/{scheme}/s{seed}.json",
    log:
        "results/logs/evaluate_tiles/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    benchmark:
        "results/benchmarks/evaluate_tiles/{model}/{split}/{experiment}/{scheme}/s{seed}.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=dict(
            twin=CONFIG.tiled.twin,
            **CONFIG.evaluation.model_dump(),
            seed=CONFIG.seed,
            revision=REVISIONS["assess"],
        ),
    shell:
        "bindgram assess --scores {input.scores} {input.predictions} {output.metrics} --tiled {input.tiled}"
        " --twin {params.settings[twin]} --replicates {params.settings[bootstrap_replicates]}"
        " --confidence {params.settings[confidence]} --max-block-bp {params.settings[max_block_bp]}"
        " --seed {params.settings[seed]} --revision {params.settings[revision]} > {log} 2>&1"


rule collect_tiles:
    input:
        sheet=ancient(CONFIG.experiments),
        metrics=per_training(
            TILED_METRICS, experiments=TILED_EXPERIMENTS, baselines=CONFIG.fitted, seeds=CONFIG.seeds[:1]
        ),
    output:
        table="results/tiled.tsv",
        provenance="results/tiled.tsv.json",
    log:
        "results/logs/collect_tiles.log",
    benchmark:
        "results/benchmarks/collect_tiles.tsv"
    conda:
        "../../envs/bio.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        settings=dict(
            collected=collect_options(TILED_METRICS, TILED_EXPERIMENTS, CONFIG.seeds[:1], CONFIG.fitted),
            experiments={row.experiment: [row.tf, row.biosample] for row in PROJECT.selected.values()},
            revision=REVISIONS["collect"],
        ),
    shell:
        "bindgram collect --experiment-sheet {input.sheet} {params.settings[collected]} --output {output.table}"
        " --revision {params.settings[revision]} > {log} 2>&1"
