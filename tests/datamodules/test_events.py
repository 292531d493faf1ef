"""The network's input is what the recipes say, event by event."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.events import Cochlea, Frames, Windows

HSD = np.dtype([("t", int), ("x", int), ("p", int)])
XYTP = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])


def cochlea_events(times: np.ndarray, units: np.ndarray) -> np.ndarray:
    """As Tonic gives them: times cut to us."""
    events = np.empty(len(times), HSD)
    events["t"] = times.astype(np.float64) * 1e6
    events["x"] = units
    events["p"] = 1
    return events


def camera_events(*rows: tuple[int, int, int, int]) -> np.ndarray:
    return np.array(list(rows), XYTP)


def dense(places: np.ndarray, counts: np.ndarray | None, steps: int, channels: int) -> np.ndarray:
    image = np.zeros(steps * channels)
    image[places] = 1 if counts is None else counts
    return image.reshape(steps, channels)


def binary_image(times: np.ndarray, units: np.ndarray, dt: float) -> np.ndarray:
    """The definition that DH-SNN's preparation of SHD follows, one bin after the other, in the times' own precision."""
    image = np.zeros((int(1 / dt), 700))
    for i in range(len(image)):
        taken = times <= np.float16(i * dt)
        image[i, 700 - units[taken & (units > 0)].astype(int)] = 1
        times = times[~taken]
        units = units[~taken]
    return image


@pytest.mark.parametrize(("steps", "bin_ms"), [(1000, 1.0), (250, 4.0)])
def test_cochlea_bins_are_those_of_the_public_code(steps: int, bin_ms: float) -> None:
    rng = np.random.default_rng(0)
    times = np.sort(0.003 + rng.random(8000) * 1.3).astype(np.float16)
    units = rng.integers(0, 700, len(times)).astype(np.uint16)
    expected = binary_image(times, units, bin_ms * 1e-3)
    report: Counter = Counter()
    places, counts = Cochlea(steps, bin_ms)(cochlea_events(times, units), report)
    assert counts is None
    np.testing.assert_array_equal(dense(places, counts, steps, 700), expected)
    assert report["events"] == 8000
    left_out = report["after the window"] + report["unit 0"] + report["merged with another in the same bin"]
    assert left_out + report["used"] == 8000
    assert report["after the window"] == (times > np.float16((steps - 1) * bin_ms * 1e-3)).sum() > 0
    assert report["recordings longer than the window"] == 1


def test_windows_start_at_the_first_event_and_polarity_comes_first() -> None:
    events = camera_events((1, 2, 5_000, 0), (1, 2, 7_999, 1), (33, 33, 8_000, 1), (0, 0, 49_999, 0), (0, 0, 50_000, 0))
    places, counts = Windows(15, 3, 34, False)(events, report := Counter())
    assert counts is None
    assert [(p // 2312, p % 2312) for p in places.tolist()] == [
        (0, 2 * 34 + 1),
        (0, 1156 + 2 * 34 + 1),
        (1, 2311),
        (14, 0),
    ]
    assert (report["after the window"], report["used"]) == (1, 4)


def test_counts_count_and_binary_windows_do_not() -> None:
    events = camera_events((3, 4, 0, 1), (3, 4, 10, 1), (3, 4, 2_000, 1), (3, 4, 3_000, 1))
    counted = Windows(2, 3, 34, True)(events, Counter())
    assert counted[1] is not None and counted[1].tolist() == [3, 1]
    binary = Windows(2, 3, 34, False)(events, report := Counter())
    assert binary[1] is None and binary[0].tolist() == counted[0].tolist()
    assert report["merged with another in the same bin"] == 2


def test_frames_hold_equally_many_events_and_the_last_takes_the_rest() -> None:
    rng = np.random.default_rng(1)
    events = np.empty(1003, XYTP)
    events["x"] = rng.integers(0, 128, 1003)
    events["y"] = rng.integers(0, 128, 1003)
    events["p"] = rng.integers(0, 2, 1003)
    events["t"] = np.sort(rng.integers(0, 10**6, 1003))
    image = dense(*Frames(16, 128, 4, True)(events, Counter()), 16, 2048)
    assert image.sum(1).tolist() == [62] * 15 + [1003 - 15 * 62]
    first = events[:62]
    expected = np.zeros((2, 32, 32))
    np.add.at(expected, (first["p"], first["y"] // 4, first["x"] // 4), 1)
    np.testing.assert_array_equal(image[0].reshape(2, 32, 32), expected)
    clamped = dense(*Frames(16, 128, 4, False)(events, Counter()), 16, 2048)
    np.testing.assert_array_equal(clamped, np.minimum(image, 1))


def test_fewer_events_than_frames_lose_none() -> None:
    events = camera_events((0, 0, 0, 0), (127, 127, 1, 1))
    assert dense(*Frames(16, 128, 4, True)(events, Counter()), 16, 2048).sum() == 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-3, 40), st.integers(-3, 250), st.integers(-1000, 60_000), st.integers(-1, 3)),
        max_size=60,
    ),
    st.sampled_from([Windows(15, 3, 34, True), Windows(5, 10, 34, False), Frames(4, 32, 4, True)]),
)
def test_whatever_the_events_every_one_is_used_or_counted_and_order_does_not_matter(rows: list, transform) -> None:
    events = np.array(rows, XYTP) if rows else np.empty(0, XYTP)
    report: Counter = Counter()
    places, counts = transform(events, report)
    assert (np.diff(places) > 0).all() and (places >= 0).all() and (places < transform.steps * transform.channels).all()
    left_out = ("off the sensor", "before time 0", "after the window", "merged with another in the same bin")
    assert report["used"] + sum(report[name] for name in left_out) == report["events"] == len(events)
    assert report["used"] == (len(places) if counts is None else counts.sum())
    inside = events[
        (events["x"] >= 0) & (events["x"] < transform.side) & (events["y"] >= 0) & (events["y"] < transform.side)
    ]
    inside = inside[(inside["t"] >= 0) & (inside["p"] >= 0) & (inside["p"] < 2)]
    places_again, _ = transform(inside[np.argsort(inside["t"], kind="stable")], second := Counter())
    assert places_again.tolist() == places.tolist()
    assert second["recordings out of order, sorted"] == 0
    assert report["empty recordings"] == (len(inside) == 0)
