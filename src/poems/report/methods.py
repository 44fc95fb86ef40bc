"""Short texts: how each thing is computed, and words for readers from the clinic."""

from __future__ import annotations

from typing import Final

METHODS: Final = (
    (
        "Model",
        "Each omic has an encoder that reads a sample's values as a Gaussian over the factors, and "
        "a gate that weighs the omics measured on the sample. They are fused as a product of "
        "experts. A non-linear decoder with a spike-and-slab lasso turns factors back into "
        "features; most of its loadings are exactly zero. (POEMS, arXiv 2511.03464, with changes.)",
    ),
    (
        "Subtypes",
        "Samples are grouped in a network fused from the factors and all omics, or in the "
        "embedding that was asked for, by k-means or as components of the mixture prior. "
        "Silhouette (Rousseeuw 1987): how much nearer a sample is to its own group than to the "
        "next. Gap (Tibshirani et al. 2001): how much tighter the groups are than those of data "
        "without groups. PAC: the share of pairs of samples that repeats neither keep together "
        "nor keep apart.",
    ),
    (
        "Markers",
        "Each feature is compared between the samples of a subtype and all others. Subtypes were "
        "formed from these very features, so plain p-values would be too small; those shown are "
        "corrected for it (see the documentation).",
    ),
    (
        "Effects of a factor",
        "Loading: the mean size of the decoder's derivative, in standard deviations of the "
        "feature for one of the factor, or in the unit that the table names (log odds of a 1, log "
        "fold changes of counts). Effect: the same with ups and downs set off. Shape: monotone, "
        " saturating (flat at one end), u-shaped, or none.",
    ),
    (
        "Variance explained",
        "Of a factor: the share of an omic's variance that is no longer explained when the factor "
        "is held at its mean. On the samples of the fit unless a held-out part is named.",
    ),
    (
        "Contributions",
        "Gate weight: what the model gives an omic. Effect: the omic is withheld, the sample is "
        "encoded again from the others, and the shift of its factors and the change of its "
        "subtype's probability are measured.",
    ),
    (
        "Cross-omic associations",
        "Scored by the loadings of both features on the factors they share; tested against pairs "
        "broken up by permutation.",
    ),
    (
        "Associations with the obs table",
        "Spearman for numbers, Mann-Whitney for two groups, Kruskal-Wallis for several; false "
        "discovery rates by Benjamini and Hochberg (1995) over all factors and columns.",
    ),
    (
        "Survival",
        "Kaplan-Meier curves, log-rank tests, Cox models, and concordance on samples held out of "
        "both the Cox model and the subtyping.",
    ),
)

GLOSSARY: Final = (
    ("Sample", "A row of the tables: as a rule one patient, or one tissue of a patient."),
    ("Omic", "One table of measurements, such as gene expression or methylation."),
    ("Feature", "A column of such a table: a gene, a probe, a protein."),
    (
        "Factor, latent",
        "A number computed for each sample that sums up many features which vary together.",
    ),
    ("Loading", "How strongly a factor moves a feature."),
    ("Inclusion probability", "How sure the model is that a loading is not zero."),
    ("Gate weight", "The share of attention that an omic gets for a sample; the weights sum to 1."),
    ("Subtype", "A group of samples found from the data, without any clinical information."),
    ("Standard deviation (sd)", "The usual distance of a sample's value from the mean."),
    ("p", "How often chance alone would give a result at least as strong."),
    (
        "False discovery rate (FDR), q",
        "Of the results with a q this small or smaller, the share that is expected to be false.",
    ),
    (
        "Silhouette",
        "From −1 to 1: how much nearer samples are to their own group than to the next. In a "
        "network of samples it rises with the number of groups, whether there are any or not.",
    ),
    ("Consensus", "How often samples of a subtype are grouped together again in repeats."),
    (
        "Jaccard",
        "Overlap of a subtype with its match in repeats; below 0.6 it should not be trusted "
        "(Hennig 2007).",
    ),
    ("Accuracy, NMI, ARI", "How well groups agree with labels; 1 is perfect."),
    ("Principal components (PCA)", "The plain linear summary of the data: the baseline to beat."),
    ("Hazard ratio", "How many times higher the risk of the event is, at any time."),
    (
        "Concordance",
        "How often, of two samples, the one predicted to be at higher risk is: 0.5 is chance.",
    ),
)
