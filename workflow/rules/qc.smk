"""Quality control: overlap between the experiments of an assembly, and signal tracks drawn by deepTools."""


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
            labels=assembly_labels("overlap between experiments (table)"),
        ),
        figure=report(
            "results/qc/{split}/overlap.{assembly}.svg",
            category="3. Data",
            caption="../report/overlap.rst",
            labels=assembly_labels("overlap between experiments"),
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


rule plot_signal:
    input:
        signal="resources/signal/{experiment}.bigWig",
        positives=POSITIVES,
        negatives=expand(NEGATIVES, split="{split}", experiment="{experiment}", scheme=SCHEMES),
        test_sets=battery_input,
    output:
        regions="results/qc/{split}/{experiment}/signal_regions.bed",
        heatmap=report(
            "results/qc/{split}/{experiment}/signal_heatmap.png",
            category="2. Figures",
            subcategory=figure_group,
            caption="../report/signal.rst",
            labels=signal_labels("signal, region by region"),
        ),
        profile=report(
            "results/qc/{split}/{experiment}/signal_profile.png",
            category="2. Figures",
            subcategory=figure_group,
            caption="../report/signal.rst",
            labels=signal_labels("signal, mean"),
        ),
    log:
        "results/logs/plot_signal/{split}/{experiment}.log",
    benchmark:
        "results/benchmarks/plot_signal/{split}/{experiment}.tsv"
    conda:
        "../../envs/qc.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        examples=lambda wildcards, input: options("--examples", [input.positives, *input.negatives, *input.test_sets]),
        settings=lambda wildcards: dict(
            title=figure_title(wildcards),
            colours=COLOURS,
            max_regions=CONFIG.qc.regions_per_group,
            flank_bp=CONFIG.qc.flank_bp,
            bin_bp=CONFIG.qc.bin_bp,
            seed=CONFIG.seed,
            revision=REVISIONS["regions"],
        ),
    shell:
        "(bindgram regions --name {wildcards.experiment} --title {params.settings[title]:q} {params.examples}"
        " --signal {input.signal} --max-regions {params.settings[max_regions]} --seed {params.settings[seed]}"
        " --output {output.regions} --figure {output.heatmap} --figure {output.profile}"
        " --revision {params.settings[revision]}"
        " && if [ -s {output.regions} ]; then matrix=$(mktemp --suffix .gz) && trap 'rm -f $matrix' EXIT"
        " && computeMatrix reference-point --referencePoint center --scoreFileName {input.signal}"
        " --regionsFileName {output.regions} --samplesLabel {wildcards.experiment} --missingDataAsZero"
        " --beforeRegionStartLength {params.settings[flank_bp]} --afterRegionStartLength {params.settings[flank_bp]}"
        " --binSize {params.settings[bin_bp]} --numberOfProcessors {threads} --outFileName $matrix"
        " && plotHeatmap --matrixFile $matrix --outFileName {output.heatmap} --dpi 150"
        " --whatToShow 'heatmap and colorbar' --colorMap viridis --heatmapWidth 9 --heatmapHeight 20"
        " --refPointLabel centre --xAxisLabel 'distance from the centre of the region (bp)'"
        " && plotProfile --matrixFile $matrix --outFileName {output.profile} --dpi 150"
        " --colors {params.settings[colours]} --plotWidth 16 --plotHeight 10 --refPointLabel centre --yAxisLabel 'mean signal'"
        " || {{ echo 'Error: deepTools failed on {input.signal}; see above' && exit 1; }}; fi) > {log} 2>&1"


rule correlate_signal:
    input:
        signal=lambda wildcards: expand(
            "resources/signal/{experiment}.bigWig", experiment=experiments_with_signal(wildcards.assembly)
        ),
        union="results/qc/{split}/union.{assembly}.bed",
    output:
        regions="results/qc/{split}/signal_regions.{assembly}.bed",
        figure=report(
            "results/qc/{split}/signal_correlation.{assembly}.png",
            category="3. Data",
            caption="../report/correlation.rst",
            labels=assembly_labels("correlation of signals"),
        ),
        table="results/qc/{split}/signal_correlation.{assembly}.tsv",
    log:
        "results/logs/correlate_signal/{split}/{assembly}.log",
    benchmark:
        "results/benchmarks/correlate_signal/{split}/{assembly}.tsv"
    conda:
        "../../envs/qc.yaml"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        signal=lambda wildcards, input: options("--signal", input.signal),
        settings=lambda wildcards: dict(
            experiments=" ".join(experiments_with_signal(wildcards.assembly)),
            look=correlation_look(len(experiments_with_signal(wildcards.assembly))),
            max_regions=CONFIG.qc.union_regions,
            seed=CONFIG.seed,
            revision=REVISIONS["regions"],
        ),
    shell:
        "(bindgram regions --name {wildcards.assembly} --title 'Correlation of signals on {wildcards.assembly}'"
        " --union {input.union} {params.signal} --max-regions {params.settings[max_regions]}"
        " --seed {params.settings[seed]} --output {output.regions} --figure {output.figure}"
        " --revision {params.settings[revision]}"
        " && if [ -s {output.regions} ]; then counts=$(mktemp --suffix .npz) && trap 'rm -f $counts' EXIT"
        " && multiBigwigSummary BED-file --bwfiles {input.signal} --BED {output.regions}"
        " --labels {params.settings[experiments]} --numberOfProcessors {threads} --outFileName $counts"
        " && plotCorrelation --corData $counts --corMethod spearman --whatToPlot heatmap --colorMap viridis"
        " --plotTitle 'Spearman correlation of signals on {wildcards.assembly}' {params.settings[look]}"
        " --plotFile {output.figure} --outFileCorMatrix {output.table}; else : > {output.table}; fi) > {log} 2>&1"
