"""Every rule has its page, every threshold its docstring and its place in a page."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import math
from pathlib import Path

import pytest

from tb_gradplugin.health import judge, remedies, thresholds
from tb_gradplugin.health.thresholds import Thresholds

PAGES = Path(__file__).parents[1] / "docs" / "rules"
SECTIONS = (
    "What it finds",
    "Why it is bad",
    "How it decides",
    "Causes",
    "Known false alarms",
    "Options",
    "References",
)
FIELDS = [f.name for f in dataclasses.fields(Thresholds)]


def test_every_rule_has_a_page_with_all_sections_and_no_page_is_left_over():
    assert {p.stem for p in PAGES.glob("*.md")} == {rule.kind for rule in judge.RULES}
    for rule in judge.RULES:
        text = (PAGES / f"{rule.kind}.md").read_text(encoding="utf-8")
        assert text.startswith("# ")
        assert f"(`{rule.kind}`)" in text.splitlines()[0]
        places = [text.index(f"\n## {section}\n") for section in SECTIONS]
        assert places == sorted(places)


@pytest.mark.parametrize("cause", sorted(remedies.PLAN))
def test_every_cause_is_on_the_page_of_its_rule(cause):
    page = PAGES / f"{cause.partition('.')[0]}.md"
    assert f"`{cause}`" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FIELDS)
def test_every_threshold_is_mentioned_in_a_page(name):
    assert any(f"`{name}`" in p.read_text(encoding="utf-8") for p in PAGES.glob("*.md"))


def test_every_threshold_has_a_docstring():
    tree = ast.parse(inspect.getsource(thresholds))
    (body,) = [n.body for n in tree.body if isinstance(n, ast.ClassDef)]
    documented = {
        node.target.id
        for node, after in itertools.pairwise(body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }
    assert documented == set(FIELDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hold_points": 0}, r"`hold_points` \(=0\) must be an int >= 1 and <= 1000\."),
        ({"window_points": 2}, r"`window_points` \(=2\) must be an int >= 3"),
        ({"settle_step": -1}, r"`settle_step` \(=-1\) must be an int >= 0\."),
        ({"progress": 1.5}, r"`progress` \(=1\.5\) must be a number > 0 and <= 1\."),
        ({"attenuation": -3.0}, r"`attenuation` \(=-3\.0\) must be a number > 0\."),
        ({"update_ratio": math.nan}, r"`update_ratio` \(=nan\) must be a number > 0\."),
        ({"loss_growth": math.inf}, r"`loss_growth` \(=inf\) must be a number > 1\."),
    ],
)
def test_a_threshold_out_of_range_is_refused_with_its_name_value_and_range(change, message):
    with pytest.raises(ValueError, match=message):
        Thresholds(**change)


@pytest.mark.parametrize("change", [{"hold_points": 3.0}, {"progress": "0.9"}, {"influence": True}])
def test_a_threshold_of_another_type_is_refused(change):
    with pytest.raises(TypeError, match=r"must be a"):
        Thresholds(**change)


def test_integers_are_fine_where_a_number_is_asked_for():
    assert Thresholds(attenuation=4).attenuation == 4
