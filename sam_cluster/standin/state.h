/* The state that the controller writes and every client maps: state.py mirrors it field by field.
 *
 * `system` and `gpus` change under a sequence lock (odd while a change is under way), so that a client
 * sees a change whole or not at all. `faults`, `calls` and `clients` are single atomic words that both
 * sides touch without it. Times are microseconds of the stand-in's one clock; power is in milliwatts. */
#ifndef STANDIN_STATE_H
#define STANDIN_STATE_H

#include <stdatomic.h>
#include <stdint.h>

#define STATE_MAGIC UINT64_C(0x4c4d564e4d4153) /* "SAMNVML" */
#define STATE_VERSION 2

enum { MAX_GPUS = 16, MAX_SLICES = 7, MAX_SEGMENTS = 64, MAX_WAVEFORMS = 8, MAX_EPOCHS = 8, MAX_CLIENTS = 256 };

/* What errors, latencies and call counts are kept for; ANY_FUNCTION acts on them all. */
enum function { INIT, SHUTDOWN, ENUMERATION, UUID, ENERGY, POWER, FIELD_VALUES, SAMPLES, UTILIZATION, OTHER,
                ANY_FUNCTION, FUNCTIONS };

/* The row of the tables below that stands for every GPU, and for calls that concern none. */
enum { ALL_GPUS = MAX_GPUS, ROWS = MAX_GPUS + 1 };

/* An amount of energy, exact: millijoules * 2,000,000 + half_nanojoules, in half nanojoules. */
struct energy {
    int64_t millijoules;
    int64_t half_nanojoules;
};

/* Power runs straight from start_mw to end_mw until the next segment starts. */
struct segment {
    int64_t start_us;
    int32_t start_mw;
    int32_t end_mw;
};

/* What the GPU draws from from_us until the next waveform of the list. */
struct waveform {
    int64_t from_us;
    int64_t period_us; /* 0: not repeated */
    struct energy offset;
    int64_t segment_count;
    struct segment segments[MAX_SEGMENTS];
};

/* A stretch of the energy counter between two resets or changes of its gain. */
struct epoch {
    int64_t at_us;
    int64_t gain_ppm; /* 0: frozen */
    uint64_t base_millijoules;
    struct energy origin; /* what the GPU had drawn at at_us */
};

struct slice {
    char uuid[96];
    uint32_t gpu_instance_id;
    uint32_t compute_instance_id;
    uint32_t slice_count;
};

struct gpu {
    char uuid[96];
    char name[96];
    char serial[32];
    char pci_bus_id[32];
    uint32_t minor_number;
    uint32_t architecture;
    uint32_t power_limit_mw;
    uint32_t idle_mw; /* utilization is 0 up to here */
    uint32_t persistence_mode;
    uint32_t supports_energy;
    uint32_t supports_samples;
    uint32_t averages_power; /* nvmlDeviceGetPowerUsage is a mean over one second */
    uint32_t module_scope;   /* readings are of the whole module, CPU included */
    uint32_t temperature_celsius;
    uint64_t memory_bytes;
    int64_t counter_step_us;
    int64_t counter_phase_us;
    int64_t sensor_period_us;
    int64_t power_gain_ppm;
    int64_t gpu_scope_ppm; /* of a module's power, what nvmlDeviceGetPowerUsage shows of its GPU alone */
    int64_t sample_period_us;
    int64_t sample_limit;
    int64_t slice_count; /* 0: MIG mode is off */
    int64_t waveform_count;
    int64_t epoch_count;
    struct slice slices[MAX_SLICES];
    struct waveform waveforms[MAX_WAVEFORMS]; /* by from_us, the newest last */
    struct epoch epochs[MAX_EPOCHS];          /* by at_us; the later ones are scheduled */
};

struct system {
    int64_t manual_clock; /* 0: CLOCK_BOOTTIME; 1: now_us, which the controller moves */
    int64_t now_us;
    int64_t epoch_offset_us; /* microseconds since 1970 = clock + this */
    char driver_version[80];
    char nvml_version[80];
    int32_t cuda_driver_version;
    uint32_t gpu_count;
    uint32_t order[MAX_GPUS]; /* NVML index -> physical GPU */
};

struct fault {
    _Atomic uint64_t error; /* return code << 32 | how many more times (all ones: for ever) */
    _Atomic int64_t latency_us;
};

struct state {
    uint64_t magic;
    uint64_t version;
    _Atomic uint64_t sequence;
    struct system system;
    struct gpu gpus[MAX_GPUS];
    struct fault faults[ROWS][FUNCTIONS];
    _Atomic uint64_t calls[ROWS][FUNCTIONS];
    _Atomic int32_t clients[MAX_CLIENTS]; /* process ids, 0 = free */
};

#endif
