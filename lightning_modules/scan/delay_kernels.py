"""Kernels of synapses with delays, for ``LANES`` samples at once.

Lanes are the last dimension of an array: in [rows, LANES] row ``d * N + n`` is neuron n, d steps later. This text is a
part of the module printed for a neuron, so it imports only ``scan.kernels`` and ``scan.lanes`` of the package.
"""

import numpy as np

from lightning_modules.scan.kernels import kernel
from lightning_modules.scan.lanes import LANES, accumulate, active, add_scaled, product

DENSE = 4  # inputs of 16 that are not 0, up to which the gradient of the weights takes them one by one


@kernel
def load(x, t_first, first, count, zeros, out):
    """out [steps, 1, N * LANES] = ``count`` samples of ``x`` [T, B, N] from ``first`` on.

    The lanes after them are the last sample again, or 0 with ``zeros``.
    """
    samples = first + np.minimum(np.arange(LANES), count - 1)
    for t in range(out.shape[0]):
        at_t = x[t_first + t]
        o = out[t, 0]
        for n in range(x.shape[2]):
            for lane in range(LANES):
                o[n * LANES + lane] = at_t[samples[lane], n]
            if zeros:
                for lane in range(count, LANES):
                    o[n * LANES + lane] = 0


@kernel
def store(x, t_first, first, count, out):
    """``count`` samples of ``out`` [T, B, N] from ``first`` on = the lanes of x [steps, 1, N * LANES]."""
    for t in range(x.shape[0]):
        row = x[t, 0]
        for lane in range(count):
            o = out[t_first + t, first + lane]
            for n in range(out.shape[2]):
                o[n] = row[n * LANES + lane]


@kernel
def spread(spikes, starts, places, weights, currents, now):
    """Add to the ``currents`` to come what ``spikes`` [inputs, LANES] cause; row ``now`` is the first of this step.

    Input j has the synapses ``starts[j]`` to ``starts[j + 1]``, each with its row and weight. An input that is 0 in all
    lanes is skipped.
    """
    for j in range(starts.shape[0] - 1):
        if active(spikes, j) != 0:  # type: ignore[call-arg]
            for k in range(starts[j], starts[j + 1]):
                add_scaled(currents, now + places[k], weights[k], spikes, j)


@kernel
def collect(gradients, now, starts, places, weights, out):
    """out [inputs, LANES] += the gradient of each input, from the ``gradients`` of the currents that it reaches."""
    for j in range(starts.shape[0] - 1):
        accumulate(out, j, gradients, now, places, weights, starts[j], starts[j + 1])  # type: ignore[call-arg]


@kernel
def turn(rows, now, neurons, lanes):
    """Copy the ``neurons`` rows of ``rows`` [*, LANES] from ``now`` on to ``lanes`` [LANES, *]."""
    for n in range(now, now + neurons):
        for lane in range(LANES):
            lanes[lane, n] = rows[n, lane]


@kernel
def correlate(spikes, rows, lanes, now, starts, places, out):
    """out [synapses] += each input times the gradient of the current that it reaches, for inputs that are not 0.

    The gradients are given twice, as ``rows`` [*, LANES] and as ``lanes`` [LANES, *].
    """
    for j in range(starts.shape[0] - 1):
        bits = active(spikes, j)  # type: ignore[call-arg, var-annotated]
        if bits == 0:
            continue
        synapses = places[starts[j] : starts[j + 1]]
        totals = out[starts[j] : starts[j + 1]]
        count = 0
        for lane in range(LANES):
            count += (bits >> lane) & 1
        if count > DENSE:
            for k in range(len(synapses)):
                totals[k] += product(spikes, j, rows, now + synapses[k])
            continue
        for lane in range(LANES):
            if (bits >> lane) & 1:
                value = spikes[j, lane]
                gradient = lanes[lane, now:]
                for k in range(len(synapses)):
                    totals[k] += value * gradient[synapses[k]]
