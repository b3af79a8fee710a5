"""Tasks: near names, and what SAM cannot score."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.tasks import Task, near_names, why_not_scored

TASKS = (
    Task(name="imagenet-1k", metric="top-1", aliases=("imagenet", "ILSVRC2012")),
    Task(name="cifar-10"),
    Task(name="cifar-100"),
)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("imagnet", ("imagenet-1k",)),
        ("ImageNet-1K", ("imagenet-1k",)),
        ("ilsvrc2012", ("imagenet-1k",)),
        ("cifar10", ("cifar-10", "cifar-100")),
        ("imagenet", ()),
        ("imagenet-1k", ()),
        ("librispeech", ()),
    ],
)
def test_a_name_that_is_not_known_has_near_ones(name, near):
    assert near_names(name, TASKS) == near


def test_where_no_task_is_configured_none_is_near():
    assert near_names("imagenet", ()) == ()


@pytest.mark.parametrize(
    "metric",
    ["loss", "val_loss", "Validation Loss", "top-1 error", "RMSE", "mae", "WER", "cer", "FID", "perplexity",
     "word-error-rate", "cross-entropy", "log_loss"],
)  # fmt: skip
def test_a_well_known_metric_where_lower_is_better_is_refused_whatever_is_configured(metric):
    for task in (Task(name="t"), Task(name="t", metric=metric), Task(name="t", lower_is_better=False)):
        why = why_not_scored(metric, task)
        assert why is not None
        assert "SAM rewards a higher accuracy" in why
    assert why_not_scored(None, Task(name="t", metric=metric)) is not None


@pytest.mark.parametrize(
    "metric", ["top-1", "accuracy", "mIoU", "F1", "mAP", "BLEU", "dice", "lossless", None]
)
def test_other_metrics_are_taken(metric):
    assert why_not_scored(metric, Task(name="t")) is None


def test_what_is_configured_holds_for_the_tasks_own_metric_only():
    depth = Task(name="depth", metric="AbsRel", lower_is_better=True)
    assert why_not_scored(None, depth) is not None
    assert why_not_scored("absrel", depth) is not None
    assert why_not_scored("delta-1", depth) is None
    assert why_not_scored("anything", Task(name="t", lower_is_better=True)) is not None


@settings(deadline=None)
@given(st.text(max_size=300))
def test_a_hostile_name_is_shown_on_one_line_or_not_at_all(text):
    why = why_not_scored(text + " loss", Task(name="t"))
    assert why is not None
    assert why.isprintable()
    assert len(why) < 1_000
    assert set(near_names(text, TASKS)) <= {task.name for task in TASKS}
