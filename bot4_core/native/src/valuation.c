/* The cold half of valuation.h: laying out, positions, limits, answers. */
#include "valuation.h"

int b4_valuation_init(void *memory, size_t size, uint32_t n_instruments, uint32_t n_samples, int64_t sample_ns,
                      int64_t cash_mul)
{
    b4_valuation *v = memory;
    if (!v)
        return B4_E_NULL;
    if (!b4__valuation_bounds_ok(n_instruments, n_samples) || sample_ns <= 0 || sample_ns > INT64_MAX / 8 || cash_mul <= 0)
        return B4_E_RANGE;
    if ((uintptr_t)memory % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (size < b4_valuation_size(n_instruments, n_samples))
        return B4_E_SIZE;
    __builtin_memset(v, 0, b4__samples_offset(n_instruments));
    v->abi = B4_VALUATION_ABI;
    v->n_instruments = n_instruments;
    v->n_samples = n_samples;
    v->columns = 3 + n_instruments;
    v->samples_offset = b4__samples_offset(n_instruments);
    v->size = b4_valuation_size(n_instruments, n_samples);
    v->sample_ns = sample_ns;
    v->cash_mul = cash_mul;
    v->guard = -B4__WIDE;
    b4__mark *m = b4__marks(v);
    for (uint32_t i = 0; i < n_instruments; i++) {
        m[i].kinds = B4__MARKABLE;
        m[i].narrow = 1;
    }
    return B4_OK;
}

static int wide(__int128 value)
{
    return value >= B4__WIDE || value <= -B4__WIDE;
}

int b4_valuation_set_cash(b4_valuation *v, int64_t units)
{
    if (!v)
        return B4_E_NULL;
    __int128 equity = v->equity + ((__int128)units - v->cash_units) * v->cash_mul; /* 2^120 + 2^64 * 2^63: fits */
    if (wide(equity))
        return B4_E_OVERFLOW;
    v->equity = equity;
    v->cash_units = units;
    return B4_OK;
}

int b4_valuation_set_position(b4_valuation *v, uint32_t i, int64_t base_units, int64_t mul)
{
    if (!v)
        return B4_E_NULL;
    if (i >= v->n_instruments || mul <= 0)
        return B4_E_RANGE;
    b4__mark *m = &b4__marks(v)[i];
    __int128 coef = (__int128)base_units * mul, value, equity;
    if (__builtin_mul_overflow(coef, (__int128)m->ticks, &value) || wide(value))
        return B4_E_OVERFLOW;
    equity = v->equity - m->coef * m->ticks + value;
    if (wide(equity))
        return B4_E_OVERFLOW;
    if (!m->ticks)
        v->unmarked = v->unmarked + (coef != 0) - (m->coef != 0);
    m->coef = coef;
    m->narrow = coef < B4__NARROW && coef > -B4__NARROW;
    v->equity = equity;
    return B4_OK;
}

int b4_valuation_set_mark_kinds(b4_valuation *v, uint32_t i, uint32_t kinds)
{
    if (!v)
        return B4_E_NULL;
    if (i >= v->n_instruments || kinds & ~B4__MARKABLE)
        return B4_E_RANGE;
    b4__marks(v)[i].kinds = kinds;
    return B4_OK;
}

int b4_valuation_reset_range(b4_valuation *v, uint32_t i)
{
    if (!v)
        return B4_E_NULL;
    if (i >= v->n_instruments)
        return B4_E_RANGE;
    b4__marks(v)[i].low = b4__marks(v)[i].high = 0;
    return B4_OK;
}

int64_t b4_valuation_low_of(const b4_valuation *v, uint32_t i)
{
    return v && i < v->n_instruments ? b4__marks(v)[i].low : B4_NO_VALUE;
}

int64_t b4_valuation_high_of(const b4_valuation *v, uint32_t i)
{
    return v && i < v->n_instruments ? b4__marks(v)[i].high : B4_NO_VALUE;
}

int b4_valuation_set_limit(b4_valuation *v, int64_t ppb)
{
    if (!v)
        return B4_E_NULL;
    if (ppb > 1000000000)
        return B4_E_RANGE;
    v->limit_ppb = ppb;
    v->breached = 0;
    if (v->judged)
        b4__set_guard(v);
    return B4_OK;
}

int b4_valuation_restore_peak(b4_valuation *v, int64_t units)
{
    if (!v)
        return B4_E_NULL;
    __int128 peak = (__int128)units * v->cash_mul;
    if (wide(peak))
        return B4_E_OVERFLOW;
    if (v->judged)
        b4__fold_trough(v);
    v->peak = v->trough = peak;
    v->judged = 1;
    v->breached = 0;
    b4__set_guard(v);
    return B4_OK;
}

int b4_valuation_flush(b4_valuation *v)
{
    if (!v)
        return B4_E_NULL;
    if (!v->bucket_open || !v->judged || v->unmarked)
        return B4_OK; /* nothing judged, nothing to write */
    int rc = b4__sample(v);
    v->flushed = rc == B4_OK;
    return rc;
}

int64_t b4_valuation_equity(const b4_valuation *v)
{
    return v ? b4__units(v, v->equity) : B4_NO_VALUE;
}

int64_t b4_valuation_peak(const b4_valuation *v)
{
    return v && v->judged ? b4__units(v, v->peak) : B4_NO_VALUE;
}

int64_t b4_valuation_exposure(const b4_valuation *v)
{
    return v ? b4__units(v, b4__gross(v)) : B4_NO_VALUE;
}

int64_t b4_valuation_mark_of(const b4_valuation *v, uint32_t i)
{
    return v && i < v->n_instruments ? b4__marks(v)[i].ticks : B4_NO_VALUE;
}

int64_t b4_valuation_drawdown(const b4_valuation *v)
{
    return !v ? B4_NO_VALUE : v->judged ? b4__ppb(v->peak, v->equity) : 0;
}

int64_t b4_valuation_max_drawdown(const b4_valuation *v)
{
    if (!v)
        return B4_NO_VALUE;
    int64_t ppb = v->judged ? b4__ppb(v->peak, v->trough) : 0;
    return ppb > v->max_ppb ? ppb : v->max_ppb;
}

int64_t b4_valuation_breached(const b4_valuation *v)
{
    return v ? v->breached : B4_NO_VALUE;
}

int64_t b4_valuation_unmarked(const b4_valuation *v)
{
    return v ? v->unmarked : B4_NO_VALUE;
}

int64_t b4_valuation_unjudged(const b4_valuation *v)
{
    return v ? v->unjudged : B4_NO_VALUE;
}

int64_t b4_valuation_sample_ns(const b4_valuation *v)
{
    return v ? v->sample_ns : B4_NO_VALUE;
}

const int64_t *b4_valuation_samples(const b4_valuation *v, size_t *rows, size_t *columns)
{
    if (!v || !rows || !columns)
        return NULL;
    *rows = v->rows;
    *columns = v->columns;
    return b4__row(v, 0);
}
