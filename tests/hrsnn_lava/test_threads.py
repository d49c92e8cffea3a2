import threading
import time

import pytest

from hrsnn_lava.threads import available_cores, in_order


@pytest.mark.parametrize("threads", [1, 2, 5, None])
def test_results_come_in_order(threads: int | None) -> None:
    def late_first(k: int) -> int:
        time.sleep(0.01 if k == 0 else 0.0)
        return k * k

    assert list(in_order(late_first, range(20), threads)) == [k * k for k in range(20)]
    assert list(in_order(late_first, [], threads)) == []


def test_few_results_wait() -> None:
    taken = []

    def pieces():
        for k in range(50):
            taken.append(k)
            yield k

    results = in_order(lambda k: k, pieces(), 2)
    assert next(results) == 0
    assert len(taken) == 4
    results.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_comes_in_its_turn(threads: int) -> None:
    def fails(k: int) -> int:
        if k == 3:
            raise ValueError("piece 3")
        return k

    results = in_order(fails, range(9), threads)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="piece 3"):
        next(results)


def test_one_thread_is_the_caller_s() -> None:
    names = set(in_order(lambda _: threading.current_thread().name, range(3), 1))
    assert names == {threading.current_thread().name}
    assert available_cores() >= 1
