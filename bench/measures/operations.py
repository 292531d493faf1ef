"""Numbers of operations of neurons and recurrent cells besides the products with weights (Chen et al. 2023, Table 4).
Imports no torch.
"""

# Operations of a neuron's own update: ACs for each spike, MACs for each step. LIF, ALIF and CE-LIF are the paper's. The
# others are counted in the same way [U]: every product with a state or current is a MAC, constants are folded.
NEURONS = {
    "lif": (1, 1),
    "plif": (1, 1),
    "ltmd": (1, 1),
    "glif": (2, 2),
    "alif": (2, 4),
    "alif-celif": (2, 4),
    "lsnn": (2, 4),
    "ahp": (2, 4),
    "dexat": (3, 6),
    "celif": (1, 3),
    "leaky-readout": (0, 1),
}
# MACs of a unit and step besides the products. The LSTM's are the paper's, the others are counted [U].
CELLS = {"lstm": 17, "gru": 3, "rnn": 0}
