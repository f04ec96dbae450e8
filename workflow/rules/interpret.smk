"""What models have learnt: attributions of their strongest test positives, motifs in them, and the verdict."""


rule interpret_model:
    input:
        bundle=bundle(MODEL_FOLDER),
        predictions=PREDICTIONS,
        test_sets=battery_input,
        motifs=MOTIFS,
        record=MOTIFS_RECORD,
    output:
        found="results/interpretation/{model}/{split}/{experiment}/{scheme}/s{seed}.json",
        attributions="results/interpretation/{model}/{split}/{experiment}/{scheme}/s{seed}.h5",
        logos=report(
            "results/interpretation/{model}/{split}/{experiment}/{scheme}/s{seed}.svg",
            category="2. Figures",
            subcategory=figure_group,
            caption="../report/motifs.rst",
            labels=motif_labels,
        ),
    log:
        "results/logs/interpret_model/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    benchmark:
        "results/benchmarks/interpret_model/{model}/{split}/{experiment}/{scheme}/s{seed}.tsv"
    wildcard_constraints:
        model=MODEL_NAMES,
    group:
        PREDICTION_GROUP
    conda:
        TORCH_ENVIRONMENT
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=minutes("interpret_model"),
        gpu=GPUS,
    params:
        bundle=lambda wildcards, input: Path(input.bundle[0]).parent,
        test_sets=test_set_options,
        device=device_options,
        settings=lambda wildcards: dict(
            title=f"{wildcards.model}: {figure_title(wildcards)}",
            tf=row(wildcards).tf,
            headline=CONFIG.headline.test_set,
            interpretation=CONFIG.interpretation.model_dump_json(exclude={"models"}),
            confidence=CONFIG.evaluation.confidence,
            seed=CONFIG.seed,
            revision=REVISIONS["interpret"],
        ),
    shell:
        "bindgram interpret --experiment {wildcards.experiment} --tf {params.settings[tf]:q}"
        " --title {params.settings[title]:q} --model {wildcards.model} --bundle {params.bundle}"
        " --predictions {input.predictions} {params.test_sets} --headline {params.settings[headline]}"
        " --motifs {input.motifs} --motifs-record {input.record}"
        " --settings-json {params.settings[interpretation]:q} --confidence {params.settings[confidence]}"
        " --seed {params.settings[seed]} --threads {threads} {params.device}"
        " --output {output.found} --attributions {output.attributions} --figure {output.logos}"
        " --revision {params.settings[revision]} > {log} 2>&1"
