/* The equity curve inside a valuation: buckets, rows, and what happens when there are too many. Included by
 * valuation.h, whose rules hold here; not for use by itself. */
#ifndef B4_VALUATION_CURVE_H
#define B4_VALUATION_CURVE_H

#include "valuation.h"

static inline int64_t *b4__row(const b4_valuation *v, uint32_t row)
{
    return (int64_t *)((char *)v + v->samples_offset) + (size_t)row * v->columns;
}

/* floor(fine / cash_mul) as 64 bits, B4_NO_VALUE when it does not fit. */
static inline int64_t b4__units(const b4_valuation *v, __int128 fine)
{
    __int128 q = fine / v->cash_mul;
    if (q * v->cash_mul > fine)
        q--;
    return q > INT64_MAX || q <= INT64_MIN ? INT64_MIN : (int64_t)q;
}

static inline __int128 b4__gross(const b4_valuation *v)
{
    const b4__mark *m = b4__marks(v);
    __int128 sum = 0;
    for (uint32_t i = 0; i < v->n_instruments; i++) {
        __int128 value = m[i].coef * m[i].ticks; /* below 2^120 each: set_position and mark refuse more */
        if (__builtin_add_overflow(sum, value < 0 ? -value : value, &sum))
            return (__int128)1 << 126;
    }
    return sum;
}

/* Frees rows by doubling the bucket: the last row of each longer bucket stays and takes its end as time, because
 * equity at that end is what was last known before it. */
B4__COLD void b4__thin(b4_valuation *v)
{
    while (v->rows > v->n_samples - v->n_samples / 4 && v->sample_ns <= INT64_MAX / 4) {
        v->sample_ns *= 2;
        uint32_t kept = 0;
        for (uint32_t r = 0; r < v->rows; r++) {
            int64_t *row = b4__row(v, r);
            int64_t over = row[0] % v->sample_ns;
            int64_t end = over ? row[0] + v->sample_ns - over : row[0];
            if (kept && b4__row(v, kept - 1)[0] == end)
                kept--;
            __builtin_memmove(b4__row(v, kept), row, v->columns * sizeof *row);
            b4__row(v, kept++)[0] = end;
        }
        v->rows = kept;
    }
}

/* Writes the open bucket's row from the present marks. */
B4__COLD int b4__sample(b4_valuation *v)
{
    if (v->flushed) {
        v->rows--;
        v->flushed = 0;
    }
    int64_t equity = b4__units(v, v->equity), exposure = b4__units(v, b4__gross(v));
    if (equity == INT64_MIN || exposure == INT64_MIN)
        return B4_E_OVERFLOW;
    if (v->rows == v->n_samples) {
        b4__thin(v);
        if (v->rows == v->n_samples)
            return B4_E_RANGE; /* sample_ns is at its bound: the rows span more than any history */
        int64_t over = v->bucket_end % v->sample_ns;
        if (over)
            v->bucket_end += v->sample_ns - over;
        if (b4__row(v, v->rows - 1)[0] == v->bucket_end)
            v->rows--;
    }
    const b4__mark *m = b4__marks(v);
    int64_t *row = b4__row(v, v->rows++);
    row[0] = v->bucket_end;
    row[1] = equity;
    row[2] = exposure;
    for (uint32_t i = 0; i < v->n_instruments; i++)
        row[3 + i] = m[i].ticks;
    return B4_OK;
}

B4__COLD int b4__next_bucket(b4_valuation *v, int64_t ts)
{
    if (ts > B4__TS_MAX)
        return B4_E_RANGE;
    if (v->bucket_open && !v->unmarked && v->judged) {
        int rc = b4__sample(v);
        if (rc < 0)
            return rc;
        if (ts <= v->bucket_end) { /* thinning made the open bucket long enough for ts: keep it open */
            v->rows--;
            return B4_OK;
        }
    }
    v->flushed = 0;
    int64_t over = ts % v->sample_ns;
    v->bucket_end = over ? ts + (v->sample_ns - over) : ts;
    v->bucket_open = 1;
    return B4_OK;
}

static inline int b4_valuation_roll(b4_valuation *v, int64_t ts)
{
    if (!v)
        return B4_E_NULL;
    if (B4__LIKELY(ts <= v->bucket_end))
        return B4_OK;
    return b4__next_bucket(v, ts);
}

#endif
