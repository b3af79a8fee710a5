/* Energy is counted in half nanojoules. A milliwatt for a microsecond is a nanojoule, so a segment of d
 * microseconds from p to q milliwatts holds exactly (p + q) d of them, and its first x microseconds hold
 *
 *     2 p x + (q - p) x^2 / d
 *
 * where only the last quotient is rounded (down). That is the one rounding there is: the energy drawn up to
 * an instant is a whole number, the same here and in waveform.py, and never more than half a nanojoule below
 * the true integral. Counter, means and samples follow from it. 128 bits are needed for x^2 and for gains. */
#include "waveform.h"

__extension__ typedef __int128 wide;

enum { HALF_NANOJOULES_PER_MILLIJOULE = 2000000, PARTS_PER_MILLION = 1000000, AVERAGE_US = 1000000 };

/* ---- integers ---- */

static wide floor_divide(wide numerator, wide denominator)
{
    return numerator / denominator - (numerator % denominator < 0);
}

/* The last instant of the grid phase + k * step that is not after time. */
static int64_t grid_floor(int64_t time, int64_t step, int64_t phase)
{
    return phase + step * (int64_t)floor_divide(time - phase, step);
}

static wide whole(struct energy energy)
{
    return (wide)energy.millijoules * HALF_NANOJOULES_PER_MILLIJOULE + energy.half_nanojoules;
}

/* ---- one waveform ---- */

/* Length of a segment; 0 for the last one of a waveform that does not repeat, which is flat and endless. */
static int64_t segment_length_us(const struct waveform *waveform, int64_t index)
{
    const struct segment *segment = &waveform->segments[index];
    if (index + 1 < waveform->segment_count)
        return segment[1].start_us - segment->start_us;
    return waveform->period_us ? waveform->segments[0].start_us + waveform->period_us - segment->start_us : 0;
}

/* What the waveform brings by `time`, reckoned from its first segment's start; before that its first power holds. */
static wide waveform_energy(const struct waveform *waveform, int64_t time)
{
    const struct segment *first = &waveform->segments[0];
    int64_t inside = time - first->start_us;
    if (inside < 0)
        return (wide)2 * first->start_mw * inside;

    wide energy = 0;
    if (waveform->period_us) {
        for (int64_t i = 0; i < waveform->segment_count; i++)
            energy += ((wide)first[i].start_mw + first[i].end_mw) * segment_length_us(waveform, i);
        energy *= inside / waveform->period_us;
        inside %= waveform->period_us;
    }
    for (int64_t i = 0; i < waveform->segment_count; i++) {
        int64_t length = segment_length_us(waveform, i);
        if (length && inside >= length) {
            energy += ((wide)first[i].start_mw + first[i].end_mw) * length;
            inside -= length;
            continue;
        }
        energy += (wide)2 * first[i].start_mw * inside;
        if (length)
            energy += floor_divide(((wide)first[i].end_mw - first[i].start_mw) * inside * inside, length);
        break;
    }
    return energy;
}

static int64_t waveform_power_mw(const struct waveform *waveform, int64_t time)
{
    const struct segment *first = &waveform->segments[0];
    int64_t inside = time - first->start_us;
    if (inside < 0)
        return first->start_mw;
    if (waveform->period_us)
        inside %= waveform->period_us;
    int64_t i = 0;
    for (int64_t length; (length = segment_length_us(waveform, i)) && inside >= length; i++)
        inside -= length;
    int64_t length = segment_length_us(waveform, i);
    wide rise = length ? floor_divide(((wide)first[i].end_mw - first[i].start_mw) * inside, length) : 0;
    return first[i].start_mw + (int64_t)rise;
}

/* ---- one GPU: its waveforms one after the other ---- */

static const struct waveform *waveform_at(const struct gpu *gpu, int64_t time)
{
    int64_t i = gpu->waveform_count - 1;
    while (i > 0 && gpu->waveforms[i].from_us > time)
        i--;
    return &gpu->waveforms[i];
}

static wide energy_at(const struct gpu *gpu, int64_t time)
{
    const struct waveform *waveform = waveform_at(gpu, time);
    return whole(waveform->offset) + waveform_energy(waveform, time);
}

static unsigned int sensed_mw(const struct gpu *gpu, wide milliwatts)
{
    return (unsigned int)(milliwatts * gpu->power_gain_ppm / PARTS_PER_MILLION);
}

static unsigned int mean_mw(const struct gpu *gpu, int64_t end_us, int64_t window_us)
{
    wide drawn = energy_at(gpu, end_us) - energy_at(gpu, end_us - window_us);
    return sensed_mw(gpu, drawn / (2 * window_us));
}

/* ---- what NVML shows ---- */

uint64_t counter_millijoules(const struct gpu *gpu, int64_t now_us)
{
    int64_t i = gpu->epoch_count - 1;
    while (i > 0 && gpu->epochs[i].at_us > now_us)
        i--;
    const struct epoch *epoch = &gpu->epochs[i];
    int64_t shown_us = grid_floor(now_us, gpu->counter_step_us, gpu->counter_phase_us);
    if (shown_us < epoch->at_us)
        shown_us = epoch->at_us;
    wide drawn = energy_at(gpu, shown_us) - whole(epoch->origin);
    wide counted = drawn * epoch->gain_ppm / ((wide)PARTS_PER_MILLION * HALF_NANOJOULES_PER_MILLIJOULE);
    return epoch->base_millijoules + (uint64_t)counted;
}

unsigned int instant_power_mw(const struct gpu *gpu, int64_t now_us)
{
    int64_t sensed_us = grid_floor(now_us, gpu->sensor_period_us, 0);
    return sensed_mw(gpu, waveform_power_mw(waveform_at(gpu, sensed_us), sensed_us));
}

unsigned int average_power_mw(const struct gpu *gpu, int64_t now_us)
{
    return mean_mw(gpu, grid_floor(now_us, gpu->sensor_period_us, 0), AVERAGE_US);
}

unsigned int utilization_percent(const struct gpu *gpu, int64_t now_us)
{
    int64_t above_idle = waveform_power_mw(waveform_at(gpu, now_us), now_us) - gpu->idle_mw;
    int64_t range = (int64_t)gpu->power_limit_mw - gpu->idle_mw;
    if (above_idle <= 0)
        return 0;
    if (above_idle >= range)
        return 100;
    return (unsigned int)((100 * above_idle + range - 1) / range);
}

/* A sample is of the period that ends at its instant. The ring holds `limit` of them, and none from before the
 * oldest waveform that the state still has. */
struct ring samples_after(const struct gpu *gpu, int64_t now_us, int64_t last_seen_us, int64_t period, int64_t limit)
{
    int64_t newest = grid_floor(now_us, period, 0);
    int64_t oldest = newest - (limit - 1) * period;
    int64_t first_known = grid_floor(gpu->waveforms[0].from_us - 1, period, 0) + 2 * period;
    int64_t first_unseen = grid_floor(last_seen_us, period, 0) + period;
    if (oldest < first_known)
        oldest = first_known;
    if (oldest < first_unseen)
        oldest = first_unseen;
    return (struct ring){oldest, newest < oldest ? 0 : (newest - oldest) / period + 1};
}

unsigned int sample_mw(const struct gpu *gpu, int64_t instant_us)
{
    return mean_mw(gpu, instant_us, gpu->sample_period_us);
}
