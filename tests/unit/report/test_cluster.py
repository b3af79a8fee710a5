"""The view of the cluster's page: what is added up, compared, withheld, and never told."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.core.config import Config, Group
from sam_cluster.core.model import Quality
from sam_cluster.core.units import millijoules_from_kwh
from sam_cluster.metrics import Undefined, UndefinedReason
from sam_cluster.report.cluster.document import cluster_object
from sam_cluster.report.cluster.evenness import Weighting
from sam_cluster.report.cluster.files import cluster_files
from sam_cluster.report.cluster.granted import Granted
from sam_cluster.report.cluster.labs import LabFacts, lab_lines
from sam_cluster.report.cluster.spent import spending_of
from sam_cluster.report.cluster.view import LabLine
from sam_cluster.report.gpu_ledger import ledgers_of, total_of
from sam_cluster.report.group.build import group_view
from sam_cluster.report.ledger import usage_of
from tests.unit.report import month
from tests.unit.report.cluster import CONFIG, ROWS, gap, lab, of, share_row, tiny, view
from tests.unit.report.month import DATA, OCTOBER
from tests.unit.report.tables import MemoryTables, at, hour_rows, job_rows, result_row, together

VIEW = view()
KWH = millijoules_from_kwh(1.0)


def text(of_view) -> str:
    """Everything that leaves: page, JSON, CSV and manifest."""
    return "\n".join(content.decode() for content in cluster_files(of_view).values())


# What is added up


@pytest.mark.parametrize("timezone", ["Europe/London", "Asia/Tokyo", "America/New_York"])
def test_each_labs_totals_are_those_of_its_own_page(timezone: str) -> None:
    config = replace(month.CONFIG, timezone=timezone)
    period = replace(OCTOBER, timezone=timezone)
    rows = together(month.ROWS, of(299, None, "somebody", 7.0))
    found = view(rows, config=config, period=period)
    for line in found.labs:
        totals = group_view(MemoryTables(rows), config, line.lab, period, DATA).totals
        assert (line.amount.energy_millijoules, line.jobs, line.gpu_microseconds, line.amount.quality) == (
            totals.amount.energy_millijoules, totals.jobs, totals.gpu_microseconds, totals.amount.quality,
        )  # fmt: skip
        assert line.amount.uncertainty == totals.amount.uncertainty
        assert (line.share_of_energy, line.share_of_gpu_time) == (totals.energy_share, totals.gpu_share)
    assert {line.lab for line in found.labs} == {"vision", "speech"}


def test_labs_and_jobs_of_no_account_are_all_that_runs_used() -> None:
    labs = sum(line.amount.known_millijoules for line in VIEW.labs)
    assert labs + VIEW.no_account.amount.known_millijoules == VIEW.ledger.runs_millijoules == 100 * KWH
    assert (VIEW.no_account.jobs, VIEW.no_account.people) == (1, None)


def test_the_page_its_json_and_its_csv_say_how_sure_the_energy_is() -> None:
    document = cluster_object(VIEW)
    assert document["totals"]["uncertainty_millijoules"] == 100 * KWH // 20
    labs = {row["group"]: row["uncertainty_millijoules"] for row in document["groups"]}
    assert labs == {"vision": 64 * KWH // 20, "speech": 22 * KWH // 20, "tiny": 8 * KWH // 20, "away": 0}
    assert "<strong>100 kWh</strong> (± 5.00 kWh)" in text(VIEW)
    assert "Figures are what NVML" in text(VIEW)


def test_what_is_made_of_a_lower_bound_is_one_too() -> None:
    priced = replace(CONFIG, carbon_g_per_kwh=120.0, price_per_kwh=0.28, currency="EUR")
    whole = text(view(config=priced))
    assert '<span class="unit">EUR</span><div class="note">at 0.28 EUR per kWh' in whole
    assert cluster_object(view(config=priced))["settings"]["currency"] == "EUR"
    assert "EUR" not in text(view(config=replace(priced, currency=None)))
    assert "Cost of all jobs</dt>" in whole and "CO₂e of all jobs</dt>" in whole
    bound = of(51, "vision", "ada", 1.0, quality=Quality.LOWER_BOUND)
    partial = text(view(together(ROWS, bound), config=priced))
    assert "Cost of all jobs, at least</dt>" in partial and "CO₂e of all jobs, at least</dt>" in partial


def test_runs_idle_and_unattributed_are_a_closed_sum_over_the_periods_borders() -> None:
    ledger = VIEW.ledger
    # London's October begins at 23:00 UTC, two of the two and a half hours of the first gap lie in it.
    assert ledger.idle_millijoules == KWH // 2 + KWH // 4 * 4 // 5 + KWH // 10
    assert ledger.unattributed == {"not_metered": KWH // 10}
    assert (ledger.cut, ledger.unknown) == (2, {"counter_reset": 1})
    page = text(VIEW)
    assert "Unattributed: not metered" in page and "Unattributed: counter reset" in page
    assert "Unattributed: shard missing" not in page
    # The model of the GPU is not known without a reading.
    assert VIEW.idle_uncertainty_millijoules == ledger.idle_millijoules // 20


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 72), st.integers(1, 40), st.integers(0, 10**9)), max_size=8),
    st.lists(st.integers(1, 95), min_size=1, max_size=4, unique=True),
)
def test_the_parts_of_neighbouring_periods_add_up_to_the_millijoule(gaps, cuts) -> None:
    begin = at("2026-10-01 00:00")
    rows = []
    for start, hours, energy in gaps:
        row = gap("2026-10-01 00:00", "2026-10-02 00:00", 0.0)
        begun = begin + timedelta(hours=start, minutes=7)
        rows.append(
            {**row, "from_at": begun, "to_at": begun + timedelta(hours=hours), "energy_millijoules": energy}
        )
    tables = MemoryTables({"gaps": rows})
    edges = [begin, *(begin + timedelta(hours=hours) for hours in sorted(cuts)), begin + timedelta(hours=200)]

    def idle(start, end) -> int:
        return total_of(
            ledgers_of(tables, usage_of(tables, start, end), start, end).values()
        ).idle_millijoules

    parts = [idle(start, end) for start, end in pairwise(edges)]
    assert sum(parts) == idle(edges[0], edges[-1]) == sum(energy for *_, energy in gaps)


def test_a_run_whose_id_was_used_again_is_the_job_that_had_begun_last() -> None:
    first = job_rows(7, "2026-10-05 10:00", 2, 1.0, account="vision")
    again = job_rows(7, "2026-10-20 10:00", 2, 2.0, account="speech")
    found = view(together(first, again))
    assert lab("vision", found).amount.known_millijoules == KWH
    assert lab("speech", found).amount.known_millijoules == 2 * KWH


def test_hours_of_no_known_job_are_of_no_lab() -> None:
    found = view({"usage": hour_rows("99.0", at("2026-10-05 10:00"), 2, KWH)})
    assert (found.no_account.amount.known_millijoules, found.totals.amount.known_millijoules) == (KWH, KWH)


def test_the_order_of_rows_changes_nothing() -> None:
    backwards = {table: list(reversed(rows)) for table, rows in ROWS.items()}
    assert cluster_files(view(backwards)) == cluster_files(VIEW)


# Used and granted


def test_level_fs_is_share_granted_over_share_used_of_energy_and_of_gpu_time() -> None:
    line = lab("vision", VIEW)
    assert line.share_of_energy == pytest.approx(64 / 100)  # six are of no lab, and no part of its LevelFS
    assert line.level_fs_energy == pytest.approx(0.5 / (64 / 94))
    assert line.level_fs_gpu_time == pytest.approx(0.5 / (5 / 10))
    assert lab("away", VIEW).level_fs_energy == Undefined(UndefinedReason.NOTHING_USED)


@settings(deadline=None, max_examples=30)
@given(st.permutations(("vision", "speech", "bio", "nlp", "robots", "chem")))
def test_shares_are_to_the_last_bit_the_same_in_whatever_order_labs_come(order: list[str]) -> None:
    shares = {"vision": 0.4, "speech": 0.3, "bio": 0.2, "nlp": 0.1, "robots": 0.7, "chem": 1 / 3}

    def told(labs: Iterable[str]) -> tuple[LabLine, ...]:
        facts = LabFacts(
            granted={name: Granted(share=shares[name]) for name in labs},
            results={}, waiting={}, least_people=3,
        )  # fmt: skip
        return lab_lines(spending_of(MemoryTables(ROWS), CONFIG, OCTOBER, DATA.committed_at), facts)

    assert told(order) == told(shares)


def test_shares_are_parts_of_their_sum_over_the_labs_that_have_one() -> None:
    groups = [replace(group, share=None) if group.name == "tiny" else group for group in CONFIG.groups]
    found = view(config=replace(CONFIG, groups=tuple(groups)))
    assert lab("vision", found).share_granted == pytest.approx(0.5 / 0.9)
    assert (lab("tiny", found).share_granted, lab("tiny", found).level_fs_energy) == (None, None)
    assert lab("vision", found).level_fs_energy == pytest.approx(0.5 / 0.9 / (64 / 86))


def granted(*shares, groups: tuple[Group, ...] = ()):
    return view(together(ROWS, {"shares": list(shares)}), config=replace(CONFIG, groups=groups))


def test_the_snapshot_in_force_at_the_periods_end_counts_and_a_later_one_does_not() -> None:
    found = granted(
        share_row("vision", "2026-09-20", 0.2),
        share_row("vision", "2026-10-20", 0.6),
        share_row("speech", "2026-10-20", 0.4),
        share_row("vision", "2026-11-01", 0.9),
    )
    assert (lab("vision", found).granted.share, found.shares_of) == (0.6, date(2026, 10, 20))
    assert lab("vision", found).granted.changed and lab("speech", found).granted.changed


def test_before_the_first_snapshot_no_share_is_known() -> None:
    found = granted(share_row("vision", "2026-11-02", 0.6))
    assert (lab("vision", found).granted.share, found.shares_of) == (None, None)


def test_the_configuration_counts_before_slurm_and_a_lab_has_the_sum_of_its_accounts() -> None:
    found = granted(
        share_row("vision", "2026-10-01", 0.3), share_row("cv-a", "2026-10-01", 0.2),
        share_row("speech", "2026-10-01", 0.5),
        groups=(
            Group(name="vision", accounts=("vision", "cv-*")),
            Group(name="speech", accounts=("speech",), share=0.4),
        ),
    )  # fmt: skip
    assert (lab("vision", found).granted.share, lab("vision", found).granted.source) == (0.5, "sshare")
    assert (lab("speech", found).granted.share, lab("speech", found).granted.source) == (0.4, "configuration")
    assert not lab("vision", found).granted.changed


def test_of_dated_tables_the_one_in_force_at_the_periods_end_counts_and_the_change_is_told() -> None:
    groups = (
        Group(name="vision", accounts=("vision",), members=5, share=0.2),
        Group(name="vision", accounts=("vision",), members=9, share=0.4, since=date(2026, 10, 15)),
        Group(name="vision", accounts=("vision",), members=99, share=0.9, since=date(2026, 11, 1)),
    )
    line = lab("vision", view(config=replace(CONFIG, groups=groups)))
    assert (line.granted.share, line.granted.members, line.granted.changed) == (0.4, 9, True)


def test_a_configured_lab_without_any_use_is_on_the_page() -> None:
    line = lab("away", VIEW)
    assert (line.jobs, line.amount.energy_millijoules, line.share_of_energy) == (0, 0, 0.0)


# Evenness


def test_use_is_compared_by_head_only_where_every_head_count_may_be_told() -> None:
    without_tiny = tuple(group for group in CONFIG.groups if group.name != "tiny")
    rows = {table: [row for row in some if row.get("account") != "tiny"] for table, some in ROWS.items()}
    assert VIEW.weighting is Weighting.SHARE
    assert view(rows, config=replace(CONFIG, groups=without_tiny)).weighting is Weighting.MEMBERS
    assert view(config=replace(CONFIG, groups=())).weighting is Weighting.NONE


def test_each_index_has_its_population() -> None:
    assert {(each.measure, each.population, each.n) for each in VIEW.evenness} == {
        ("energy", "eligible", 4), ("energy", "active", 3), ("gpu_hours", "eligible", 4),
        ("gpu_hours", "active", 3),
    }  # fmt: skip
    eligible, active = (each for each in VIEW.evenness if each.measure == "energy")
    assert eligible.gini > active.gini > 0
    assert not VIEW.indices_lead


@pytest.mark.parametrize(
    ("rows", "groups", "reason"),
    [
        ({}, CONFIG.groups, UndefinedReason.ALL_ZERO),
        (of(1, "vision", "ada", 3.0), CONFIG.groups[:1], UndefinedReason.ONE_VALUE),
        ({}, (), UndefinedReason.NO_VALUES),
    ],
)
def test_a_period_that_says_nothing_is_undefined_and_the_page_does_not_call_it_even(
    rows, groups, reason
) -> None:
    found = view(rows, config=Config(timezone="Europe/London", groups=groups))
    assert {each.gini for each in found.evenness if each.population == "eligible"} == {Undefined(reason)}
    page = cluster_files(found)["cluster-2026-10.html"].decode()
    assert "No index has a value here" in page and "fair" not in page.split("<main>")[1]


def test_a_lab_of_which_nothing_is_known_is_left_out_and_counted() -> None:
    rows = together(ROWS, of(51, "dark", "eve", None, quality=Quality.UNKNOWN, run_ids=[]))
    rows["usage"] = [row for row in rows["usage"] if row["run_id"] != "51.0"]
    found = view(rows)
    assert lab("dark", found).amount.energy_millijoules is None
    energy = next(each for each in found.evenness if each.measure == "energy")
    assert (energy.n, energy.left_out) == (4, 1)


# Waiting


def test_waiting_is_of_the_jobs_whose_eligible_time_is_known() -> None:
    waiting = lab("vision", VIEW).waiting
    assert (waiting.jobs, waiting.unknown) == (3, 1)
    assert (waiting.median_seconds, waiting.ninetieth_percentile_seconds) == (20 * 60, 30 * 60)
    assert (VIEW.waiting.jobs, VIEW.waiting.unknown) == (9, 1)


def test_a_job_that_began_before_the_period_waited_in_another() -> None:
    early = job_rows(1, "2026-09-30 12:00", 20, 3.0, eligible_at=at("2026-09-30 11:00"))
    assert view(early).waiting.jobs == 0


# What results took


def test_the_least_energy_at_or_above_an_accuracy_is_told_with_its_lab() -> None:
    kinetics = next(task for task in VIEW.tasks if task.task == "kinetics-400")
    cifar = next(task for task in VIEW.tasks if task.task == "cifar-10")
    assert (kinetics.labs, kinetics.lines) == (1, ())
    assert [(line.accuracy, line.energy_millijoules, line.lab, line.labs) for line in cifar.lines] == [
        (0.91, 12 * KWH, "speech", 2),
    ]
    found = view(config=replace(CONFIG, least_people=2))
    cifar = next(task for task in found.tasks if task.task == "cifar-10")
    assert [(line.accuracy, line.energy_millijoules, line.lab, line.labs) for line in cifar.lines] == [
        (0.91, 12 * KWH, "speech", 2),
        (0.80, 3 * KWH, "tiny", 3),
    ]
    assert {line.lab: line.results for line in VIEW.labs} == {"vision": 2, "speech": 2, "tiny": 1, "away": 0}


# Privacy


def test_of_a_lab_of_too_few_people_only_the_totals_are_told() -> None:
    line = lab("tiny", VIEW)
    assert line.amount.energy_millijoules == 8 * KWH and line.jobs == 2
    assert (line.heads.count, line.heads.energy_millijoules, line.active_people) == (None, None, None)
    assert (line.waiting.median_seconds, line.waiting.is_withheld) == (None, True)
    assert "tiny" not in {person.lab for person in VIEW.people.lines}
    assert all("tiny" not in each.by_lab for each in VIEW.within)
    assert all(line.lab != "tiny" for task in VIEW.tasks for line in task.lines)
    cifar = next(task for task in VIEW.tasks if task.task == "cifar-10")
    assert (cifar.results, cifar.unusable, cifar.withheld, cifar.labs) == (4, 0, 1, 2)


def test_no_result_of_a_lab_of_too_few_people_changes_what_results_took() -> None:
    better = result_row(9, 0.99, ["32"], user="ben")
    assert [task.lines for task in view(together(ROWS, {"results": [better]})).tasks] == [
        task.lines for task in VIEW.tasks
    ]


def test_nothing_that_leaves_depends_on_how_the_two_shared_their_use() -> None:
    """No difference of any two figures can tell what no figure depends on."""
    rows = {
        table: [row for row in some if row.get("user") not in ("ann", "ben")] for table, some in ROWS.items()
    }
    rows["usage"] = [row for row in rows["usage"] if row["run_id"] not in ("31.0", "32.0")]
    rows["results"] = []
    one, other = (view(together(rows, tiny(*split))) for split in ((3.0, 5.0), (7.5, 0.5)))
    assert text(one) == text(other)


def test_nothing_that_leaves_depends_on_a_head_count_that_is_withheld() -> None:
    one = tuple(replace(group, members=1) if group.name == "tiny" else group for group in CONFIG.groups)
    assert text(view(config=replace(CONFIG, groups=one))) == text(VIEW)


def test_people_are_pseudonyms_unless_the_site_says_otherwise() -> None:
    everyone = {"ada", "bo", "cy", "zoe", "yan", "xia", "ann", "ben", "dan"}
    names = {person.name for person in VIEW.people.lines}
    assert len(names) == 6 and all(name.startswith("person ") for name in names)
    words = set(text(VIEW).replace("<", " <").replace(">", "> ").replace('"', " ").split())
    assert words & everyone == set()
    named = view(config=replace(CONFIG, people="names"))
    assert {person.name for person in named.people.lines} == everyone - {"ann", "ben", "dan"}


def test_pseudonyms_are_the_salts_and_stay_the_same() -> None:
    names = [{person.name for person in view(salt=salt).people.lines} for salt in ("a", "a", "b")]
    assert names[0] == names[1] and names[0] & names[2] == set()


def test_without_a_salt_nobody_is_listed() -> None:
    found = view(salt=None)
    assert (found.people.lines, found.people.are_named) == ((), False)
    assert "no salt" in text(found)


def test_the_threshold_is_the_sites() -> None:
    found = view(config=replace(CONFIG, least_people=2))
    assert lab("tiny", found).heads.energy_millijoules == 4 * KWH
    assert found.weighting is Weighting.MEMBERS


def test_within_and_between_are_over_the_people_that_may_be_told_of() -> None:
    energy = VIEW.within[0]
    assert (energy.people, set(energy.by_lab)) == (6, {"vision", "speech"})
    assert energy.parts.total == pytest.approx(energy.parts.between + energy.parts.within)


# The document


def test_json_has_the_figures_of_the_labs_and_csv_a_row_each() -> None:
    document = json.loads(json.dumps(cluster_object(VIEW)))
    assert [row["group"] for row in document["groups"]] == ["vision", "speech", "tiny", "away"]
    assert document["groups"][3]["level_fs_energy_reason"] == "nothing_used"
    csv = cluster_files(VIEW)["cluster-2026-10.csv"].decode()
    assert len(csv.splitlines()) == 5


def test_a_labs_name_is_hostile_text() -> None:
    evil = "<script>x</script>=cmd()\u202e" + "a" * 10_000
    page = cluster_files(view(of(1, evil, "ada", 3.0)))["cluster-2026-10.html"].decode()
    assert "<script>x" not in page and "\u202e" not in page and "a" * 200 not in page


def test_held_idle_hours_stand_apart_in_the_sum() -> None:
    idle = [
        {**gap("2026-10-06 00:00", "2026-10-06 12:00", 0.6), "from_uptime_microseconds": 0,
         "to_uptime_microseconds": 12 * 3_600_000_000},
    ]  # fmt: skip
    found = view(together(of(1, "vision", "ada", 0.25), of(2, "speech", "zoe", 30.0), {"gaps": idle}))
    assert found.held_idle.energy_millijoules == KWH // 4 == lab("vision", found).idle.known_millijoules
