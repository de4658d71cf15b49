/* Orders and cancels on their way to the venue, and what the venue says when they arrive. */
#include "model.h"

static int64_t arrival_time(const b4s_kernel *k)
{
    int64_t ts;
    return __builtin_add_overflow(k->now, k->rules.latency_ns, &ts) ? INT64_MAX : ts;
}

static void push(b4s_kernel *k, int errand, int64_t id, uint32_t slot, const b4s_request *r, int reason)
{
    b4s_arrival *a = &k->arrivals[(k->arrival_head + k->arrival_count++) & k->arrival_mask];
    a->ts = arrival_time(k);
    a->id = id;
    a->slot = slot;
    a->errand = (uint8_t)errand;
    a->reason = (uint8_t)reason;
    a->instrument = r ? r->instrument : 0;
    a->side = r ? r->side : 0;
}

static int is_request(const b4s_kernel *k, const b4s_request *r)
{
    int priced = r->type == B4S_LIMIT || r->type == B4S_STOP_LIMIT;
    int stopped = r->type == B4S_STOP || r->type == B4S_STOP_LIMIT;
    return r->id > 0 && r->quantity > 0 && r->price >= 0 && r->trigger >= 0 && r->instrument < k->n_markets &&
           r->side <= B4S_SELL && r->type >= B4S_MARKET && r->type <= B4S_STOP_LIMIT && r->tif >= B4S_GTC &&
           r->tif <= B4S_GTD && (r->price > 0) == priced && (r->trigger > 0) == stopped &&
           (r->expire_ns > 0) == (r->tif == B4S_GTD) && r->stop_id >= 0 && r->target_id >= 0 &&
           (r->stop_ticks > 0) == (r->stop_id > 0) && (r->target_ticks > 0) == (r->target_id > 0) &&
           (!r->post_only || r->type == B4S_LIMIT);
}

static b4s_order *new_order(b4s_kernel *k, const b4s_request *r, int64_t id)
{
    b4s_order *o = &k->orders[b4s_take_slot(k)];
    o->id = id;
    o->ordered = r->quantity;
    o->instrument = r->instrument;
    o->tif = B4S_GTC;
    b4s_index(k, o);
    return o;
}

/* A protective order of an entry: the other side, reduce-only, dormant until the entry fills. */
static uint32_t new_child(b4s_kernel *k, const b4s_request *r, const b4s_order *entry, int64_t id, int type)
{
    if (!id)
        return B4S_NONE;
    b4s_order *child = new_order(k, r, id);
    child->side = r->side == B4S_BUY ? B4S_SELL : B4S_BUY;
    child->type = (uint8_t)type;
    child->trigger = type == B4S_STOP ? r->stop_ticks : 0;
    child->price = type == B4S_LIMIT ? r->target_ticks : 0;
    child->reduce_only = 1;
    child->state = B4S_DORMANT;
    child->parent = b4s_slot(k, entry);
    return b4s_slot(k, child);
}

static void accept(b4s_kernel *k, const b4s_request *r)
{
    b4s_order *o = new_order(k, r, r->id);
    o->remaining = r->quantity;
    o->price = r->price;
    o->trigger = r->trigger;
    o->expire = r->expire_ns;
    o->side = r->side;
    o->type = r->type;
    o->tif = r->tif;
    o->reduce_only = r->reduce_only != 0;
    o->post_only = r->post_only != 0;
    o->state = B4S_WAITING;
    o->stop = new_child(k, r, o, r->stop_id, B4S_STOP);
    o->target = new_child(k, r, o, r->target_id, B4S_LIMIT);
    if (o->stop != B4S_NONE && o->target != B4S_NONE) {
        k->orders[o->stop].sibling = o->target;
        k->orders[o->target].sibling = o->stop;
    }
    push(k, B4S_DO_SUBMIT, r->id, b4s_slot(k, o), r, B4_REASON_NONE);
}

static int repeats_id(const b4s_kernel *k, const b4s_request *r)
{
    const int64_t ids[3] = {r->id, r->stop_id, r->target_id};
    for (int i = 0; i < 3; i++) {
        if (ids[i] && b4s_used_id(k, ids[i]))
            return 1;
        for (int j = 0; j < i; j++)
            if (ids[i] && ids[i] == ids[j])
                return 1;
    }
    return 0;
}

int b4s_submit(b4s_kernel *k, const b4s_request *r)
{
    if (!k || !r)
        return B4_E_NULL;
    if (!is_request(k, r))
        return B4_E_RANGE;
    if (k->arrival_count + 3 > k->arrival_mask + 1)
        return B4_E_STATE;
    k->started = 1;
    uint32_t slots = 1 + (r->stop_id != 0) + (r->target_id != 0);
    int reason = repeats_id(k, r) ? B4_REASON_DUPLICATE_ID : B4_REASON_NONE;
    if (!reason && k->n_open + slots > k->rules.capacity)
        reason = B4_REASON_BOOK_FULL;
    if (!reason) {
        accept(k, r);
    } else {
        push(k, B4S_DO_REFUSE, r->id, B4S_NONE, r, reason);
        if (r->stop_id)
            push(k, B4S_DO_ORPHAN, r->stop_id, B4S_NONE, r, B4_REASON_PARENT_ENDED);
        if (r->target_id)
            push(k, B4S_DO_ORPHAN, r->target_id, B4S_NONE, r, B4_REASON_PARENT_ENDED);
    }
    b4s_remember_id(k, r->id);
    if (r->stop_id)
        b4s_remember_id(k, r->stop_id);
    if (r->target_id)
        b4s_remember_id(k, r->target_id);
    return B4_OK;
}

int b4s_cancel(b4s_kernel *k, int64_t order_id)
{
    if (!k)
        return B4_E_NULL;
    if (k->arrival_count > k->arrival_mask)
        return B4_E_STATE;
    k->started = 1;
    const b4s_order *o = b4s_find(k, order_id);
    b4s_request r = {.instrument = o ? o->instrument : 0, .side = o ? o->side : 0};
    push(k, B4S_DO_CANCEL, order_id, B4S_NONE, &r, B4_REASON_NONE);
    return B4_OK;
}

/* The venue's filters. Orders that only reduce are exempt from the minimum notional: a protective order that the
 * venue refuses would leave a position naked. */
static int filter(const b4s_kernel *k, const b4s_order *o)
{
    const b4s_market *m = &k->markets[o->instrument];
    int64_t price = o->price ? o->price : o->trigger ? o->trigger : m->last, cost;
    if (o->remaining < m->spec.min_lots)
        return B4_REASON_MIN_QUANTITY;
    if (m->spec.max_lots && o->remaining > m->spec.max_lots)
        return B4_REASON_MAX_QUANTITY;
    if (b4s_cost(&m->spec, price, o->remaining, &cost) < 0)
        return B4_REASON_OVERFLOW;
    if (!o->reduce_only && price && cost < m->spec.min_notional)
        return B4_REASON_MIN_NOTIONAL;
    return B4_REASON_NONE;
}

static int refusal(b4s_kernel *k, b4s_order *o)
{
    const b4s_market *m = &k->markets[o->instrument];
    int reason = filter(k, o);
    if (reason)
        return reason;
    if (o->reduce_only && b4s_closable(m, o->side) == 0)
        return B4_REASON_POSITION_CLOSED;
    if (o->post_only && !m->on_bars && b4s_crosses(m, o->side, o->price))
        return B4_REASON_WOULD_CROSS;
    return b4s_admit(k, o);
}

static void arrive_order(b4s_kernel *k, const b4s_arrival *a)
{
    b4s_order *o = &k->orders[a->slot];
    if (o->expire && o->expire < a->ts) {
        b4s_end(k, o, B4_KIND_EXPIRED, B4_REASON_TIME_IN_FORCE);
        return;
    }
    int reason = refusal(k, o);
    if (reason) {
        b4s_end(k, o, B4_KIND_REJECTED, reason);
        return;
    }
    o->arrival = a->ts;
    b4s_place(k, o);
    b4s_append(k, o);
    b4s_report(k, B4_KIND_ACK, a->ts, o, 0, 0);
    if (o->expire)
        k->next_expiry = b4s_min(k->next_expiry, o->expire);
}

/* True while a bar that this order may still fill in is under way: it opened before the cancel arrived. */
static int bar_in_progress(const b4s_kernel *k, const b4s_order *o, int64_t ts)
{
    if (!k->markets[o->instrument].on_bars || !b4s_works(o))
        return 0;
    for (uint32_t i = 0; i < k->n_sources; i++) {
        const b4s_source *s = &k->sources[i];
        int64_t opened = k->heads[i] == INT64_MAX ? INT64_MAX : k->heads[i] - s->interval_ns;
        if (s->instrument == o->instrument && opened < ts && o->arrival <= opened)
            return 1;
    }
    return 0;
}

/* True when the venue has heard of the order; a cancel can be sent before the order it names. */
static int has_arrived(b4s_kernel *k, const b4s_order *o)
{
    const b4s_order *entry = o->state == B4S_DORMANT ? b4s_at(k, o->parent) : o;
    return entry && entry->state != B4S_WAITING;
}

static void arrive_cancel(b4s_kernel *k, const b4s_arrival *a)
{
    b4s_order *o = b4s_find(k, a->id);
    if (!o || !has_arrived(k, o))
        b4s_report_id(k, B4_KIND_CANCEL_REJECTED, a, B4_REASON_UNKNOWN_ORDER);
    else if (bar_in_progress(k, o, a->ts))
        o->cancelling = 1;
    else
        b4s_end(k, o, B4_KIND_CANCELLED, B4_REASON_REQUESTED);
}

/* Room for everything one arrival or one event can report. */
int b4s_has_room(const b4s_kernel *k)
{
    return k->n_reports + B4S_REPORTS_PER_ORDER * (k->n_open + 1) <= B4S_MAX_REPORTS;
}

void b4s_arrive_next(b4s_kernel *k)
{
    b4s_arrival a = k->arrivals[k->arrival_head];
    k->arrival_head = (k->arrival_head + 1) & k->arrival_mask;
    k->arrival_count--;
    k->now = b4s_max(k->now, a.ts);
    if (a.errand == B4S_DO_SUBMIT)
        arrive_order(k, &a);
    else if (a.errand == B4S_DO_CANCEL)
        arrive_cancel(k, &a);
    else
        b4s_report_id(k, a.errand == B4S_DO_REFUSE ? B4_KIND_REJECTED : B4_KIND_CANCELLED, &a, a.reason);
    b4s_sweep(k);
}

static void expire_market(b4s_kernel *k, const b4s_market *m, int64_t due)
{
    for (uint32_t s = m->head; s != B4S_NONE; s = k->orders[s].next) {
        b4s_order *o = &k->orders[s];
        if (o->state != B4S_LIVE || !o->expire)
            continue;
        if (o->expire <= due)
            b4s_end(k, o, B4_KIND_EXPIRED, B4_REASON_TIME_IN_FORCE);
        else
            k->next_expiry = b4s_min(k->next_expiry, o->expire);
    }
}

/* Ends the GTD orders that are due, by instrument and in order of arrival. The caller comes here before any event
 * later than that time: a bar that closes after it never fills them. */
void b4s_expire(b4s_kernel *k)
{
    int64_t due = k->next_expiry;
    k->now = b4s_max(k->now, due);
    k->next_expiry = INT64_MAX;
    for (uint32_t i = 0; i < k->n_markets; i++)
        expire_market(k, &k->markets[i], due);
    b4s_sweep(k);
}
