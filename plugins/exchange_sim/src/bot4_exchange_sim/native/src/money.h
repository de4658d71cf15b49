/* Exact amounts: products in 128 bits, one rounding each, never a float (DECISIONS.md D-3). */
#ifndef B4S_MONEY_H
#define B4S_MONEY_H

#include "kernel.h"

typedef __int128 b4s_wide;

/* Quote units of ticks times lots (both >= 0), half to even. */
static inline int b4s_cost(const b4s_instrument *s, int64_t ticks, int64_t lots, int64_t *out)
{
    b4s_wide product = (b4s_wide)ticks * lots;
    if (__builtin_mul_overflow(product, (b4s_wide)s->cost_num, &product))
        return B4_E_OVERFLOW;
    b4s_wide quotient = product / s->cost_den, twice = product % s->cost_den * 2;
    quotient += twice > s->cost_den || (twice == s->cost_den && (quotient & 1));
    if (quotient > INT64_MAX)
        return B4_E_OVERFLOW;
    *out = (int64_t)quotient;
    return B4_OK;
}

/* value * num / den towards plus infinity: a fee grows, a rebate (num < 0) shrinks, both against us. value >= 0. */
static inline int b4s_ceil(int64_t value, int64_t num, int64_t den, int64_t *out)
{
    b4s_wide product = (b4s_wide)value * num, quotient = product / den;
    quotient += product > 0 && product % den != 0; /* C divides towards zero, which is up for a negative product */
    if (quotient > INT64_MAX || quotient < -INT64_MAX)
        return B4_E_OVERFLOW;
    *out = (int64_t)quotient;
    return B4_OK;
}

/* value * num / den towards zero for value, num >= 0; INT64_MAX when it is more. */
static inline int64_t b4s_floor(int64_t value, int64_t num, int64_t den)
{
    b4s_wide quotient = (b4s_wide)value * num / den;
    return quotient > INT64_MAX ? INT64_MAX : (int64_t)quotient;
}

/* The price moved against us by a ratio, rounded to the tick against us: up for a buy, down (not below one tick)
 * for a sell. */
static inline int64_t b4s_adverse(int64_t ticks, int sell, int64_t num, int64_t den)
{
    b4s_wide product = (b4s_wide)ticks * num;
    b4s_wide move = product / den + (product % den != 0);
    b4s_wide moved = sell ? ticks - move : ticks + move;
    if (moved < 1)
        return 1;
    return moved > INT64_MAX ? INT64_MAX : (int64_t)moved;
}

static inline int64_t b4s_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t b4s_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
