/* Bulk calls as Python makes them: the same functions, giving the GIL away when n is large (gil.h says why). */
#ifndef B4_BULK_H
#define B4_BULK_H

#include "gil.h"
#include "valuation.h"

/* cdef begin */
/* b4_valuation_mark_events; from 1024 events on without the GIL, so no other thread may use v meanwhile. */
static inline int b4_bulk_valuation_mark(b4_valuation *v, const void *events, size_t n, size_t stride);
/* cdef end */

static inline int b4_bulk_valuation_mark(b4_valuation *v, const void *events, size_t n, size_t stride)
{
    int rc;
    B4_BULK(n, rc, b4_valuation_mark_events(v, events, n, stride));
    return rc;
}

#endif
