"""Models to give away: bundles with their test results, in the layout of Hugging Face. Made only when asked for."""


localrules:
    publish,
    publish_bundle,


rule publish:
    input:
        cards=per_training(PUBLISHED, models=CONFIG.models, baselines=[]),


rule publish_bundle:
    input:
        bundle=bundle(MODEL_FOLDER),
        predictions=PREDICTIONS,
        metrics=METRICS,
    output:
        weights="results/published/{model}/{split}/{experiment}/{scheme}/s{seed}/model.safetensors",
        config="results/published/{model}/{split}/{experiment}/{scheme}/s{seed}/config.json",
        vocabulary="results/published/{model}/{split}/{experiment}/{scheme}/s{seed}/vocabulary.json",
        card=PUBLISHED,
    log:
        "results/logs/publish_bundle/{model}/{split}/{experiment}/{scheme}/s{seed}.log",
    benchmark:
        "results/benchmarks/publish_bundle/{model}/{split}/{experiment}/{scheme}/s{seed}.tsv"
    wildcard_constraints:
        model=MODEL_NAMES,
    conda:
        TORCH_ENVIRONMENT
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        bundle=lambda wildcards, input: input.bundle[0].rpartition("/")[0],
        folder=subpath(output.card, parent=True),
        data=published_data,
        costs=published_costs,
        settings=dict(license=CONFIG.publish.license, threshold_of=CONFIG.headline.test_set),
    shell:
        "bindgram publish --model {params.bundle}"
        " --name {wildcards.experiment}.{wildcards.model}.{wildcards.scheme}.s{wildcards.seed}"
        " --results {input.predictions} {input.metrics} --threshold-of {params.settings[threshold_of]}"
        " --license {params.settings[license]} {params.data} {params.costs} --output {params.folder} > {log} 2>&1"
