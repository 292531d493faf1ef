"""Operations of neurons and recurrent cells besides the products with weights (Chen et al. 2023, Table 4). Plain
numbers, no torch.
"""

# Of a neuron's own update: ACs of a spike, MACs of a step. LIF, ALIF and CE-LIF as the paper has them; the others
# counted alike, a multiplication of a state or current that changes with time as a MAC, constants folded [U]
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
CELLS = {
    "lstm": 17,
    "gru": 3,
    "rnn": 0,
}  # MACs of a unit and step besides the products; the paper's 17, the others counted [U]
