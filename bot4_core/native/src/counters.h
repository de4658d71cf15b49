/* Named counters, each on a cache line of its own with its name (SPEC.md R-06).
 *
 * Any thread of any process may add, set and read at any time; names are written once, before anyone else sees the
 * memory. Memory is the caller's, 64-byte aligned.
 *
 * Atomics: `value` with relaxed order for add and get; set releases and get acquires, so a heartbeat or a state word
 * read here shows what its writer did before (partner of each: the other function). */
#ifndef B4_COUNTERS_H
#define B4_COUNTERS_H

#include <stdatomic.h>

#include "event.h"
#include "status.h"

/* cdef begin */
#define B4_COUNTERS_ABI 1
#define B4_COUNTERS_MAX 4096
#define B4_COUNTER_NAME 56

typedef struct b4_counters b4_counters;

/* Bytes for n counters, 1 to B4_COUNTERS_MAX; 0 otherwise. */
size_t b4_counters_size(uint32_t n);
int b4_counters_init(void *memory, size_t size, uint32_t n);
int b4_counters_check(const b4_counters *counters, size_t size);
/* Names counter i (1 to 56 bytes); before others attach. */
int b4_counters_name(b4_counters *counters, uint32_t i, const char *name, size_t size);
/* Copies the name (at most 56 bytes) and returns its length. */
int b4_counters_name_of(const b4_counters *counters, uint32_t i, char *out);
int b4_counters_count(const b4_counters *counters);

static inline int b4_counters_add(b4_counters *counters, uint32_t i, int64_t by);
static inline int b4_counters_set(b4_counters *counters, uint32_t i, int64_t value);
/* The value into *out. */
static inline int b4_counters_get(const b4_counters *counters, uint32_t i, int64_t *out);
/* cdef end */

typedef struct b4__counter {
    _Atomic int64_t value;
    char name[B4_COUNTER_NAME]; /* zero-padded, constant: sharing the line with it costs nothing */
} b4__counter;

struct b4_counters {
    uint32_t abi;
    uint32_t n;
    _Alignas(B4_CACHE_LINE) b4__counter at[];
};

_Static_assert(sizeof(b4__counter) == B4_CACHE_LINE, "one line per counter");

static inline int b4_counters_add(b4_counters *c, uint32_t i, int64_t by)
{
    if (!c)
        return B4_E_NULL;
    if (i >= c->n)
        return B4_E_RANGE;
    atomic_fetch_add_explicit(&c->at[i].value, by, memory_order_relaxed);
    return B4_OK;
}

static inline int b4_counters_set(b4_counters *c, uint32_t i, int64_t value)
{
    if (!c)
        return B4_E_NULL;
    if (i >= c->n)
        return B4_E_RANGE;
    atomic_store_explicit(&c->at[i].value, value, memory_order_release);
    return B4_OK;
}

static inline int b4_counters_get(const b4_counters *c, uint32_t i, int64_t *out)
{
    if (!c || !out)
        return B4_E_NULL;
    if (i >= c->n)
        return B4_E_RANGE;
    *out = atomic_load_explicit(&c->at[i].value, memory_order_acquire);
    return B4_OK;
}

#endif
