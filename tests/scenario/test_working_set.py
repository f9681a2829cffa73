"""Samples that an online scheme remembers, as the working set counts them."""

from csisim.scenario.memory import _Lane, _Link


def test_frames_without_an_update_bring_no_samples(load):
    """Frames 0, 8 and 16 of 20 are sampled."""
    scenario = load(sets=["clock.frames=20", "schemes.on.update_every=8", "schemes.on.samples_per_frame=2"]).scenario
    (online,) = (scheme for scheme in scenario.schemes if scheme.name == "on")
    assert _Lane(scenario, online, _Link.of(scenario)).count == 6
