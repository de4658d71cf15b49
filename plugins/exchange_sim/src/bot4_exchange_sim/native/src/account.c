/* The account: what an order may cost at its arrival, what a fill moves. The venue's truth, exact. */
#include "model.h"

static int64_t worst_rate_num(const b4s_rules *r, int64_t *den)
{
    int maker_dearer = (b4s_wide)r->maker_num * r->taker_den > (b4s_wide)r->taker_num * r->maker_den;
    *den = maker_dearer ? r->maker_den : r->taker_den;
    return b4s_max(0, maker_dearer ? r->maker_num : r->taker_num);
}

/* The price a buy may come to cost as far as is known at its arrival: its limit; else the best ask, the stop or the
 * last price, moved against us. 0 when no price is known yet. */
static int64_t worst_price(const b4s_kernel *k, const b4s_order *o)
{
    const b4s_market *m = &k->markets[o->instrument];
    if (o->price)
        return o->price;
    int64_t market = m->ask ? m->ask : m->last;
    if (o->type == B4S_STOP)
        market = b4s_max(market, o->trigger);
    return market ? b4s_adverse(market, 0, k->rules.market_num, k->rules.market_den) : 0;
}

static int buy_lock(const b4s_kernel *k, const b4s_order *o, int64_t *units)
{
    int64_t den, num = worst_rate_num(&k->rules, &den), cost, fee;
    if (b4s_cost(&k->markets[o->instrument].spec, o->lock_price, o->remaining, &cost) < 0 ||
        b4s_ceil(cost, num, den, &fee) < 0 || __builtin_add_overflow(cost, fee, units))
        return B4_E_OVERFLOW;
    return B4_OK;
}

static int lock_of(const b4s_kernel *k, const b4s_order *o, int64_t *units)
{
    *units = 0;
    if (o->remaining == 0)
        return B4_OK;
    if (o->side == B4S_BUY)
        return buy_lock(k, o, units);
    return __builtin_mul_overflow(o->remaining, k->markets[o->instrument].spec.lot_units, units) ? B4_E_OVERFLOW
                                                                                                  : B4_OK;
}

static uint32_t paying_asset(const b4s_kernel *k, const b4s_order *o)
{
    const b4s_instrument *s = &k->markets[o->instrument].spec;
    return o->side == B4S_BUY ? s->quote : s->base;
}

/* Sets aside what the rest of the order needs; less than before, so it cannot overflow after b4s_admit. */
void b4s_relock(b4s_kernel *k, b4s_order *o)
{
    if (!o->locked)
        return;
    int64_t units;
    if (lock_of(k, o, &units) < 0 || units > o->locked)
        units = o->locked;
    k->locked[paying_asset(k, o)] -= o->locked - units;
    o->locked = units;
}

static int spot_admit(b4s_kernel *k, b4s_order *o)
{
    o->lock_price = o->side == B4S_BUY ? worst_price(k, o) : 0;
    int64_t units, locked;
    if (lock_of(k, o, &units) < 0)
        return B4_REASON_OVERFLOW;
    uint32_t asset = paying_asset(k, o);
    if (__builtin_add_overflow(k->locked[asset], units, &locked))
        return B4_REASON_OVERFLOW;
    if (units && locked > k->balances[asset])
        return B4_REASON_INSUFFICIENT_BALANCE;
    k->locked[asset] = locked;
    o->locked = units;
    return B4_REASON_NONE;
}

/* Value at the last price of the larger of: all buys filled, all sells filled. */
static int instrument_exposure(const b4s_kernel *k, uint32_t i, const b4s_order *extra, b4s_wide *value)
{
    const b4s_market *m = &k->markets[i];
    b4s_wide up = m->position, down = m->position;
    for (uint32_t s = m->head; s != B4S_NONE; s = k->orders[s].next) {
        const b4s_order *o = &k->orders[s];
        if (!b4s_works(o) || o->reduce_only)
            continue;
        up += o->side == B4S_BUY ? o->remaining : 0;
        down -= o->side == B4S_SELL ? o->remaining : 0;
    }
    if (extra && extra->side == B4S_BUY)
        up += extra->remaining;
    if (extra && extra->side == B4S_SELL)
        down -= extra->remaining;
    up = up < 0 ? -up : up;
    down = down < 0 ? -down : down;
    b4s_wide lots = up > down ? up : down;
    int64_t price = b4s_max(m->last, extra ? extra->price : 0), units;
    if (lots > INT64_MAX || b4s_cost(&m->spec, price, (int64_t)lots, &units) < 0)
        return B4_E_OVERFLOW;
    *value = units;
    return B4_OK;
}

static int margin_equity(const b4s_kernel *k, b4s_wide *equity)
{
    *equity = k->balances[k->markets[0].spec.quote]; /* one quote asset on a margin account: create.c checks */
    for (uint32_t i = 0; i < k->n_markets; i++) {
        const b4s_market *m = &k->markets[i];
        int64_t lots = k->balances[m->spec.base] / m->spec.lot_units, units;
        if (lots == INT64_MIN || b4s_cost(&m->spec, m->last, lots < 0 ? -lots : lots, &units) < 0)
            return B4_E_OVERFLOW;
        *equity += lots < 0 ? -units : units;
    }
    return B4_OK;
}

/* Initial margin: an order that raises gross exposure is admitted while exposure <= leverage * equity. */
static int margin_admit(const b4s_kernel *k, const b4s_order *o)
{
    b4s_wide after = 0, before = 0, equity, value;
    for (uint32_t i = 0; i < k->n_markets; i++) {
        if (instrument_exposure(k, i, NULL, &value) < 0)
            return B4_REASON_OVERFLOW;
        before += value;
        if (instrument_exposure(k, i, i == o->instrument ? o : NULL, &value) < 0)
            return B4_REASON_OVERFLOW;
        after += value;
    }
    if (margin_equity(k, &equity) < 0)
        return B4_REASON_OVERFLOW;
    if (after <= before)
        return B4_REASON_NONE;
    int fits = after * k->rules.leverage_den <= equity * k->rules.leverage_num;
    return fits ? B4_REASON_NONE : B4_REASON_INSUFFICIENT_MARGIN;
}

/* Sets aside what an arriving order needs; one that only reduces needs nothing, the position itself is what it sells.
 * Answers a reason to refuse, or B4_REASON_NONE. */
int b4s_admit(b4s_kernel *k, b4s_order *o)
{
    if (o->reduce_only)
        return B4_REASON_NONE;
    return k->rules.margin ? margin_admit(k, o) : spot_admit(k, o);
}

static int amounts(const b4s_kernel *k, const b4s_order *o, int64_t lots, int64_t price, int maker, int64_t *cost,
                   int64_t *fee)
{
    const b4s_rules *r = &k->rules;
    if (b4s_cost(&k->markets[o->instrument].spec, price, lots, cost) < 0)
        return B4_E_OVERFLOW;
    return b4s_ceil(*cost, maker ? r->maker_num : r->taker_num, maker ? r->maker_den : r->taker_den, fee);
}

static int fits(const b4s_kernel *k, const b4s_order *o, int64_t lots, int64_t price, int maker, int64_t available)
{
    int64_t cost, fee, total;
    return amounts(k, o, lots, price, maker, &cost, &fee) == B4_OK && !__builtin_add_overflow(cost, fee, &total) &&
           total <= available;
}

/* The most of `lots` that a spot account can pay for, leaving what other orders locked. */
int64_t b4s_affordable(b4s_kernel *k, const b4s_order *o, int64_t lots, int64_t price, int maker)
{
    if (k->rules.margin)
        return lots;
    uint32_t asset = paying_asset(k, o);
    int64_t others = k->locked[asset] - o->locked;
    int64_t available = k->balances[asset] - (o->reduce_only ? 0 : others);
    if (available <= 0)
        return 0;
    if (o->side == B4S_SELL)
        return b4s_min(lots, available / k->markets[o->instrument].spec.lot_units);
    if (fits(k, o, lots, price, maker, available))
        return lots;
    int64_t good = 0, bad = lots; /* cost and fee grow with lots: bisect, at most 63 times, and only when short */
    while (bad - good > 1) {
        int64_t middle = good + (bad - good) / 2;
        if (fits(k, o, middle, price, maker, available))
            good = middle;
        else
            bad = middle;
    }
    return good;
}

/* Moves base, quote and fee of one fill, each once; B4_E_OVERFLOW changes nothing. */
int b4s_book(b4s_kernel *k, const b4s_order *o, int64_t lots, int64_t price, int maker, int64_t *fee, int64_t *cost)
{
    b4s_market *m = &k->markets[o->instrument];
    int64_t base, position, quote_after, base_after;
    int buy = o->side == B4S_BUY;
    if (amounts(k, o, lots, price, maker, cost, fee) < 0 || __builtin_mul_overflow(lots, m->spec.lot_units, &base))
        return B4_E_OVERFLOW;
    b4s_wide quote = (b4s_wide)k->balances[m->spec.quote] + (buy ? -(b4s_wide)*cost : *cost) - *fee;
    if (__builtin_add_overflow(quote, (b4s_wide)0, &quote_after) ||
        __builtin_add_overflow(k->balances[m->spec.base], buy ? base : -base, &base_after) ||
        __builtin_add_overflow(m->position, buy ? lots : -lots, &position))
        return B4_E_OVERFLOW;
    k->balances[m->spec.quote] = quote_after;
    k->balances[m->spec.base] = base_after;
    m->position = position;
    return B4_OK;
}
