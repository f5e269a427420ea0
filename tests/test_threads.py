"""Threads over ranges of rows."""

import os
import threading

import numpy as np
import pytest
import torch

import sightline as sl
from sightline import threads
from sightline.design_matrix import DenseDesign


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def blas_threads():
    return [library.get_num_threads() for library in threads._libraries()]


@pytest.mark.parametrize("n", [1, 7, 64, 65, 1000])
@pytest.mark.parametrize("multiple", [1, 8, 64])
def test_ranges_cover_every_row_once(n, multiple, two_threads):
    with threads.over_rows(threads.LARGE):
        found = threads.ranges(n, threads.LARGE, multiple)
    assert [i for part in found for i in range(n)[part]] == list(range(n))
    assert all(part.stop % multiple == 0 or part.stop == n for part in found)
    assert len(found) <= 2
    assert threads.ranges(n, threads.LARGE) == [slice(0, n)], "one range where no fit is in progress"


def test_no_rows_have_products_too():
    design = DenseDesign(torch.zeros((0, 3), dtype=torch.float64))
    assert design.scores(torch.ones(3, dtype=torch.float64)).shape == (0,)
    assert torch.equal(design.adjoint(torch.zeros(0, dtype=torch.float64)), torch.zeros(3, dtype=torch.float64))
    for d in (None, torch.zeros(0, dtype=torch.float64)):
        assert torch.equal(design.gram(d), torch.zeros((3, 3), dtype=torch.float64))


def test_blas_has_one_thread_within_and_its_own_number_after():
    before = blas_threads()
    with threads.over_rows(threads.LARGE):
        assert set(blas_threads()) <= {1}
        with threads.over_rows(threads.LARGE):
            pass
        assert set(blas_threads()) <= {1}
    assert blas_threads() == before
    with threads.over_rows(threads.LARGE - 1):
        assert blas_threads() == before
    with pytest.raises(RuntimeError), threads.over_rows(threads.LARGE):
        raise RuntimeError
    assert blas_threads() == before


def test_each_gives_results_in_order_and_errors_as_they_are():
    parts = [slice(i, i + 1) for i in range(5)]
    assert threads.each(lambda part: part.start, parts) == [0, 1, 2, 3, 4]
    with pytest.raises(ZeroDivisionError):
        threads.each(lambda part: 1 // (part.start - 3), parts)
    assert threads.each(lambda _: threading.get_ident(), parts[:1]) == [threading.get_ident()]


def test_a_range_is_not_divided_again(two_threads):
    """Blocks of very many columns are large themselves: a thread that waited for another would wait for ever."""
    X = torch.randn((64, 70_000), dtype=torch.float64)
    design, w = DenseDesign(X), torch.randn(70_000, dtype=torch.float64)

    def products(own):
        assert threads.ranges(own.stop - own.start, threads.LARGE) == [slice(0, own.stop - own.start)]
        return [block.scores(w) for _, block in design.blocks(within=own)]

    with threads.over_rows(X.numel()):
        assert len(design.ranges()) == 2
        found = torch.cat([z for part in threads.each(products, design.ranges()) for z in part])
        assert len(design.ranges()) == 2
    torch.testing.assert_close(found, X @ w)
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((64, 70_000)).astype(np.float32)
    assert sl.fit(wide, rng.integers(0, 2, 64), loss="logistic", C=1e-4).certificate.optimal


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_are_the_same_with_two_threads(dtype, two_threads):
    generator = torch.Generator().manual_seed(0)
    X = torch.randn((30_011, 40), generator=generator).to(dtype)
    design = DenseDesign(X)
    w, r = torch.randn(40, generator=generator).double(), torch.randn(30_011, generator=generator).double()
    many = torch.randn((40, 3), generator=generator).double(), torch.randn((30_011, 3), generator=generator).double()
    calls = [
        lambda: design.scores(w), lambda: design.adjoint(r), lambda: design.scores(many[0]),
        lambda: design.adjoint(many[1]), design.gram, lambda: design.gram(r.abs()),
        lambda: design.row_norms_squared(many[0]),
        lambda: design.scores(w.to(dtype)), lambda: design.adjoint(r.to(dtype)),
        lambda: design.gram(dtype=torch.float32),
    ]  # fmt: skip
    for number, call in enumerate(calls):
        alone = call()
        with threads.over_rows(X.numel()):
            assert len(design.ranges()) == 2
            both, again = call(), call()
        assert both.shape == alone.shape and both.dtype == alone.dtype
        assert torch.equal(both, again)
        tolerance = 1e-12 if number < 7 or (number < 9 and dtype == torch.float64) else 1e-3
        torch.testing.assert_close(both, alone, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("loss", ["logistic", "softmax", "squared", "hinge", "poisson"])
def test_a_fit_is_the_same_with_any_number_of_threads(loss):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60_000, 20))
    z = X @ rng.standard_normal(20) / 5
    if loss == "softmax":
        y = (z > 0.3).astype(int) + (z > -0.3)
    elif loss == "poisson":
        y = rng.poisson(np.exp(z)).astype(float)
    else:
        y = z + rng.logistic(size=60_000) > 0 if loss != "squared" else z + rng.standard_normal(60_000)
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 2, 3):
            torch.set_num_threads(count)
            found.append(sl.fit(X, y, loss=loss, penalty="l2", strength=1e-3))
    finally:
        torch.set_num_threads(before)
    one, two, again, three = (result.weight for result in found)
    assert torch.equal(two, again)
    for other in (two, three):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)
    values = [result.certificate.value for result in found]
    assert max(values) - min(values) <= 1e-6 * values[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_makes_threads_of_its_own(two_threads):
    parts = [slice(0, 1), slice(1, 2)]
    threads.each(lambda part: part.start, parts)
    pid = os.fork()
    if pid == 0:
        good = threads.each(lambda part: part.start, parts) == [0, 1]
        os._exit(0 if good else 1)
    assert os.waitpid(pid, 0)[1] == 0
