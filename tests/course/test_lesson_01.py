"""Lesson 1: the checks of its exercises accept right answers and reject known wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from lesson_source import answered, run

NAME = "01_build_the_engine"


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    return run(NAME, tmp_path_factory.mktemp("lesson"))


def check(lesson, name, answer):
    lesson[name] = answer
    return lesson[f"check_{name}"]()


# -- exercise 1 ------------------------------------------------------------------------------------


def divide(lesson, pull_a, pull_b, value=lambda a, b: a / b, parents=lambda a, b: (a, b)):
    """An answer made of its parts; each pull gets (g, a, b) as arrays."""

    def answer(a, b):
        pulls = (lambda g: pull_a(g, a.data, b.data), lambda g: pull_b(g, a.data, b.data))
        return lesson["Array"](value(a.data, b.data), parents(a, b), pulls)

    return answer


def for_a(g, a, b):
    return g / b


def for_b(g, a, b):
    return -g * a / b**2


def test_exercise_1_is_open_at_first(lesson):
    assert check(lesson, "divide", lambda a, b: None) == "exercise 1: not written yet"


def test_exercise_1_accepts_the_right_answer(lesson):
    said = check(lesson, "divide", divide(lesson, for_a, for_b))
    assert said.startswith("exercise 1: correct")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (dict(pull_a=for_a, pull_b=lambda g, a, b: g * a / b**2), "message for b"),  # the sign
        (dict(pull_a=for_a, pull_b=lambda g, a, b: -g * a / b), "message for b"),  # the square
        (dict(pull_a=for_a, pull_b=lambda g, a, b: -g / b**2), "message for b"),  # without a
        (dict(pull_a=lambda g, a, b: 1 / b, pull_b=for_b), "message for a"),  # without g
        (dict(pull_a=lambda g, a, b: g * b, pull_b=for_b), "message for a"),
        (dict(pull_a=for_a, pull_b=lambda g, a, b: g * float("nan")), "message for b"),
        (dict(pull_a=for_a, pull_b=for_b, parents=lambda a, b: (a,)), "two parents"),
        (dict(pull_a=for_a, pull_b=for_b, value=lambda a, b: b / a), "the quotient itself"),
        (dict(pull_a=for_a, pull_b=lambda g, a, b: None), "backward failed"),
    ],
)
def test_exercise_1_rejects_a_wrong_answer(lesson, parts, why):
    said = check(lesson, "divide", divide(lesson, **parts))
    assert said.startswith("exercise 1: not yet") and why in said


def test_exercise_1_rejects_what_is_no_array(lesson):
    said = check(lesson, "divide", lambda a, b: a.data / b.data)
    assert "must return an Array of shape (4, 3)" in said


def test_exercise_1_rejects_what_fails(lesson):
    assert "divide failed: TypeError" in check(lesson, "divide", lambda a, b: a / b)


# -- exercise 2 ------------------------------------------------------------------------------------


def paths(output, leaf):
    if output is leaf:
        return [1.0]
    return [
        slope * product
        for parent, slope in zip(output.parents, output.slopes, strict=True)
        for product in paths(parent, leaf)
    ]


def test_exercise_2_is_open_at_first(lesson):
    assert check(lesson, "paths", lambda output, leaf: None) == "exercise 2: not written yet"


def test_exercise_2_accepts_the_right_answer(lesson):
    assert check(lesson, "paths", paths).startswith("exercise 2: correct")


@pytest.mark.parametrize("form", [tuple, np.array, iter])
def test_exercise_2_accepts_the_right_answer_in_another_form(lesson, form):
    said = check(lesson, "paths", lambda output, leaf: form(paths(output, leaf)))
    assert said.startswith("exercise 2: correct")


def sums_of_slopes(output, leaf):
    if output is leaf:
        return [0.0]
    return [
        slope + total
        for parent, slope in zip(output.parents, output.slopes, strict=True)
        for total in sums_of_slopes(parent, leaf)
    ]


def each_parent_once(output, leaf):
    if output is leaf:
        return [1.0]
    arrows = dict(zip(output.parents, output.slopes, strict=True))
    return [s * product for p, s in arrows.items() for product in each_parent_once(p, leaf)]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (sums_of_slopes, "your paths of x*x + x sum to"),
        (each_parent_once, "x*x + x has 3 paths, your list has 2"),
        (lambda output, leaf: [sum(paths(output, leaf))], "x*x + x has 3 paths, your list has 1"),
        (lambda output, leaf: [1.0] * len(paths(output, leaf)), "sum to 3, the gradient is 7"),
        (lambda output, leaf: 7.0, "must return a list of numbers"),
        (lambda output, leaf: [output / leaf], "TypeError on x*x + x"),
    ],
)
def test_exercise_2_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, "paths", wrong)
    assert said.startswith("exercise 2: not yet") and why in said


# -- exercise 3 ------------------------------------------------------------------------------------


def reachable(output):
    seen, to_do = {output}, [output]
    for node in to_do:
        for parent in node.parents:
            if parent not in seen:
                seen.add(parent)
                to_do.append(parent)
    return to_do


def users_first(output):
    arrows = dict.fromkeys(reachable(output), 0)
    for node in list(arrows):
        for parent in node.parents:
            arrows[parent] += 1
    order = [output]
    for node in order:
        for parent in node.parents:
            arrows[parent] -= 1
            if arrows[parent] == 0:
                order.append(parent)
    return order


def every_path(output):
    return [output, *(node for parent in output.parents for node in every_path(parent))]


def recursive(output):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(output)
    return order[::-1]


def test_exercise_3_is_open_at_first(lesson):
    assert check(lesson, "users_first", lambda output: None) == "exercise 3: not written yet"


def test_exercise_3_accepts_the_right_answer(lesson):
    assert check(lesson, "users_first", users_first).startswith("exercise 3: correct")


def test_exercise_3_accepts_the_order_of_the_lesson(lesson):
    said = check(lesson, "users_first", lambda output: lesson["parents_first"](output)[::-1])
    assert said.startswith("exercise 3: correct")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (reachable, "a node comes before one of its users"),  # the queue of section 4
        (lambda output: users_first(output)[::-1], "a node comes before one of its users"),
        (lambda output: users_first(output)[:-1], "have 7 nodes, each to be visited once"),
        (lambda output: set(users_first(output)), "your list: set"),
        (recursive, "RecursionError on the chain of 10000"),
        (lambda output: list(dict.fromkeys(every_path(output)[::-1]))[::-1], "over 200,000 looks"),
        (every_path, "each to be visited once"),
    ],
)
def test_exercise_3_rejects_a_wrong_answer(lesson, wrong, why):
    said = check(lesson, "users_first", wrong)
    assert said.startswith("exercise 3: not yet") and why in said


# -- exercise 4 ------------------------------------------------------------------------------------


# 2 · 3^8 - 1. Without the inner sums it would be (3^9 - 1) / 2, with each node once 17.
@pytest.mark.parametrize(
    ("steps", "right"), [(13121, True), (9841, False), (17, False), (6561, False)]
)
def test_exercise_4(lesson, steps, right):
    said = answered(NAME, lesson, steps_through_eight=steps)
    assert said.startswith("exercise 4: correct" if right else "exercise 4: not yet")
    assert right or f"you say {steps}" in said
