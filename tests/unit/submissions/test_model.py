"""What may stand in a submission, and the text it travels as."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.errors import SubmissionError
from sam_cluster.submissions.drop import compose
from sam_cluster.submissions.fields import MAX_JOBS, MAX_NOTE, MAX_TEXT
from sam_cluster.submissions.model import Confirmation, Submission, parse_document, parse_job_ids

NOW = datetime(2026, 10, 3, 12, 0, 0, 123456, tzinfo=UTC)
GOOD = {"now": NOW, "cluster": "lab", "jobs": ["101"], "accuracy": 0.763, "task": "imagenet-1k"}

YEARS = datetime(1970, 1, 1), datetime(2099, 12, 31)  # noqa: DTZ001  (hypothesis adds the zone)

texts = st.text(min_size=1, max_size=MAX_TEXT).filter(str.strip)
job_ids = st.from_regex(r"\A[1-9][0-9]{0,9}([_+](0|[1-9][0-9]{0,9}))?\Z")


@settings(deadline=None)
@given(
    cluster=texts,
    task=texts,
    accuracy=st.floats(0, 1),
    jobs=st.lists(job_ids, min_size=1, max_size=20, unique=True),
    given_texts=st.dictionaries(st.sampled_from(["metric", "dataset", "split", "model", "note"]), texts),
    now=st.datetimes(*YEARS, timezones=st.just(timezone(timedelta(hours=-5)))),
    epochs=st.none() | st.floats(0, exclude_min=True, allow_infinity=False),
    data_fraction=st.none() | st.floats(0, 1, exclude_min=True),
    checkpoint=st.none() | st.from_regex(r"\A[0-9a-f]{64}\Z"),
)
def test_every_submission_survives_its_journey_as_text(
    cluster, task, accuracy, jobs, given_texts, now, epochs, data_fraction, checkpoint
):
    submission = compose(
        now=now, cluster=cluster, jobs=jobs, accuracy=accuracy, task=task,
        texts={**given_texts, "checkpoint_sha256": checkpoint}, epochs=epochs, data_fraction=data_fraction,
    )  # fmt: skip
    assert Submission.from_json(submission.to_json()) == parse_document(submission.to_json()) == submission
    assert (submission.submitted_at.tzinfo, submission.submitted_at) == (UTC, now)


def test_two_results_never_have_the_same_id():
    assert compose(**GOOD).id != compose(**GOOD).id


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"accuracy": float("nan")}, "the accuracy is not a fraction from 0 to 1"),
        ({"accuracy": 76.3}, "the accuracy is not a fraction from 0 to 1"),
        ({"accuracy": -0.1}, "the accuracy is not a fraction from 0 to 1"),
        ({"accuracy": "0.7"}, "the accuracy is not a number"),
        ({"task": " \t"}, "task is not a text, or an empty one"),
        ({"task": "t" * (MAX_TEXT + 1)}, "task is 201 characters long, and at most 200 are taken"),
        ({"task": "\udcff"}, "task is not valid Unicode"),
        ({"cluster": ""}, "cluster is not a text, or an empty one"),
        ({"texts": {"note": "n" * (MAX_NOTE + 1)}}, "note is 2001 characters long"),
        ({"texts": {"supersedes": "latest"}}, "supersedes is not the id of a submission"),
        ({"jobs": []}, "no job is named"),
        ({"jobs": ["101", "101"]}, "a job is named twice"),
        ({"jobs": [str(n + 1) for n in range(MAX_JOBS + 1)]}, "1001 jobs are named, and at most 1000"),
        ({"jobs": [101]}, "a job's id is not a text"),
        ({"epochs": 0}, "epochs is not a number above 0"),
        ({"epochs": float("inf")}, "epochs is not a number above 0"),
        ({"epochs": float("nan")}, "epochs is not a number above 0"),
        ({"epochs": 10**400}, "epochs is not a number above 0"),
        ({"epochs": True}, "epochs is not a number"),
        ({"epochs": "90"}, "epochs is not a number"),
        ({"data_fraction": 25}, "data_fraction is not a number above 0 and up to 1"),
        ({"data_fraction": 0.0}, "data_fraction is not a number above 0 and up to 1"),
        ({"texts": {"checkpoint_sha256": "A" * 64}}, "checkpoint_sha256 is not a SHA-256"),
        ({"texts": {"checkpoint_sha256": "a" * 63}}, "checkpoint_sha256 is not a SHA-256"),
    ],
    ids=str,
)
def test_each_field_that_cannot_be_taken_is_named(change, complaint):
    with pytest.raises(SubmissionError, match=complaint):
        compose(**{**GOOD, **change})


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(SubmissionError, match=r"the accuracy .*; task .*"):
        compose(**{**GOOD, "accuracy": 76.3, "task": ""})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('"task"', '"tusk"'), "has fields that are not known here: 'tusk'"),
        (('"schema": 2', '"schema": 3'), "not written in schema 1 or 2"),
        (('"schema": 2', '"kind": "result", "schema": 2'), "has fields that are not known here: 'kind'"),
        (('"schema": 2', '"kind": "confirmation", "schema": 2'), "has fields that are not known here"),
        (("0.763", "NaN"), "it is not JSON"),
        (('["101"]', '"101"'), "no job is named"),
        (("+00:00", ""), "submitted_at is not a time in ISO 8601 with its offset"),
        (("2026-10-03T", "soon "), "submitted_at is not a time in ISO 8601"),
        (("2026-10-03T", "9999-12-31T"), "submitted_at is outside the years 1970 to 2099"),
        (("2026-10-03T", "0001-01-01T"), "submitted_at is outside the years 1970 to 2099"),
    ],
    ids=str,
)
def test_a_text_that_is_no_submission_says_why(change, complaint):
    text = compose(**GOOD).to_json()
    assert change[0] in text
    with pytest.raises(SubmissionError, match=complaint):
        Submission.from_json(text.replace(*change))


def test_what_was_written_in_the_first_schema_reads_as_before():
    submission = compose(**GOOD)
    content = json.loads(submission.to_json())
    for later in ("epochs", "data_fraction", "checkpoint_sha256"):
        del content[later]
    assert Submission.from_json(json.dumps({**content, "schema": 1})) == submission


CONFIRMED = {"submission_id": "a" * 32, "submitted_at": NOW, "confirmed": True}


@settings(deadline=None)
@given(confirmed=st.booleans(), reason=st.none() | texts, now=st.datetimes(*YEARS, timezones=st.just(UTC)))
def test_every_confirmation_survives_its_journey_as_text(confirmed, reason, now):
    said = Confirmation(submission_id="a" * 32, submitted_at=now, confirmed=confirmed, reason=reason)
    assert parse_document(said.to_json()) == said


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"submission_id": "a" * 31}, "submission_id is not the id of a submission"),
        ({"submission_id": None}, "submission_id is not the id of a submission"),
        ({"confirmed": 1}, "confirmed is neither true nor false"),
        ({"reason": "r" * (MAX_TEXT + 1)}, "reason is 201 characters long"),
        ({"submitted_at": NOW.replace(tzinfo=None)}, "submitted_at is not a time in UTC"),
    ],
    ids=str,
)
def test_each_field_of_a_confirmation_that_cannot_be_taken_is_named(change, complaint):
    with pytest.raises(SubmissionError, match=f"this confirmation cannot be taken: {complaint}"):
        Confirmation(**{**CONFIRMED, **change})


@pytest.mark.parametrize(
    ("text", "jobs"),
    [
        ("123", ("123",)),
        ("101, 102_7,105", ("101", "102_7", "105")),
        ("123+0,123+1,123_0", ("123+0", "123+1", "123_0")),
        ("7,8,7", ("7", "8")),
        ("1 , 2\n", ("1", "2")),
    ],
)
def test_jobs_are_named_as_slurm_shows_them(text, jobs):
    assert parse_job_ids(text) == jobs


@pytest.mark.parametrize(
    "text",
    ["", ",", "1,,2", "0", "0123", "12a", "-1", "1_", "1_2_3", "1.batch", "1_[1-3]", "1+*", "１２", "1\n2",
     "1;2", "../1", "12345678901"],
)  # fmt: skip
def test_what_is_not_a_jobs_id_is_refused_with_the_forms_there_are(text):
    with pytest.raises(SubmissionError, match=r"is not a job's id; write 123, 123_4 or 123\+1"):
        parse_job_ids(text)


@given(st.text(max_size=30))
def test_any_text_gives_job_ids_or_a_printable_error(text):
    try:
        assert ",".join(parse_job_ids(text)).isascii()
    except SubmissionError as error:
        assert str(error).isprintable()
