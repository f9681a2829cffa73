"""Sizes and budgets that every component of a link shares."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from csisim.registry import Settings


@dataclass(frozen=True)
class Dims:
    """Dimensions of one block of drops; the letters are those of the shapes in docstrings."""

    drops: int  # D
    num_users: int  # K
    num_rx: int  # r
    num_tx: int  # t
    num_rx_rf: int  # R
    num_rf: int  # T
    num_streams: int  # n
    num_subcarriers: int = 1  # S
    precision: Literal["single", "double"] = "single"

    @property
    def complex_dtype(self) -> np.dtype:
        return np.dtype(np.complex64 if self.precision == "single" else np.complex128)

    @property
    def real_dtype(self) -> np.dtype:
        return np.dtype(np.float32 if self.precision == "single" else np.float64)


@dataclass(frozen=True)
class PowerBudget:
    """Transmit power in units of the reference power P, with noise power sigma^2 = 10^(-SNR/10).

    ``per_user``: every user's precoder has squared norm ``total / K`` (Kang 2022, eq. 7d: total = K N_s).
    ``total``: the squared norms of all users add to ``total`` (Hu 2021: total = 1, SNR = P_T / sigma^2).
    On each subcarrier alike.
    """

    constraint: Literal["per_user", "total"]
    total: float

    def per_user(self, num_users: int) -> float:
        return self.total / num_users


class System(Settings):
    """Antennas, RF chains, users, streams and power of the link (``system:`` in a scenario)."""

    num_tx: int = Field(64, ge=1, description="transmit antennas at the base station")
    num_rf: int = Field(16, ge=1, description="RF chains at the base station")
    num_rx: int = Field(32, ge=1, description="receive antennas per user")
    num_rx_rf: int = Field(4, ge=1, description="RF chains per user")
    num_users: int = Field(4, ge=1, description="users served at once")
    num_streams: int = Field(4, ge=1, description="data streams per user")
    snr_db: float = Field(10.0, ge=-100, le=100, description="signal-to-noise ratio in dB, see snr_definition")
    snr_definition: Literal["per_user", "total"] = Field(
        "per_user", description="per_user: P / sigma^2 with N_s units of power for each user (Kang 2022); total: P_T / sigma^2 (Hu 2021)"
    )
    power_constraint: Literal["per_user", "total"] = Field("per_user", description="who shares the transmit power")
    rate: Literal["per_stream", "logdet"] = Field("per_stream", description="sum of log2(1 + SINR), or log det with ideal joint decoding")
    phase_bits: int | None = Field(None, ge=1, le=16, description="resolution Q_RF of the phase shifters in bits; null is continuous")

    @property
    def noise_power(self) -> float:
        """Noise power sigma^2 for P = 1."""
        return 10.0 ** (-self.snr_db / 10.0)

    @property
    def power(self) -> PowerBudget:
        """The transmit power budget that makes ``snr_db`` mean what ``snr_definition`` says."""
        total = float(self.num_users * self.num_streams) if self.snr_definition == "per_user" else 1.0
        return PowerBudget(self.power_constraint, total)

    def dims(self, drops: int, num_subcarriers: int = 1, precision: Literal["single", "double"] = "single") -> Dims:
        """Dimensions of a block of ``drops`` drops."""
        return Dims(
            drops, self.num_users, self.num_rx, self.num_tx, self.num_rx_rf, self.num_rf, self.num_streams, num_subcarriers, precision
        )
