"""What IAIDNN is trained for: the mean (weighted) sum rate of Rayleigh channels, by its hand-written gradient.

Steps are taken matrix by matrix: neither the matrices' scales nor those of their gradients have anything to do with each other,
and Adam entry by entry destroys an untrained network that is WMMSE already.
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from csisim.beamforming.digital.iaidnn import IaidnnConfig, initial, scaled, weighted_rate, zf_start
from csisim.beamforming.digital.iaidnn_evaluate import evaluate
from csisim.beamforming.digital.oracle import mmse_combiner
from csisim.beamforming.digital.wmmse import wmmse
from csisim.channel.normalisation import MEAN_POWER
from csisim.phy.dims import PowerBudget
from csisim.random import complex_normal, stream
from csisim.training.base import Parameters, Product
from csisim.training.data import LinkSettings, source_of
from csisim.training.loop import TRAINING, VALIDATION
from csisim.training.stepper import NumpyStepper

_POWER = PowerBudget("total", 1.0)


class PrecodingSettings(LinkSettings):
    """A link whose precoder is learned from perfect or disturbed CSI, power shared by all users."""

    batch: int = Field(50, ge=1, description="channels per step")
    samples: int | None = Field(None, ge=1, description="channels that all steps are made of; null draws fresh ones for every step")
    validation: int = Field(300, ge=1, description="channels of the validation set, the same for every seed")
    snr_spread_db: float = Field(0.0, ge=0, description="the SNR of every channel is drawn from snr_db minus to plus this")
    error_variance: float = Field(0.0, ge=0, description="of every entry of the error of the CSI that the network sees")

    @property
    def handicap(self) -> dict[str, Any]:
        """What training did not know, and the error it was told of: networks that it led to serve only where they are named."""
        error = {"error_variance": self.error_variance} if self.error_variance else {}
        return ({"training_data": {"samples": self.samples}} if self.samples else {}) | error

    def draw(self, start: Mapping[str, np.ndarray], count: int, root: int, index: int) -> tuple[np.ndarray, ...]:
        """CSI of mean square 2, channels (count, K, R, T), and noise over transmit power (count,) as the network is told it.

        An error of the CSI is as good as more noise: the network is told the sum of both, as error-aware WMMSE would be. The rate
        is that of the channel with the true noise: the channel is scaled up so that both have the same ratio to the power.
        """
        system = self.system
        config: Any = self.channel
        if config.kind == "rayleigh" and not (config.tx_correlation or config.rx_correlation) and config.normalisation in MEAN_POWER:
            # any orthonormal beams leave independent entries independent
            shape = (count, system.num_users, system.num_rx_rf, system.num_rf)
            amplitude = np.sqrt(MEAN_POWER[config.normalisation])
            true = amplitude * complex_normal(stream(root, 0, "training.rayleigh", index), shape, np.complex128)
        else:
            true = source_of(self, start).channels(count, root, index).astype(np.complex128)
        draws = stream(root, 0, "training.snr", index).uniform(-self.snr_spread_db, self.snr_spread_db, count)
        seen, ratio = true, system.noise_power / system.power.total * 10.0 ** (draws / 10.0)
        if self.error_variance:
            error = complex_normal(stream(root, 0, "training.csi_error", index), true.shape, np.complex128)
            seen = true + np.sqrt(self.error_variance) * error
        h, ratios = scaled(seen, ratio + self.error_variance)
        return h, true * np.sqrt(ratios / ratio)[:, None, None, None], ratios


class PrecodingData:
    """What a precoder is trained with, and the set that its iterates and its seeds are compared on."""

    def __init__(self, settings: PrecodingSettings, start: Mapping[str, np.ndarray], seed: int) -> None:
        self.settings, self.start = settings, start
        self.held_out = settings.draw(start, settings.validation, VALIDATION, 0)
        self.known = None if settings.samples is None else settings.draw(start, settings.samples, TRAINING, seed)

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Data of one step."""
        count = self.settings.batch
        if self.known is None:
            return self.settings.draw(self.start, count, TRAINING, int(rng.integers(2**31)))
        chosen = rng.choice(len(self.known[0]), count, replace=count > len(self.known[0]))
        return tuple(item[chosen] for item in self.known)


class IaidnnTaskConfig(PrecodingSettings):
    """Training of IAIDNN."""

    task: Literal["iaidnn"] = "iaidnn"
    digital: IaidnnConfig = Field(default_factory=IaidnnConfig, description="the network")
    rule: Literal["adam", "spectral"] | None = Field(
        None,
        description="adam: one second moment for each matrix; spectral: the authors' m^-0.6 (X) or m^-0.5 times the gradient over its "
        "spectral norm; null: spectral for plain networks, adam for improved ones",
    )


class IaidnnTask:
    """Mean weighted sum rate over the parameters of IAIDNN."""

    Config = IaidnnTaskConfig
    unit = "bit/s/Hz"
    reference_is = "300 iterations of WMMSE, told the same noise"

    def __init__(self, config: IaidnnTaskConfig, start: Mapping[str, np.ndarray], seed: int) -> None:
        self.config, self.seed = config, seed
        self.improved = config.digital.structure == "improved"
        self.rule = config.rule or ("adam" if self.improved else "spectral")
        self.data = PrecodingData(config, start, seed)
        self.held_out = self._with_start(*self.data.held_out)

    def initial(self) -> Parameters:
        """WMMSE for an improved network, random parameters near regularised zero forcing for a plain one."""
        rng = None if self.improved else stream(self.seed, 0, "iaidnn.initial")
        return {name: value.astype(np.complex64) for name, value in initial(self.config.digital, self.config.dims, rng).items()}

    def batch(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """CSI, channels, noise ratios and first precoders."""
        return self._with_start(*self.data.batch(rng))

    def gradient(self, parameters: Parameters, batch: tuple[np.ndarray, ...]) -> tuple[float, Parameters]:
        """Minus the mean rate, and its gradient."""
        rates, _, gradients = self._evaluate(parameters, batch, gradient=True)
        return -float(rates.mean()), {name: -value for name, value in gradients.items()}

    def score(self, parameters: Parameters) -> float:
        """Mean rate on the validation set in bit/s/Hz."""
        return float(self._evaluate(parameters, self.held_out)[0].mean() / np.log(2.0))

    def reference(self, known: Parameters) -> float:
        """Mean rate of WMMSE on the validation set in bit/s/Hz, designed on what the network sees."""
        seen, true, ratios, first = self.held_out
        best = wmmse_of(seen, ratios, first.shape[-1], iterations=300, user_weights=self._priorities())
        return float(weighted_rate(true, best, ratios, self._priorities()).mean() / np.log(2.0))

    def products(self, known: Parameters) -> list[Product]:
        """The network."""
        return [self.config.product(self.config.digital, dict(known))]

    def stepper(self) -> "MatrixStepper":
        """Matrix-wise steps instead of the loop's entry-wise Adam."""
        return MatrixStepper(self)

    def scales(self) -> dict[str, float]:
        """How large a step of each parameter is beside one of X: B is thousands of times the identity, precoders are small."""
        seen, _, ratios, first = self.held_out
        curvature, amplitude = _curvature(seen, first, ratios)
        return {"v_z": 1.0 if self.config.digital.tied else 1.0 / curvature, "v_y": 1.0 / curvature**2, "v_o": amplitude}

    def _evaluate(self, parameters: Parameters, batch: tuple[np.ndarray, ...], gradient: bool = False) -> tuple[Any, Any, Any]:
        seen, true, ratio, first = batch
        structure = self.config.digital.structure
        return evaluate(parameters, seen, first, ratio, structure, user_weights=self._priorities(), true=true, gradient=gradient)

    def _priorities(self) -> np.ndarray | None:
        weights = self.config.digital.user_weights
        return None if weights is None else np.asarray(weights)

    def _with_start(self, seen: np.ndarray, true: np.ndarray, ratio: np.ndarray) -> tuple[np.ndarray, ...]:
        return seen, true, ratio, zf_start(seen, self.config.system.num_streams, _POWER)


class MatrixStepper(NumpyStepper):
    """Steps that treat each matrix as a whole; parameters of tied networks are matrices of one entry."""

    def __init__(self, task: IaidnnTask) -> None:
        super().__init__(task)
        self.second = {name: np.zeros(_by_matrix(value).shape[:1]) for name, value in self.values.items()}
        self.scale = task.scales() if task.rule == "adam" else {}

    def step(self, batch: tuple[np.ndarray, ...], rates: Mapping[str, float], clip: float, limit: float) -> tuple[float, bool]:
        """One step; ``clip`` is not needed, because no step's size depends on that of the gradient."""
        _, gradients = self.task.gradient(self.values, batch)
        norm = float(np.sqrt(sum(float(np.vdot(g, g).real) * self.scale.get(name, 1.0) ** 2 for name, g in gradients.items())))
        if not norm < limit:
            return norm, False
        self.taken += 1
        for name, gradient in gradients.items():
            slope, value = _by_matrix(gradient), _by_matrix(self.values[name])
            if self.task.rule == "spectral":
                exponent = 0.6 if name.endswith("_x") else 0.5
                norms = np.linalg.norm(slope, 2, axis=(-2, -1), keepdims=True)
                value -= (rates[name] * self.taken**-exponent * slope / np.where(norms > 0.0, norms, 1.0)).astype(value.dtype)
            else:
                value -= (rates[name] * self.scale.get(name, 1.0) * self._adam(name, slope)).astype(value.dtype)
        return norm, True

    def _adam(self, name: str, slope: np.ndarray) -> np.ndarray:
        """Adam's direction (b1 0.9, b2 0.99) with one second moment per matrix, root mean square at most one."""
        first, second = _by_matrix(self.first[name]), self.second[name]
        first += (0.1 * (slope - first)).astype(first.dtype)
        second += 0.01 * (np.mean(np.abs(slope) ** 2, axis=(-2, -1)) - second)
        spread = np.sqrt(second / (1 - 0.99**self.taken))
        step = first / (1 - 0.9**self.taken) / np.where(spread > 0.0, spread, 1.0)[:, None, None]
        return step / np.maximum(1.0, np.sqrt(np.mean(np.abs(step) ** 2, axis=(-2, -1), keepdims=True)))


def wmmse_of(seen: np.ndarray, ratios: np.ndarray, num_streams: int, **options: Any) -> np.ndarray:
    """WMMSE (B, K, T, n) of problems that each have their own noise over power (B,)."""
    alike = seen * np.sqrt(ratios[0] / ratios)[:, None, None, None]
    return wmmse(alike, float(ratios[0]), num_streams, _POWER, **options)


def _by_matrix(a: np.ndarray) -> np.ndarray:
    """(layers, K, i, j) as (matrices, i, j), the scalars (layers,) of a tied network as (layers, 1, 1); a view."""
    return a.reshape(-1, *a.shape[2:]) if a.ndim == 4 else a[:, None, None]


def _curvature(channel: np.ndarray, start: np.ndarray, ratio: np.ndarray) -> tuple[float, float]:
    """Mean of B's diagonal in WMMSE's first iteration, and root mean square of the precoders."""
    _, users, num_rx, num_tx = channel.shape
    power = users * num_rx / (2.0 * num_tx)
    b = 0.0
    for h, v, r in zip(channel[:20], start[:20], ratio[:20], strict=True):
        v = v * np.sqrt(power / np.sum(np.abs(v) ** 2))
        u = mmse_combiner(h, v, r * power)
        w = np.linalg.inv(np.eye(v.shape[-1]) - u.conj().swapaxes(-1, -2) @ h @ v)
        back = h.conj().swapaxes(-1, -2) @ u
        b += float(r * np.sum((u @ w * u.conj()).real) + np.sum((back @ w * back.conj()).real) / num_tx)
    return b / len(channel[:20]), float(np.sqrt(power / start[0].size))
