"""Citations of the methods: texts name a work as ``[@key]``, readers see numbers in the order of the text."""

import re
from collections.abc import Iterable, Sequence

REFERENCES = {
    "alipanahi2015": "Alipanahi B, Delong A, Weirauch MT, Frey BJ (2015). Predicting the sequence specificities "
    "of DNA- and RNA-binding proteins by deep learning. Nature Biotechnology 33, 831-838. doi:10.1038/nbt.3300",
    "altschul1985": "Altschul SF, Erickson BW (1985). Significance of nucleotide sequence alignments: a method "
    "for random sequence permutation that preserves dinucleotide and codon usage. Molecular Biology and Evolution "
    "2, 526-538. doi:10.1093/oxfordjournals.molbev.a040370",
    "amemiya2019": "Amemiya HM, Kundaje A, Boyle AP (2019). The ENCODE blacklist: identification of problematic "
    "regions of the genome. Scientific Reports 9, 9354. doi:10.1038/s41598-019-45839-z",
    "benjamini1995": "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a practical and "
    "powerful approach to multiple testing. Journal of the Royal Statistical Society B 57, 289-300. "
    "doi:10.1111/j.2517-6161.1995.tb02031.x",
    "brier1950": "Brier GW (1950). Verification of forecasts expressed in terms of probability. Monthly Weather "
    "Review 78, 1-3. doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
    "delong1988": "DeLong ER, DeLong DM, Clarke-Pearson DL (1988). Comparing the areas under two or more "
    "correlated receiver operating characteristic curves: a nonparametric approach. Biometrics 44, 837-845. "
    "doi:10.2307/2531595",
    "demsar2006": "Demšar J (2006). Statistical comparisons of classifiers over multiple data sets. Journal of "
    "Machine Learning Research 7, 1-30. https://jmlr.org/papers/v7/demsar06a.html",
    "friedman1937": "Friedman M (1937). The use of ranks to avoid the assumption of normality implicit in the "
    "analysis of variance. Journal of the American Statistical Association 32, 675-701. "
    "doi:10.1080/01621459.1937.10503522",
    "ghandi2014": "Ghandi M, Lee D, Mohammad-Noori M, Beer MA (2014). Enhanced regulatory sequence prediction "
    "using gapped k-mer features. PLoS Computational Biology 10, e1003711. doi:10.1371/journal.pcbi.1003711",
    "guo2017": "Guo C, Pleiss G, Sun Y, Weinberger KQ (2017). On calibration of modern neural networks. ICML, "
    "1321-1330. doi:10.48550/arXiv.1706.04599",
    "gupta2007": "Gupta S, Stamatoyannopoulos JA, Bailey TL, Noble WS (2007). Quantifying similarity between "
    "motifs. Genome Biology 8, R24. doi:10.1186/gb-2007-8-2-r24",
    "hodges1963": "Hodges JL, Lehmann EL (1963). Estimates of location based on rank tests. Annals of "
    "Mathematical Statistics 34, 598-611. doi:10.1214/aoms/1177704172",
    "howard2018": "Howard J, Ruder S (2018). Universal language model fine-tuning for text classification. ACL, "
    "328-339. doi:10.18653/v1/P18-1031",
    "jaspar2026": "JASPAR 2026, database issue of Nucleic Acids Research (2026). "
    "https://pmc.ncbi.nlm.nih.gov/articles/PMC12807658",
    "kerby2014": "Kerby DS (2014). The simple difference formula: an approach to teaching nonparametric "
    "correlation. Comprehensive Psychology 3, 11.IT.3.1. doi:10.2466/11.IT.3.1",
    "kunsch1989": "Künsch HR (1989). The jackknife and the bootstrap for general stationary observations. Annals "
    "of Statistics 17, 1217-1241. doi:10.1214/aos/1176347265",
    "lee2016": "Lee D (2016). LS-GKM: a new gkm-SVM for large-scale datasets. Bioinformatics 32, 2196-2198. "
    "doi:10.1093/bioinformatics/btw142",
    "luo2023": "Luo H, Shan W, Chen C, Ding P, Luo L (2023). Improving language model of human genome for "
    "DNA-protein binding prediction based on task-specific pre-training. Interdisciplinary Sciences 15, 32-43. "
    "doi:10.1007/s12539-022-00537-9",
    "matthews1975": "Matthews BW (1975). Comparison of the predicted and observed secondary structure of T4 phage "
    "lysozyme. Biochimica et Biophysica Acta 405, 442-451. doi:10.1016/0005-2795(75)90109-9",
    "mcclish1989": "McClish DK (1989). Analyzing a portion of the ROC curve. Medical Decision Making 9, 190-195. "
    "doi:10.1177/0272989X8900900307",
    "merity2018": "Merity S, Keskar NS, Socher R (2018). Regularizing and optimizing LSTM language models. ICLR. "
    "doi:10.48550/arXiv.1708.02182",
    "molder2021": "Mölder F and others (2021). Sustainable data analysis with Snakemake. F1000Research 10, 33. "
    "doi:10.12688/f1000research.29032.2",
    "naeini2015": "Naeini MP, Cooper GF, Hauskrecht M (2015). Obtaining well calibrated probabilities using "
    "Bayesian binning. AAAI, 2901-2907. doi:10.1609/aaai.v29i1.9602",
    "obuchowski1997": "Obuchowski NA (1997). Nonparametric analysis of clustered ROC curve data. Biometrics 53, "
    "567-578. doi:10.2307/2533958",
    "paszke2019": "Paszke A and others (2019). PyTorch: an imperative style, high-performance deep learning "
    "library. NeurIPS 32, 8024-8035. doi:10.48550/arXiv.1912.01703",
    "pedregosa2011": "Pedregosa F and others (2011). Scikit-learn: machine learning in Python. Journal of Machine "
    "Learning Research 12, 2825-2830. https://jmlr.org/papers/v12/pedregosa11a.html",
    "petsiuk2018": "Petsiuk V, Das A, Saenko K (2018). RISE: randomized input sampling for explanation of "
    "black-box models. BMVC. doi:10.48550/arXiv.1806.07421",
    "platt1999": "Platt JC (1999). Probabilistic outputs for support vector machines and comparisons to "
    "regularized likelihood methods. In Advances in Large Margin Classifiers, 61-74. MIT Press, ISBN 0-262-19448-1",
    "quang2016": "Quang D, Xie X (2016). DanQ: a hybrid convolutional and recurrent deep neural network for "
    "quantifying the function of DNA sequences. Nucleic Acids Research 44, e107. doi:10.1093/nar/gkw226",
    "rauluseviciute2024": "Rauluseviciute I and others (2024). JASPAR 2024: 20th anniversary of the open-access "
    "database of transcription factor binding profiles. Nucleic Acids Research 52, D174-D182. "
    "doi:10.1093/nar/gkad1059",
    "saito2015": "Saito T, Rehmsmeier M (2015). The precision-recall plot is more informative than the ROC plot "
    "when evaluating binary classifiers on imbalanced datasets. PLoS ONE 10, e0118432. "
    "doi:10.1371/journal.pone.0118432",
    "selvaraju2017": "Selvaraju RR and others (2017). Grad-CAM: visual explanations from deep networks via "
    "gradient-based localization. ICCV, 618-626. doi:10.1109/ICCV.2017.74",
    "shrikumar2017": "Shrikumar A, Greenside P, Kundaje A (2017). Learning important features through propagating "
    "activation differences. ICML, 3145-3153. doi:10.48550/arXiv.1704.02685",
    "shrikumar2018": "Shrikumar A and others (2018). Technical note on transcription factor motif discovery from "
    "importance scores (TF-MoDISco). doi:10.48550/arXiv.1811.00416",
    "steinegger2017": "Steinegger M, Söding J (2017). MMseqs2 enables sensitive protein sequence searching for "
    "the analysis of massive data sets. Nature Biotechnology 35, 1026-1028. doi:10.1038/nbt.3988",
    "sun2014": "Sun X, Xu W (2014). Fast implementation of DeLong's algorithm for comparing the areas under "
    "correlated receiver operating characteristic curves. IEEE Signal Processing Letters 21, 1389-1393. "
    "doi:10.1109/LSP.2014.2337313",
    "sundararajan2017": "Sundararajan M, Taly A, Yan Q (2017). Axiomatic attribution for deep networks. ICML, "
    "3319-3328. doi:10.48550/arXiv.1703.01365",
    "terpilowski2019": "Terpilowski MA (2019). scikit-posthocs: pairwise multiple comparison tests in Python. "
    "Journal of Open Source Software 4, 1169. doi:10.21105/joss.01169",
    "virtanen2020": "Virtanen P and others (2020). SciPy 1.0: fundamental algorithms for scientific computing in "
    "Python. Nature Methods 17, 261-272. doi:10.1038/s41592-019-0686-2",
    "wasserman2004": "Wasserman WW, Sandelin A (2004). Applied bioinformatics for the identification of regulatory "
    "elements. Nature Reviews Genetics 5, 276-287. doi:10.1038/nrg1315",
    "wilcoxon1945": "Wilcoxon F (1945). Individual comparisons by ranking methods. Biometrics Bulletin 1, 80-83. "
    "doi:10.2307/3001968",
    "zeiler2014": "Zeiler MD, Fergus R (2014). Visualizing and understanding convolutional networks. ECCV, "
    "818-833. doi:10.1007/978-3-319-10590-1_53",
    "zhou2015": "Zhou J, Troyanskaya OG (2015). Predicting effects of noncoding variants with deep learning-based "
    "sequence model. Nature Methods 12, 931-934. doi:10.1038/nmeth.3547",
}
_CITED = re.compile(r"\[(@\w+(?:; ?@\w+)*)\]")


def keys_of(text: str) -> list[str]:
    """Keys that a text cites, in its order, each as often as it stands there."""
    return [key.strip().removeprefix("@") for found in _CITED.findall(text) for key in found.split(";")]


def number_citations(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Texts with ``[1, 2]`` for ``[@one; @two]``, and the references in the order of their numbers.

    Raises
    ------
    KeyError : a text cites what `REFERENCES` does not have; a bug of ours.
    """
    texts = list(texts)
    cited = list(dict.fromkeys(key for text in texts for key in keys_of(text)))
    numbers = {key: number for number, key in enumerate(cited, start=1)}

    def written(match: re.Match[str]) -> str:
        return f"[{', '.join(map(str, sorted(numbers[key] for key in keys_of(match[0]))))}]"

    return [_CITED.sub(written, text) for text in texts], [REFERENCES[key] for key in cited]


def reference_lines(references: Sequence[str]) -> list[str]:
    """References as they stand under a text, numbers first."""
    return [f"[{number}] {text}" for number, text in enumerate(references, start=1)]
