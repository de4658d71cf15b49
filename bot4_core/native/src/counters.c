/* Making, checking and naming; counters.h has the hot half. */
#include "counters.h"

size_t b4_counters_size(uint32_t n)
{
    return n >= 1 && n <= B4_COUNTERS_MAX ? sizeof(struct b4_counters) + (size_t)n * sizeof(b4__counter) : 0;
}

int b4_counters_init(void *memory, size_t size, uint32_t n)
{
    b4_counters *c = memory;
    if (!c)
        return B4_E_NULL;
    if (!b4_counters_size(n))
        return B4_E_RANGE;
    if ((uintptr_t)memory % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (size < b4_counters_size(n))
        return B4_E_SIZE;
    __builtin_memset(memory, 0, b4_counters_size(n));
    c->abi = B4_COUNTERS_ABI;
    c->n = n;
    return B4_OK;
}

int b4_counters_check(const b4_counters *c, size_t size)
{
    if (!c)
        return B4_E_NULL;
    if ((uintptr_t)c % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (size < sizeof *c)
        return B4_E_SIZE;
    if (c->abi != B4_COUNTERS_ABI)
        return B4_E_ABI;
    if (!b4_counters_size(c->n))
        return B4_E_DAMAGED;
    return size < b4_counters_size(c->n) ? B4_E_SIZE : B4_OK;
}

int b4_counters_name(b4_counters *c, uint32_t i, const char *name, size_t size)
{
    if (!c || !name)
        return B4_E_NULL;
    if (i >= c->n || size < 1 || size > B4_COUNTER_NAME)
        return B4_E_RANGE;
    __builtin_memset(c->at[i].name, 0, B4_COUNTER_NAME);
    __builtin_memcpy(c->at[i].name, name, size);
    return B4_OK;
}

int b4_counters_name_of(const b4_counters *c, uint32_t i, char *out)
{
    if (!c || !out)
        return B4_E_NULL;
    if (i >= c->n)
        return B4_E_RANGE;
    __builtin_memcpy(out, c->at[i].name, B4_COUNTER_NAME);
    int size = 0;
    while (size < B4_COUNTER_NAME && c->at[i].name[size])
        size++;
    return size;
}

int b4_counters_count(const b4_counters *c)
{
    return c ? (int)c->n : B4_E_NULL;
}
