/* One fill and all that follows from it: money, position, attached orders, the other leg, orders that lost their
 * position. */
#include "model.h"

/* An attached order goes live with its entry's first fill and grows with the later ones (P-2).
 *
 * On bars a stop is live on the bar that filled its entry; a target only when that entry was a market order at the
 * open, otherwise from the next bar (B-5). */
static void arm(b4s_kernel *k, const b4s_order *entry, uint32_t slot, int64_t lots, int64_t market_price)
{
    b4s_order *child = b4s_at(k, slot);
    if (!child || child->state == B4S_ENDED)
        return;
    int same_bar = k->markets[entry->instrument].on_bars && (child->type == B4S_STOP || entry->type == B4S_MARKET);
    child->remaining += lots;
    child->why = 0;
    if (child->state == B4S_LIVE) {
        if (child->type == B4S_LIMIT && !same_bar)
            child->arrival = k->now;
        return;
    }
    child->arrival = same_bar ? k->bar_open : k->now;
    child->born_event = k->event_no;
    child->born_price = market_price;
    b4s_report(k, B4_KIND_ACK, k->now, child, 0, 0);
    b4s_place(k, child);
    if (!same_bar && k->markets[entry->instrument].on_bars)
        child->fresh = 0; /* it rested at the venue since its entry filled */
    b4s_append(k, child);
}

/* The other leg shrinks by what this one filled. */
static void shrink_sibling(b4s_kernel *k, b4s_order *o, int64_t lots)
{
    b4s_order *sibling = b4s_at(k, o->sibling);
    if (!sibling || sibling->state != B4S_LIVE)
        return;
    sibling->remaining -= b4s_min(lots, sibling->remaining);
    sibling->why = B4_REASON_SIBLING_FILLED;
    if (sibling->remaining == 0)
        b4s_release(k, sibling, B4_REASON_SIBLING_FILLED);
}

/* When the position ends or turns, orders that could only reduce it end as well. */
static void position_moved(b4s_kernel *k, b4s_market *m, int64_t before)
{
    if (!((before > 0 && m->position <= 0) || (before < 0 && m->position >= 0)))
        return;
    for (uint32_t s = m->head; s != B4S_NONE; s = k->orders[s].next) {
        b4s_order *o = &k->orders[s];
        if (b4s_works(o) && o->reduce_only && b4s_closable(m, o->side) == 0)
            b4s_release(k, o, B4_REASON_POSITION_CLOSED);
    }
}

static void report_fill(b4s_kernel *k, const b4s_order *o, int64_t lots, int64_t price, int maker, int64_t fee,
                        int64_t cost)
{
    b4s_report(k, B4_KIND_FILL, k->now, o, price, lots);
    b4_event *r = &k->reports[k->n_reports - 1];
    r->flags |= maker ? B4_FLAG_MAKER : 0;
    r->v[3] = fee;
    r->v[4] = ++k->trades;
    r->v[5] = cost;
}

int64_t b4s_fill(b4s_kernel *k, b4s_order *o, int64_t lots, int64_t price, int maker, int64_t market_price)
{
    b4s_market *m = &k->markets[o->instrument];
    int64_t wanted = lots, before = m->position, fee, cost;
    if (o->reduce_only)
        lots = b4s_min(lots, b4s_closable(m, o->side)); /* K-4: never flips */
    int reason = lots < wanted ? B4_REASON_POSITION_CLOSED : B4_REASON_INSUFFICIENT_BALANCE;
    lots = b4s_affordable(k, o, lots, price, maker);
    if (lots == 0 || (o->tif == B4S_FOK && lots < o->remaining)) {
        b4s_release(k, o, reason);
        return 0;
    }
    if (b4s_book(k, o, lots, price, maker, &fee, &cost) < 0) {
        b4s_end(k, o, B4_KIND_CANCELLED, B4_REASON_OVERFLOW);
        return 0;
    }
    o->filled += lots;
    o->remaining -= lots;
    b4s_relock(k, o);
    report_fill(k, o, lots, price, maker, fee, cost);
    arm(k, o, o->stop, lots, market_price);
    arm(k, o, o->target, lots, market_price);
    shrink_sibling(k, o, lots);
    if (o->remaining > 0 && lots < wanted)
        b4s_release(k, o, reason); /* cut to what could be */
    else if (o->remaining == 0 && o->parent == B4S_NONE)
        b4s_settle(k, o);
    position_moved(k, m, before);
    return lots;
}

int64_t b4s_take(b4s_kernel *k, b4s_order *o, int64_t left, int64_t price, int maker, int64_t market_price)
{
    int64_t lots = b4s_min(o->remaining, left);
    if (o->tif == B4S_FOK && lots < o->remaining)
        lots = 0;
    int64_t filled = lots ? b4s_fill(k, o, lots, price, maker, market_price) : 0;
    if (b4s_works(o) && (o->tif == B4S_IOC || o->tif == B4S_FOK))
        b4s_end(k, o, B4_KIND_CANCELLED, B4_REASON_TIME_IN_FORCE);
    return filled;
}

void b4s_trigger(b4s_kernel *k, b4s_order *o)
{
    o->triggered = 1;
    b4s_report(k, B4_KIND_TRIGGERED, k->now, o, o->trigger, 0);
}

/* True when a limit at `price` could take at once from what is known of the market. */
int b4s_crosses(const b4s_market *m, int side, int64_t price)
{
    if (m->has_quotes)
        return side == B4S_BUY ? m->ask && m->ask <= price : m->bid && m->bid >= price;
    return m->last && (side == B4S_BUY ? m->last <= price : m->last >= price);
}

/* L-1: what is displayed at our price stands before us; behind the best price it is unknown; before it, nothing. */
static int64_t queue_ahead(const b4s_market *m, const b4s_order *o)
{
    int64_t best = o->side == B4S_BUY ? m->bid : m->ask;
    if (!best)
        return B4S_UNKNOWN_AHEAD;
    if (best == o->price)
        return o->side == B4S_BUY ? m->bid_queue : m->ask_queue;
    int first = o->side == B4S_BUY ? best < o->price : best > o->price;
    return first ? 0 : B4S_UNKNOWN_AHEAD;
}

void b4s_place(b4s_kernel *k, b4s_order *o)
{
    const b4s_market *m = &k->markets[o->instrument];
    o->ahead = queue_ahead(m, o);
    if (m->on_bars || (m->has_quotes ? !m->bid && !m->ask : !m->last))
        o->fresh = 1; /* judged on the first event it meets */
    else
        o->fresh = (uint8_t)b4s_crosses(m, o->side, o->price);
}
