"""The stand-in for NVML obeys: an unmodified ``pynvml`` in other processes sees what the controller set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sam_cluster.standin import library
from sam_cluster.standin.standin import Standin
from tests.bench.nvml.client import Client, clients_in

OK, NOT_SUPPORTED, NOT_FOUND, DRIVER_NOT_LOADED, TIMEOUT, LIBRARY_NOT_FOUND = 0, 3, 6, 9, 10, 12
GPU_IS_LOST, LIBRARY_MISMATCH = 15, 18
ENERGY_FIELD, INSTANT_FIELD = 83, 186


@pytest.fixture
def standin(tmp_path: Path) -> Standin:
    return Standin.create(tmp_path / "state", manual_clock=True)


@pytest.fixture
def new_client(standin: Standin) -> Iterator[Callable[[], Client]]:
    with clients_in(standin.environment()) as start:
        yield start


@pytest.fixture
def client(new_client: Callable[[], Client]) -> Client:
    return new_client()


# ---- faults ----


def test_an_error_meets_the_calls_it_was_set_for_and_ends_after_its_count(standin, client: Client) -> None:
    standin.advance(1_000_000)
    standin.set_error(1, "energy", GPU_IS_LOST, count=2)
    assert client.outcome("energy(0)") == (OK, 70_000)
    assert [client.outcome("energy(1)")[0] for _ in range(3)] == [GPU_IS_LOST, GPU_IS_LOST, OK]
    standin.set_error(None, "energy", TIMEOUT)
    assert [client.outcome(f"energy({gpu})")[0] for gpu in range(4)] == [TIMEOUT] * 4
    assert [code for code, _ in client(f"fields(1, {ENERGY_FIELD}, {INSTANT_FIELD})")] == [TIMEOUT, OK]
    standin.set_error(None, "energy", OK)
    assert client.outcome("energy(1)") == (OK, 70_000)


def test_a_lost_gpu_is_lost_to_every_call_while_the_others_answer(standin, client: Client) -> None:
    client("[handle(gpu) and None for gpu in range(4)]")
    standin.set_error(2, "any", GPU_IS_LOST)
    for call in ("energy(2)", "fields(2, 186)", "samples(2)", "nvmlDeviceGetUUID(handle(2))",
                 "nvmlDeviceGetHandleByIndex(2)"):  # fmt: skip
        assert client.outcome(call) == (GPU_IS_LOST, None), call
    assert client.outcome("energy(3)")[0] == OK


def test_a_hanging_call_ends_when_its_latency_is_taken_away(standin: Standin, new_client) -> None:
    hanging, other = new_client(), new_client()
    hanging("energy(0)")
    standin.set_latency(0, "energy", 60_000_000)
    hanging.ask("energy(0)")
    while standin.calls("energy", 0) < 2:
        time.sleep(0.001)
    assert other.outcome("energy(1)")[0] == OK
    assert not hanging.has_answered(wait_seconds=0.1)
    standin.set_latency(0, "energy", 0)
    assert hanging.answer()[0] == OK


def test_without_a_state_nvml_does_not_start(standin: Standin, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(bytes(standin.path.stat().st_size))
    cases = {str(tmp_path / "absent"): DRIVER_NOT_LOADED, str(foreign): LIBRARY_MISMATCH,
             str(standin.path): OK}  # fmt: skip
    for state_path, code in cases.items():
        with closing(Client({**standin.environment(), "SAM_STANDIN_STATE": state_path})) as client:
            assert client.outcome("nvmlInit()")[0] == code
    with closing(Client({"LD_LIBRARY_PATH": standin.environment()["LD_LIBRARY_PATH"]})) as client:
        assert client.outcome("nvmlInit()")[0] == LIBRARY_NOT_FOUND


def test_a_driver_that_is_not_loaded_yet_can_be_waited_for(standin: Standin) -> None:
    standin.set_error(None, "init", DRIVER_NOT_LOADED, count=1)
    with closing(Client(standin.environment())) as client:
        assert [client.outcome("nvmlInit()")[0] for _ in range(2)] == [DRIVER_NOT_LOADED, OK]


# ---- clients and calls ----


def test_clients_are_counted_until_they_shut_down_or_die(standin: Standin, new_client) -> None:
    first, second = new_client(), new_client()
    first("nvmlInit()")
    assert standin.clients() == 2
    first("nvmlShutdown()")
    assert standin.clients() == 2
    first("nvmlShutdown()")
    assert standin.clients() == 1
    second.process.kill()
    second.process.wait()
    assert standin.clients() == 0


def test_calls_are_counted_by_group_and_gpu(standin: Standin, new_client) -> None:
    for client in (new_client(), new_client()):
        client("[energy(0), energy(0), energy(1)]")
    assert standin.calls("init") == 2
    assert standin.calls("energy") == 6
    assert standin.calls("energy", 1) == 2
    assert standin.calls(gpu=0) == 4
    assert standin.calls() == 2 + 4 + 6  # two handles each


# ---- identity ----


def test_every_property_reaches_an_unmodified_pynvml(tmp_path: Path) -> None:
    standin = Standin.create(tmp_path / "state", gpus=2, manual_clock=True, driver_version="999.1",
                             power_limit_mw=123_000, memory_bytes=1 << 34)  # fmt: skip
    standin.configure(1, name="Some GPU", persistence_mode=0, temperature_celsius=61, architecture=5)
    with clients_in(standin.environment()) as start:
        client = start()
        expected = {
            "nvmlDeviceGetCount()": 2,
            "nvmlSystemGetDriverVersion()": "999.1",
            "nvmlSystemGetNVMLVersion()": "12.570.124.06",
            "nvmlSystemGetCudaDriverVersion()": 12080,
            "nvmlSystemGetCudaDriverVersion_v2()": 12080,
            "nvmlErrorString(15)": "GPU is lost",
            "nvmlDeviceGetUUID(handle(1))": standin.uuid(1),
            "nvmlDeviceGetName(handle(1))": "Some GPU",
            "nvmlDeviceGetName(handle(0))": "NVIDIA H100 80GB HBM3",
            "nvmlDeviceGetSerial(handle(1))": "1320521000001",
            "nvmlDeviceGetMinorNumber(handle(1))": 1,
            "nvmlDeviceGetPciInfo(handle(1)).busId": "00000000:14:00.0",
            "nvmlDeviceGetPciInfo(handle(1)).bus": 0x14,
            "nvmlDeviceGetIndex(nvmlDeviceGetHandleByPciBusId('0:14:0.0'))": 1,
            "nvmlDeviceGetIndex(nvmlDeviceGetHandleByPciBusId('07:00.0'))": 0,
            f"nvmlDeviceGetIndex(nvmlDeviceGetHandleByUUID('{standin.uuid(1)}'))": 1,
            "nvmlDeviceGetArchitecture(handle(1))": 5,
            "nvmlDeviceGetBrand(handle(1))": 14,
            "nvmlDeviceGetPersistenceMode(handle(1))": 0,
            "nvmlDeviceGetPersistenceMode(handle(0))": 1,
            "nvmlDeviceGetEnforcedPowerLimit(handle(1))": 123_000,
            "nvmlDeviceGetPowerManagementLimit(handle(0))": 123_000,
            "fields(0, NVML_FI_DEV_POWER_CURRENT_LIMIT)": [(OK, 123_000)],
            "nvmlDeviceGetTemperature(handle(1), NVML_TEMPERATURE_GPU)": 61,
            "nvmlDeviceGetMemoryInfo(handle(1)).total": 1 << 34,
            "nvmlDeviceGetComputeRunningProcesses(handle(1))": [],
        }
        assert {call: client(call) for call in expected} == expected
        unknown = "nvmlDeviceGetHandleByUUID('GPU-00000000-0000-0000-0000-000000000000')"
        assert client.outcome(unknown) == (NOT_FOUND, None)


def test_machines_have_gpus_of_their_own(tmp_path: Path) -> None:
    machines = [Standin.create(tmp_path / name, gpus=16) for name in ("one", "two")]
    assert len({machine.uuid(gpu) for machine in machines for gpu in range(16)}) == 32


def test_the_index_order_changes_while_handles_stay(standin: Standin, client: Client) -> None:
    assert client("nvmlDeviceGetUUID(handle(0))") == standin.uuid(0)
    standin.set_order([3, 2, 0, 1])
    order = client("[nvmlDeviceGetUUID(nvmlDeviceGetHandleByIndex(i)) for i in range(4)]")
    assert order == [standin.uuid(gpu) for gpu in (3, 2, 0, 1)]
    assert client("nvmlDeviceGetUUID(handle(0))") == standin.uuid(0)
    assert client("nvmlDeviceGetIndex(handle(0))") == 2


def test_mig_devices_have_handles_and_no_meter_of_their_own(standin: Standin, client: Client) -> None:
    assert client("nvmlDeviceGetMigMode(handle(1))") == [0, 0]
    uuids = standin.set_mig(1, [3, 4])
    expected = {
        "nvmlDeviceGetMigMode(handle(1))": [1, 1],
        "nvmlDeviceGetMaxMigDeviceCount(handle(1))": 7,
        "nvmlDeviceGetMaxMigDeviceCount(handle(0))": 0,
        "[nvmlDeviceGetUUID(slice_of(1, i)) for i in range(2)]": uuids,
        "[nvmlDeviceIsMigDeviceHandle(h).value for h in (handle(1), slice_of(1, 0))]": [0, 1],
        "[nvmlDeviceGetGpuInstanceId(slice_of(1, i)) for i in range(2)]": [1, 2],
        "nvmlDeviceGetComputeInstanceId(slice_of(1, 1))": 0,
        "nvmlDeviceGetAttributes_v2(slice_of(1, 1)).gpuInstanceSliceCount": 4,
        f"nvmlDeviceGetIndex(nvmlDeviceGetHandleByUUID('{uuids[1]}'))": 1,
        "nvmlDeviceGetUUID(nvmlDeviceGetDeviceHandleFromMigDeviceHandle(slice_of(1, 0)))": standin.uuid(1),
    }
    assert {call: client(call) for call in expected} == expected
    assert client.outcome("slice_of(1, 2)") == (NOT_FOUND, None)
    assert client.outcome("nvmlDeviceGetTotalEnergyConsumption(slice_of(1, 0))") == (NOT_SUPPORTED, None)
    assert client.outcome("nvmlDeviceGetUtilizationRates(handle(1))") == (NOT_SUPPORTED, None)
    standin.set_mig(1, [])
    assert client.outcome(f"nvmlDeviceGetHandleByUUID('{uuids[0]}')") == (NOT_FOUND, None)


def test_it_is_built_without_a_warning_and_says_in_a_line_why_it_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = (*library.COMPILE, "-Wall", "-Wextra", "-Werror")
    monkeypatch.setattr(library, "COMPILE", strict)
    assert library.build(tmp_path).is_file()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(library.StandinError, match=r"no C compiler: cc: .*install gcc") as raised:
        library.build(tmp_path / "elsewhere")
    assert "\n" not in str(raised.value)
