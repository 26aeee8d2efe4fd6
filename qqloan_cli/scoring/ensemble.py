"""Trees in XGBoost's own JSON: bags merged into one model, thresholds put back, leaves read."""

from __future__ import annotations

import json
import math
from typing import Iterator, NamedTuple

import numpy as np

from qqloan_cli.errors import IntegrityError
from qqloan_cli.scoring.bins import FAR


def _threshold(condition: float, cuts: np.ndarray) -> np.float32:
    """Where a split ``bin < condition`` stands among values. Beyond either end it parts missing values from all others."""
    k = math.ceil(condition)
    return -FAR if k < 1 else FAR if k > len(cuts) else cuts[k - 1]


def _short(value) -> float:
    """A float32 as the shortest decimal that reads back to it."""
    return float(str(np.float32(value)))


def merge(bags: list[dict], features: tuple[str, ...], cuts: list[np.ndarray]) -> dict:
    """One XGBoost document of all bags' trees: leaves scaled by the number of bags, so its margin is the mean of theirs.

    The bags were trained on bin numbers; a split ``bin < k`` becomes ``value < cuts[k - 1]``.
    """
    merged = json.loads(json.dumps(bags[0]))
    learner = merged["learner"]
    learner["feature_names"], learner["feature_types"], learner["attributes"] = list(features), ["float"] * len(features), {}
    trees = []
    for bag in bags:
        for tree in bag["learner"]["gradient_booster"]["model"]["trees"]:
            tree = dict(tree, id=len(trees))
            conditions, weights = [], []
            for left, column, condition, weight in zip(
                tree["left_children"], tree["split_indices"], tree["split_conditions"], tree["base_weights"]
            ):
                leaf = left == -1
                conditions.append(_short(np.float32(condition) / len(bags)) if leaf else _short(_threshold(condition, cuts[column])))
                weights.append(_short(np.float32(weight) / len(bags)))
            tree["split_conditions"], tree["base_weights"] = conditions, weights
            trees.append(tree)
    model = learner["gradient_booster"]["model"]
    model["trees"], model["tree_info"], model["iteration_indptr"] = trees, [0] * len(trees), list(range(len(trees) + 1))
    model["gbtree_model_param"]["num_trees"] = str(len(trees))
    return merged


def text(document: dict) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def base_margin(document: dict) -> float:
    """Log odds that every row starts from."""
    base = json.loads(document["learner"]["learner_model_param"]["base_score"])
    share = float(base[0] if isinstance(base, list) else base)
    return math.log(share / (1 - share))


class Split(NamedTuple):
    feature: int  # among the document's feature_names
    threshold: np.float32
    missing_left: bool
    left: bool  # the side that this leaf is on


class Leaf(NamedTuple):
    value: float
    path: tuple[Split, ...]  # from the root


def leaves(document: dict) -> Iterator[Leaf]:
    """Every leaf of every tree with the splits that lead to it."""
    if document["learner"]["gradient_booster"].get("name") != "gbtree":
        raise IntegrityError("model-not-trees", "the model is not an ensemble of trees", "model.json", "Train one with qqloan train.")
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        if any(tree["split_type"]):
            raise IntegrityError("model-categorical", "the model splits by category, which tables cannot hold", "model.json", "Train one with qqloan train.")
        yield from _below(tree, 0, ())


def _below(tree: dict, node: int, path: tuple[Split, ...]) -> Iterator[Leaf]:
    if tree["left_children"][node] == -1:
        yield Leaf(float(np.float32(tree["split_conditions"][node])), path)
        return
    for left, child in ((True, tree["left_children"][node]), (False, tree["right_children"][node])):
        split = Split(tree["split_indices"][node], np.float32(tree["split_conditions"][node]), bool(tree["default_left"][node]), left)
        yield from _below(tree, child, (*path, split))
