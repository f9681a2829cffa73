"""Conformance checks for components, shipped and third-party."""

from csisim.testing.checks import check_analog, check_channel, check_codec, check_digital, check_estimator

__all__ = ["check_analog", "check_channel", "check_codec", "check_digital", "check_estimator"]
