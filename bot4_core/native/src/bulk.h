/* Bulk calls as Python makes them: the same functions, giving the GIL away when n is large (gil.h says why).
 * While such a call runs, no other thread may use the structure beyond what its header allows. */
#ifndef B4_BULK_H
#define B4_BULK_H

#include "bench.h"
#include "gil.h"
#include "histogram.h"
#include "spsc.h"
#include "valuation.h"

/* cdef begin */
static inline int b4_bulk_valuation_mark(b4_valuation *v, const void *events, size_t n, size_t stride);
static inline int64_t b4_bulk_spsc_push(b4_spsc *ring, const void *events, size_t n);
static inline int64_t b4_bulk_spsc_pop(b4_spsc *ring, void *out, size_t n);
static inline int b4_bulk_spsc_push_all(b4_spsc *ring, const void *events, size_t n);
static inline int64_t b4_bulk_spsc_peek(b4_spsc *ring, void *out, size_t n);
static inline int b4_bulk_histogram_record(b4_histogram *histogram, const int64_t *ns, size_t n);
static inline int b4_bulk_bench_run(int what, size_t ops, int64_t *chunk_ns, size_t chunks);
/* cdef end */

static inline int b4_bulk_valuation_mark(b4_valuation *v, const void *events, size_t n, size_t stride)
{
    int rc;
    B4_BULK(n, rc, b4_valuation_mark_events(v, events, n, stride));
    return rc;
}

static inline int64_t b4_bulk_spsc_push(b4_spsc *ring, const void *events, size_t n)
{
    int64_t rc;
    B4_BULK(n, rc, b4_spsc_push_batch(ring, events, n));
    return rc;
}

static inline int64_t b4_bulk_spsc_pop(b4_spsc *ring, void *out, size_t n)
{
    int64_t rc;
    B4_BULK(n, rc, b4_spsc_pop_batch(ring, out, n));
    return rc;
}

static inline int b4_bulk_spsc_push_all(b4_spsc *ring, const void *events, size_t n)
{
    int rc;
    B4_BULK(n, rc, b4_spsc_push_all(ring, events, n));
    return rc;
}

static inline int64_t b4_bulk_spsc_peek(b4_spsc *ring, void *out, size_t n)
{
    int64_t rc;
    B4_BULK(n, rc, b4_spsc_peek_batch(ring, out, n));
    return rc;
}

static inline int b4_bulk_histogram_record(b4_histogram *histogram, const int64_t *ns, size_t n)
{
    int rc;
    B4_BULK(n, rc, b4_histogram_record_batch(histogram, ns, n));
    return rc;
}

static inline int b4_bulk_bench_run(int what, size_t ops, int64_t *chunk_ns, size_t chunks)
{
    int rc;
    B4_BULK(B4_RELEASE_FROM, rc, b4_bench_run(what, ops, chunk_ns, chunks));
    return rc;
}

#endif
