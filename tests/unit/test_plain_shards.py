"""Many shards at once give the rows that one after the other gives, and are refused for the same reasons,
whatever lies in the inbox."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_cluster.aggregate.fold import Batch, Sealed, fold_one_by_one, fold_plain
from sam_cluster.aggregate.inbox import InboxFile
from sam_cluster.core.model import AgentCost, Flag, GpuHeld, HostDomain, HostEnergy, Reason, Rung, Shard
from sam_cluster.store.columns import columns_of
from sam_cluster.store.footers import LARGEST_TEXT, parsed
from sam_cluster.store.lists import MOST_PLAIN_ROWS
from sam_cluster.store.paths import shard_name
from sam_cluster.store.rows import to_rows
from sam_cluster.store.shards import CURRENT, Footer, read_footer
from sam_cluster.store.short import LONGEST_ONCE, lengthened
from sam_cluster.store.soundness import LARGEST_MILLIJOULES, LAST_INSTANT, LONGEST_GPU_NAME, LONGEST_INTERVAL
from tests.simulated import Simulation, content_of
from tests.strategies import EPOCH, histories

from .test_shards import SHARD

COST = AgentCost(cpu_microseconds=5, resident_bytes=6, nvml_calls=7, nvml_microseconds=8,
                 nvml_longest_microseconds=9, missed_ticks=0)  # fmt: skip
HOSTS = (
    None,
    HostEnergy(cpus=64, domains=()),
    HostEnergy(cpus=64, domains=(HostDomain(name="package-0", energy_millijoules=5),
                                 HostDomain(name="dram", reason=Reason.HOST_ABSENT))),
)  # fmt: skip
MIG = (None, 1, 3)
#: What may stand anywhere in a footer, in place of anything.
VALUES = (
    None, "", "x", "start", "segment", "interpolated", "nvml_hung", "a b", "\ud800", "\0", "7.0", 0, 1, -1,
    1.5, True, 1025, 2**31,
    LARGEST_MILLIJOULES, LARGEST_MILLIJOULES + 1, LAST_INSTANT, LAST_INSTANT + 1, 2**63 - 1, -(2**63), 2**63,
    [], [None], ["open"], {}, {"cpus": 1}, {"more": 1},
)  # fmt: skip
#: What may become of the text of a footer.
TEXTS = (
    lambda text: text + text,
    lambda text: b"",
    lambda text: b"{}",
    lambda text: b" " + text,
    lambda text: text.replace(b",", b" ,\n", 1),
    lambda text: text[:-1],
    lambda text: text[:-1] + b"\0}",
    lambda text: b'{"part":0,' + text[1:],
    lambda text: text[:-1] + b',"part":0}',
    lambda text: text.replace(b"GPU", b"GP\xff", 1),
    lambda text: text.replace(b"GPU", b"GP\\u0055", 1),
    lambda text: text.replace(b"lab", b"l\xc3\xa4b", 1),
    lambda text: text.decode().encode("utf-16"),
    lambda text: b"[" * 5000,
    lambda text: text[:-1] + b" " * LARGEST_TEXT + b"}",
)
OTHER_NAMES = (
    lambda name: name.replace(".parquet", ".0123456789abcdef.parquet"),
    lambda name: "7.0-1.0.parquet",
    lambda name: name.replace("-", "-0"),
)
SPOILINGS = ("value", "value", "value", "away", "again", "twice", "copied", "text", "name", "node")
OTHER_NODES = ("gpu99", "no\udcffde", "..")


GPUS = (
    GpuHeld(uuid=None, requested="3", rung=Rung.UNRESOLVED, reason=Reason.GPU_UNRESOLVED),
    GpuHeld(uuid="", requested="3", rung=Rung.UNRESOLVED),
    GpuHeld(uuid="GPU-0000-0000", requested="MIG", rung=Rung.MIG_UUID, name="another", mig_slices=2),
)
FLAGS: tuple[tuple[Flag, ...], ...] = (
    (),
    (),
    (Flag.INTERPOLATED,),
    (Flag.SHARED, Flag.OPEN, Flag.OPEN),
    (Flag.LATE_START, Flag.BRIDGED),
)
SOME_FLAGS = st.lists(st.sampled_from(FLAGS), min_size=1, max_size=3)


@st.composite
def enriched(draw: st.DrawFn) -> list[Shard]:
    """What the nodes of a history send, with all that a shard can say."""
    return [
        replace(
            shard,
            key=replace(shard.key, sluid=draw(st.sampled_from([None, None, "s000000000ABC"]))),
            gpus=(
                *(replace(gpu, mig_slices=draw(st.sampled_from(MIG))) for gpu in shard.gpus),
                *draw(st.sampled_from([(), shard.gpus[:1], GPUS])),
            ),
            boundaries=tuple(
                replace(each, flags=flags, lag_microseconds=number - 1)
                for number, (each, flags) in enumerate(zip(shard.boundaries, cycle(draw(SOME_FLAGS))))
            ),
            flags=draw(st.sampled_from([shard.flags, *FLAGS])),
            user=draw(st.sampled_from([None, "user", "bj\u00f6rn \U0001f600"])),
            reason=draw(st.sampled_from([None, Reason.GPU_LOST])),
            agent_cost=draw(st.sampled_from([None, COST])),
            host=draw(st.sampled_from(HOSTS)),
        )
        for shard in Simulation(draw(histories(max_runs=4, days=2, clock_steps=True))).shards()
    ]


def sealed(shard: Shard, number: int) -> Sealed:
    """As it lies in the inbox of its node."""
    name = shard_name(shard.key.run_id, shard.started_at_microseconds, shard.part)
    file = InboxFile(shard.node, name, f"/inbox/{shard.node}")
    return Sealed(file, f"{number:064}", read_footer(content_of(replace(shard, samples=())), "here"))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each object and list within, with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places(value[key])]]


@st.composite
def spoilt(draw: st.DrawFn, one: Sealed) -> Sealed:
    """A shard of which something is not as a node writes it."""
    text, file = one.footer.text, one.file
    what = draw(
        st.sampled_from(
            ["value", "value", "value", "away", "again", "twice", "copied", "text", "name", "node"]
        )
    )
    if what == "text":
        text = draw(st.sampled_from(TEXTS))(text)
    elif what == "name":
        file = file._replace(name=draw(st.sampled_from(OTHER_NAMES))(file.name))
    elif what == "node":
        file = file._replace(node=draw(st.sampled_from(OTHER_NODES)))
    else:
        document = json.loads(text)
        within, key = draw(st.sampled_from(places(document)))
        if what == "twice":
            uuids = lengthened(document["gpus"]).get("uuid", ())
            document["boundaries"] = lengthened(document["boundaries"], uuids)
            for column in document["boundaries"].values():
                column.append(column[0])
            document["boundaries"]["lag_microseconds"][-1] += draw(st.integers(0, 1))
        elif what == "away":
            del within[key]
        elif what == "again":
            if isinstance(within, list):
                within.append(within[key])
        elif what == "copied":
            of, which = draw(st.sampled_from(places(document)))
            within[key] = json.loads(json.dumps(of[which]))
        else:
            within[key] = draw(st.sampled_from(VALUES))
        text = json.dumps(document).encode()
    return replace(one, file=file, footer=Footer(one.footer.version, text))


def told(batch: Batch) -> dict[str, Any]:
    """All that a batch holds, in an order of its own."""
    return {
        "shards": sorted(to_rows(batch.shards), key=lambda row: row["shard_digest"]),
        "readings": sorted(
            to_rows(batch.readings),
            key=lambda row: json.dumps([row["shard_digest"], row["gpu_uuid"], row["uptime_microseconds"],
                                        row["segment"], row["kind"], row["at"]]),
        ),
        "files": sorted(batch.files, key=lambda file: file[1]),
        "rejected": sorted(batch.rejected, key=lambda each: (each.name, each.reason)),
    }  # fmt: skip


def both_ways(every: list[Sealed]) -> tuple[dict[str, Any], dict[str, Any], list[Sealed]]:
    """What is held after the fast way, and the exact one for what it leaves; and after that one alone."""
    together, alone = Batch(), Batch()
    left = fold_plain(together, every)
    fold_one_by_one(together, left)
    fold_one_by_one(alone, every)
    assert together.shards.schema.equals(alone.shards.schema, check_metadata=True)
    assert together.readings.schema.equals(alone.readings.schema, check_metadata=True)
    return told(together), told(alone), left


@given(enriched(), st.data())
@settings(max_examples=60, deadline=None)
def test_many_at_once_give_what_one_by_one_gives(shards: list[Shard], data: st.DataObject) -> None:
    every = [
        data.draw(spoilt(one)) if data.draw(st.sampled_from([False, False, True])) else one
        for one in (sealed(shard, number) for number, shard in enumerate(shards))
    ]
    together, alone, _ = both_ways(every)
    assert together == alone


@given(enriched())
@settings(max_examples=20, deadline=None)
def test_what_nodes_write_is_plain_unless_an_instant_is_to_be_counted_back_or_comes_again(
    shards: list[Shard],
) -> None:
    every = [sealed(shard, number) for number, shard in enumerate(shards)]
    together, alone, left = both_ways(every)
    assert together == alone
    expected = [
        one
        for one, shard in zip(every, shards, strict=True)
        if any(
            (b.since_uptime_microseconds is not None and b.since_at_microseconds is None)
            or (b.previous_uptime_microseconds is not None and b.previous_at_microseconds is None)
            for b in shard.boundaries
        )
        # As where a segment ends and the next begins.
        or len({(b.gpu_uuid, b.uptime_microseconds) for b in shard.boundaries}) < len(shard.boundaries)
    ]
    assert left == expected


def test_a_shard_whose_energies_do_not_add_up_to_an_integer_is_left_to_be_refused() -> None:
    grown = [
        replace(each, gpu_uuid=f"{each.gpu_uuid}-{number}", energy_millijoules=LARGEST_MILLIJOULES,
                since_at_microseconds=EPOCH, since_energy_millijoules=0)
        for number in range(2)
        for each in SHARD.boundaries
        if each.since_uptime_microseconds is not None
    ]  # fmt: skip
    together, alone, left = both_ways([sealed(replace(SHARD, boundaries=tuple(grown)), 0)])
    assert together == alone
    assert len(left) == len(together["rejected"]) == 1


def test_a_boundary_that_comes_again_is_left_to_be_refused() -> None:
    again = replace(SHARD.boundaries[0], lag_microseconds=7)
    together, alone, left = both_ways([sealed(replace(SHARD, boundaries=(*SHARD.boundaries, again)), 0)])
    assert together == alone
    assert len(left) == len(together["rejected"]) == 1


def with_boundaries(**columns: list[Any] | None) -> Sealed:
    """The shard with other columns of boundaries, as the text has them; without those that are None."""
    one = sealed(SHARD, 0)
    document = json.loads(one.footer.text)
    document["boundaries"].update(columns)
    for name in [name for name, column in columns.items() if column is None]:
        del document["boundaries"][name]
    return replace(one, footer=Footer(CURRENT, json.dumps(document).encode()))


@pytest.mark.parametrize(
    "columns",
    [
        {"previous_segment": ["x" * (LONGEST_ONCE + 1)]},
        {"flags": [["open"] * (LONGEST_ONCE + 1)]},
        {"flags": [["x" * LONGEST_ONCE]]},
        {"gpu": None, "gpu_uuid": ["x" * (LONGEST_ONCE + 1)]},
    ],
)
def test_what_is_long_and_said_once_is_not_spread_over_many(columns: dict[str, list[Any]]) -> None:
    """A short footer would come to more than memory holds."""
    every = [with_boundaries(**columns)]
    assert len(columns_of(parsed([every[0].footer.text])[0])[0]) == 0
    together, alone, left = both_ways(every)
    assert together == alone
    assert left == every
    assert len(together["rejected"]) == 1


@pytest.mark.parametrize("more", [0, 1])
def test_a_long_name_of_a_gpu_is_not_spread_over_its_boundaries(more: int) -> None:
    name = "GPU-" + "x" * (LONGEST_ONCE + more - 4)
    named = replace(
        SHARD,
        gpus=tuple(replace(gpu, uuid=name) for gpu in SHARD.gpus[:1]),
        boundaries=tuple(
            replace(each, gpu_uuid=name) for each in SHARD.boundaries if each.gpu_uuid == SHARD.gpus[0].uuid
        ),
    )
    every = [sealed(named, 0)]
    assert json.loads(every[0].footer.text)["boundaries"]["gpu"] == [0]
    assert len(columns_of(parsed([every[0].footer.text])[0])[0]) == 1 - more
    together, alone, left = both_ways(every)
    assert together == alone
    assert len(left) == len(together["rejected"]) == more


@pytest.mark.parametrize("away", [-len(SHARD.gpus), len(SHARD.gpus), 2**62, None])
def test_a_boundary_of_a_gpu_that_the_shard_does_not_have_is_refused(away: int | None) -> None:
    """Not taken for one of the shard before or after, in which the same places have the same names."""
    places = [[gpu.uuid for gpu in SHARD.gpus].index(each.gpu_uuid) for each in SHARD.boundaries]
    elsewhere = with_boundaries(gpu=[None if away is None else place + away for place in places])
    every = [sealed(SHARD, 0), elsewhere, sealed(SHARD, 2)]
    together, alone, left = both_ways(every)
    assert together == alone
    assert left == [elsewhere]
    assert len(together["rejected"]) == 1


@pytest.mark.parametrize("name", ["GPU a", "", "x" * (LONGEST_ONCE + 1)])
def test_a_gpu_without_a_devices_name_is_refused(name: str) -> None:
    gpus = (replace(SHARD.gpus[0], uuid=name), *SHARD.gpus[1:])
    boundaries = tuple(
        replace(each, gpu_uuid=name) if each.gpu_uuid == SHARD.gpus[0].uuid else each
        for each in SHARD.boundaries
    )
    every = [sealed(replace(SHARD, gpus=gpus, boundaries=boundaries), 0)]
    together, alone, left = both_ways(every)
    assert together == alone
    assert left == every
    assert len(together["rejected"]) == 1


def test_gpus_may_be_told_by_their_places_and_by_their_names_side_by_side() -> None:
    names = [each.gpu_uuid for each in SHARD.boundaries]
    by_name = with_boundaries(gpu=None, gpu_uuid=names)
    by_name = replace(by_name, digest=f"{1:064}")
    together, alone, left = both_ways([sealed(SHARD, 0), by_name])
    assert together == alone
    assert left == []
    told: dict[str, list[Any]] = {}
    for row in together["readings"]:
        told.setdefault(row.pop("shard_digest"), []).append(row)
    first, second = told.values()
    assert first == second


@pytest.mark.parametrize("more", [0, 1])
def test_a_shard_of_very_many_boundaries_is_left_to_the_exact_way(more: int) -> None:
    start = replace(SHARD.boundaries[0], since_at_microseconds=None, since_uptime_microseconds=None)
    many = tuple(replace(start, uptime_microseconds=number) for number in range(MOST_PLAIN_ROWS + more))
    together, alone, left = both_ways([sealed(replace(SHARD, boundaries=many), 0)])
    assert together == alone
    assert len(together["readings"]) == MOST_PLAIN_ROWS + more
    assert len(left) == more


@pytest.mark.parametrize("number", [64, 65])
def test_a_shard_that_spans_more_time_than_gpus_have_is_refused(number: int) -> None:
    """Each hour of each would be looked at."""
    spans = tuple(
        replace(SHARD.boundaries[-1], uptime_microseconds=LONGEST_INTERVAL + each,
                since_uptime_microseconds=each, since_at_microseconds=0)
        for each in range(number)
    )  # fmt: skip
    together, alone, left = both_ways([sealed(replace(SHARD, boundaries=spans), 0)])
    assert together == alone
    assert len(left) == len(together["rejected"]) == number - 64


@pytest.mark.parametrize("letter", ["n", "\u00e9"])
def test_a_gpu_with_a_very_long_name_is_refused(letter: str) -> None:
    named = [
        sealed(replace(SHARD, gpus=tuple(replace(gpu, name=letter * length) for gpu in SHARD.gpus)), number)
        for number, length in enumerate([LONGEST_GPU_NAME, LONGEST_GPU_NAME + 1])
    ]
    together, alone, _ = both_ways(named)
    assert together == alone
    assert len(together["shards"]) == len(together["rejected"]) == 1


def test_of_a_gpu_that_the_run_was_not_given_nothing_is_known_but_its_readings() -> None:
    others = tuple(replace(each, gpu_uuid=f"GPU-{each.gpu_uuid}-other") for each in SHARD.boundaries)
    shard = replace(SHARD, boundaries=(*SHARD.boundaries, *others))
    together, alone, left = both_ways([sealed(shard, 0)])
    assert together == alone
    assert left == []
    models = {(row["gpu_uuid"].endswith("-other"), row["gpu_model"] is None) for row in together["readings"]}
    assert models == {(False, False), (True, True)}


@pytest.mark.parametrize(
    "texts",
    [
        [b"{}{}", b""],
        [b"{}{}{}\0}", b"{}", b"{}"],
        [b'{"flags":["a"]}{"flags":["b"]}', b"{}", b""],
        [b'{"host":{"domains":[{}', b"{}]}}{}"],
    ],
)
def test_no_footer_speaks_for_another(texts: list[bytes]) -> None:
    """As many rows as footers, and yet not a row for each."""
    one = sealed(SHARD, 0)
    every = [replace(one, footer=Footer(CURRENT, text)) for text in texts]
    together, alone, left = both_ways(every)
    assert together == alone
    assert left == every
    assert together["shards"] == []
