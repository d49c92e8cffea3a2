"""Covariance, betweenness and spectrum on other arrays than NumPy's, and for any threads."""

from dataclasses import replace
from typing import Any

import array_api_strict
import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.compiler.analysis.arrays import Arrays
from hrsnn_lava.compiler.analysis.dynamics.centrality import betweenness
from hrsnn_lava.compiler.analysis.dynamics.covariance import covariance
from hrsnn_lava.compiler.analysis.dynamics.lyapunov import QrSchedule, lyapunov_spectrum
from hrsnn_lava.compiler.analysis.dynamics.neuron_exponents import (
    ParticipationOptions,
    participation_exponents,
)
from hrsnn_lava.compiler.analysis.dynamics.recurrent import recurrent_edges
from hrsnn_lava.compiler.analysis.dynamics.stability import stabilise
from hrsnn_lava.compiler.context import Observed
from hrsnn_lava.compiler.passes.prune_betweenness import PruneBetweenness
from hrsnn_lava.compiler.passes.prune_lyapunov import PruneLyapunov
from hrsnn_lava.compiler.passes.prune_neurons import PruneNeurons, neuron_scores
from hrsnn_lava.compiler.pruning.edge_scoring import Evidence, Scoring, score_edges
from hrsnn_lava.compiler.pruning.neuron_score import ScoredNeurons
from hrsnn_lava.errors import BackendMissingError, SpecError
from hrsnn_lava.network import LIF, Network, Population, Projection


@pytest.fixture(params=["strict", "torch"])
def arrays(request: pytest.FixtureRequest) -> Arrays:
    """The array API standard and nothing else; torch's tensors on the CPU, where installed."""
    if request.param == "strict":
        return Arrays(array_api_strict)
    pytest.importorskip("torch")
    import array_api_compat.torch as namespace

    return Arrays(namespace)


def coupling(n: int, density: float, seed: int = 0) -> sparse.csr_matrix:
    rng = np.random.default_rng(seed)
    mask = rng.random((n, n)) < density
    return sparse.csr_matrix(mask * rng.standard_normal((n, n)) * 0.8 / np.sqrt(n * density))


@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_covariance(arrays: Arrays, precision: Any, tolerance: float) -> None:
    system = stabilise(coupling(120, 0.3), np.ones(120)).matrix
    expected = covariance(system, sigma=0.7, precision=precision)
    found = covariance(system, sigma=0.7, precision=precision, device=arrays)
    assert type(found.matrix) is np.ndarray
    assert found.matrix.dtype == precision
    assert found.iterations == expected.iterations
    size = np.abs(expected.matrix).max()
    np.testing.assert_allclose(found.matrix, expected.matrix, rtol=0, atol=tolerance * size)
    assert found.residual < 1e-3 * tolerance or found.residual < 10 * expected.residual


def test_unstable_systems_are_refused(arrays: Arrays) -> None:
    system = (stabilise(coupling(30, 0.5), np.ones(30)).matrix + 5 * sparse.identity(30)).tocsr()
    with pytest.raises(SpecError, match="unstable: largest real part"):
        covariance(system, device=arrays)
    with pytest.raises(SpecError, match="does not converge"):
        covariance(system, abscissa=-1.0, device=arrays)


@pytest.mark.parametrize(("n", "density"), [(1, 0.0), (40, 0.03), (60, 0.1), (60, 0.6)])
def test_betweenness(arrays: Arrays, n: int, density: float) -> None:
    weights = coupling(n, max(density, 1e-9), n)
    expected = betweenness(weights, method="brandes")
    found = betweenness(weights, method="algebraic", device=arrays)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_exponents", [None, 3])
def test_spectrum(arrays: Arrays, n_exponents: int | None) -> None:
    matrix = np.random.default_rng(0).standard_normal((8, 8))
    theirs = arrays.put(matrix)
    schedule = QrSchedule(60, 0.5, n_exponents, transient=10, qr_every=2)
    expected = lyapunov_spectrum(lambda q: matrix @ q, 8, schedule, np.random.default_rng(1))
    found = lyapunov_spectrum(
        lambda q: theirs @ q, 8, schedule, np.random.default_rng(1), device=arrays
    )
    for name in ("exponents", "participation", "coverage"):
        value = getattr(found, name)
        assert type(value) is np.ndarray
        np.testing.assert_allclose(value, getattr(expected, name), rtol=1e-9, atol=1e-9)
    assert found.n_floored == expected.n_floored


@pytest.mark.parametrize("n_exponents", [None, 3])
def test_exponents_of_neurons(arrays: Arrays, n_exponents: int | None) -> None:
    network = Network(
        1e-3,
        (Population("p", 6, LIF(0.02, bias=1.3)),),
        (Projection("r", "p", "p", coupling(6, 0.5)),),
    )
    options = ParticipationOptions(steps=40, transient=10, n_exponents=n_exponents, noise=0.1)
    expected = participation_exponents(network, options, np.random.default_rng(2))
    found = participation_exponents(network, options, np.random.default_rng(2), device=arrays)
    np.testing.assert_allclose(found.per_neuron, expected.per_neuron, rtol=1e-8)
    assert found.rate == expected.rate > 0


def test_scores_of_synapses_and_neurons(arrays: Arrays) -> None:
    weights = coupling(40, 0.3)
    network = Network(
        1e-3, (Population("p", 40, LIF(0.02)),), (Projection("r", "p", "p", weights),)
    )
    edges = recurrent_edges(network)
    scoring = Scoring(exponents="participation", participation=ParticipationOptions(steps=20))
    expected, found = (
        score_edges(network, edges, s, Evidence(np.random.default_rng(0))).values
        for s in (scoring, replace(scoring, device=arrays))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    here = ScoredNeurons(network, Observed(), np.random.default_rng(0))
    for name in ("betweenness", "leverage"):
        expected, found = (neuron_scores(name, s)[0] for s in (here, replace(here, device=arrays)))
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_vanishing_and_overflowing_directions(arrays: Arrays) -> None:
    flat, steep = arrays.put(np.diag([0.5, 0.0])), arrays.put(np.diag([1e200, 1.0]))
    schedule = QrSchedule(10, 1.0, floor=1e-6)
    found = lyapunov_spectrum(lambda q: flat @ q, 2, schedule, device=arrays)
    np.testing.assert_allclose(found.exponents, np.log([0.5, 1e-6]))
    assert found.n_floored == 10
    schedule = QrSchedule(10, 1.0, qr_every=2)
    with pytest.raises(SpecError, match="overflowed within 2 steps"):
        lyapunov_spectrum(lambda q: steep @ q, 2, schedule, device=arrays)


def test_cuda_is_refused_where_there_is_none() -> None:
    try:
        import torch
    except ImportError:
        pass
    else:
        if torch.cuda.is_available():
            pytest.skip("there is a GPU")
    with pytest.raises(BackendMissingError, match="device: cuda"):
        covariance(sparse.csr_matrix([[-1.0]]), device="cuda")
    weights = coupling(20, 0.5)
    network = Network(
        1e-3, (Population("p", 20, LIF(0.02)),), (Projection("r", "p", "p", weights),)
    )
    for step in (
        PruneLyapunov(0.5, device="cuda"),
        PruneNeurons(0.5, device="cuda"),
        PruneNeurons(0.5, score="leverage", device="cuda"),
        PruneBetweenness(0.5, device="cuda"),
    ):
        with pytest.raises(BackendMissingError, match="device: cuda"):
            step(network)
    with pytest.raises(SpecError, match="device: 'tpu'; allowed: 'cpu' or 'cuda'"):
        PruneLyapunov(0.5, device="tpu")  # type: ignore[arg-type]
    with pytest.raises(BackendMissingError, match="device: cuda"):
        betweenness(sparse.csr_matrix((3, 3)), device="cuda")
    with pytest.raises(BackendMissingError, match="device: cuda"):
        lyapunov_spectrum(lambda q: q, 2, QrSchedule(1, 1.0), device="cuda")


@pytest.mark.parametrize("blas_threads", [1, 2])
def test_bytes_do_not_depend_on_threads(blas_threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from threadpoolctl import threadpool_limits

    from hrsnn_lava import threads
    from hrsnn_lava.compiler.analysis import arrays as cut

    monkeypatch.setattr(cut, "WHOLE_UP_TO", 64)
    monkeypatch.setattr(cut, "ROWS", 48)
    weights = coupling(300, 0.2)

    def everything(cores: int) -> list[bytes]:
        monkeypatch.setattr(threads, "available_cores", lambda: cores)
        system = stabilise(weights, np.ones(300))
        schedule = QrSchedule(4, 1.0, 200)
        spectrum = lyapunov_spectrum(lambda q: weights @ q, 300, schedule, np.random.default_rng(0))
        return [
            covariance(system.matrix, abscissa=system.abscissa).matrix.tobytes(),
            betweenness(weights, method="algebraic").tobytes(),
            betweenness(weights, method="brandes").tobytes(),
            spectrum.participation.tobytes(),
        ]

    one = everything(1)
    with threadpool_limits(blas_threads):
        assert everything(3) == one
