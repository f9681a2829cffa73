"""A small valid scenario; the tests break it with replacements."""

BASE = """\
# A small valid scenario.
name: small
system: {num_tx: 16, num_rf: 8, num_rx: 8, num_rx_rf: 2, num_users: 2, num_streams: 2, snr_db: 10}
channel:
  kind: mmwave_clusters
  fading: {kind: ar1, correlation: 0.9}
clock: {slots_per_frame: 4, frames: 2}
pilots: {length: num_rf}
feedback: {delay_slots: 0}
schemes:
  - {name: off, timescale: offline, estimator: ls, analog: ssca, digital: sca}
  - name: on
    timescale: online
    estimator: {kind: rls, loading: 0.01}
    analog: ssca
    digital: {kind: sca, iterations: 5}
  - {name: bound, timescale: single, estimator: perfect, analog: none, digital: sca}
"""

OFF = "  - {name: off, timescale: offline, estimator: ls, analog: ssca, digital: sca}"
FDD = ("name: small", "name: small\nduplex: fdd")


def delay(slots: object) -> tuple[str, str]:
    """The feedback link with a delay."""
    return "{delay_slots: 0}", f"{{delay_slots: {slots}}}"


def off(**fields: object) -> tuple[str, str]:
    """The first scheme with other fields."""
    scheme = {"name": "off", "timescale": "offline", "estimator": "ls", "analog": "ssca", "digital": "sca", **fields}
    return OFF, "  - {" + ", ".join(f"{key}: {value}" for key, value in scheme.items()) + "}"
