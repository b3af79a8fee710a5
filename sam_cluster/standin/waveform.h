/* What a GPU draws, and what its counter and sensors show of it. Pure functions of a GPU's state and an
 * instant; waveform.py is the same arithmetic in fractions. */
#ifndef STANDIN_WAVEFORM_H
#define STANDIN_WAVEFORM_H

#include "state.h"

/* The sample instants that a query may see: count of them, from oldest_us on, sample_period_us apart. */
struct ring {
    int64_t oldest_us;
    int64_t count;
};

uint64_t counter_millijoules(const struct gpu *gpu, int64_t now_us);
unsigned int instant_power_mw(const struct gpu *gpu, int64_t now_us);
unsigned int average_power_mw(const struct gpu *gpu, int64_t now_us);
unsigned int utilization_percent(const struct gpu *gpu, int64_t now_us);
struct ring samples_after(const struct gpu *gpu, int64_t now_us, int64_t last_seen_us, int64_t period, int64_t limit);
unsigned int sample_mw(const struct gpu *gpu, int64_t instant_us);

#endif
