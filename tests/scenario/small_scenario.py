"""A small valid scenario; the tests break it."""

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
