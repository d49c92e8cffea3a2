from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import linalg, sparse

from hrsnn_lava import threads
from hrsnn_lava.compiler.analysis.dynamics import noise_chains
from hrsnn_lava.compiler.analysis.dynamics.covariance import covariance, edge_variance
from hrsnn_lava.compiler.analysis.dynamics.edge_variances import (
    EdgeVariances,
    VarianceSettings,
    edge_variances,
)
from hrsnn_lava.compiler.analysis.dynamics.stability import StableSystem, stabilise
from hrsnn_lava.csr import rows_of
from hrsnn_lava.errors import SpecError


def coupling(n: int, density: float = 0.2, seed: int = 0) -> sparse.csr_matrix:
    """Four fifths excitatory, one fifth inhibitory neurons."""
    rng = np.random.default_rng(seed)
    weights = sparse.random(n, n, density, format="csr", random_state=rng)
    kind = np.where(weights.indices < 0.8 * n, 1.0, -4.0)
    weights.data = kind * rng.gamma(2.0, 0.5, weights.nnz) / np.sqrt(n * density)
    return weights


def along(weights: sparse.csr_matrix, system: sparse.csr_matrix, **settings: Any) -> EdgeVariances:
    rng = np.random.default_rng(settings.pop("seed", 7))
    ends = (rows_of(weights), weights.indices, np.sign(weights.data))
    return edge_variances(system, *ends, VarianceSettings(**settings), rng=rng)


@pytest.fixture(scope="module")
def example() -> tuple[sparse.csr_matrix, StableSystem, NDArray[Any]]:
    weights = coupling(200)
    system = stabilise(weights, np.ones(200))
    exact = along(weights, system.matrix)
    return weights, system, exact.values


def test_exact_is_the_dense_covariance_on_the_edges(example: Any) -> None:
    weights, system, exact = example
    c = linalg.solve_continuous_lyapunov(system.matrix.toarray(), -np.eye(200))
    row, column = rows_of(weights), weights.indices
    expected = c[row, row] + c[column, column] - 2 * np.sign(weights.data) * c[row, column]
    np.testing.assert_allclose(exact, expected, rtol=1e-9, atol=1e-12)
    found = along(weights, system.matrix, precision="float32")
    assert found.report["precision"] == "float32"
    assert found.covariance is not None
    assert found.covariance.dtype == np.float32


@pytest.mark.parametrize("chains", [64, 256, 1000])
def test_sampled_has_the_error_of_k_independent_chains(example: Any, chains: int) -> None:
    weights, system, exact = example
    found = along(weights, system.matrix, method="sampled", chains=chains)
    apart = rows_of(weights) != weights.indices
    error = found.values[apart] / exact[apart] - 1.0
    expected = np.sqrt(2.0 / chains)
    assert found.report["expected_error"] == pytest.approx(expected)
    # Errors of edges that share a neuron are not independent, so their spread has one too.
    assert 0.8 * expected < np.sqrt(np.mean(error**2)) < 1.25 * expected
    assert abs(error.mean()) < 0.5 * expected
    assert found.report["balance"] == pytest.approx(1.0, abs=0.05)
    assert found.covariance is None


def test_sampled_has_no_bias_of_its_steps() -> None:
    # One neuron and its copy: -2 and a strong skew coupling; C is diagonal, sigma^2 / 4.
    system = sparse.csr_matrix([[-2.0, 9.0], [-9.0, -2.0]])
    ends = (np.array([0, 1, 0]), np.array([1, 0, 0]), np.array([1.0, -1.0, 0.0]))
    settings = VarianceSettings("sampled", sigma=3.0, chains=20_000)
    found = edge_variances(system, *ends, settings, rng=np.random.default_rng(0)).values
    np.testing.assert_allclose(found, 9.0 / 4.0 * np.array([2.0, 2.0, 2.0]), rtol=0.04)


def test_a_synapse_onto_itself_has_no_difference() -> None:
    system = sparse.csr_matrix([[-1.0, 0.0], [0.0, -3.0]])
    ends = (np.array([0, 1, 1]), np.array([0, 1, 1]), np.array([1.0, 1.0, -1.0]))
    settings = VarianceSettings("sampled", chains=4000)
    found = edge_variances(system, *ends, settings, rng=np.random.default_rng(0)).values
    np.testing.assert_array_equal(found[:2], 0.0)
    assert found[2] == pytest.approx(4 / 6, rel=0.1)  # Var(2 x), x of variance 1 / 6


def test_sampled_bytes_depend_on_the_generator_alone(
    example: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, system, _ = example
    many = []
    for cores in (1, 3):
        monkeypatch.setattr(threads, "available_cores", lambda cores=cores: cores)
        many.append(along(weights, system.matrix, method="sampled", chains=150).values.tobytes())
    assert many[0] == many[1]
    other = along(weights, system.matrix, method="sampled", chains=150, seed=8)
    assert other.values.tobytes() != many[0]


def test_sampled_ranks_edges_as_exact_does(example: Any) -> None:
    weights, system, exact = example
    size = np.abs(weights.data)
    found = along(weights, system.matrix, method="sampled").values
    assert np.corrcoef(size * found, size * exact)[0, 1] > 0.97


def unstable(n: int, by: float) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    weights = coupling(n)
    stable = stabilise(weights, np.ones(n))
    return weights, (stable.matrix + (by - stable.abscissa) * sparse.identity(n)).tocsr()


@pytest.mark.parametrize("method", ["exact", "sampled"])
def test_unstable_systems_are_refused(method: Any) -> None:
    weights, system = unstable(60, 1.0)
    with pytest.raises(SpecError, match="unstable: largest real part 1, allowed < 0"):
        along(weights, system, method=method)
    with pytest.raises(SpecError, match=r"largest real part .*, allowed < 0"):
        along(weights, system, method=method, abscissa=1.0)
    stable = stabilise(weights, np.zeros(60)).matrix
    assert np.all(along(weights, stable, method=method).values >= 0)


@pytest.mark.parametrize("by", [1.0, 30.0])
def test_a_wrong_promise_of_stability_is_found_out(by: float) -> None:
    weights, system = unstable(60, by)
    with pytest.raises(SpecError, match="does not converge"):
        along(weights, system, abscissa=-0.3)
    with pytest.raises(SpecError, match=r"the chains do not settle: .*; allowed: 1 within"):
        along(weights, system, method="sampled", abscissa=-0.3)


def test_a_bound_that_proves_nothing_is_no_abscissa_for_chains() -> None:
    weights = coupling(30)
    with pytest.raises(SpecError, match="not known to be stable: largest real part 0"):
        along(weights, stabilise(weights, np.ones(30)).matrix, method="sampled", abscissa=0.0)


def test_systems_too_slow_for_chains_are_refused() -> None:
    weights = coupling(30)
    system = stabilise(weights, np.ones(30)).matrix
    with pytest.raises(SpecError, match="too close to instability for chains: steps to relax"):
        along(weights, system, method="sampled", abscissa=-1e-9)
    with pytest.raises(SpecError, match="the system is zero"):
        along(weights, 0.0 * system, method="sampled", abscissa=-1.0)


def test_a_step_that_is_not_solved_is_refused(
    example: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise_chains, "MAX_SWEEPS", 1)
    weights, system, _ = example
    with pytest.raises(SpecError, match="not solved in 1 sweeps"):
        along(weights, system.matrix, method="sampled", chains=3)


def walk(system: NDArray[Any], steps: int, dt: float, rng: np.random.Generator) -> NDArray[Any]:
    """Euler steps of the noisy system, (T, N)."""
    x, states = np.zeros(len(system)), []
    for _ in range(steps):
        x = x + dt * system @ x + np.sqrt(dt) * rng.standard_normal(len(x))
        states.append(x)
    return np.array(states)


def simulated(weights: sparse.csr_matrix, activity: Any) -> EdgeVariances:
    ends = (rows_of(weights), weights.indices, np.sign(weights.data))
    return edge_variances(None, *ends, VarianceSettings("simulated"), activity=activity)


def test_simulated_is_the_variance_of_the_differences() -> None:
    rng = np.random.default_rng(0)
    weights = coupling(20, 0.5)
    activity = 5.0 + rng.standard_normal((300, 20)) @ rng.standard_normal((20, 20))
    activity[:, 3] = 2.0
    found = simulated(weights, activity)
    c = np.cov(activity.T)
    expected = edge_variance(c, rows_of(weights), weights.indices, np.sign(weights.data))
    np.testing.assert_allclose(found.values, expected, rtol=1e-9, atol=1e-9)
    assert found.report["silent"] == 1
    assert found.report["steps"] == 300
    assert found.report["drift"] < 0.05


def test_simulated_activity_of_the_linear_system_gives_its_variances() -> None:
    weights = coupling(30, 0.3)
    system = stabilise(weights, 4.0 * np.ones(30), margin=0.5).matrix
    activity = walk(system.toarray(), 30_000, 0.02, np.random.default_rng(0))
    exact = covariance(system).matrix
    expected = edge_variance(exact, rows_of(weights), weights.indices, np.sign(weights.data))
    apart = expected > 0
    error = simulated(weights, activity).values[apart] / expected[apart] - 1.0
    assert np.sqrt(np.mean(error**2)) < 0.15


def test_simulated_activity_of_an_unstable_system_is_refused() -> None:
    weights, system = unstable(20, 0.3)
    activity = walk(system.toarray(), 1000, 0.02, np.random.default_rng(0))
    with pytest.raises(SpecError, match="activity: not stationary") as fault:
        simulated(weights, activity)
    assert "lower the weights if activity runs away" in str(fault.value)


@pytest.mark.parametrize(
    ("activity", "message"),
    [
        (None, r"activity: None; allowed: an array \(T, N\)"),
        (np.zeros((3, 20)), "T >= 4"),
        (np.zeros(20), "shape"),
        (np.full((9, 20), np.nan), "NaN or infinite"),
        (np.ones((9, 5)), "5 neurons; allowed: a column for neuron 19 too"),
        (np.ones((9, 20)), "constant"),
        (np.repeat([[0.0], [9.0]], 8, axis=0) + np.zeros((16, 20)), "not stationary"),
        (np.outer(np.repeat([1.0, 5.0], 8), np.ones(20)) * np.tile([[1.0], [-1.0]], (8, 1)), "25"),
    ],
)
def test_activity_that_says_nothing_is_refused(activity: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        simulated(coupling(20, 0.5), activity)


def test_what_a_method_needs_is_named() -> None:
    ends = (np.array([0]), np.array([1]), np.array([1.0]))
    settings = VarianceSettings("sampled", chains=0, sigma=0.0)
    with pytest.raises(SpecError) as fault:
        edge_variances(sparse.csr_matrix((2, 3)), *ends, settings)
    assert [p.where for p in fault.value.problems] == ["system", "sigma", "rng", "chains"]
    with pytest.raises(SpecError, match="method: 'guessed'; allowed: exact, sampled, simulated"):
        edge_variances(None, *ends, VarianceSettings("guessed"))  # type: ignore[arg-type]
