/* A client's side of the shared state: attaching to it, reading it whole, and suffering its faults. */
#ifndef STANDIN_SESSION_H
#define STANDIN_SESSION_H

#include "abi.h"
#include "state.h"

/* What one call works on: the system and one GPU as they were at one instant. */
struct view {
    int64_t now_us;
    struct system system;
    struct gpu gpu;
    int gpu_index; /* physical */
    int slice;     /* -1: the handle is the GPU's own */
};

nvmlReturn_t session_open(void);
nvmlReturn_t session_close(void);

/* Every exported call starts with one of these three: counts it, waits and fails as the controller has set,
 * and fills the view. `result` is where the answer goes; null is refused. The first serves calls that
 * concern no one GPU and leaves view->gpu alone; the second takes the handle of a GPU or of a MIG slice;
 * the third refuses a slice, as NVML does for whatever only a whole GPU has. */
nvmlReturn_t begin_system(enum function function, const void *result, struct view *view);
nvmlReturn_t begin_device(enum function function, nvmlDevice_t device, const void *result, struct view *view);
nvmlReturn_t begin_gpu(enum function function, nvmlDevice_t device, const void *result, struct view *view);

/* Fills the view with the GPU, now. */
nvmlReturn_t view_gpu(int gpu_index, struct view *view);

/* Waits and fails as is set for this function on this GPU (a row of the table of faults). */
nvmlReturn_t suffer(int row, enum function function);

/* The same, with what is set for any function; for a GPU that a call found by itself. */
nvmlReturn_t suffer_any(int row, enum function function);

nvmlDevice_t device_handle(int gpu_index, int slice);
int64_t monotonic_us(void);

#endif
