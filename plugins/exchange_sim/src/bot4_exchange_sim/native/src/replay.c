/* The merge of the streams and the loop that runs until somebody has to be woken. */
#include "model.h"

int b4s_window(b4s_kernel *k, int64_t from_ns, int64_t to_ns)
{
    if (!k)
        return B4_E_NULL;
    if (k->started)
        return B4_E_STATE;
    if (from_ns > to_ns)
        return B4_E_RANGE;
    for (uint32_t i = 0; i < k->n_sources; i++) {
        b4s_source *s = &k->sources[i];
        int64_t bounds[2] = {from_ns, to_ns == INT64_MAX ? INT64_MAX : to_ns + 1}, at[2];
        for (int side = 0; side < 2; side++) {
            int64_t low = 0, high = s->count;
            while (low < high) {
                int64_t middle = low + (high - low) / 2;
                if (s->records[middle].ts < bounds[side])
                    low = middle + 1;
                else
                    high = middle;
            }
            at[side] = low;
        }
        s->next = at[0];
        s->end = at[1];
        k->heads[i] = s->next < s->end ? s->records[s->next].ts : INT64_MAX;
    }
    return B4_OK;
}

int b4s_wake_on(b4s_kernel *k, uint32_t instrument, uint32_t kinds)
{
    if (!k)
        return B4_E_NULL;
    if (instrument >= k->n_markets)
        return B4_E_RANGE;
    k->markets[instrument].wake = kinds;
    return B4_OK;
}

int b4s_attach(b4s_kernel *k, uint64_t valuation)
{
    if (!k)
        return B4_E_NULL;
    b4_valuation *v = (b4_valuation *)(uintptr_t)valuation;
    int rc = v ? b4_valuation_check(v) : B4_OK;
    if (rc < 0)
        return rc;
    if (v && v->n_instruments < k->n_markets)
        return B4_E_RANGE;
    k->valuation = v;
    return B4_OK;
}

static int64_t next_event(const b4s_kernel *k)
{
    int64_t ts = INT64_MAX;
    for (uint32_t i = 0; i < k->n_sources; i++)
        ts = b4s_min(ts, k->heads[i]);
    return ts;
}

static int64_t next_arrival(const b4s_kernel *k)
{
    return k->arrival_count ? k->arrivals[k->arrival_head].ts : INT64_MAX;
}

/* After the last event no order expires: there is no market that it could be withdrawn from. */
static int64_t next_expiry(const b4s_kernel *k, int64_t event)
{
    return event == INT64_MAX ? INT64_MAX : k->next_expiry;
}

int64_t b4s_next_ns(const b4s_kernel *k)
{
    if (!k)
        return B4_E_NULL;
    int64_t event = next_event(k);
    return b4s_min(b4s_min(event, next_arrival(k)), next_expiry(k, event));
}

/* Copies all events of one time into the step and matches our orders against each. The streams are sorted by
 * instrument, so that is the order inside the step (D-5). Answers 1 when one of the kinds was asked for, 0 when not,
 * or a refusal. */
static int64_t play_step(b4s_kernel *k, int64_t ts)
{
    int64_t wanted = 0;
    k->n_step = 0;
    k->now = ts;
    for (uint32_t i = 0; i < k->n_sources; i++) {
        b4s_source *s = &k->sources[i];
        for (; k->heads[i] == ts; k->heads[i] = ++s->next < s->end ? s->records[s->next].ts : INT64_MAX) {
            if (k->n_step >= k->rules.step_capacity)
                return B4_E_RANGE; /* the records changed since b4s_scan */
            b4_event *e = &k->step[k->n_step++];
            *e = s->records[s->next];
            e->instrument = s->instrument;
        }
    }
    for (uint32_t n = 0; n < k->n_step; n++) {
        const b4_event *e = &k->step[n];
        b4s_market *m = &k->markets[e->instrument];
        if (!b4s_has_room(k))
            return B4_E_SIZE;
        k->event_no++;
        wanted |= m->wake >> (e->kind & 31) & 1;
        if (e->kind == B4_KIND_BAR && m->on_bars)
            b4s_match_bar(k, e);
        else if (e->kind == B4_KIND_TRADE)
            b4s_match_trade(k, e);
        else if (e->kind == B4_KIND_QUOTE)
            b4s_match_quote(k, e);
        if (k->n_dead)
            b4s_sweep(k);
    }
    k->processed += k->n_step;
    return wanted;
}

static int mark_step(b4s_kernel *k, int64_t ts)
{
    if (!k->valuation)
        return 0;
    for (uint32_t n = 0; n < k->n_step; n++) {
        int rc = b4_valuation_mark(k->valuation, &k->step[n]);
        if (rc < 0)
            return rc;
    }
    return b4_valuation_close_step(k->valuation, ts);
}

static int64_t deliver(b4s_kernel *k, int64_t reasons)
{
    k->delivered = 1;
    return (int64_t)k->n_step | (int64_t)k->n_reports << B4S_REPORTS_SHIFT | reasons;
}

/* Before a timer or the end, reports that did not wake by themselves are handed over. */
static int64_t pause_for(b4s_kernel *k, int64_t reason)
{
    k->n_step = 0;
    return k->n_reports ? deliver(k, 0) : reason;
}

int b4s_wake_at(b4s_kernel *k, int64_t ns)
{
    if (!k)
        return B4_E_NULL;
    k->wake_at = ns;
    return B4_OK;
}

/* `limit` bounds what is looked at without being a timer: the caller comes back for what is later. */
static int64_t replay(b4s_kernel *k, int64_t budget, int64_t limit)
{
    if (!k)
        return B4_E_NULL;
    const int64_t until_ns = b4s_min(k->wake_at, limit);
    k->started = 1;
    if (k->delivered) {
        k->n_reports = 0;
        k->delivered = k->urgent = 0;
    }
    while (budget > 0) {
        int64_t event = next_event(k);
        int64_t arrival = next_arrival(k), expiry = next_expiry(k, event);
        if (event == INT64_MAX && !k->arrival_count)
            return pause_for(k, B4S_FINISHED);
        if (b4s_min(b4s_min(event, arrival), expiry) > until_ns) {
            if (limit < k->wake_at)
                return B4S_MORE;
            k->now = b4s_max(k->now, until_ns);
            return pause_for(k, B4S_TIMER);
        }
        k->n_step = 0;
        if (expiry < event && expiry < arrival) {
            b4s_expire(k);
            budget--;
        } else if (arrival <= event) {
            b4s_arrive_next(k);
            budget--;
            if (next_arrival(k) <= k->now && b4s_has_room(k))
                continue; /* everything that arrives at one time is answered together */
        } else {
            int64_t wanted = play_step(k, event);
            if (wanted < 0)
                return wanted;
            int64_t marked = 0;
            if (!k->urgent && !(wanted && k->n_reports)) {
                int breach = mark_step(k, event);
                if (breach < 0)
                    return breach;
                marked = B4S_MARKED;
                if (breach)
                    return deliver(k, B4S_BREACH | marked);
            }
            budget -= k->n_step + 1;
            if (wanted)
                return deliver(k, marked);
        }
        if (k->urgent || !b4s_has_room(k))
            return deliver(k, 0);
    }
    return B4S_MORE;
}

int64_t b4s_replay(b4s_kernel *k, int64_t budget)
{
    return replay(k, budget, INT64_MAX);
}

int64_t b4s_run(b4s_kernel *k)
{
    return replay(k, B4S_HOT_EVENTS, INT64_MAX);
}

int64_t b4s_run_until(b4s_kernel *k, int64_t until_ns)
{
    return replay(k, B4S_HOT_EVENTS, until_ns);
}
