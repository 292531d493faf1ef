"""From sound to spikes: basilar membrane, inner hair cells and bushy cells, the three stages behind SHD and SSC.

Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 2020, section II, with the parameters of its tables: a hydrodynamic
basilar membrane (Sieroka, Dosch, Rupp, JASA 120(1), 2006), Meddis's transmitter pool (JASA 79(3), 1986) and one leaky
integrate-and-fire bushy cell per channel fed by 40 auditory nerve fibres. Written from those equations; compared with
one output of the authors' program in the README.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import scipy.fft
from scipy import special

from datamodules.compiled import compiled

CHANNELS = 700
RATE = 24_000  # Hz, at which membrane and cells are simulated
LEVEL = 0.3  # root mean square every recording is brought to before its window

# Basilar membrane, in cgs units
LENGTH = 3.5  # cm
C0 = 1e9  # stiffness is C0 exp(-ALPHA x) - A
A = 3500.0
ALPHA = 3.0
M = 0.05  # mass
RHO = 1.0  # density of the fluid
H = 0.1  # height of the scala
DAMPING = 0.15

# Bushy cells
FIBRES = 40  # auditory nerve fibres per cell
TAU_MEMBRANE = 1e-3  # s
TAU_SYNAPSE = 0.5e-3  # s
REFRACTORY = 1e-3  # s
WEIGHT = 13e3


def membrane_response(frequencies: np.ndarray, channels: int = CHANNELS, c0: float = C0) -> np.ndarray:
    """Velocity of the membrane per unit of stimulus, complex [channels, frequencies].

    ``frequencies`` in Hz, above 0; channel 0 is the base (high frequencies).

    Long-wave (WKB) solution: pressure p = sqrt(G/g) H0(1)(G) with wave number g = w sqrt(RHO / (H xi)),
    phase G(x) = 2 g(0)/ALPHA + integral of g from 0 to x, impedance xi = S(x) - M w^2 - i w R(x), and
    velocity 2 w p(x) / (xi p(0)) z(w).
    """
    w = 2 * np.pi * frequencies[None, :]
    points = -(-700 // channels)  # points per channel, for the integral over x
    x = np.linspace(0.0, LENGTH, (channels - 1) * points + 1)[:, None]
    stiffness = c0 * np.exp(-ALPHA * x) - A
    damping = DAMPING * np.sqrt(c0 * M) * np.exp(-ALPHA * x / 2)
    xi = stiffness - M * w**2 - 1j * w * damping
    g = w * np.sqrt(RHO / (H * xi))
    phase = np.empty_like(g)
    phase[0] = 2 * g[0] / ALPHA
    phase[1:] = phase[0] + np.cumsum((g[1:] + g[:-1]) * (x[1] - x[0]) / 2, axis=0)
    xi = xi[::points]
    g = g[::points]
    phase = phase[::points]
    # hankel1e leaves out the factor exp(iG), put back as a difference so that it neither over- nor underflows
    pressure = np.sqrt(phase / g) * special.hankel1e(0, phase) * np.exp(1j * (phase - phase[0]))
    pressure /= np.sqrt(phase[0] / g[0]) * special.hankel1e(0, phase[0])
    u = 2 * w / ALPHA * np.sqrt(2 * RHO / (H * c0))
    input_impedance = np.sqrt(2 * c0 / H) * (1j * special.j0(u) + special.y0(u)) / (special.j1(u) - 1j * special.y1(u))
    response = 2 * w / xi * pressure * input_impedance
    return np.where(np.isfinite(response), response, 0.0)


# The response is needed at every frequency of every recording's length; it is smooth, so it is computed once and
# interpolated.
@cache
def _table(channels: int, c0: float) -> tuple[np.ndarray, np.ndarray]:
    frequencies = np.linspace(1.0, RATE / 2, 6001)
    return frequencies, membrane_response(frequencies, channels, c0).astype(np.complex64)


def membrane(sound: np.ndarray, channels: int = CHANNELS, c0: float = C0) -> np.ndarray:
    """Velocity of ``channels`` places for ``sound`` at ``RATE``: float32 [channels, samples]."""
    size = scipy.fft.next_fast_len(len(sound), real=True)
    spectrum = scipy.fft.rfft(sound, size)

    audible = int(np.flatnonzero(abs(spectrum) >= 1e-7 * abs(spectrum).max())[-1]) + 1
    frequencies, response = _table(channels, c0)
    place = np.linspace(0.0, len(frequencies) - 1.0, len(spectrum))[:audible]
    low = np.minimum(place.astype(int), len(frequencies) - 2)
    share = (place - low).astype(np.float32)
    h = response[:, low] * (1 - share) + response[:, low + 1] * share
    velocity = scipy.fft.irfft(h * spectrum[:audible].astype(np.complex64), size, axis=1, overwrite_x=True)
    return velocity[:, : len(sound)].astype(np.float32)


# Transmitter pool of a hair cell (Meddis 1986, tables I and II)
M_A = 5.0  # membrane permeability: A, B, G
M_B = 300.0
M_G = 2000.0
M_Y = 5.05  # replenishment
M_L = 2500.0  # loss
M_R = 6580.0  # re-uptake
M_X = 66.3  # reprocessing
M_H = 50_000.0  # spike rate factor
M_FULL = 1.0


@compiled
def _binomial(u, count, p):
    """How many of ``count`` events of probability ``p`` < 1 happen, by inversion of ``u``, uniform in [0, 1)."""
    # (1 - p)^count is at least 1 - count p, so most draws of 0 need no power.
    if u < 1.0 - count * p:
        return 0
    term = (1.0 - p) ** count
    drawn = 0
    while u >= term and drawn < count:
        u -= term
        term *= (count - drawn) * p / ((drawn + 1) * (1.0 - p))
        drawn += 1
    return drawn


@compiled
def _bushy_cell_spikes(velocity, rng, rate, synapses, weight, refractory, keep_membrane, keep_synapse):
    """Sample numbers of the spikes of one channel's bushy cell.

    The hair cell's transmitter in the cleft gives each fibre's probability to fire in a sample; fibres that fired rest
    for ``refractory`` samples. The fibres are alike and only their sum counts, so one binomial draw for those at rest
    stands for ``synapses`` separate draws: the same distribution for a fortieth of the random numbers.
    """
    dt = 1.0 / rate
    permeability = M_G * M_A / (M_A + M_B)  # at rest
    cleft = M_FULL * M_Y * permeability / (M_L * permeability + M_Y * (M_L + M_R))
    free = cleft * (M_L + M_R) / permeability
    store = cleft * M_R / M_X
    resting = np.zeros(refractory, np.int64)  # how many fibres fired in each of the last samples
    ready = synapses
    slot = -1
    current = 0.0
    potential = 0.0
    silent = 0  # samples until the cell may spike again
    spikes = np.empty(len(velocity), np.int64)
    count = 0
    for i in range(len(velocity)):
        drive = velocity[i] + M_A
        permeability = M_G * drive / (drive + M_B) if drive > 0 else 0.0
        replenished = M_Y * (M_FULL - free) * dt if free < M_FULL else 0.0
        ejected = permeability * free * dt
        reprocessed = M_X * store * dt
        lost = (M_L + M_R) * cleft * dt
        reabsorbed = M_R * cleft * dt
        free = max(free + replenished - ejected + reprocessed, 0.0)
        cleft = max(cleft + ejected - lost, 0.0)
        store = max(store + reabsorbed - reprocessed, 0.0)

        slot = slot + 1 if slot + 1 < refractory else 0
        ready += resting[slot]
        p = min(M_H * cleft * dt, 1.0)
        fired = _binomial(rng.random(), ready, p) if p < 1.0 else ready
        resting[slot] = fired
        ready -= fired

        current = current * keep_synapse + fired
        if silent > 0:
            silent -= 1
            potential = 0.0
            continue
        potential = potential * keep_membrane + current * weight * dt
        if potential >= 1.0:
            spikes[count] = i
            count += 1
            potential = 0.0
            silent = refractory
    return spikes[:count]


def spikes(
    sound: np.ndarray, rng: np.random.Generator, channels: int = CHANNELS, c0: float = C0
) -> tuple[np.ndarray, np.ndarray]:
    """Times (s, sorted) and channels of the spikes for ``sound`` at ``RATE`` (any level; silence gives only spontaneous
    ones)."""
    level = np.sqrt(np.mean(sound**2))
    sound = sound * (LEVEL / level if level > 0 else 0.0) * np.hanning(len(sound))
    keep = np.exp(-1 / RATE / np.array([TAU_MEMBRANE, TAU_SYNAPSE]))
    rest = round(REFRACTORY * RATE)
    fired = [
        _bushy_cell_spikes(v, rng, float(RATE), FIBRES, WEIGHT / FIBRES, rest, *keep)
        for v in membrane(sound, channels, c0)
    ]
    times = np.concatenate(fired) / RATE
    units = np.repeat(np.arange(channels), [len(f) for f in fired])
    order = np.lexsort((units, times))
    return times[order], units[order]
