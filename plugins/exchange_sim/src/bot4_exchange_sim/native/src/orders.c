/* Our open orders: slots, lookup by id, one list per instrument in order of arrival, reports, ends. */
#include "model.h"

#include <string.h>

uint32_t b4s_take_slot(b4s_kernel *k)
{
    uint32_t slot = k->free_slot;
    b4s_order *o = &k->orders[slot];
    k->free_slot = o->next;
    memset(o, 0, sizeof *o);
    o->next = o->prev = o->parent = o->stop = o->target = o->sibling = B4S_NONE;
    k->n_open++;
    return slot;
}

void b4s_free_slot(b4s_kernel *k, uint32_t slot)
{
    k->orders[slot].state = B4S_FREE;
    k->orders[slot].next = k->free_slot;
    k->free_slot = slot;
    k->n_open--;
}

/* Ids are remembered in a ring of bits over the newest B4S_SEEN_IDS numbers. */
int b4s_used_id(const b4s_kernel *k, int64_t id)
{
    if (id > k->newest_id)
        return 0;
    if (k->newest_id - id >= B4S_SEEN_IDS)
        return 1;
    uint32_t bit = (uint32_t)id & (B4S_SEEN_IDS - 1);
    return k->seen[bit / 64] >> (bit % 64) & 1;
}

void b4s_remember_id(b4s_kernel *k, int64_t id)
{
    if (id > k->newest_id) {
        if (id - k->newest_id >= B4S_SEEN_IDS) {
            memset(k->seen, 0, B4S_SEEN_IDS / 8);
        } else {
            for (int64_t skipped = k->newest_id + 1; skipped <= id; skipped++) {
                uint32_t bit = (uint32_t)skipped & (B4S_SEEN_IDS - 1);
                k->seen[bit / 64] &= ~(1ull << (bit % 64));
            }
        }
        k->newest_id = id;
    }
    uint32_t bit = (uint32_t)id & (B4S_SEEN_IDS - 1);
    k->seen[bit / 64] |= 1ull << (bit % 64);
}

static uint32_t home(const b4s_kernel *k, int64_t id)
{
    return (uint32_t)((uint64_t)id * 0x9E3779B97F4A7C15ull >> 32) & k->id_mask;
}

void b4s_index(b4s_kernel *k, const b4s_order *o)
{
    uint32_t at = home(k, o->id);
    while (k->by_id[at] != B4S_NONE)
        at = (at + 1) & k->id_mask;
    k->by_id[at] = b4s_slot(k, o);
}

static uint32_t find_place(const b4s_kernel *k, int64_t id)
{
    uint32_t at = home(k, id);
    while (k->by_id[at] != B4S_NONE && k->orders[k->by_id[at]].id != id)
        at = (at + 1) & k->id_mask;
    return at;
}

b4s_order *b4s_find(b4s_kernel *k, int64_t id)
{
    return b4s_at(k, k->by_id[find_place(k, id)]);
}

/* Linear probing without tombstones: what follows the hole moves back unless it already stands at home. */
static void unindex(b4s_kernel *k, int64_t id)
{
    uint32_t hole = find_place(k, id);
    if (k->by_id[hole] == B4S_NONE)
        return;
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & k->id_mask;
        if (k->by_id[at] == B4S_NONE)
            break;
        uint32_t wants = home(k, k->orders[k->by_id[at]].id);
        if (((at - wants) & k->id_mask) >= ((at - hole) & k->id_mask)) {
            k->by_id[hole] = k->by_id[at];
            hole = at;
        }
    }
    k->by_id[hole] = B4S_NONE;
}

void b4s_append(b4s_kernel *k, b4s_order *o)
{
    b4s_market *m = &k->markets[o->instrument];
    uint32_t slot = b4s_slot(k, o);
    o->prev = m->tail;
    o->next = B4S_NONE;
    if (m->tail == B4S_NONE)
        m->head = slot;
    else
        k->orders[m->tail].next = slot;
    m->tail = slot;
    o->state = B4S_LIVE;
}

static void unlink_order(b4s_kernel *k, b4s_order *o)
{
    b4s_market *m = &k->markets[o->instrument];
    if (o->prev == B4S_NONE && m->head != b4s_slot(k, o))
        return; /* it never was in the list: waiting or dormant to its end */
    if (o->prev == B4S_NONE)
        m->head = o->next;
    else
        k->orders[o->prev].next = o->next;
    if (o->next == B4S_NONE)
        m->tail = o->prev;
    else
        k->orders[o->next].prev = o->prev;
}

static b4_event *new_report(b4s_kernel *k, int kind, int64_t ts)
{
    b4_event *r = &k->reports[k->n_reports++]; /* b4s_has_room was asked before the event */
    memset(r, 0, sizeof *r);
    r->ts = ts;
    r->kind = (uint16_t)kind;
    k->urgent |= kind != B4_KIND_ACK;
    return r;
}

void b4s_report(b4s_kernel *k, int kind, int64_t ts, const b4s_order *o, int64_t v1, int64_t v2)
{
    b4_event *r = new_report(k, kind, ts);
    r->instrument = o->instrument;
    r->flags = o->side == B4S_SELL ? B4_FLAG_SELL : 0;
    r->v[0] = o->id;
    r->v[1] = v1;
    r->v[2] = v2;
}

void b4s_report_id(b4s_kernel *k, int kind, const b4s_arrival *a, int64_t reason)
{
    b4_event *r = new_report(k, kind, a->ts);
    r->instrument = a->instrument;
    r->flags = a->side == B4S_SELL ? B4_FLAG_SELL : 0;
    r->v[0] = a->id;
    r->v[2] = reason;
}

/* An attached order whose entry is over and that has nothing left has done its work. */
static void settle_child(b4s_kernel *k, b4s_order *parent, uint32_t slot)
{
    b4s_order *child = b4s_at(k, slot);
    if (!child)
        return;
    child->parent = B4S_NONE;
    child->ordered = parent->filled; /* what the entry did not fill needs no protection */
    if (parent->filled == 0)
        b4s_end(k, child, B4_KIND_CANCELLED, B4_REASON_PARENT_ENDED);
    else if (child->remaining == 0)
        b4s_settle(k, child);
}

/* Takes the order out of everything but its list; the slot lives until b4s_sweep. */
static void finish(b4s_kernel *k, b4s_order *o)
{
    o->state = B4S_ENDED;
    o->remaining = 0;
    b4s_relock(k, o);
    unindex(k, o->id);
    k->dead[k->n_dead++] = b4s_slot(k, o);
    b4s_order *parent = b4s_at(k, o->parent), *sibling = b4s_at(k, o->sibling);
    uint32_t stop = o->stop, target = o->target;
    o->parent = o->sibling = o->stop = o->target = B4S_NONE;
    if (parent && parent->stop == b4s_slot(k, o))
        parent->stop = B4S_NONE;
    if (parent && parent->target == b4s_slot(k, o))
        parent->target = B4S_NONE;
    if (sibling)
        sibling->sibling = B4S_NONE;
    settle_child(k, o, stop);
    settle_child(k, o, target);
}

void b4s_end(b4s_kernel *k, b4s_order *o, int kind, int reason)
{
    if (o->state == B4S_ENDED)
        return;
    b4s_report(k, kind, k->now, o, kind == B4_KIND_REJECTED ? 0 : o->filled, reason);
    finish(k, o);
}

void b4s_settle(b4s_kernel *k, b4s_order *o)
{
    if (o->state == B4S_ENDED)
        return;
    if (o->filled < o->ordered) {
        b4s_end(k, o, B4_KIND_CANCELLED, o->why ? o->why : B4_REASON_PARENT_ENDED);
        return;
    }
    if (o->cancelling) /* the fill was faster than the cancel (T-2) */
        b4s_report(k, B4_KIND_CANCEL_REJECTED, k->now, o, 0, B4_REASON_UNKNOWN_ORDER);
    finish(k, o);
}

void b4s_release(b4s_kernel *k, b4s_order *o, int reason)
{
    if (o->state == B4S_ENDED)
        return;
    if (o->parent == B4S_NONE) {
        b4s_end(k, o, B4_KIND_CANCELLED, reason);
        return;
    }
    o->remaining = 0;
    o->why = (uint8_t)reason;
}

void b4s_sweep(b4s_kernel *k)
{
    for (uint32_t i = 0; i < k->n_dead; i++) {
        unlink_order(k, &k->orders[k->dead[i]]);
        b4s_free_slot(k, k->dead[i]);
    }
    k->n_dead = 0;
}
