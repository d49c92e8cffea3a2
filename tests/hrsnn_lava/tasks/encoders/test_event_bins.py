"""Events in steps: which step, which channel, how many are lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hrsnn_lava.errors import SpecError
from hrsnn_lava.tasks.encoders import EventBins
from hrsnn_lava.tasks.readers.base import Events

RNG = np.random.default_rng


def events(times, channels, n_channels=700, duration=None):
    times = np.asarray(times, dtype=np.float64)
    last = float(times.max(initial=0.0)) if duration is None else duration
    return Events(times, np.asarray(channels, dtype=np.int64), n_channels, last)


def pairs(spikes):
    return list(zip(spikes.steps.tolist(), spikes.neurons.tolist(), strict=True))


def test_neighbours_merge_and_second_events_are_counted():
    sample = events([0.0, 0.0004, 0.0014, 0.0016, 0.0021], [0, 4, 5, 699, 9])
    binned = EventBins(merge=5).binned(sample, block=2)
    assert pairs(binned.spikes) == [(0, 0), (1, 1), (1, 139), (2, 1)]
    assert (binned.merged, binned.spikes.n_neurons, binned.spikes.n_steps) == (1, 140, 4)
    assert pairs(EventBins(merge=5).encode(sample, 2, RNG(0))) == pairs(binned.spikes)


def test_the_last_channels_merge_to_one_where_they_do_not_divide():
    binned = EventBins(merge=4).binned(events([0.0, 0.0], [8, 9], n_channels=10))
    assert (pairs(binned.spikes), binned.spikes.n_neurons, binned.merged) == ([(0, 2)], 3, 1)


@pytest.mark.parametrize(("speed", "n_steps"), [(1.0, 1000), (4.0, 250), (0.5, 2000)])
def test_speed_shortens_a_sample(speed, n_steps):
    sample = events(np.arange(1000) * 1e-3, np.zeros(1000, int), duration=1.0)
    spikes = EventBins(speed=speed).encode(sample, 1, RNG(0))
    assert spikes.n_steps == n_steps
    assert spikes.steps.size == min(n_steps, 1000)


def test_every_microsecond_lands_in_its_millisecond():
    """Products and quotients of decimals are off by a last bit; the step must not be."""
    microseconds = np.arange(0, 20_000, 250)
    sample = events(microseconds * 1e-6, np.zeros(microseconds.size, int), duration=0.02)
    binned = EventBins().binned(sample)
    np.testing.assert_array_equal(binned.spikes.steps, np.arange(20))
    single = [EventBins().binned(events([m * 1e-6], [0], duration=0.02)) for m in microseconds]
    assert [int(one.spikes.steps[0]) for one in single] == (microseconds // 1000).tolist()


def test_the_end_belongs_to_the_last_step_and_blocks_are_whole():
    sample = events([0.02], [3], duration=0.02)
    spikes = EventBins().encode(sample, 7, RNG(0))
    assert (pairs(spikes), spikes.n_steps) == ([(19, 3)], 21)


def test_a_silent_sample_has_a_block():
    spikes = EventBins().encode(events([], []), 10, RNG(0))
    assert (spikes.steps.size, spikes.n_steps) == (0, 10)


def test_pixels_pool_within_their_polarity():
    height, width = 4, 6
    y, x, polarity = np.array([0, 1, 3, 3]), np.array([0, 1, 5, 5]), np.array([0, 0, 0, 1])
    channels = (polarity * height + y) * width + x
    sample = events(np.zeros(4), channels, n_channels=2 * height * width)
    binned = EventBins(sensor=(height, width), pool=2).binned(sample)
    assert binned.spikes.n_neurons == 2 * 2 * 3
    assert (pairs(binned.spikes), binned.merged) == ([(0, 0), (0, 5), (0, 11)], 1)
    odd = EventBins(sensor=(height, width), pool=4).binned(sample)
    assert odd.spikes.n_neurons == 2 * 1 * 2


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(0, 0.05), st.integers(0, 19)), max_size=60),
    st.sampled_from([1, 3, 5]),
)
def test_spikes_and_merged_events_are_all_events(entries, merge):
    times, channels = [t for t, _ in entries], [c for _, c in entries]
    sample = events(times, channels, n_channels=20, duration=0.05)
    binned = EventBins(merge=merge).binned(sample, 10)
    assert binned.spikes.steps.size + binned.merged == len(entries)
    cells = {(min(int(t * 1000 + 1e-9), 49), c // merge) for t, c in entries}
    assert binned.spikes.steps.size == len(cells)


def test_options_that_contradict_each_other_or_the_samples_are_refused():
    with pytest.raises(SpecError, match=r"pool: 2; allowed: 1, or with a sensor"):
        EventBins(pool=2)
    with pytest.raises(SpecError, match=r"merge: 5; allowed: 1 with a sensor"):
        EventBins(merge=5, sensor=(4, 4))
    with pytest.raises(SpecError, match=r"4 x 4 pixels; allowed: a divisor of .* 20 channels"):
        EventBins(sensor=(4, 4)).encode(events([0.0], [0], n_channels=20), 1, RNG(0))
    with pytest.raises(SpecError, match=r"1e-09 s for 1 s; allowed: 16777216 steps"):
        EventBins(step=1e-9).encode(events([0.0], [0], duration=1.0), 1, RNG(0))
