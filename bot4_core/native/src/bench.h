/* What an operation costs inside C, for `bot4 bench` (a wheel has no compiler) and for the C programs in the tests.
 *
 * Each case runs `ops` operations per chunk and writes the nanoseconds of each chunk; the caller divides. Bounded by
 * its arguments, on memory of its own on the stack; call it from one thread. */
#ifndef B4_BENCH_H
#define B4_BENCH_H

#include "event.h"
#include "status.h"

/* cdef begin */
#define B4_BENCH_MAX_OPS 1048576

enum {
    B4_BENCH_FETCH_ADD = 0,      /* baseline: one uncontended atomic addition */
    B4_BENCH_SPSC = 1,           /* push and pop of one record */
    B4_BENCH_SPSC_DROP = 2,      /* the same in DROP_OLDEST mode */
    B4_BENCH_HISTOGRAM = 3,      /* record */
    B4_BENCH_LATCH = 4,          /* read the mode */
    B4_BENCH_VALUATION = 5,      /* mark one trade and close its step */
    B4_BENCH_COUNTER = 6,        /* add */
};

/* 0, or B4_E_NULL / B4_E_RANGE. */
int b4_bench_run(int what, size_t ops, int64_t *chunk_ns, size_t chunks);
/* Does nothing: what crossing from Python with two integers costs. */
int b4_bench_nothing(int a, int b);
/* cdef end */

#endif
