"""The last hidden layer as a feature space: mean spikes per step of each of its neurons (Yin et al. 2024, Table 9 and
Figure 6).

Measure ``silhouette``: mean silhouette coefficient of the test samples, cosine distance, labels as clusters, in the
layer's full space. A sample in which no neuron spikes has no direction and is left out. Series: one row a class,
``class``, ``samples`` (used), ``silent`` (left out), ``silhouette`` (mean over the class).

Measure ``t-sne``: Kullback-Leibler divergence of a map of 2,000 test samples into the plane (perplexity 30, started
from the principal components, fixed seed). Series: one row a sample, ``x``, ``y``, ``class``.
"""

from __future__ import annotations

import numpy as np
import torch

from bench.measures.evaluation import rates
from bench.training.trained import NotApplicable, Reading, Trained

SEED = 0  # of t-SNE


def features(kept: Trained, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean spikes per step [samples, neurons] of the last hidden layer for every test sample, and the classes."""
    readout = kept.experiment.config["readout"] == "spiking"  # the last spiking layer is the output
    found = [(layers[-2 if readout else -1].cpu(), target.cpu()) for layers, target in rates(kept, protocol)]
    return torch.cat([f for f, _ in found]).double().numpy(), torch.cat([t for _, t in found]).numpy()


def silhouette(kept: Trained, protocol: str) -> Reading:
    """Of the whole test set. Raises ``NotApplicable`` where a class has fewer than two samples that spike."""
    found, classes = features(kept, protocol)
    spiking = found.any(1)
    _enough(kept, classes[spiking], 2)
    values = silhouettes(found[spiking], classes[spiking])
    kinds = np.unique(classes)
    series = {
        "class": kinds.tolist(),
        "samples": [int((classes[spiking] == k).sum()) for k in kinds],
        "silent": [int((classes[~spiking] == k).sum()) for k in kinds],
        "silhouette": [float(values[classes[spiking] == k].mean()) for k in kinds],
    }
    return Reading(float(values.mean()), len(values), series=series)


def silhouettes(found: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Silhouette coefficient of every sample, cosine distance; in pieces, so that the matrix of distances is never
    whole in memory.
    """
    from sklearn import config_context
    from sklearn.metrics import silhouette_samples

    with config_context(working_memory=64):
        return silhouette_samples(found, classes, metric="cosine")


def t_sne(kept: Trained, protocol: str, samples: int, perplexity: float) -> Reading:
    """Of ``samples`` test samples, evenly spread. Raises ``NotApplicable`` for fewer than three times the
    perplexity.
    """
    from sklearn.manifold import TSNE

    found, classes = features(kept, protocol)
    chosen = np.linspace(0, len(found) - 1, min(samples, len(found))).round().astype(int)
    if len(chosen) < 3 * perplexity:
        raise NotApplicable(
            f"t-SNE with perplexity {perplexity:g} needs {3 * perplexity:g} samples, the test set has {len(chosen)}"
        )
    _enough(kept, classes[chosen], 1)
    fit = TSNE(perplexity=perplexity, init="pca", random_state=SEED, n_jobs=1)
    plane = fit.fit_transform(found[chosen])
    series = {
        "x": plane[:, 0].astype(float).tolist(),
        "y": plane[:, 1].astype(float).tolist(),
        "class": classes[chosen].tolist(),
    }
    return Reading(float(fit.kl_divergence_), len(chosen), series=series)


def _enough(kept: Trained, classes: np.ndarray, least: int) -> None:
    counts = np.bincount(classes, minlength=_classes(kept))
    if few := [str(k) for k, count in enumerate(counts) if count < least]:
        needed = "a test sample" if least == 1 else f"{least} test samples in which the last hidden layer spikes"
        raise NotApplicable(f"every class needs {needed}, too few for: {', '.join(few)}")


def _classes(kept: Trained) -> int:
    """How many the data set has; a stand-in may have fewer than the network has outputs."""
    return getattr(kept.data("test"), "classes", kept.experiment.config["layers"][-1])
