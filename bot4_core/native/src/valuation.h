/* Equity marked to market, exactly, with its drawdown and its curve.
 *
 * Everything is an integer in "fine" units of 10^-E of the reporting asset, 128 bits wide: equity = cash + the sum
 * over instruments of base_units * mark_ticks * mul. Nothing is rounded on the way; only what leaves (units of the
 * reporting asset, parts per billion) is floored. |equity| and every single position stay below 2^120 fine units; a
 * call that would leave that range is refused with B4_E_OVERFLOW and changes nothing.
 *
 * A time step is: b4_valuation_roll(ts), fills (set_cash, set_position), b4_valuation_mark for each event of ts,
 * b4_valuation_close_step(ts). Only the close judges: a peak seen between two marks of one instant is no peak.
 * While a held position has no mark yet, equity is known to be wrong, so a step judges nothing and is counted.
 *
 * Memory is the caller's, 64-byte aligned, addresses inside are offsets. One thread at a time may call anything here
 * (no atomics; the owner is the engine's thread, which may hand the memory to a replay kernel it calls). The mark
 * path is static inline so that another package's module can run it on the same memory: it must first see
 * b4_valuation_check() return B4_OK. */
#ifndef B4_VALUATION_H
#define B4_VALUATION_H

#include "event.h"
#include "status.h"

/* cdef begin */
#define B4_VALUATION_ABI 1
#define B4_VALUATION_MAX_INSTRUMENTS 4096
#define B4_VALUATION_MIN_SAMPLES 4
#define B4_VALUATION_MAX_SAMPLES 1048576

typedef struct b4_valuation b4_valuation;

/* Bytes the structure needs, 0 when an argument is outside its bound. */
static inline size_t b4_valuation_size(uint32_t n_instruments, uint32_t n_samples);
/* Lays the structure out in `size` bytes at `memory`. sample_ns: length of a curve bucket. cash_mul: fine units in
 * one unit of the reporting asset, 10^(E - its scale). */
int b4_valuation_init(void *memory, size_t size, uint32_t n_instruments, uint32_t n_samples, int64_t sample_ns,
                      int64_t cash_mul);
/* B4_OK when `memory` holds a valuation of this ABI. */
static inline int b4_valuation_check(const b4_valuation *v);

int b4_valuation_set_cash(b4_valuation *v, int64_t units);
/* One tick of instrument i is worth base_units * mul fine units; base_units < 0 is a short position. */
int b4_valuation_set_position(b4_valuation *v, uint32_t i, int64_t base_units, int64_t mul);
/* Bit 1 << B4_KIND_x says that events of that kind mark instrument i; BAR, TRADE and QUOTE can (all by default). */
int b4_valuation_set_mark_kinds(b4_valuation *v, uint32_t i, uint32_t kinds);
/* Drawdown from the peak that breaches, in parts per billion; 0 or less switches the check off. */
int b4_valuation_set_limit(b4_valuation *v, int64_t ppb);
/* Takes `units` for the peak (a persisted one, one rebased after a release, or one moved by a transfer) and forgets
 * the breach. A peak below the present equity gives way at the next step. */
int b4_valuation_restore_peak(b4_valuation *v, int64_t units);

/* Forgets the extremes of instrument i: call when a position opens, then low and high tell what it went through. */
int b4_valuation_reset_range(b4_valuation *v, uint32_t i);

/* Closes the curve's bucket when ts lies beyond it. Call before the fills of ts; mark and close_step call it too. */
static inline int b4_valuation_roll(b4_valuation *v, int64_t ts);
/* Applies one event: a BAR with volume marks at its close, a TRADE at its price, a QUOTE with both sides at the
 * floor of the middle. Others, kinds not asked for, and events older than the mark they would replace do nothing. */
static inline int b4_valuation_mark(b4_valuation *v, const b4_event *event);
/* Ends the time step: peak, trough, breach, curve. 1 while the drawdown is at or beyond the limit, else 0. */
static inline int b4_valuation_close_step(b4_valuation *v, int64_t ts);
/* Marks n events that lie `stride` bytes apart, closing a step whenever ts changes and at the end. Applying the
 * same events twice is harmless. As close_step; 1 when any of the steps breached. */
static inline int b4_valuation_mark_events(b4_valuation *v, const void *events, size_t n, size_t stride);
/* Writes the open bucket to the curve (at the end of a run); a later event of that bucket replaces the row. */
int b4_valuation_flush(b4_valuation *v);

/* Answers in units of the reporting asset, floored; B4_NO_VALUE when v is NULL, nothing was judged yet (peak), or
 * the value does not fit 64 bits. */
int64_t b4_valuation_equity(const b4_valuation *v);
int64_t b4_valuation_peak(const b4_valuation *v);
int64_t b4_valuation_exposure(const b4_valuation *v); /* gross: sum of |position value| */
int64_t b4_valuation_mark_of(const b4_valuation *v, uint32_t i); /* ticks, 0 before the first mark */
int64_t b4_valuation_low_of(const b4_valuation *v, uint32_t i);  /* lowest price since the reset, 0 before one */
int64_t b4_valuation_high_of(const b4_valuation *v, uint32_t i);
/* Parts per billion of the peak, floored; INT64_MAX beyond 64 bits. */
int64_t b4_valuation_drawdown(const b4_valuation *v);
int64_t b4_valuation_max_drawdown(const b4_valuation *v);
int64_t b4_valuation_breached(const b4_valuation *v);  /* 1 from the first breach until set_limit or restore_peak */
int64_t b4_valuation_unmarked(const b4_valuation *v);  /* positions held without a mark */
int64_t b4_valuation_unjudged(const b4_valuation *v);  /* steps that were not judged for that reason */
int64_t b4_valuation_sample_ns(const b4_valuation *v); /* present bucket length: doubles when the curve is full */
/* The curve: *rows rows of 3 + n_instruments words: bucket end, equity, exposure, marks (ticks). A bucket is
 * (end - sample_ns, end], so a bar closing at midnight belongs to the day it ends. */
const int64_t *b4_valuation_samples(const b4_valuation *v, size_t *rows, size_t *columns);
/* cdef end */

#define B4_NO_VALUE INT64_MIN
#define B4__WIDE ((__int128)1 << 120)             /* bound of equity and of one position's value, fine units */
#define B4__TICKS_MAX (((int64_t)1 << 58) - 1)    /* bound of a mark */
#define B4__NARROW ((__int128)1 << 62)            /* |coef| below it times a mark stays below B4__WIDE */
#define B4__TS_MAX (INT64_MAX / 2)                /* the year 2116; leaves room for a bucket's end */
#define B4__MARKABLE (1u << B4_KIND_BAR | 1u << B4_KIND_TRADE | 1u << B4_KIND_QUOTE)

typedef struct b4__mark {
    __int128 coef;  /* fine units per tick */
    int64_t ticks;  /* present mark, 0 = none */
    int64_t ts;     /* of the event that set it */
    uint32_t kinds; /* which kinds mark */
    uint32_t narrow; /* |coef| < 2^62: one multiplication and no overflow to look for */
    int64_t low;     /* extremes of bars and trades since the last reset, 0 = none */
    int64_t high;
} b4__mark;

struct b4_valuation {
    uint32_t abi;
    uint32_t n_instruments;
    __int128 equity;
    __int128 peak;
    __int128 trough;  /* lowest equity judged since the peak */
    __int128 guard;   /* never below the breach level: above it there is nothing to work out */
    __int128 floor;   /* breach level, exact, when floor_known */
    int64_t bucket_end;
    int64_t step_ts;  /* last step judged or skipped */
    int64_t limit_ppb;
    int64_t max_ppb;  /* deepest drawdown below earlier peaks */
    int64_t sample_ns;
    int64_t cash_mul;
    int64_t cash_units;
    int64_t unjudged;
    uint32_t unmarked;
    uint32_t n_samples;
    uint32_t rows;
    uint32_t columns;
    uint64_t samples_offset;
    uint64_t size;
    uint8_t judged;      /* peak and trough hold values */
    uint8_t floor_known;
    uint8_t breached;
    uint8_t bucket_open; /* bucket_end holds a value */
    uint8_t flushed;     /* the last row is the open bucket's */
    uint8_t pad[59];
};

_Static_assert(sizeof(b4__mark) == B4_CACHE_LINE, "one line per instrument");
_Static_assert(sizeof(struct b4_valuation) % B4_CACHE_LINE == 0, "the marks start on a line");

#define B4__COLD static __attribute__((noinline, cold, unused))
#define B4__LIKELY(x) __builtin_expect(!!(x), 1)

static inline b4__mark *b4__marks(const b4_valuation *v)
{
    return (b4__mark *)((char *)v + sizeof *v);
}

static inline int b4__valuation_bounds_ok(uint32_t n_instruments, uint32_t n_samples)
{
    return n_instruments >= 1 && n_instruments <= B4_VALUATION_MAX_INSTRUMENTS &&
           n_samples >= B4_VALUATION_MIN_SAMPLES && n_samples <= B4_VALUATION_MAX_SAMPLES;
}

static inline uint64_t b4__samples_offset(uint32_t n_instruments)
{
    return sizeof(struct b4_valuation) + (uint64_t)n_instruments * sizeof(b4__mark);
}

static inline size_t b4_valuation_size(uint32_t n_instruments, uint32_t n_samples)
{
    if (!b4__valuation_bounds_ok(n_instruments, n_samples))
        return 0;
    return b4__samples_offset(n_instruments) + (size_t)n_samples * (3 + n_instruments) * sizeof(int64_t);
}

static inline int b4_valuation_check(const b4_valuation *v)
{
    if (!v)
        return B4_E_NULL;
    if ((uintptr_t)v % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (v->abi != B4_VALUATION_ABI)
        return B4_E_ABI;
    if (!b4__valuation_bounds_ok(v->n_instruments, v->n_samples) || v->columns != 3 + v->n_instruments ||
        v->size != b4_valuation_size(v->n_instruments, v->n_samples) ||
        v->samples_offset != b4__samples_offset(v->n_instruments) || v->rows > v->n_samples)
        return B4_E_DAMAGED;
    return B4_OK;
}

#include "valuation_curve.h"

/* floor(10^9 * (peak - low) / peak); 0 where no drawdown is defined (peak not positive). Long division by decimal
 * digits, because 10^9 * 2^120 does not fit 128 bits. */
B4__COLD int64_t b4__ppb(__int128 peak, __int128 low)
{
    if (peak <= 0 || low >= peak)
        return 0;
    __int128 fall = peak - low, whole = fall / peak, rest = fall % peak;
    if (whole >= INT64_MAX / 1000000000)
        return INT64_MAX;
    int64_t ppb = (int64_t)whole;
    for (int digit = 0; digit < 9; digit++) {
        rest *= 10;
        ppb = ppb * 10 + (int64_t)(rest / peak);
        rest %= peak;
    }
    return ppb;
}

/* The price at which an event marks, 0 when it marks nothing, negative when it cannot be a price. */
static inline int64_t b4__price(const b4_event *e)
{
    switch (e->kind) {
    case B4_KIND_BAR:
        return e->v[B4_BAR_VOLUME] > 0 ? (e->v[B4_BAR_CLOSE] > 0 ? e->v[B4_BAR_CLOSE] : -1) : 0;
    case B4_KIND_TRADE:
        return e->v[B4_TRADE_PRICE] > 0 ? e->v[B4_TRADE_PRICE] : -1;
    case B4_KIND_QUOTE: {
        int64_t bid = e->v[B4_QUOTE_BID], ask = e->v[B4_QUOTE_ASK];
        if (bid <= 0 || ask <= 0)
            return 0; /* one side is empty: there is no middle */
        return (int64_t)(((uint64_t)bid + (uint64_t)ask) >> 1);
    }
    default:
        return 0;
    }
}

/* equity + coef * delta with the new value of the position inside its range, or B4_E_OVERFLOW. */
static inline int b4__move(const b4__mark *m, int64_t ticks, __int128 equity, __int128 *moved)
{
    int64_t delta = ticks - m->ticks; /* both lie in 0..2^58 */
    __int128 change, value;
    if (B4__LIKELY(m->narrow)) {
        change = (__int128)(int64_t)m->coef * delta;
    } else if (__builtin_mul_overflow(m->coef, (__int128)delta, &change) ||
               __builtin_mul_overflow(m->coef, (__int128)ticks, &value) || value >= B4__WIDE ||
               value <= -B4__WIDE) {
        return B4_E_OVERFLOW;
    }
    equity += change; /* |equity| < 2^120 and |change| <= 2^121: fits */
    if (equity >= B4__WIDE || equity <= -B4__WIDE)
        return B4_E_OVERFLOW;
    *moved = equity;
    return B4_OK;
}

/* Widens the extremes by what one event traded at; quotes are no trades. */
static inline void b4__widen(b4__mark *m, const b4_event *e, int64_t ticks)
{
    int bar = e->kind == B4_KIND_BAR;
    if (e->kind == B4_KIND_QUOTE)
        return;
    int64_t low = bar ? e->v[B4_BAR_LOW] : ticks, high = bar ? e->v[B4_BAR_HIGH] : ticks;
    if (low < m->low || !m->low)
        m->low = low;
    if (high > m->high)
        m->high = high;
}

static inline int b4_valuation_mark(b4_valuation *v, const b4_event *e)
{
    if (!v || !e)
        return B4_E_NULL;
    if (e->instrument >= v->n_instruments)
        return B4_E_RANGE;
    b4__mark *m = &b4__marks(v)[e->instrument];
    if (e->kind > 31 || !(m->kinds >> e->kind & 1) || e->ts < m->ts)
        return B4_OK;
    int64_t ticks = b4__price(e);
    if (ticks == 0)
        return B4_OK;
    if (ticks < 0 || ticks > B4__TICKS_MAX)
        return B4_E_RANGE;
    int rc = b4_valuation_roll(v, e->ts);
    if (rc < 0)
        return rc;
    b4__widen(m, e, ticks);
    if (ticks != m->ticks) {
        if (m->coef) {
            rc = b4__move(m, ticks, v->equity, &v->equity);
            if (rc < 0)
                return rc;
            if (!m->ticks)
                v->unmarked--;
        }
        m->ticks = ticks;
    }
    m->ts = e->ts;
    return B4_OK;
}

/* The exact breach level: equity <= peak - ceil(peak * limit / 10^9) is drawdown >= limit. */
B4__COLD void b4__find_floor(b4_valuation *v)
{
    const int64_t unit = 1000000000;
    __int128 whole = v->peak / unit * v->limit_ppb, rest = v->peak % unit * v->limit_ppb;
    v->floor = v->peak - (whole + (rest + unit - 1) / unit);
    v->floor_known = 1;
}

/* An upper bound of the breach level by a shift, so that a new peak costs no division: 2^-k <= limit. */
static inline void b4__set_guard(b4_valuation *v)
{
    v->floor_known = 0;
    if (v->limit_ppb <= 0 || v->peak <= 0) {
        v->guard = -B4__WIDE;
        return;
    }
    int k = 30 - (63 - __builtin_clzll((unsigned long long)v->limit_ppb)); /* 2^30 > 10^9 */
    v->guard = v->peak - (v->peak >> k);
}

B4__COLD void b4__fold_trough(b4_valuation *v)
{
    int64_t ppb = b4__ppb(v->peak, v->trough);
    if (ppb > v->max_ppb)
        v->max_ppb = ppb;
}

/* Is the drawdown below this peak deeper than any before? Two multiplications spare most divisions. */
static inline int b4__deeper(const b4_valuation *v)
{
    const __int128 small = (__int128)1 << 90;
    if (v->peak >= small || v->trough <= -small || v->max_ppb >= (int64_t)1 << 32)
        return 1;
    return (v->peak - v->trough) * 1000000000 >= v->peak * (v->max_ppb + 1);
}

static inline int b4_valuation_close_step(b4_valuation *v, int64_t ts)
{
    if (!v)
        return B4_E_NULL;
    int rc = b4_valuation_roll(v, ts);
    if (rc < 0)
        return rc;
    if (v->unmarked) {
        v->unjudged += ts > v->step_ts;
        v->step_ts = ts > v->step_ts ? ts : v->step_ts;
        return 0;
    }
    v->step_ts = ts > v->step_ts ? ts : v->step_ts;
    if (!v->judged || v->equity > v->peak) {
        if (v->judged && v->trough < v->peak && b4__deeper(v))
            b4__fold_trough(v);
        v->judged = 1;
        v->peak = v->trough = v->equity;
        b4__set_guard(v);
        return 0;
    }
    if (v->equity < v->trough)
        v->trough = v->equity;
    if (B4__LIKELY(v->equity > v->guard))
        return 0;
    if (v->limit_ppb <= 0 || v->peak <= 0)
        return 0;
    if (!v->floor_known)
        b4__find_floor(v);
    if (v->equity > v->floor)
        return 0;
    v->breached = 1;
    return 1;
}

static inline int b4_valuation_mark_events(b4_valuation *v, const void *events, size_t n, size_t stride)
{
    if (!v || (!events && n))
        return B4_E_NULL;
    if (stride < sizeof(b4_event) || stride % sizeof(int64_t) || (uintptr_t)events % sizeof(int64_t))
        return B4_E_ALIGN;
    const char *at = (const char *)events;
    int hit = 0;
    for (size_t k = 0; k < n; k++, at += stride) {
        const b4_event *e = (const b4_event *)at;
        int rc = b4_valuation_mark(v, e);
        if (rc == B4_OK && (k + 1 == n || ((const b4_event *)(at + stride))->ts != e->ts))
            rc = b4_valuation_close_step(v, e->ts);
        if (rc < 0)
            return rc;
        hit |= rc;
    }
    return hit;
}

#endif
