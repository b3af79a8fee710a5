"""What was given of a shared GPU accounting knows: earlier, later, or changed, the tables are the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.accounting.records import JobRecord
from sam_cluster.core.model import Flag, ShareRule
from sam_cluster.store.paths import StorePaths
from tests.aggregating import Recorded, accounting_of, digests, only, put_all, rows, run_aggregate
from tests.simulated import Simulation, put
from tests.strategies import HOUR, MINUTE, History, PlannedRun, histories

ON_ONE = ((0, 0),)
TWO = History(
    (PlannedRun(100, 0, HOUR, 30 * HOUR, ON_ONE), PlannedRun(101, 0, 2 * HOUR, 3 * HOUR, ON_ONE)), seed=3
)


class Told(Recorded):
    """Accounting that tells all it has whenever it is asked: what is corrected late is told, too."""

    def jobs(self, start_microseconds: int, end_microseconds: int) -> Iterable[JobRecord]:
        return self.records


def with_counts(history: History, *counts: dict[str, int | None]) -> Recorded:
    """Accounting that has these counts, of one job after another, for its jobs."""
    numbers = sorted({run.job_id for run in history.runs})
    told = {number: counts[at % len(counts)] for at, number in enumerate(numbers)}
    return Told([replace(each, **told[each.raw_job_id]) for each in accounting_of(history).records])


def shards_of(paths: StorePaths, job: int) -> list[dict]:
    found = [row for row in rows(paths, "usage", raw_job_ids=[job]) if row["holders"] > 1]
    assert found
    return found


def test_shares_are_made_anew_when_accounting_comes_and_again_when_it_changes(tmp_path) -> None:
    paths = StorePaths(tmp_path)
    put_all(paths, TWO)
    run_aggregate(paths)
    for row in shards_of(paths, 101):
        assert (row["share_rule"], row["flags"]) == (ShareRule.EQUAL, [Flag.SHARED, Flag.SHARED_EQUALLY])

    run_aggregate(paths, accounting=with_counts(TWO, {"gpu_shards": 3}, {"gpu_shards": 1}))
    for row in shards_of(paths, 101):
        device = row["device_energy_millijoules"]
        assert row["share_rule"] == ShareRule.SHARDS
        assert row["energy_millijoules"] == device - device * 3 // 4
        assert row["flags"] == [Flag.SHARED]
    job = only(rows(paths, "jobs", raw_job_ids=[101]))
    assert job["energy_millijoules"] == sum(row["energy_millijoules"] for row in shards_of(paths, 101))

    run_aggregate(paths, accounting=with_counts(TWO, {"gpu_mps": 20}, {"gpu_mps": 80}))
    for row in shards_of(paths, 101):
        device = row["device_energy_millijoules"]
        assert row["share_rule"] == ShareRule.MPS
        assert row["energy_millijoules"] == device - device * 20 // 100


def test_one_whose_job_was_over_has_no_part_and_gets_it_back_where_accounting_says_otherwise(
    tmp_path,
) -> None:
    paths = StorePaths(tmp_path)
    put_all(paths, TWO)
    whole = Told(accounting_of(TWO).records)
    early = Told([
        replace(each, end=each.start + 10 * MINUTE) if each.raw_job_id == 100 else each
        for each in whole.records
    ])  # fmt: skip
    run_aggregate(paths, accounting=early)
    assert [row["flags"] for row in shards_of(paths, 100)] == [[Flag.AFTER_END]]
    row = only(shards_of(paths, 101))
    assert (row["share_rule"], row["flags"]) == (ShareRule.WHOLE, [])
    assert row["energy_millijoules"] == row["device_energy_millijoules"]
    run_aggregate(paths, accounting=whole)
    assert only(shards_of(paths, 101))["share_rule"] == ShareRule.EQUAL


COUNT = st.none() | st.integers(1, 7)


@given(histories(max_runs=6), st.data())
@settings(max_examples=10, deadline=None)
def test_accounting_earlier_or_later_or_corrected_gives_the_same_rows(
    tmp_path_factory, history: History, data: st.DataObject
) -> None:
    def said() -> Recorded:
        """What accounting might say of the jobs: counts, and now and then an end that is too early."""
        kind = data.draw(st.sampled_from(["gpu_shards", "gpu_mps"]))
        return Told([
            replace(each, end=data.draw(st.sampled_from([each.end, each.start + MINUTE])),
                    **{kind: data.draw(COUNT)})
            for each in accounting_of(history).records
        ])  # fmt: skip

    final = said()
    shards = data.draw(st.permutations(Simulation(history).shards()))
    at_once, bit_by_bit = (StorePaths(tmp_path_factory.mktemp("store")) for _ in range(2))
    for shard in shards:
        put(at_once, shard)
    run_aggregate(at_once, accounting=final)

    cut = data.draw(st.integers(0, len(shards)))
    for shard in shards[:cut]:
        put(bit_by_bit, shard)
    run_aggregate(bit_by_bit, accounting=data.draw(st.sampled_from([None, said()])))
    for shard in shards[cut:]:
        put(bit_by_bit, shard)
    run_aggregate(bit_by_bit, accounting=data.draw(st.sampled_from([None, final])))
    run_aggregate(bit_by_bit, accounting=final)
    assert digests(bit_by_bit) == digests(at_once)

    used = sum(
        (row["energy_millijoules"] or 0) - row["bridged_millijoules"] for row in rows(at_once, "usage")
    )
    between = sum(row["energy_millijoules"] or 0 for row in rows(at_once, "gaps"))
    gpus = {gpu for run in history.runs for gpu in run.gpus}
    simulation = Simulation(history)
    simulation.shards()
    assert used + between == sum(sum(simulation.total(*gpu).values()) for gpu in gpus)
    assert all(
        row["energy_millijoules"] is None or row["energy_millijoules"] >= 0 for row in rows(at_once, "usage")
    )
