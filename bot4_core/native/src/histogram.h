/* Latencies counted without locks: count, total, maximum, errors, and percentiles from log buckets (SPEC.md R-09).
 *
 * Values are nanoseconds below 2^44 (almost five hours). A value below 32 has a bucket of its own, above it every
 * power of two is cut into 32 buckets, so a percentile is never more than 1/32 too high and never too low.
 *
 * Any thread of any process may record and read at any time. Memory is the caller's, 64-byte aligned.
 *
 * Atomics: every one is a counter with relaxed order; they publish nothing but themselves (MEMORY.md). `max` is
 * raised by CAS. There is no count word: the count is the sum of the buckets, which spares each record one contended
 * addition and makes percentiles and count agree. */
#ifndef B4_HISTOGRAM_H
#define B4_HISTOGRAM_H

#include <stdatomic.h>

#include "event.h"
#include "status.h"

/* cdef begin */
#define B4_HISTOGRAM_ABI 1
#define B4_HISTOGRAM_BUCKETS 1280
#define B4_HISTOGRAM_LIMIT 17592186044416

typedef struct b4_histogram b4_histogram;

typedef struct b4_histogram_summary {
    int64_t count;
    int64_t total; /* ns; wraps after 584 years of summed latency */
    int64_t max;   /* exact */
    int64_t errors;
    int64_t p50; /* highest value of the bucket the percentile falls into, never above max */
    int64_t p99;
    int64_t p999;
} b4_histogram_summary;

size_t b4_histogram_size(void);
int b4_histogram_init(void *memory, size_t size);
int b4_histogram_check(const b4_histogram *histogram, size_t size);

/* Counts one latency; B4_E_RANGE for a negative one or one at or above B4_HISTOGRAM_LIMIT. */
static inline int b4_histogram_record(b4_histogram *histogram, int64_t ns);
/* Counts an operation that failed. */
static inline int b4_histogram_error(b4_histogram *histogram);
/* Records n latencies; B4_E_RANGE at the first bad one, with those before it counted. */
int b4_histogram_record_batch(b4_histogram *histogram, const int64_t *ns, size_t n);
int b4_histogram_read(const b4_histogram *histogram, b4_histogram_summary *out);
/* The value below or at which `ppm` millionths of the latencies lie (1..1000000); -1 when there are none. */
int64_t b4_histogram_percentile(const b4_histogram *histogram, int64_t ppm);
/* cdef end */

#define B4__SUB_BITS 5
#define B4__SUB (1 << B4__SUB_BITS)

struct b4_histogram {
    uint32_t abi;
    uint32_t buckets_n;
    _Alignas(B4_CACHE_LINE) _Atomic uint64_t total;
    _Alignas(B4_CACHE_LINE) _Atomic uint64_t max;
    _Alignas(B4_CACHE_LINE) _Atomic uint64_t errors;
    _Alignas(B4_CACHE_LINE) _Atomic uint64_t buckets[B4_HISTOGRAM_BUCKETS];
};

_Static_assert(B4_HISTOGRAM_BUCKETS == (44 - B4__SUB_BITS + 1) * B4__SUB, "buckets for every value below 2^44");
_Static_assert(B4_HISTOGRAM_LIMIT == 1ll << 44, "the bound and the buckets agree");

static inline uint32_t b4__bucket_of(uint64_t value)
{
    if (value < B4__SUB)
        return (uint32_t)value;
    int shift = 63 - __builtin_clzll(value) - B4__SUB_BITS;
    return (uint32_t)(shift * B4__SUB + (int)(value >> shift));
}

static inline int b4_histogram_record(b4_histogram *h, int64_t ns)
{
    if (!h)
        return B4_E_NULL;
    if (ns < 0 || ns >= B4_HISTOGRAM_LIMIT)
        return B4_E_RANGE;
    uint64_t value = (uint64_t)ns, seen = atomic_load_explicit(&h->max, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->buckets[b4__bucket_of(value)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->total, value, memory_order_relaxed);
    while (value > seen &&
           !atomic_compare_exchange_weak_explicit(&h->max, &seen, value, memory_order_relaxed, memory_order_relaxed))
        ;
    return B4_OK;
}

static inline int b4_histogram_error(b4_histogram *h)
{
    if (!h)
        return B4_E_NULL;
    atomic_fetch_add_explicit(&h->errors, 1, memory_order_relaxed);
    return B4_OK;
}

#endif
