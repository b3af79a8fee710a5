/* The exported calls that measure: energy, power, samples and load. */
#include "exported.h"
#include "waveform.h"

#include <limits.h>

/* ---- energy and power ---- */

NUMBER(nvmlDeviceGetTotalEnergyConsumption, begin_gpu, ENERGY, unsigned long long, view.gpu.supports_energy,
       counter_millijoules(&view.gpu, view.now_us))
/* Of a module's GPU alone, whatever the scope of the counter. */
static unsigned int power_usage_mw(const struct gpu *gpu, int64_t now_us)
{
    int64_t shown = gpu->averages_power ? average_power_mw(gpu, now_us) : instant_power_mw(gpu, now_us);
    return (unsigned int)(gpu->module_scope ? shown * gpu->gpu_scope_ppm / 1000000 : shown);
}

NUMBER(nvmlDeviceGetPowerUsage, begin_gpu, POWER, unsigned int, 1, power_usage_mw(&view.gpu, view.now_us))
NUMBER(nvmlDeviceGetEnforcedPowerLimit, begin_gpu, POWER, unsigned int, 1, view.gpu.power_limit_mw)
NUMBER(nvmlDeviceGetPowerManagementLimit, begin_gpu, POWER, unsigned int, 1, view.gpu.power_limit_mw)

/* A fault of the energy counter or of the power sensor shows in the fields that read it. */
static nvmlReturn_t suffer_field(const struct view *view, enum function function)
{
    nvmlReturn_t code = suffer(ALL_GPUS, function);
    return code ? code : suffer(view->gpu_index, function);
}

static nvmlReturn_t put_energy(const struct view *view, nvmlFieldValue_t *field)
{
    nvmlReturn_t code = suffer_field(view, ENERGY);
    if (code)
        return code;
    if (!view->gpu.supports_energy)
        return NVML_ERROR_NOT_SUPPORTED;
    field->valueType = NVML_VALUE_TYPE_UNSIGNED_LONG_LONG;
    field->value.ullVal = counter_millijoules(&view->gpu, view->now_us);
    return NVML_SUCCESS;
}

static nvmlReturn_t put_power(const struct view *view, nvmlFieldValue_t *field)
{
    nvmlReturn_t code = suffer_field(view, POWER);
    if (code)
        return code;
    if (field->scopeId != (view->gpu.module_scope ? NVML_POWER_SCOPE_MODULE : NVML_POWER_SCOPE_GPU))
        return NVML_ERROR_NOT_SUPPORTED;
    if (field->fieldId == NVML_FI_DEV_POWER_AVERAGE && !view->gpu.averages_power)
        return NVML_ERROR_NOT_SUPPORTED;
    field->valueType = NVML_VALUE_TYPE_UNSIGNED_INT;
    switch (field->fieldId) {
    case NVML_FI_DEV_POWER_AVERAGE: field->value.uiVal = average_power_mw(&view->gpu, view->now_us); break;
    case NVML_FI_DEV_POWER_INSTANT: field->value.uiVal = instant_power_mw(&view->gpu, view->now_us); break;
    default: field->value.uiVal = view->gpu.power_limit_mw;
    }
    return NVML_SUCCESS;
}

static nvmlReturn_t put_field(const struct view *view, nvmlFieldValue_t *field)
{
    switch (field->fieldId) {
    case NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION:
    case NVML_FI_DEV_ENERGY:
        return put_energy(view, field);
    case NVML_FI_DEV_POWER_AVERAGE:
    case NVML_FI_DEV_POWER_INSTANT:
    case NVML_FI_DEV_POWER_CURRENT_LIMIT:
        return put_power(view, field);
    default:
        return NVML_ERROR_NOT_SUPPORTED;
    }
}

EXPORT nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, nvmlFieldValue_t *fields)
{
    int64_t started_us = monotonic_us();
    struct view view;
    nvmlReturn_t code = begin_gpu(FIELD_VALUES, device, fields, &view);
    if (code)
        return code;
    if (count < 1)
        return NVML_ERROR_INVALID_ARGUMENT;
    for (int i = 0; i < count; i++) {
        fields[i].nvmlReturn = put_field(&view, &fields[i]);
        fields[i].timestamp = view.now_us + view.system.epoch_offset_us;
        fields[i].latencyUsec = monotonic_us() - started_us;
    }
    return NVML_SUCCESS;
}

/* ---- samples ---- */

/* Of utilization, as older drivers have them: six a second, 100 in the ring. */
enum { UTILIZATION_PERIOD_US = 166667, UTILIZATION_LIMIT = 100 };

/* Oldest first, as many as there is room for, so that a client that goes on from the last stamp it was
 * given misses nothing. Without a buffer it is told how many there are. */
EXPORT nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, int type, unsigned long long last_seen,
                                         int *value_type, unsigned int *count, nvmlSample_t *samples)
{
    struct view view;
    nvmlReturn_t code = begin_gpu(SAMPLES, device, count, &view);
    if (code)
        return code;
    if (!value_type || (samples && *count == 0))
        return NVML_ERROR_INVALID_ARGUMENT;
    int served = view.gpu.module_scope ? NVML_MODULE_POWER_SAMPLES : NVML_TOTAL_POWER_SAMPLES;
    int is_use = type == NVML_GPU_UTILIZATION_SAMPLES && !view.gpu.slice_count;
    if (!view.gpu.supports_samples || !(is_use || type == served))
        return NVML_ERROR_NOT_SUPPORTED;

    int64_t period = is_use ? UTILIZATION_PERIOD_US : view.gpu.sample_period_us;
    int64_t limit = is_use ? UTILIZATION_LIMIT : view.gpu.sample_limit;
    int64_t offset = view.system.epoch_offset_us;
    int64_t last_seen_us = (last_seen > LLONG_MAX / 2 ? LLONG_MAX / 2 : (int64_t)last_seen) - offset;
    struct ring ring = samples_after(&view.gpu, view.now_us, last_seen_us, period, limit);
    if (ring.count == 0)
        return NVML_ERROR_NOT_FOUND;
    *value_type = NVML_VALUE_TYPE_UNSIGNED_INT;
    if (!samples || ring.count < *count)
        *count = (unsigned int)ring.count;
    for (unsigned int i = 0; samples && i < *count; i++) {
        int64_t instant_us = ring.oldest_us + i * period;
        samples[i].timeStamp = (unsigned long long)(instant_us + offset);
        samples[i].sampleValue.uiVal =
            is_use ? utilization_percent(&view.gpu, instant_us) : sample_mw(&view.gpu, instant_us);
    }
    return NVML_SUCCESS;
}

/* ---- load ---- */

EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates)
{
    struct view view;
    nvmlReturn_t code = begin_gpu(UTILIZATION, device, rates, &view);
    if (code)
        return code;
    if (view.gpu.slice_count)
        return NVML_ERROR_NOT_SUPPORTED;
    rates->gpu = rates->memory = utilization_percent(&view.gpu, view.now_us);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned int *celsius)
{
    struct view view;
    nvmlReturn_t code = begin_gpu(OTHER, device, celsius, &view);
    if (!code && sensor != 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (!code)
        *celsius = view.gpu.temperature_celsius;
    return code;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count, void *infos)
{
    (void)infos;
    struct view view;
    nvmlReturn_t code = begin_device(OTHER, device, count, &view);
    if (!code)
        *count = 0;
    return code;
}
