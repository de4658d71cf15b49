/* Making and reading; histogram.h has the hot half. */
#include "histogram.h"

size_t b4_histogram_size(void)
{
    return sizeof(struct b4_histogram);
}

int b4_histogram_init(void *memory, size_t size)
{
    b4_histogram *h = memory;
    if (!h)
        return B4_E_NULL;
    if ((uintptr_t)memory % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (size < sizeof *h)
        return B4_E_SIZE;
    __builtin_memset(memory, 0, sizeof *h);
    h->abi = B4_HISTOGRAM_ABI;
    h->buckets_n = B4_HISTOGRAM_BUCKETS;
    return B4_OK;
}

int b4_histogram_check(const b4_histogram *h, size_t size)
{
    if (!h)
        return B4_E_NULL;
    if ((uintptr_t)h % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (size < sizeof *h)
        return B4_E_SIZE;
    if (h->abi != B4_HISTOGRAM_ABI)
        return B4_E_ABI;
    return h->buckets_n == B4_HISTOGRAM_BUCKETS ? B4_OK : B4_E_DAMAGED;
}

int b4_histogram_record_batch(b4_histogram *h, const int64_t *ns, size_t n)
{
    if (!h || (!ns && n))
        return B4_E_NULL;
    for (size_t k = 0; k < n; k++) {
        int rc = b4_histogram_record(h, ns[k]);
        if (rc < 0)
            return rc;
    }
    return B4_OK;
}

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t count_of(const b4_histogram *h)
{
    uint64_t count = 0;
    for (int b = 0; b < B4_HISTOGRAM_BUCKETS; b++)
        count += get(&h->buckets[b]);
    return count;
}

/* Highest value that falls into a bucket. */
static int64_t top_of(int bucket)
{
    if (bucket < 2 * B4__SUB)
        return bucket;
    int shift = bucket / B4__SUB - 1;
    return ((int64_t)(bucket - shift * B4__SUB + 1) << shift) - 1;
}

/* The value of the rank-th smallest latency, counting from 1. Counts only grow, so walking again after count_of
 * meets the rank at the latest where it was. */
static int64_t value_at(const b4_histogram *h, uint64_t rank)
{
    uint64_t below = 0;
    int64_t max = (int64_t)get(&h->max);
    for (int b = 0; b < B4_HISTOGRAM_BUCKETS; b++) {
        below += get(&h->buckets[b]);
        if (below >= rank)
            return top_of(b) < max ? top_of(b) : max;
    }
    return max;
}

static uint64_t rank_of(uint64_t count, int64_t ppm)
{
    return (uint64_t)(((unsigned __int128)count * (uint64_t)ppm + 999999) / 1000000);
}

int64_t b4_histogram_percentile(const b4_histogram *h, int64_t ppm)
{
    if (!h || ppm < 1 || ppm > 1000000)
        return B4_E_RANGE;
    uint64_t count = count_of(h);
    return count ? value_at(h, rank_of(count, ppm)) : -1;
}

int b4_histogram_read(const b4_histogram *h, b4_histogram_summary *out)
{
    if (!h || !out)
        return B4_E_NULL;
    uint64_t count = count_of(h);
    out->count = (int64_t)count;
    out->total = (int64_t)get(&h->total);
    out->max = (int64_t)get(&h->max);
    out->errors = (int64_t)get(&h->errors);
    out->p50 = count ? value_at(h, rank_of(count, 500000)) : 0;
    out->p99 = count ? value_at(h, rank_of(count, 990000)) : 0;
    out->p999 = count ? value_at(h, rank_of(count, 999000)) : 0;
    return B4_OK;
}
