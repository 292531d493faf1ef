"""The last hidden layer as a feature space: mean spikes per step of each of its neurons (Yin et al. 2024, Table 9 and
Figure 6).

Measure ``silhouette``: mean silhouette coefficient of the test samples, with the cosine distance and the classes as
clusters, in the layer's full space. A sample in which no neuron spikes has no direction and is left out. Series: one
row for each class, ``class``, ``samples`` (used), ``silent`` (left out), ``silhouette`` (mean over the class).

Measure ``t-sne``: Kullback-Leibler divergence of a map of 2,000 test samples into the plane (perplexity 30, started
from the principal components, fixed seed). Series: one row for each sample, ``x``, ``y``, ``class``.
"""

from __future__ import annotations

import numpy as np
import torch

from bench.measures.evaluation import rates
from bench.training.trained import NotApplicable, Reading, Trained

SEED = 0  # of t-SNE


def features(trained: Trained, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean spikes per step [samples, neurons] of the last hidden layer on the test set, and the classes [samples].

    Raises ``NotApplicable`` as ``evaluation.rates`` does.
    """
    spiking_output = trained.experiment.config["readout"] == "spiking"  # the last spiking layer is the output
    hidden = -2 if spiking_output else -1
    batches = [(layers[hidden].cpu(), target.cpu()) for layers, target in rates(trained, protocol)]
    points, classes = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return points.double().numpy(), classes.numpy()


def silhouette(trained: Trained, protocol: str) -> Reading:
    """Mean silhouette coefficient of the whole test set. Raises ``NotApplicable`` if a class has fewer than two samples
    that spike.
    """
    points, classes = features(trained, protocol)
    spiking = points.any(1)
    _require_samples(trained, classes[spiking], 2)
    values = silhouettes(points[spiking], classes[spiking])
    present = np.unique(classes)
    series = {
        "class": present.tolist(),
        "samples": [int((classes[spiking] == k).sum()) for k in present],
        "silent": [int((classes[~spiking] == k).sum()) for k in present],
        "silhouette": [float(values[classes[spiking] == k].mean()) for k in present],
    }
    return Reading(float(values.mean()), len(values), series=series)


def silhouettes(points: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Silhouette coefficient [samples] of ``points`` [samples, neurons] with the cosine distance.

    It is computed in pieces, because the matrix of all distances would not fit in memory.
    """
    from sklearn import config_context
    from sklearn.metrics import silhouette_samples

    with config_context(working_memory=64):
        return silhouette_samples(points, classes, metric="cosine")


def t_sne(trained: Trained, protocol: str, samples: int, perplexity: float) -> Reading:
    """Kullback-Leibler divergence of a map of ``samples`` test samples, evenly spread. Raises ``NotApplicable`` for
    fewer than three times the perplexity, and for classes without a sample.
    """
    from sklearn.manifold import TSNE

    points, classes = features(trained, protocol)
    chosen = np.linspace(0, len(points) - 1, min(samples, len(points))).round().astype(int)
    if len(chosen) < 3 * perplexity:
        raise NotApplicable(
            f"t-SNE with perplexity {perplexity:g} needs {3 * perplexity:g} samples, the test set has {len(chosen)}"
        )
    _require_samples(trained, classes[chosen], 1)
    fit = TSNE(perplexity=perplexity, init="pca", random_state=SEED, n_jobs=1)
    plane = fit.fit_transform(points[chosen])
    series = {
        "x": plane[:, 0].astype(float).tolist(),
        "y": plane[:, 1].astype(float).tolist(),
        "class": classes[chosen].tolist(),
    }
    return Reading(float(fit.kl_divergence_), len(chosen), series=series)


def _require_samples(trained: Trained, classes: np.ndarray, least: int) -> None:
    """Raise ``NotApplicable`` if a class of the data set occurs fewer than ``least`` times in ``classes``."""
    counts = np.bincount(classes, minlength=_classes(trained))
    if few := [str(k) for k, count in enumerate(counts) if count < least]:
        needed = "a test sample" if least == 1 else f"{least} test samples in which the last hidden layer spikes"
        raise NotApplicable(f"every class needs {needed}, too few for: {', '.join(few)}")


def _classes(trained: Trained) -> int:
    """Number of classes of the data set. A stand-in may have fewer than the network has outputs."""
    return getattr(trained.data("test"), "classes", trained.experiment.config["layers"][-1])
