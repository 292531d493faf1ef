"""An event sensor looking at a digit on a monitor while a pan-tilt unit moves it: the set-up N-MNIST was recorded with,
simulated.

Orchard et al., Front. Neurosci. 9:437 (2015), section 2: an ATIS makes three saccades of about 100 ms each around a
triangle, the image stands still on the monitor, and 34 x 34 pixels are kept. A pixel sends an event when its log
intensity has changed by a threshold since its last one (Posch et al., IEEE JSSC 46(1), 2011), and is deaf for a
refractory time afterwards.

What the paper does not give (thresholds, optics, how the motors really moved) is fitted to the first 1,000 recordings
of N-MNIST's training half; how close that comes is in this folder's README. Two things were read off those recordings:
the digits are dark on a bright background (rising intensity is polarity 1 only if so), and almost all background noise
is polarity 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from datamodules.compiled import compiled

SIDE = 34  # pixels, the sensor crop
PAD = 3  # the 28 x 28 image lies in its middle
DURATION = 315  # ms

# Where the digit is on the sensor, in pixels from the middle (x to the right, y down), every 5 ms. Measured: at each
# time the shift at which the events of all training recordings correlate best with the gradients of their images.
KNOT = 5  # ms
# fmt: off
MOTION_X = (
    -2.53, -2.54, -2.55, -2.59, -2.60, -2.61, -2.65, -2.64, -2.64, -2.60, -2.49, -2.24, -1.95, -1.62, -1.28, -1.11,
    -1.03, -0.98, -0.95, -0.90, -0.83, -0.74, -0.63, -0.50, -0.36, -0.17, 0.07, 0.39, 0.77, 1.07, 1.31, 1.47,
    1.60, 1.78, 1.96, 2.15, 2.29, 2.40, 2.47, 2.56, 2.69, 2.81, 2.88, 2.91, 2.89, 2.84, 2.75, 2.31,
    1.82, 1.33, 0.81, 0.27, -0.27, -0.82, -1.25, -1.59, -1.95, -2.17, -2.31, -2.41, -2.48, -2.49, -2.49,
)
MOTION_Y = (
    -1.71, -1.69, -1.65, -1.50, -1.25, -0.91, -0.50, 0.02, 0.60, 1.24, 1.87, 2.43, 2.90, 3.24, 3.47, 3.59,
    3.64, 3.64, 3.62, 3.57, 3.54, 3.49, 3.44, 3.41, 3.38, 3.31, 3.10, 2.77, 2.32, 1.77, 1.16, 0.58,
    -0.04, -0.55, -1.03, -1.29, -1.48, -1.56, -1.61, -1.64, -1.67, -1.65, -1.64, -1.64, -1.65, -1.65, -1.66, -1.60,
    -1.59, -1.57, -1.56, -1.59, -1.62, -1.65, -1.71, -1.76, -1.78, -1.81, -1.80, -1.78, -1.77, -1.76, -1.76,
)
# fmt: on


@dataclass(frozen=True)
class Sensor:
    """``threshold_on``, ``threshold_off``: change of log intensity per event. ``mismatch``: relative spread of
    thresholds between pixels; ``jitter``: relative spread from event to event. ``refractory`` in ms. ``dark``: light of
    a black stroke as a share of the white background. ``blur``: width of optics and pixel, in pixels. ``lag``:
    photoreceptor time constant, ms. ``noise``: background events per pixel and second; ``noise_on``: their share of
    polarity 1. ``shake``: spread of the start of a recording, ms. ``wander``: spread of the position, pixels. ``hot``:
    x, y and events per second of the one pixel that never rests, in N-MNIST as here."""

    threshold_on: float = 0.26
    threshold_off: float = 0.255
    mismatch: float = 0.05
    jitter: float = 0.19
    refractory: float = 0.41
    dark: float = 0.135
    blur: float = 0.57
    lag: float = 0.82
    noise: float = 0.3
    noise_on: float = 0.99
    shake: float = 1.5
    wander: float = 0.1
    hot: tuple[int, int, float] = (18, 30, 47.0)


FINE = 4  # samples of the displayed image per pixel and axis
MARGIN = 8  # pixels around the sensor that the motion may bring into view


def pattern(sensor: Sensor, seed: int) -> np.ndarray:
    """Relative threshold of each pixel, 34 x 34: one sensor made all recordings, so it is the same for all of
    ``seed``."""
    rng = np.random.default_rng([seed, 0x5E5])
    return np.exp(sensor.mismatch * rng.standard_normal((SIDE, SIDE)))


def optics(blur: float) -> np.ndarray:
    """Matrix [fine samples, 28] that blurs and resamples an image along one axis; rows sum to one where the image
    covers them."""
    centres = np.arange((SIDE + 2 * MARGIN) * FINE) / FINE - MARGIN - PAD
    weights = np.exp(-0.5 * ((centres[:, None] - np.arange(-40, 68)[None]) / blur) ** 2)
    weights /= weights.sum(1, keepdims=True)
    weights[weights < 1e-6] = 0
    return np.ascontiguousarray(weights[:, 40:68])


@compiled
def log_intensity(image, lens, dark):
    """Log of the light of ``image`` (28 x 28 uint8, shown dark on bright): [phase y, phase x, y, x] with FINE phases a
    pixel.

    Loops rather than matrix products: the same bits whatever the number of threads.
    """
    size = len(lens)
    rows = np.zeros((size, 28))
    for i in range(size):
        for k in range(28):
            if lens[i, k] > 0:
                for j in range(28):
                    rows[i, j] += lens[i, k] * image[k, j] / 255.0
    light = np.zeros((FINE, FINE, size // FINE, size // FINE))
    for j in range(size):
        for k in range(28):
            if lens[j, k] > 0:
                for i in range(size):
                    light[i % FINE, j % FINE, i // FINE, j // FINE] += lens[j, k] * rows[i, k]
    flat = light.reshape(-1)
    for n in range(len(flat)):
        if flat[n] > 0:
            flat[n] = np.log(1.0 - (1.0 - dark) * flat[n])
    return light


class _Pixels(NamedTuple):
    """State of the pixels, float64 [SIDE, SIDE] each."""

    thresholds: np.ndarray  # relative to the sensor's
    level: np.ndarray  # log intensity behind the photoreceptor
    upper: np.ndarray  # level at which the pixel sends its next event of polarity 1
    lower: np.ndarray  # the same for polarity 0
    free: np.ndarray  # ms at which the pixel's refractory time ends


class _Response(NamedTuple):
    """How pixels respond to light; units as in ``Sensor``."""

    on: float
    off: float
    jitter: float
    refractory: float
    lag: float


class _Noise(NamedTuple):
    """Events without a change of light; units as in ``Sensor``."""

    rate: float
    on_share: float
    hot_x: int
    hot_y: int
    hot_rate: float


@compiled
def _view(light, x_shift, y_shift, frame):
    """``frame`` [SIDE, SIDE] = log intensity at each pixel for a digit moved by the shift, bilinear between samples.

    A digit moved by +shift is the image seen from -shift. All pixels lie at the same place between its samples.
    """
    fx = (MARGIN - x_shift) * FINE
    fy = (MARGIN - y_shift) * FINE
    ix = int(np.floor(fx))
    iy = int(np.floor(fy))
    ax = fx - ix
    ay = fy - iy
    a = light[iy % FINE, ix % FINE]
    b = light[iy % FINE, (ix + 1) % FINE]
    c = light[(iy + 1) % FINE, ix % FINE]
    d = light[(iy + 1) % FINE, (ix + 1) % FINE]
    x0 = ix // FINE
    x1 = (ix + 1) // FINE
    y0 = iy // FINE
    y1 = (iy + 1) // FINE
    wa = (1 - ay) * (1 - ax)
    wb = (1 - ay) * ax
    wc = ay * (1 - ax)
    wd = ay * ax
    for y in range(SIDE):
        for x in range(SIDE):
            top = wa * a[y0 + y, x0 + x] + wb * b[y0 + y, x1 + x]
            frame[y, x] = top + wc * c[y1 + y, x0 + x] + wd * d[y1 + y, x1 + x]


@compiled
def _start(rng, frame, pixels, response):
    """Levels at the start. How far each pixel then is from its next event is unknown, so it is drawn."""
    span = response.on + response.off
    for y in range(SIDE):
        for x in range(SIDE):
            pixels.level[y, x] = frame[y, x]
            pixels.lower[y, x] = frame[y, x] - rng.random() * span * pixels.thresholds[y, x]
            pixels.upper[y, x] = pixels.lower[y, x] + span * pixels.thresholds[y, x]


@compiled
def _with_noise(rng, events, steps, noise):
    """``events`` [n, 4], background events of all pixels and those of the hot pixel, sorted by time."""
    count = len(events)
    background = rng.poisson(noise.rate * SIDE * SIDE * steps / 1000.0)
    flicker = rng.poisson(noise.hot_rate * steps / 1000.0)
    all_events = np.empty((count + background + flicker, 4), np.int64)
    all_events[:count] = events
    for i in range(count, count + background):
        all_events[i, 0] = int(rng.random() * steps * 1000)
        all_events[i, 1] = int(rng.random() * SIDE)
        all_events[i, 2] = int(rng.random() * SIDE)
        all_events[i, 3] = 1 if rng.random() < noise.on_share else 0
    for i in range(count + background, count + background + flicker):
        all_events[i, 0] = int(rng.random() * steps * 1000)
        all_events[i, 1] = noise.hot_x
        all_events[i, 2] = noise.hot_y
        all_events[i, 3] = 1 if rng.random() < 0.55 else 0
    return all_events[np.argsort(all_events[:, 0], kind="mergesort")]


@compiled
def _record(rng, light, x_shift, y_shift, pixels, response, noise):
    """Events as int64 [n, 4] (time in us, x, y, polarity), by time.

    ``light``: log intensity [phase y, phase x, y, x], one plane per place between two pixels; ``x_shift``,
    ``y_shift``: position of the digit at each ms.
    """
    thresholds, level, upper, lower, free = pixels
    events = np.empty((4096, 4), np.int64)
    count = 0
    follow = 1.0 - np.exp(-1.0 / response.lag)
    frame = np.empty((SIDE, SIDE))
    _view(light, x_shift[0], y_shift[0], frame)
    _start(rng, frame, pixels, response)
    for k in range(1, len(x_shift)):
        _view(light, x_shift[k], y_shift[k], frame)
        for y in range(SIDE):
            for x in range(SIDE):
                old = level[y, x]
                new = old + follow * (frame[y, x] - old)
                level[y, x] = new
                begin = k - 1.0  # of the rest of this ms
                if free[y, x] <= begin and lower[y, x] < new < upper[y, x]:
                    continue
                slope = new - old
                while True:
                    if free[y, x] > begin:
                        # After its refractory time a pixel continues from the level then, with newly drawn thresholds.
                        if free[y, x] >= k:
                            break
                        begin = free[y, x]
                        reference = old + slope * (begin - (k - 1))
                        scale = thresholds[y, x]
                        rise = response.on * scale * max(0.2, 1 + response.jitter * rng.standard_normal())
                        fall = response.off * scale * max(0.2, 1 + response.jitter * rng.standard_normal())
                        upper[y, x] = reference + rise
                        lower[y, x] = reference - fall
                    polarity = 1 if new >= upper[y, x] else 0
                    if polarity == 0 and new > lower[y, x]:
                        break
                    crossed = upper[y, x] if polarity == 1 else lower[y, x]
                    time = max(begin, k - 1 + (crossed - old) / slope) if slope != 0.0 else begin
                    if count == len(events):
                        events = np.concatenate((events, np.empty_like(events)))
                    events[count, 0] = int(time * 1000)
                    events[count, 1] = x
                    events[count, 2] = y
                    events[count, 3] = polarity
                    count += 1
                    free[y, x] = time + response.refractory
    return _with_noise(rng, events[:count], len(x_shift), noise)


class Studio:
    """A sensor of ``seed`` in front of the monitor."""

    def __init__(self, sensor: Sensor, seed: int) -> None:
        self.sensor = sensor
        self.lens = optics(sensor.blur)
        self.thresholds = pattern(sensor, seed)
        self.motion = CubicSpline(np.arange(len(MOTION_X)) * KNOT, np.array([MOTION_X, MOTION_Y]).T)

    def record(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Events of ``image`` (28 x 28 uint8) as int64 [n, 4]: time in us, x, y, polarity; sorted by time."""
        s = self.sensor
        times = np.arange(DURATION) - s.shake * rng.standard_normal()
        positions = self.motion(np.clip(times, 0, (len(MOTION_X) - 1) * KNOT)) + s.wander * rng.standard_normal(2)
        light = log_intensity(image, self.lens, s.dark)
        pixels = _Pixels(self.thresholds, *np.zeros((4, SIDE, SIDE)))
        response = _Response(s.threshold_on, s.threshold_off, s.jitter, s.refractory, s.lag)
        return _record(
            rng, light, positions[:, 0], positions[:, 1], pixels, response, _Noise(s.noise, s.noise_on, *s.hot)
        )
