import builtins
from typing import Any

import array_api_strict
import numpy as np
import pytest
from scipy import sparse

from hrsnn_lava.compiler.analysis.arrays import ROWS, WHOLE_UP_TO, Arrays, arrays_on
from hrsnn_lava.errors import BackendMissingError, SpecError

NUMPY = arrays_on("cpu")


def other_namespaces() -> list[Any]:
    """The standard itself, and torch where it is installed."""
    found = [pytest.param(Arrays(array_api_strict), id="strict")]
    try:
        import array_api_compat.torch as namespace
    except ImportError:
        reason = pytest.mark.skip(reason="torch is not installed")
        return [*found, pytest.param(None, id="torch", marks=reason)]
    return [*found, pytest.param(Arrays(namespace), id="torch")]


@pytest.mark.parametrize("arrays", [pytest.param(NUMPY, id="numpy"), *other_namespaces()])
def test_operations_are_those_of_numpy(arrays: Arrays) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 6, 6))
    x, y = arrays.put(a.copy()), arrays.put(b.copy())
    np.testing.assert_allclose(arrays.get(arrays.product(x, y)), a @ b)
    out = arrays.put(np.zeros((6, 6)))
    np.testing.assert_allclose(arrays.get(arrays.into(out, "add", x, y)), a + b)
    np.testing.assert_allclose(arrays.norm(x), np.sqrt((a * a).sum()))
    shifted = arrays.add_to_diagonal(arrays.put(a.copy()), 3.0)
    np.testing.assert_array_equal(arrays.get(shifted), a + 3.0 * np.eye(6))
    np.testing.assert_allclose(
        arrays.get(arrays.inverse(shifted)) @ (a + 3.0 * np.eye(6)), np.eye(6), atol=1e-12
    )
    csr = sparse.random(5, 5, 0.4, format="csr", random_state=rng)
    single = arrays.dense(csr, np.dtype("float32"))
    assert arrays.dtype(single) == np.float32
    np.testing.assert_array_equal(arrays.get(single), csr.toarray().astype(np.float32))


def test_numpy_writes_in_place() -> None:
    a, out = np.eye(3), np.empty((3, 3))
    assert NUMPY.product(a, a, out) is out
    assert NUMPY.add_to_diagonal(a, 1.0) is a
    assert NUMPY.put(a) is a
    assert NUMPY.get(a) is a
    csr = sparse.csr_matrix([[0.0, 2.0], [3.0, 0.0]])
    memory = np.ones((2, 2))
    assert NUMPY.dense(csr, np.dtype("float64"), out=memory) is memory
    np.testing.assert_array_equal(memory, csr.toarray())


@pytest.mark.parametrize("n", [WHOLE_UP_TO, WHOLE_UP_TO + 1, 3 * ROWS + 7])
@pytest.mark.parametrize("given", [True, False])
def test_a_product_in_pieces_is_the_product(n: int, given: bool) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((n, 8)), rng.standard_normal((8, 5))
    out = np.full((n, 5), np.nan) if given else None
    np.testing.assert_allclose(NUMPY.product(a, b, out), a @ b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n", [WHOLE_UP_TO, WHOLE_UP_TO + 1, 3 * ROWS + 7])
def test_half_of_a_symmetric_product_is_mirrored(n: int) -> None:
    a = np.random.default_rng(0).standard_normal((n, 8))
    metric = np.diag(np.arange(8.0))
    out = np.full((n, n), np.nan)
    found = NUMPY.product(a @ metric, a.T, out, symmetric=True)
    assert found is out
    np.testing.assert_allclose(found, a @ metric @ a.T, rtol=1e-12, atol=1e-10)


def test_blas_has_one_thread_meanwhile() -> None:
    from threadpoolctl import threadpool_info

    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with NUMPY.reproducible():
        inside = threads()
    assert inside
    assert set(inside) == {1}
    assert threads()[: len(before)] == before


def test_other_devices_are_named() -> None:
    with pytest.raises(SpecError, match="device: 'tpu'; allowed: cpu, cuda"):
        arrays_on("tpu")  # type: ignore[arg-type]
    assert arrays_on(NUMPY) is NUMPY


def test_cuda_without_torch_is_a_missing_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_torch(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "torch" or name == "array_api_compat.torch":
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(BackendMissingError, match="torch is not installed; allowed: cpu") as fault:
        arrays_on("cuda")
    assert fault.value.exit_code == 6


def test_cuda_without_a_gpu_is_a_missing_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendMissingError, match="there is no GPU") as fault:
        arrays_on("cuda")
    assert fault.value.exit_code == 6


def test_tf32_is_off_on_a_gpu_and_put_back() -> None:
    torch = pytest.importorskip("torch")
    import array_api_compat.torch as namespace

    products = torch.backends.cuda.matmul
    newer = hasattr(products, "fp32_precision")
    key, fast, exact = ("fp32_precision", "tf32", "ieee") if newer else ("allow_tf32", True, False)
    before = getattr(products, key)
    try:
        setattr(products, key, fast)
        with Arrays(namespace, "cuda").reproducible():
            assert getattr(products, key) == exact
        assert getattr(products, key) == fast
    finally:
        setattr(products, key, before)
