/* The calls whose work grows with the history, as Python makes them: without the GIL (gil.h says why). */
#ifndef B4S_BULK_H
#define B4S_BULK_H

#include "gil.h"
#include "kernel.h"

/* cdef begin */
/* b4s_run with a budget of B4S_BULK_EVENTS. */
static inline int64_t b4s_run_bulk(b4s_kernel *k);
/* b4s_scan over records given as plain memory. */
static inline int b4s_scan_bulk(const void *records, int64_t n, b4s_scanned *out);
/* cdef end */

static inline int64_t b4s_run_bulk(b4s_kernel *k)
{
    int64_t status;
    B4_BULK(B4S_BULK_EVENTS, status, b4s_replay(k, B4S_BULK_EVENTS));
    return status;
}

static inline int b4s_scan_bulk(const void *records, int64_t n, b4s_scanned *out)
{
    int rc;
    B4_BULK(n, rc, b4s_scan((const b4_event *)records, n, out));
    return rc;
}

#endif
