import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.compiler.analysis.dynamics import stability
from hrsnn_lava.compiler.analysis.dynamics.stability import (
    gershgorin_bound,
    require_stable,
    spectral_abscissa,
    stabilise,
)
from hrsnn_lava.errors import SpecError


def random_matrix(n: int, density: float, seed: int = 0) -> sparse.csr_matrix:
    rng = np.random.default_rng(seed)
    matrix = sparse.random(n, n, density, format="csr", random_state=rng)
    matrix.data = rng.standard_normal(matrix.nnz)
    return matrix


@pytest.mark.parametrize("n", [50, 400])
def test_abscissa_is_the_largest_real_part(n: int) -> None:
    matrix = random_matrix(n, 0.1)
    expected = np.linalg.eigvals(matrix.toarray()).real.max()
    found = spectral_abscissa(matrix)
    assert found.method == ("dense" if n <= 300 else "arnoldi")
    assert found.value == pytest.approx(expected, rel=1e-3)
    assert gershgorin_bound(matrix) >= expected


def test_abscissa_of_nothing_is_zero() -> None:
    assert spectral_abscissa(sparse.csr_matrix((400, 400))).value == 0.0


def test_abscissa_falls_back_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.sparse import linalg

    def fail(*args: object, **kwargs: object) -> None:
        raise linalg.ArpackNoConvergence("no", np.zeros(0), np.zeros((0, 0)))

    monkeypatch.setattr(linalg, "eigs", fail)
    matrix = random_matrix(400, 0.05)
    found = spectral_abscissa(matrix)
    assert found.method == "gershgorin"
    assert found.value == gershgorin_bound(matrix)
    assert stability.require_stable(matrix).value >= 0  # a bound alone condemns nothing
    system = stabilise(matrix, np.ones(400))
    assert np.linalg.eigvals(system.matrix.toarray()).real.max() < 0


@pytest.mark.parametrize("method", ["uniform", "dominant"])
@pytest.mark.parametrize("n", [60, 400])
def test_stabilised_systems_are_stable_and_keep_the_coupling(n: int, method: str) -> None:
    coupling = random_matrix(n, 0.2)
    leak = np.random.default_rng(1).uniform(0.0, 1.0, n)
    system = stabilise(coupling, leak, method=method, margin=0.05)  # type: ignore[arg-type]
    values = np.linalg.eigvals(system.matrix.toarray()).real
    assert values.max() < 0
    assert system.abscissa >= values.max() - 1e-3 * abs(values.max())
    off = system.matrix - coupling + sparse.diags(system.leak)
    assert abs(off).max() < 1e-12
    if method == "dominant":
        rows = np.abs(coupling.toarray()).sum(axis=1)
        np.testing.assert_allclose(system.leak, leak + 1.05 * rows)


def test_a_stable_system_is_left_alone() -> None:
    coupling = random_matrix(50, 0.1)
    system = stabilise(coupling, np.full(50, 100.0))
    assert system.shift == 0.0
    np.testing.assert_array_equal(system.leak, 100.0)


def test_margin_is_relative_to_the_size_of_the_system() -> None:
    coupling = random_matrix(60, 0.2)
    shifts = [stabilise(c * coupling, np.zeros(60)).shift / c for c in (1.0, 1e4)]
    assert shifts[0] == pytest.approx(shifts[1])


def test_no_coupling_and_no_leak_still_becomes_stable() -> None:
    for method in ("uniform", "dominant"):
        system = stabilise(sparse.csr_matrix((3, 3)), np.zeros(3), method=method)
        assert (system.matrix.diagonal() < 0).all()
        assert system.abscissa < 0


def test_faults_are_named() -> None:
    with pytest.raises(SpecError, match="largest real part 2, allowed < 0"):
        require_stable(sparse.csr_matrix(np.diag([-1.0, 2.0])))
    with pytest.raises(SpecError, match="margin is 0"):
        stabilise(sparse.csr_matrix((2, 2)), np.ones(2), margin=0)
    with pytest.raises(SpecError, match="leaks must be >= 0"):
        stabilise(sparse.csr_matrix((2, 2)), -np.ones(2))
