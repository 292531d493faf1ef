"""Files of the public code neuroseqbench (liyc5929/neuroseqbench) that have the recipes, each with the commit of the
version that was read.
"""

CODE = "code: neuroseqbench"

EXPERIMENTS = "experiments/segregated_temporal_probe"  # since commit 2e546dd
OLDER = "src/benchmark/experiments"  # before
NEURONS = "05_spiking_neuron_on_benchmarks"
SURROGATES = "03_surro_grad_on_benchmarks"
RULES = "02_training_algo_on_benchmarks"
NETWORKS = "06_neuron_arch_on_benchmarks"


def version(commit: str, path: str) -> str:
    """The file ``path`` of a commit, in print."""
    return f"{path} ({commit})"


def config(commit: str, experiment: str, folder: str = EXPERIMENTS) -> str:
    """The configuration of ``experiment``, such as "05_…/PSMNIST_LIF_feedforward"."""
    return version(commit, f"{folder}/{experiment}/config.toml")


def script(commit: str, experiment: str, folder: str = EXPERIMENTS) -> str:
    """The training script of ``experiment``."""
    return version(commit, f"{folder}/{experiment}/main.py")


DATA = version("cdcbb18", "src/neuroseqbench/utils/dataset/permuted_sequential_mnist.py")
LIF_SCRIPT = script("c12fce3", f"{NEURONS}/PSMNIST_LIF_feedforward")
LIF_NEURON = version("2e546dd", "src/neuroseqbench/network/neuron/lif.py")
ALIF_NEURON = version("2e546dd", "src/neuroseqbench/network/neuron/adaptive_lif.py")
PLIF_NEURON = version("b1bdf7d", "src/benchmark/framework/network/neuron/parametric_lif.py")
GLIF_NEURON = version("ddd1df6", "src/benchmark/framework/network/neuron/generalized_lif.py")
CELIF_NEURON = version("ddd1df6", "src/benchmark/framework/network/neuron/context_embedding_lif.py")
SURROGATE = version("642ee99", "src/benchmark/framework/network/trainer/surrogate.py")
TCN_NETWORK = version("d6ac731", "src/benchmark/framework/network/structure/tcn.py")
NOT_PUBLIC = "guess [U], no configuration of it was found: that of"
