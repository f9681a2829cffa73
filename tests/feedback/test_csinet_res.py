"""The residual CsiNet starts as the Karhunen-Loeve transform."""

import numpy as np
import pytest

from csisim.channel.trace import load
from csisim.feedback.code_quantisers import Float32
from csisim.feedback.pca import Klt, as_real, principal_components
from csisim.feedback.sources import trace_images
from csisim.registry import configure

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def images():
    return trace_images(load("cost2100_indoor"), 32, centred=False)[:, :, :16, :8]


@pytest.mark.parametrize("real", [False, True])
def test_untrained_it_is_the_klt(images, real):
    network = configure("codec", {"kind": "csinet_res", "reduction": 8}).network(16, 8)
    components = principal_components(images, real=real)[: 32 if real else 16]
    assert network.start_from(as_real(components), torch.from_numpy(images))
    klt = Klt(components, (16, 8), Float32())
    x = torch.from_numpy(np.ascontiguousarray(images[:20]))
    for mode in (True, False):
        with torch.no_grad():
            code = network.train(mode).encode(x)
            np.testing.assert_allclose(code.numpy(), klt.encode(images[:20]), atol=1e-4)
            np.testing.assert_allclose(network.decode(code).numpy(), klt.decode(klt.encode(images[:20])), atol=1e-4)


def test_a_few_steps_improve_on_it(images):
    """On its own training images; the linear code is a saddle to leave, not a trap."""
    torch.manual_seed(0)
    network = configure("codec", {"kind": "csinet_res", "reduction": 16}).network(16, 8).train()
    network.start_from(as_real(principal_components(images)[:8]), torch.from_numpy(images))
    x = torch.from_numpy(np.ascontiguousarray(images))
    slow = [network.encoder[2].weight, network.decoder[0].weight]
    rest = [p for p in network.parameters() if all(p is not s for s in slow)]
    optimiser = torch.optim.Adam([{"params": slow, "lr": 1e-3}, {"params": rest, "lr": 1e-2}])
    losses = []
    for _ in range(60):
        loss = (network(x) - x).square().mean()
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.95 * losses[0]
