/* How the exported calls are written: most of them answer with one number or one text. */
#ifndef STANDIN_EXPORTED_H
#define STANDIN_EXPORTED_H

#include "session.h"

#include <string.h>

static inline nvmlReturn_t put_text(char *target, unsigned int length, const char *text)
{
    if (strlen(text) >= length)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(target, text);
    return NVML_SUCCESS;
}

/* BEGIN is one of session.h's begin_...; SUPPORTED and VALUE may use `view`. */
#define NUMBER(NAME, BEGIN, FUNCTION, TYPE, SUPPORTED, VALUE)       \
    EXPORT nvmlReturn_t NAME(nvmlDevice_t device, TYPE *result)     \
    {                                                               \
        struct view view;                                           \
        nvmlReturn_t code = BEGIN(FUNCTION, device, result, &view); \
        if (code)                                                   \
            return code;                                            \
        if (!(SUPPORTED))                                           \
            return NVML_ERROR_NOT_SUPPORTED;                        \
        *result = (TYPE)(VALUE);                                    \
        return NVML_SUCCESS;                                        \
    }

#define TEXT(NAME, BEGIN, FUNCTION, VALUE)                                           \
    EXPORT nvmlReturn_t NAME(nvmlDevice_t device, char *result, unsigned int length) \
    {                                                                                \
        struct view view;                                                            \
        nvmlReturn_t code = BEGIN(FUNCTION, device, result, &view);                  \
        return code ? code : put_text(result, length, VALUE);                        \
    }

#endif
