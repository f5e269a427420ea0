"""Penalties: prox, conjugate and subgradients against their definitions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sightline as sl
from sightline.penalties import as_penalty

strengths = st.floats(0, 3)
vectors = st.lists(st.floats(-5, 5), min_size=3, max_size=3)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


@st.composite
def penalties(draw):
    factors = tensor(draw(st.lists(st.floats(0.1, 4), min_size=3, max_size=3)))
    return sl.Penalty(draw(strengths), draw(strengths), draw(st.booleans()), factors)


@given(penalties(), vectors, vectors, st.floats(0.05, 4))
@settings(max_examples=60, deadline=None)
def test_prox_minimises(penalty, w, other, step):
    w, other = tensor(w), tensor(other)
    u = penalty.prox(w, step)
    if penalty.positive:
        other = other.clamp(min=0)

    def cost(v):
        return 0.5 * float((v - w).square().sum()) / step + penalty.value(v)

    assert cost(u) <= cost(other) + 1e-10
    assert cost(u) <= cost(u + 1e-3 * (other - u)) + 1e-12


@given(penalties(), vectors, vectors)
@settings(max_examples=60, deadline=None)
def test_conjugate_bounds_every_product(penalty, v, w):
    v, w = tensor(v), tensor(w)
    if penalty.positive:
        w = w.abs()
    bound = penalty.conjugate(v)
    assert bound >= float(v @ w) - penalty.value(w) - 1e-9


@given(penalties(), vectors, st.floats(0.05, 2))
@settings(max_examples=50, deadline=None)
def test_subgradient_distance_is_zero_at_the_prox(penalty, w, step):
    w = tensor(w)
    u = penalty.prox(w, step)
    assert (penalty.subgradient_distance(u, (u - w) / step) <= 1e-9 * (1 + w.abs() / step)).all()


@given(penalties(), vectors)
@settings(max_examples=50, deadline=None)
def test_scaling_keeps_the_value(penalty, w):
    w, scale = tensor(w), tensor([0.5, 4.0, 2.0])
    assert math.isclose(penalty.scaled(scale).value(w * scale), penalty.value(w), rel_tol=1e-12, abs_tol=1e-12)


def test_names_and_objects():
    assert as_penalty("l2", strength=0.3) == sl.L2(0.3)
    assert as_penalty("elasticnet", strength=1.0, l1_ratio=0.25) == sl.Penalty(l1=0.25, l2=0.75)
    assert as_penalty(None).none
    assert str(sl.L1(0.5)) == "L1 0.5"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"penalty": "l3", "strength": 1.0}, "choose one of"),
        ({"penalty": "l2"}, "needs its strength"),
        ({"penalty": None, "strength": 1.0}, "without a penalty"),
        ({"penalty": "l2", "strength": -1.0}, "finite number >= 0"),
        ({"penalty": "l2", "strength": math.nan}, "finite number >= 0"),
        ({"penalty": "elasticnet", "strength": 1.0, "l1_ratio": 1.5}, "between 0"),
        ({"penalty": sl.L2(1.0), "strength": 1.0}, "leave out"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        as_penalty(**arguments)
