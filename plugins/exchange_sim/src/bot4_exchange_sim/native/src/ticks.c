/* Matching against trades and quotes: TRADING.md L-1 to L-4.
 *
 * What an order meets is always an event after the one that caused it. Where an instrument has quotes, takers walk
 * the displayed best size and prints only fill resting limits; where it has trades alone, takers fill at the next
 * print. A stop triggers on the last trade where there are trades, else on the opposite quote, and then is a market
 * order from the next event on. */
#include "model.h"

/* Market data counts in its own units: what we may take is floored to lots, what stands before us rounded up. */
static int64_t lots_down(const b4s_market *m, int64_t units)
{
    return b4s_floor(units, m->spec.volume_num, m->spec.volume_den);
}

static int64_t lots_up(const b4s_market *m, int64_t units)
{
    int64_t lots;
    return b4s_ceil(units, m->spec.volume_num, m->spec.volume_den, &lots) < 0 ? INT64_MAX : lots;
}

static int meets(const b4s_kernel *k, const b4s_order *o, int64_t ts)
{
    return b4s_works(o) && o->arrival <= ts && o->born_event != k->event_no;
}

/* The stop fires; what it has become competes from the next event. */
static void fire_stop(b4s_kernel *k, b4s_order *o)
{
    b4s_trigger(k, o);
    o->born_event = k->event_no;
    if (o->type == B4S_STOP_LIMIT)
        b4s_place(k, o);
}

/* L-3: what we took of a displayed size stays taken, so that only a later increase adds to what we may take; after a
 * decrease all that is left may be what we took. Another price is another level. */
static int64_t still_taken(int64_t taken, int64_t price, int64_t new_price, int64_t new_size)
{
    return price == new_price ? b4s_min(taken, new_size) : 0;
}

static void remember_quote(b4s_market *m, const b4_event *e)
{
    int64_t bid = e->v[B4_QUOTE_BID], ask = e->v[B4_QUOTE_ASK];
    int64_t bid_size = lots_down(m, e->v[B4_QUOTE_BID_SIZE]), ask_size = lots_down(m, e->v[B4_QUOTE_ASK_SIZE]);
    m->bid_taken = still_taken(m->bid_taken, m->bid, bid, bid_size);
    m->ask_taken = still_taken(m->ask_taken, m->ask, ask, ask_size);
    m->bid = bid;
    m->ask = ask;
    m->bid_size = bid_size;
    m->ask_size = ask_size;
    m->bid_queue = lots_up(m, e->v[B4_QUOTE_BID_SIZE]);
    m->ask_queue = lots_up(m, e->v[B4_QUOTE_ASK_SIZE]);
    if (bid && ask)
        m->last = bid + (ask - bid) / 2;
}

/* L-1: the queue before us is never longer than what is displayed at our price, and gone when our price is best. */
static void shorten_queue(const b4s_market *m, b4s_order *o)
{
    int64_t best = o->side == B4S_BUY ? m->bid : m->ask;
    if (!best)
        return;
    if (best == o->price)
        o->ahead = b4s_min(o->ahead, o->side == B4S_BUY ? m->bid_queue : m->ask_queue);
    else if (o->side == B4S_BUY ? best < o->price : best > o->price)
        o->ahead = 0;
}

static void take_quote(b4s_kernel *k, b4s_market *m, b4s_order *o)
{
    int buy = o->side == B4S_BUY;
    int64_t price = buy ? m->ask : m->bid;
    int64_t *taken = buy ? &m->ask_taken : &m->bid_taken;
    int64_t shown = (buy ? m->ask_size : m->bid_size) - *taken;
    if (!price)
        return; /* L-4: an empty side fills nothing */
    if (b4s_is_limit(o) && !b4s_crosses(m, o->side, o->price)) {
        o->fresh = 0;
        if (o->tif == B4S_IOC || o->tif == B4S_FOK)
            b4s_end(k, o, B4_KIND_CANCELLED, B4_REASON_TIME_IN_FORCE);
        return;
    }
    o->fresh = 0;
    *taken += b4s_take(k, o, shown, price, 0, price);
}

/* L-2: a quote through our price fills us at our price, at most the crossing size. */
static void cross_quote(b4s_kernel *k, b4s_market *m, b4s_order *o)
{
    int buy = o->side == B4S_BUY;
    int64_t price = buy ? m->ask : m->bid;
    int64_t *taken = buy ? &m->ask_taken : &m->bid_taken;
    if (price && (buy ? price < o->price : price > o->price))
        *taken += b4s_take(k, o, (buy ? m->ask_size : m->bid_size) - *taken, o->price, 1, price);
}

void b4s_match_quote(b4s_kernel *k, const b4_event *e)
{
    b4s_market *m = &k->markets[e->instrument];
    remember_quote(m, e);
    for (uint32_t s = m->head; s != B4S_NONE; s = k->orders[s].next) {
        b4s_order *o = &k->orders[s];
        if (!meets(k, o, e->ts))
            continue;
        if (b4s_waits_for_stop(o)) {
            int hit = o->side == B4S_SELL ? m->bid && m->bid <= o->trigger : m->ask && m->ask >= o->trigger;
            if (!m->has_trades && hit)
                fire_stop(k, o);
        } else if (!b4s_is_limit(o) || o->fresh) {
            take_quote(k, m, o);
        } else {
            shorten_queue(m, o);
            cross_quote(k, m, o);
        }
    }
}

typedef struct print {
    int64_t price, lots;
    int64_t used; /* lots of it that filled us: one print is never counted twice */
    int sold;     /* the aggressor sold */
} print;

/* Trades alone: a taker fills at the next print, moved against us, at most the print's quantity. */
static void take_print(b4s_kernel *k, b4s_order *o, print *p)
{
    int64_t price = b4s_adverse(p->price, o->side, k->rules.market_num, k->rules.market_den);
    if (b4s_is_limit(o)) {
        int within = o->side == B4S_BUY ? p->price <= o->price : p->price >= o->price;
        o->fresh = 0;
        if (!within) {
            if (o->tif == B4S_IOC || o->tif == B4S_FOK)
                b4s_end(k, o, B4_KIND_CANCELLED, B4_REASON_TIME_IN_FORCE);
            return;
        }
        price = o->side == B4S_BUY ? b4s_min(price, o->price) : b4s_max(price, o->price);
    }
    p->used += b4s_take(k, o, p->lots - p->used, price, 0, p->price);
}

/* L-1 at our price, L-2 through it. */
static void rest_print(b4s_kernel *k, b4s_order *o, print *p)
{
    int buy = o->side == B4S_BUY;
    int through = buy ? p->price < o->price : p->price > o->price;
    int64_t room = 0;
    if (through) {
        room = p->lots - p->used;
    } else if (p->price == o->price && p->sold == buy && o->ahead != B4S_UNKNOWN_AHEAD) {
        room = p->lots - p->used - o->ahead;
        o->ahead = b4s_max(0, o->ahead - p->lots);
    }
    if (room > 0)
        p->used += b4s_take(k, o, room, o->price, 1, p->price);
}

void b4s_match_trade(b4s_kernel *k, const b4_event *e)
{
    b4s_market *m = &k->markets[e->instrument];
    print p = {
        .price = e->v[B4_TRADE_PRICE],
        .lots = lots_down(m, e->v[B4_TRADE_QUANTITY]),
        .sold = (e->flags & B4_FLAG_SELL) != 0,
    };
    m->last = p.price;
    for (uint32_t s = m->head; s != B4S_NONE; s = k->orders[s].next) {
        b4s_order *o = &k->orders[s];
        if (!meets(k, o, e->ts))
            continue;
        if (b4s_waits_for_stop(o)) {
            if (o->side == B4S_SELL ? p.price <= o->trigger : p.price >= o->trigger)
                fire_stop(k, o);
        } else if (b4s_is_limit(o) && !o->fresh) {
            rest_print(k, o, &p);
        } else if (!m->has_quotes) {
            take_print(k, o, &p);
        }
    }
}
