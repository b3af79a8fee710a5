#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_US = 10000,            /* how soon a waiting call notices that its latency has changed */
    CHANGE_POLL_US = 50,        /* a change of the state takes the controller far less than a millisecond */
    CHANGE_TIMEOUT_US = 2000000 /* by then the controller was killed in the middle of one */
};

static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;
static struct state *shared; /* mapped once, for the life of the process: another thread may be in a call */
static atomic_int initialisations;
static _Atomic int32_t *client;

/* ---- time ---- */

static int64_t clock_us(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int64_t monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

static void nap(int64_t microseconds)
{
    struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&time, NULL);
}

/* ---- the sequence lock ---- */

/* The sequence number once no change is under way, or an odd one if a change never ends. */
static uint64_t settled_sequence(struct state *state)
{
    int64_t give_up_us = 0;
    uint64_t sequence;
    while ((sequence = atomic_load(&state->sequence)) & 1) {
        if (!give_up_us)
            give_up_us = monotonic_us() + CHANGE_TIMEOUT_US;
        if (monotonic_us() > give_up_us)
            break;
        nap(CHANGE_POLL_US);
    }
    return sequence;
}

/* For the controller. The clock is read after a change begins and, by clients, only while none is under
 * way, so that no client can have seen the instant at which a change takes effect. */
EXPORT void standin_change_begin(struct state *state)
{
    for (;;) {
        uint64_t sequence = settled_sequence(state);
        int abandoned = sequence & 1;
        if (abandoned || atomic_compare_exchange_strong(&state->sequence, &sequence, sequence + 1))
            return;
    }
}

EXPORT void standin_change_end(struct state *state)
{
    atomic_fetch_add(&state->sequence, 1);
}

EXPORT size_t standin_state_size(void)
{
    return sizeof(struct state);
}

static nvmlReturn_t read_state(const struct gpu *gpu, struct view *view)
{
    uint64_t sequence;
    do {
        sequence = settled_sequence(shared);
        if (sequence & 1)
            return NVML_ERROR_TIMEOUT;
        /* A copy that a change overtakes may be torn; it is thrown away unread. */
        view->system = shared->system;
        if (gpu)
            view->gpu = *gpu;
        view->now_us = view->system.manual_clock ? view->system.now_us : clock_us(CLOCK_BOOTTIME);
        atomic_thread_fence(memory_order_seq_cst);
    } while (atomic_load(&shared->sequence) != sequence);
    return NVML_SUCCESS;
}

/* ---- faults ---- */

static nvmlReturn_t take_error(struct fault *fault)
{
    uint64_t error = atomic_load(&fault->error);
    uint32_t left;
    do {
        left = (uint32_t)error;
        if (left == 0)
            return NVML_SUCCESS;
    } while (left != UINT32_MAX && !atomic_compare_exchange_weak(&fault->error, &error, error - 1));
    return (nvmlReturn_t)(error >> 32);
}

nvmlReturn_t suffer(int row, enum function function)
{
    struct fault *fault = &shared->faults[row][function];
    int64_t latency = atomic_load(&fault->latency_us);
    if (latency > 0) {
        int64_t started = monotonic_us();
        int64_t left;
        while ((left = atomic_load(&fault->latency_us) - (monotonic_us() - started)) > 0)
            nap(left < POLL_US ? left : POLL_US);
    }
    return take_error(fault);
}

nvmlReturn_t suffer_any(int row, enum function function)
{
    nvmlReturn_t code = suffer(row, function);
    return code ? code : suffer(row, ANY_FUNCTION);
}

static void count_call(int row, enum function function)
{
    atomic_fetch_add(&shared->calls[row][function], 1);
    atomic_fetch_add(&shared->calls[row][ANY_FUNCTION], 1);
}

/* ---- opening and closing ---- */

static nvmlReturn_t map_state(void)
{
    const char *path = getenv("SAM_STANDIN_STATE");
    if (!path)
        return NVML_ERROR_LIBRARY_NOT_FOUND;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return errno == EACCES ? NVML_ERROR_NO_PERMISSION : NVML_ERROR_DRIVER_NOT_LOADED;
    struct stat status;
    struct state *state = MAP_FAILED;
    if (fstat(file, &status) == 0 && status.st_size == (off_t)sizeof *state)
        state = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (state == MAP_FAILED)
        return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    if (state->magic != STATE_MAGIC || state->version != STATE_VERSION) {
        munmap(state, sizeof *state);
        return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
    }
    shared = state;
    return NVML_SUCCESS;
}

/* Takes a place in the table of clients; one left behind by a process that died is free again. */
static void register_client(void)
{
    for (int i = 0; i < MAX_CLIENTS && !client; i++) {
        int32_t holder = atomic_load(&shared->clients[i]);
        if (holder && !(kill(holder, 0) && errno == ESRCH))
            continue;
        if (atomic_compare_exchange_strong(&shared->clients[i], &holder, (int32_t)getpid()))
            client = &shared->clients[i];
    }
}

nvmlReturn_t session_open(void)
{
    pthread_mutex_lock(&opening);
    nvmlReturn_t code = shared ? NVML_SUCCESS : map_state();
    pthread_mutex_unlock(&opening);
    if (code)
        return code;
    count_call(ALL_GPUS, INIT);
    if ((code = suffer_any(ALL_GPUS, INIT)))
        return code;
    pthread_mutex_lock(&opening);
    if (atomic_fetch_add(&initialisations, 1) == 0)
        register_client();
    pthread_mutex_unlock(&opening);
    return NVML_SUCCESS;
}

nvmlReturn_t session_close(void)
{
    if (!atomic_load(&initialisations))
        return NVML_ERROR_UNINITIALIZED;
    count_call(ALL_GPUS, SHUTDOWN);
    nvmlReturn_t code = suffer_any(ALL_GPUS, SHUTDOWN);
    if (code)
        return code;
    pthread_mutex_lock(&opening);
    if (atomic_load(&initialisations) > 0 && atomic_fetch_sub(&initialisations, 1) == 1 && client) {
        atomic_store(client, 0);
        client = NULL;
    }
    pthread_mutex_unlock(&opening);
    return NVML_SUCCESS;
}

/* ---- handles: the address of a byte of this table says which GPU, and which of its slices ---- */

enum { HANDLES_PER_GPU = 1 + MAX_SLICES };
static const char handles[MAX_GPUS * HANDLES_PER_GPU];

nvmlDevice_t device_handle(int gpu_index, int slice)
{
    return &handles[gpu_index * HANDLES_PER_GPU + 1 + slice];
}

/* ---- how a call begins ---- */

nvmlReturn_t view_gpu(int gpu_index, struct view *view)
{
    view->gpu_index = gpu_index;
    view->slice = -1;
    return read_state(&shared->gpus[gpu_index], view);
}

nvmlReturn_t begin_system(enum function function, const void *result, struct view *view)
{
    if (!atomic_load(&initialisations))
        return NVML_ERROR_UNINITIALIZED;
    count_call(ALL_GPUS, function);
    nvmlReturn_t code = suffer_any(ALL_GPUS, function);
    if (code)
        return code;
    return result ? read_state(NULL, view) : NVML_ERROR_INVALID_ARGUMENT;
}

nvmlReturn_t begin_device(enum function function, nvmlDevice_t device, const void *result, struct view *view)
{
    if (!atomic_load(&initialisations))
        return NVML_ERROR_UNINITIALIZED;
    uintptr_t place = (uintptr_t)device - (uintptr_t)handles;
    if (place >= sizeof handles)
        return NVML_ERROR_INVALID_ARGUMENT;
    int gpu_index = (int)(place / HANDLES_PER_GPU);
    count_call(gpu_index, function);
    nvmlReturn_t code = suffer_any(ALL_GPUS, function);
    if (!code)
        code = suffer_any(gpu_index, function);
    if (!code)
        code = result ? view_gpu(gpu_index, view) : NVML_ERROR_INVALID_ARGUMENT;
    if (code)
        return code;
    view->slice = (int)(place % HANDLES_PER_GPU) - 1;
    if (gpu_index >= (int)view->system.gpu_count || view->slice >= view->gpu.slice_count)
        return NVML_ERROR_INVALID_ARGUMENT;
    return NVML_SUCCESS;
}

nvmlReturn_t begin_gpu(enum function function, nvmlDevice_t device, const void *result, struct view *view)
{
    nvmlReturn_t code = begin_device(function, device, result, view);
    return !code && view->slice >= 0 ? NVML_ERROR_NOT_SUPPORTED : code;
}
