/* Matching against bars: TRADING.md B-1 to B-7 and T-1.
 *
 * The path assumed inside a bar, always the same one, is the worst for us:
 *   1. the open: market orders, limits that arrive marketable, stops the open has gapped over, in order of arrival;
 *   2. stops that the bar's range touches, in order of arrival;
 *   3. resting limits, in order of arrival, each followed by the stop its fill made live.
 * So of a stop and a target within reach of one bar the stop fills (B-5). All our fills of one bar share the
 * participation cap, in that order (B-1). */
#include "model.h"

typedef struct bar {
    int64_t open, high, low;
    int64_t opened; /* ns */
    int64_t left;   /* lots that we may still fill in this bar */
    int compat;
} bar;

/* T-1: working, and at the venue when the bar opened (or made live by this very bar). */
static int eligible(const b4s_order *o, const bar *b)
{
    return b4s_works(o) && o->arrival <= b->opened;
}

/* What the open is to this order: for one made live inside the bar, the price at which that happened. */
static int64_t first_price(const b4s_kernel *k, const b4s_order *o, const bar *b)
{
    return o->born_event == k->event_no ? o->born_price : b->open;
}

static int64_t better(int side, int64_t a, int64_t b)
{
    return side == B4S_BUY ? b4s_min(a, b) : b4s_max(a, b);
}

static int64_t worse(int side, int64_t a, int64_t b)
{
    return side == B4S_BUY ? b4s_max(a, b) : b4s_min(a, b);
}

/* B-1 */
static void fill_market(b4s_kernel *k, b4s_order *o, bar *b)
{
    int64_t price = b4s_adverse(b->open, o->side, k->rules.market_num, k->rules.market_den);
    b->left -= b4s_take(k, o, b->left, price, 0, b->open);
}

/* B-3; a stop-limit only triggers, its limit competes from the next bar (B-4). */
static void fire_stop(b4s_kernel *k, b4s_order *o, bar *b)
{
    b4s_trigger(k, o);
    if (o->type == B4S_STOP_LIMIT) {
        o->fresh = 1;
        o->arrival = k->now;
        return;
    }
    int64_t market = worse(o->side, o->trigger, first_price(k, o, b));
    int64_t price = b4s_adverse(market, o->side, k->rules.slip_num, k->rules.slip_den);
    b->left -= b4s_take(k, o, b->left, price, 0, market);
}

/* B-2, on the first bar a limit meets: taker at the open plus slippage, capped at the limit. */
static void meet_limit(b4s_kernel *k, b4s_order *o, bar *b)
{
    int marketable = o->side == B4S_BUY ? o->price >= b->open : o->price <= b->open;
    o->fresh = 0;
    if (marketable && o->post_only) {
        b4s_end(k, o, B4_KIND_REJECTED, B4_REASON_WOULD_CROSS);
    } else if (marketable) {
        int64_t price = b4s_adverse(b->open, o->side, k->rules.slip_num, k->rules.slip_den);
        b->left -= b4s_take(k, o, b->left, better(o->side, price, o->price), 0, b->open);
    } else if (o->tif == B4S_IOC || o->tif == B4S_FOK) {
        b4s_end(k, o, B4_KIND_CANCELLED, B4_REASON_TIME_IN_FORCE);
    }
}

static int trades_beyond(const b4s_order *o, const bar *b)
{
    return o->side == B4S_BUY ? b->low <= o->price - 1 : b->high >= o->price + 1;
}

/* B-2, resting: the bar must trade beyond the limit; then at the limit, even when the open gaps beyond. */
static void rest_limit(b4s_kernel *k, b4s_order *o, bar *b)
{
    if (!trades_beyond(o, b))
        return;
    int64_t market = better(o->side, o->price, b->open);
    b->left -= b4s_take(k, o, b->left, b->compat ? market : o->price, 1, market);
}

static int touched(const b4s_order *o, const bar *b)
{
    return o->side == B4S_SELL ? b->low <= o->trigger : b->high >= o->trigger;
}

static int gapped(const b4s_kernel *k, const b4s_order *o, const bar *b)
{
    int64_t first = first_price(k, o, b);
    return o->side == B4S_SELL ? first <= o->trigger : first >= o->trigger;
}

static void at_open(b4s_kernel *k, b4s_market *m, bar *b)
{
    for (uint32_t s = m->head; s != B4S_NONE; s = k->orders[s].next) {
        b4s_order *o = &k->orders[s];
        if (!eligible(o, b))
            continue;
        if (b4s_waits_for_stop(o)) {
            if (gapped(k, o, b))
                fire_stop(k, o, b);
        } else if (!b4s_is_limit(o)) {
            fill_market(k, o, b);
        } else if (o->fresh && o->born_event != k->event_no) {
            meet_limit(k, o, b); /* a target made live at this open waits: the stop goes first (B-5) */
        }
    }
}

static void touched_stops(b4s_kernel *k, b4s_market *m, bar *b)
{
    for (uint32_t s = m->head; s != B4S_NONE; s = k->orders[s].next) {
        b4s_order *o = &k->orders[s];
        if (eligible(o, b) && b4s_waits_for_stop(o) && touched(o, b))
            fire_stop(k, o, b);
    }
}

static void limits(b4s_kernel *k, b4s_market *m, bar *b)
{
    for (uint32_t s = m->head; s != B4S_NONE; s = k->orders[s].next) {
        b4s_order *o = &k->orders[s];
        if (!eligible(o, b))
            continue;
        if (b4s_waits_for_stop(o) && touched(o, b))
            fire_stop(k, o, b); /* made live by a limit's fill a moment ago */
        if (!b4s_is_limit(o) || !eligible(o, b))
            continue;
        if (o->fresh)
            meet_limit(k, o, b);
        if (eligible(o, b))
            rest_limit(k, o, b);
    }
}

/* T-2: a cancel that arrived inside the bar acts at its end. */
static void late_cancels(b4s_kernel *k, b4s_market *m)
{
    for (uint32_t s = m->head; s != B4S_NONE; s = k->orders[s].next)
        if (k->orders[s].cancelling && k->orders[s].state == B4S_LIVE)
            b4s_end(k, &k->orders[s], B4_KIND_CANCELLED, B4_REASON_REQUESTED);
}

/* False when nothing can happen to the order in this bar, whatever the path; most bars leave every order alone. */
static int concerned(const b4s_order *o, const bar *b)
{
    if (o->cancelling)
        return 1;
    if (b4s_waits_for_stop(o))
        return touched(o, b);
    return !b4s_is_limit(o) || o->fresh || trades_beyond(o, b);
}

static int concerns_any(const b4s_kernel *k, const b4s_market *m, const bar *b)
{
    for (uint32_t s = m->head; s != B4S_NONE; s = k->orders[s].next)
        if (concerned(&k->orders[s], b))
            return 1;
    return 0;
}

static void match(b4s_kernel *k, b4s_market *m, const b4_event *e)
{
    int64_t volume = e->v[B4_BAR_VOLUME];
    int compat = (int)k->rules.compat;
    bar b = {
        .open = e->v[B4_BAR_OPEN],
        .high = e->v[B4_BAR_HIGH],
        .low = e->v[B4_BAR_LOW],
        .opened = e->ts - m->interval_ns,
        .compat = compat,
    };
    if (!concerns_any(k, m, &b))
        return;
    b.left = compat ? INT64_MAX : b4s_floor(volume, m->spec.share_num, m->spec.share_den);
    k->bar_open = b.opened;
    if (volume > 0 || compat) { /* B-7 */
        at_open(k, m, &b);
        touched_stops(k, m, &b);
        limits(k, m, &b);
    }
    late_cancels(k, m);
}

void b4s_match_bar(b4s_kernel *k, const b4_event *e)
{
    b4s_market *m = &k->markets[e->instrument];
    if (m->head != B4S_NONE)
        match(k, m, e);
    if (e->v[B4_BAR_VOLUME] > 0)
        m->last = e->v[B4_BAR_CLOSE];
}
