/* A stand-in for the driver's libnvidia-ml.so.1, for tests: library, enumeration, identity and MIG.
 *
 * Only standin.c and readings.c are exported interface. state.h is what they serve, session.c how a call
 * reads it and fails, waveform.c what the numbers are. */
#include "exported.h"

#include <stdio.h>
#include <string.h>

/* ---- library and system ---- */

EXPORT nvmlReturn_t nvmlInit_v2(void)
{
    return session_open();
}

EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
    (void)flags;
    return session_open();
}

EXPORT nvmlReturn_t nvmlShutdown(void)
{
    return session_close();
}

EXPORT const char *nvmlErrorString(nvmlReturn_t code)
{
    switch (code) {
    case NVML_SUCCESS: return "Success";
    case NVML_ERROR_UNINITIALIZED: return "Uninitialized";
    case NVML_ERROR_INVALID_ARGUMENT: return "Invalid Argument";
    case NVML_ERROR_NOT_SUPPORTED: return "Not Supported";
    case NVML_ERROR_NO_PERMISSION: return "Insufficient Permissions";
    case NVML_ERROR_NOT_FOUND: return "Not Found";
    case NVML_ERROR_INSUFFICIENT_SIZE: return "Insufficient Size";
    case NVML_ERROR_DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case NVML_ERROR_TIMEOUT: return "Timeout";
    case NVML_ERROR_LIBRARY_NOT_FOUND: return "NVML Shared Library Not Found";
    case NVML_ERROR_FUNCTION_NOT_FOUND: return "Function Not Found";
    case NVML_ERROR_GPU_IS_LOST: return "GPU is lost";
    case NVML_ERROR_RESET_REQUIRED: return "GPU requires reset";
    case NVML_ERROR_LIB_RM_VERSION_MISMATCH: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}

EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    struct view view;
    nvmlReturn_t code = begin_system(OTHER, version, &view);
    return code ? code : put_text(version, length, view.system.driver_version);
}

EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length)
{
    struct view view;
    nvmlReturn_t code = begin_system(OTHER, version, &view);
    return code ? code : put_text(version, length, view.system.nvml_version);
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    struct view view;
    nvmlReturn_t code = begin_system(OTHER, version, &view);
    if (!code)
        *version = view.system.cuda_driver_version;
    return code;
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
    return nvmlSystemGetCudaDriverVersion_v2(version);
}

/* ---- enumeration ---- */

static nvmlReturn_t put_handle(nvmlDevice_t *device, int gpu_index, int slice)
{
    nvmlReturn_t code = suffer_any(gpu_index, ENUMERATION);
    if (!code)
        *device = device_handle(gpu_index, slice);
    return code;
}

static unsigned int nvml_index(const struct view *view)
{
    unsigned int index = 0;
    while (index + 1 < view->system.gpu_count && view->system.order[index] != (uint32_t)view->gpu_index)
        index++;
    return index;
}

EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
    struct view view;
    nvmlReturn_t code = begin_system(ENUMERATION, count, &view);
    if (!code)
        *count = view.system.gpu_count;
    return code;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    struct view view;
    nvmlReturn_t code = begin_system(ENUMERATION, device, &view);
    if (code)
        return code;
    if (index >= view.system.gpu_count)
        return NVML_ERROR_INVALID_ARGUMENT;
    return put_handle(device, (int)view.system.order[index], -1);
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device)
{
    struct view view;
    nvmlReturn_t code = begin_system(ENUMERATION, device, &view);
    if (!code && !uuid)
        return NVML_ERROR_INVALID_ARGUMENT;
    for (int i = 0; !code && i < (int)view.system.gpu_count; i++) {
        if ((code = view_gpu(i, &view)))
            return code;
        if (strcmp(view.gpu.uuid, uuid) == 0)
            return put_handle(device, i, -1);
        for (int slice = 0; slice < view.gpu.slice_count; slice++)
            if (strcmp(view.gpu.slices[slice].uuid, uuid) == 0)
                return put_handle(device, i, slice);
    }
    return code ? code : NVML_ERROR_NOT_FOUND;
}

struct pci_address {
    unsigned int domain, bus, device, function;
};

/* domain:bus:device.function, with the domain or the function left out or not, in hexadecimal. */
static int parse_pci_address(const char *text, struct pci_address *address)
{
    *address = (struct pci_address){0};
    if (sscanf(text, "%x:%x:%x.%x", &address->domain, &address->bus, &address->device, &address->function) >= 3)
        return 1;
    *address = (struct pci_address){0};
    return sscanf(text, "%x:%x.%x", &address->bus, &address->device, &address->function) == 3;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device)
{
    struct view view;
    struct pci_address wanted, found;
    nvmlReturn_t code = begin_system(ENUMERATION, device, &view);
    if (!code && !(bus_id && parse_pci_address(bus_id, &wanted)))
        return NVML_ERROR_INVALID_ARGUMENT;
    for (int i = 0; !code && i < (int)view.system.gpu_count; i++) {
        if ((code = view_gpu(i, &view)))
            return code;
        if (parse_pci_address(view.gpu.pci_bus_id, &found) && memcmp(&wanted, &found, sizeof found) == 0)
            return put_handle(device, i, -1);
    }
    return code ? code : NVML_ERROR_NOT_FOUND;
}

NUMBER(nvmlDeviceGetIndex, begin_device, ENUMERATION, unsigned int, 1,
       view.slice < 0 ? nvml_index(&view) : (unsigned int)view.slice)

/* ---- identity ---- */

TEXT(nvmlDeviceGetUUID, begin_device, UUID, view.slice < 0 ? view.gpu.uuid : view.gpu.slices[view.slice].uuid)
TEXT(nvmlDeviceGetName, begin_device, OTHER, view.gpu.name)
TEXT(nvmlDeviceGetSerial, begin_gpu, OTHER, view.gpu.serial)
NUMBER(nvmlDeviceGetMinorNumber, begin_gpu, OTHER, unsigned int, 1, view.gpu.minor_number)
NUMBER(nvmlDeviceGetArchitecture, begin_device, OTHER, unsigned int, 1, view.gpu.architecture)
NUMBER(nvmlDeviceGetBrand, begin_device, OTHER, unsigned int, 1, NVML_BRAND_NVIDIA)
NUMBER(nvmlDeviceGetPersistenceMode, begin_gpu, OTHER, unsigned int, 1, view.gpu.persistence_mode)

EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    struct view view;
    struct pci_address address;
    nvmlReturn_t code = begin_gpu(OTHER, device, pci, &view);
    if (code)
        return code;
    if (!parse_pci_address(view.gpu.pci_bus_id, &address))
        return NVML_ERROR_UNKNOWN;
    memset(pci, 0, sizeof *pci);
    pci->domain = address.domain;
    pci->bus = address.bus;
    pci->device = address.device;
    snprintf(pci->busIdLegacy, sizeof pci->busIdLegacy, "%04X:%02X:%02X.0", address.domain & 0xffff,
             address.bus & 0xff, address.device & 0xff);
    return put_text(pci->busId, sizeof pci->busId, view.gpu.pci_bus_id);
}

static uint64_t memory_bytes(const struct view *view)
{
    return view->slice < 0 ? view->gpu.memory_bytes
                           : view->gpu.memory_bytes * view->gpu.slices[view->slice].slice_count / MAX_SLICES;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    struct view view;
    nvmlReturn_t code = begin_device(OTHER, device, memory, &view);
    if (!code)
        *memory = (nvmlMemory_t){.total = memory_bytes(&view), .free = memory_bytes(&view), .used = 0};
    return code;
}

/* ---- MIG ---- */

EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
    struct view view;
    nvmlReturn_t code = begin_gpu(OTHER, device, current, &view);
    if (code)
        return code;
    if (!pending)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (view.gpu.architecture < NVML_DEVICE_ARCH_AMPERE)
        return NVML_ERROR_NOT_SUPPORTED;
    *current = *pending = view.gpu.slice_count > 0;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index,
                                                        nvmlDevice_t *slice)
{
    struct view view;
    nvmlReturn_t code = begin_gpu(ENUMERATION, device, slice, &view);
    if (code)
        return code;
    if (index >= MAX_SLICES)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (index >= view.gpu.slice_count)
        return NVML_ERROR_NOT_FOUND;
    *slice = device_handle(view.gpu_index, (int)index);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t slice, nvmlDevice_t *device)
{
    struct view view;
    nvmlReturn_t code = begin_device(ENUMERATION, slice, device, &view);
    if (code)
        return code;
    if (view.slice < 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    *device = device_handle(view.gpu_index, -1);
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t slice, nvmlDeviceAttributes_t *attributes)
{
    struct view view;
    nvmlReturn_t code = begin_device(OTHER, slice, attributes, &view);
    if (code)
        return code;
    if (view.slice < 0)
        return NVML_ERROR_NOT_SUPPORTED;
    memset(attributes, 0, sizeof *attributes);
    attributes->gpuInstanceSliceCount = view.gpu.slices[view.slice].slice_count;
    attributes->computeInstanceSliceCount = view.gpu.slices[view.slice].slice_count;
    attributes->memorySizeMB = memory_bytes(&view) >> 20;
    return NVML_SUCCESS;
}

NUMBER(nvmlDeviceGetMaxMigDeviceCount, begin_gpu, OTHER, unsigned int, 1,
       view.gpu.slice_count ? MAX_SLICES : 0)
NUMBER(nvmlDeviceIsMigDeviceHandle, begin_device, OTHER, unsigned int, 1, view.slice >= 0)
NUMBER(nvmlDeviceGetGpuInstanceId, begin_device, OTHER, unsigned int, view.slice >= 0,
       view.gpu.slices[view.slice].gpu_instance_id)
NUMBER(nvmlDeviceGetComputeInstanceId, begin_device, OTHER, unsigned int, view.slice >= 0,
       view.gpu.slices[view.slice].compute_instance_id)
