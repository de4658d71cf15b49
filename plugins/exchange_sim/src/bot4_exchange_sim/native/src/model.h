/* What a kernel is made of. Only the .c files of this library include it. */
#ifndef B4S_MODEL_H
#define B4S_MODEL_H

#include "kernel.h"
#include "money.h"
#include "valuation.h"

#define B4S_NONE UINT32_MAX
#define B4S_UNKNOWN_AHEAD INT64_MAX  /* the queue ahead of us is not known: deeper than the best price */
#define B4S_SEEN_IDS (1u << 20)      /* how far back a used order id is remembered; older ones count as used */
#define B4S_REPORTS_PER_ORDER 5      /* ACK, TRIGGERED, FILL, its end, CANCEL_REJECTED: at most, per event */

/* Numbers of domain/order.py. */
enum { B4S_BUY, B4S_SELL };
enum { B4S_MARKET = 1, B4S_LIMIT, B4S_STOP, B4S_STOP_LIMIT };
enum { B4S_GTC = 1, B4S_IOC, B4S_FOK, B4S_GTD };
enum { B4S_ROLE_ENTRY = 1, B4S_ROLE_STOP, B4S_ROLE_TARGET, B4S_ROLE_CLOSE };

enum b4s_state {
    B4S_FREE,    /* the slot is empty */
    B4S_WAITING, /* sent, not yet arrived */
    B4S_DORMANT, /* attached to an entry that has not filled */
    B4S_LIVE,    /* working, in its instrument's list */
    B4S_ENDED,   /* over; the slot is freed by b4s_sweep when the event is done */
};

typedef struct b4s_order {
    int64_t id;
    int64_t ordered;    /* lots as ordered; of an attached order those of its entry */
    int64_t filled;
    int64_t remaining;  /* lots still to fill; of an attached order what its entry filled and nobody closed */
    int64_t price;      /* limit */
    int64_t trigger;
    int64_t expire;
    int64_t arrival;    /* first time at which it may match (T-1) */
    int64_t born_event; /* number of the event that made an attached order live, 0 else */
    int64_t born_price; /* the market's price at that moment: what the open is to an order that was there before */
    int64_t ahead;      /* L-1: lots before us in the queue */
    int64_t lock_price; /* the price its locked amount was reckoned at */
    int64_t locked;     /* quote units (buy) or base units (sell) set aside on a spot account */
    uint32_t next, prev;
    uint32_t instrument;
    uint32_t parent, stop, target, sibling; /* slots */
    uint8_t side, type, tif, state;
    uint8_t reduce_only, post_only;
    uint8_t fresh;      /* a limit that has not met the market yet: it may take */
    uint8_t triggered;
    uint8_t cancelling; /* ends when the bar in progress is done */
    uint8_t why;        /* reason when remaining became 0 without filling */
} b4s_order;

/* What is on its way to the venue, in order of arrival. */
enum b4s_errand { B4S_DO_SUBMIT, B4S_DO_CANCEL, B4S_DO_REFUSE, B4S_DO_ORPHAN };

typedef struct b4s_arrival {
    int64_t ts;
    int64_t id;
    uint32_t slot;
    uint32_t instrument;
    uint8_t errand, reason, side;
} b4s_arrival;

typedef struct b4s_market {
    b4s_instrument spec;
    int64_t position;              /* net lots of our fills */
    int64_t last;                  /* last price that marks, ticks, 0 before the first */
    int64_t bid, ask;              /* best quote, 0 = none */
    int64_t bid_size, ask_size;    /* displayed, lots, floored */
    int64_t bid_queue;             /* the same rounded up: what may stand before us */
    int64_t ask_queue;
    int64_t bid_taken, ask_taken;  /* lots of it that we took (L-3) */
    uint32_t head, tail;           /* live orders in order of arrival */
    uint32_t wake;
    uint32_t on_bars;              /* orders match bars: there are no ticks */
    int64_t interval_ns;           /* of its bars */
    uint32_t has_trades, has_quotes;
} b4s_market;

typedef struct b4s_source {
    const b4_event *records;
    int64_t next, end, count;
    int64_t interval_ns;
    uint32_t instrument;
} b4s_source;

struct b4s_kernel {
    b4s_rules rules;
    b4_valuation *valuation;
    b4_event *step, *reports;
    b4s_order *orders;
    b4s_arrival *arrivals;
    uint32_t *by_id, *dead;
    uint64_t *seen;
    int64_t heads[B4S_MAX_STREAMS]; /* ts of each stream's next event, INT64_MAX at its end */
    b4s_source sources[B4S_MAX_STREAMS];
    b4s_market markets[B4S_MAX_INSTRUMENTS];
    int64_t balances[B4S_MAX_ASSETS];
    int64_t locked[B4S_MAX_ASSETS];
    int64_t now;       /* last step, timer or arrival */
    int64_t processed; /* events */
    int64_t event_no;  /* matched events: names the present one */
    int64_t bar_open;  /* open time of the bar being matched */
    int64_t next_expiry;
    int64_t wake_at; /* events later than this are left */
    int64_t newest_id;
    int64_t trades;    /* trade ids given out */
    uint32_t n_sources, n_markets, n_assets;
    uint32_t n_step, n_reports;
    uint32_t n_open, n_dead, free_slot;
    uint32_t id_mask, arrival_mask;
    uint32_t arrival_head, arrival_count;
    uint8_t delivered; /* the reports were returned: the next run starts with none */
    uint8_t urgent;    /* a report that wakes is among them */
    uint8_t started;
};

static inline b4s_order *b4s_at(b4s_kernel *k, uint32_t slot)
{
    return slot == B4S_NONE ? NULL : &k->orders[slot];
}

static inline uint32_t b4s_slot(const b4s_kernel *k, const b4s_order *o)
{
    return (uint32_t)(o - k->orders);
}

/* True when the order is working and has something to fill. */
static inline int b4s_works(const b4s_order *o)
{
    return o->state == B4S_LIVE && o->remaining > 0;
}

static inline int b4s_waits_for_stop(const b4s_order *o)
{
    return (o->type == B4S_STOP || o->type == B4S_STOP_LIMIT) && !o->triggered;
}

static inline int b4s_is_limit(const b4s_order *o)
{
    return o->type == B4S_LIMIT || (o->type == B4S_STOP_LIMIT && o->triggered);
}

/* Lots of the position that an order of this side closes. */
static inline int64_t b4s_closable(const b4s_market *m, int side)
{
    int64_t lots = side == B4S_SELL ? m->position : -m->position;
    return lots > 0 ? lots : 0;
}

/* orders.c: slots, ids, lists, ends */
uint32_t b4s_take_slot(b4s_kernel *k);
void b4s_free_slot(b4s_kernel *k, uint32_t slot);
int b4s_used_id(const b4s_kernel *k, int64_t id);
void b4s_remember_id(b4s_kernel *k, int64_t id);
void b4s_index(b4s_kernel *k, const b4s_order *o);
b4s_order *b4s_find(b4s_kernel *k, int64_t id);
void b4s_append(b4s_kernel *k, b4s_order *o);
void b4s_report(b4s_kernel *k, int kind, int64_t ts, const b4s_order *o, int64_t v1, int64_t v2);
void b4s_report_id(b4s_kernel *k, int kind, const b4s_arrival *a, int64_t reason);
/* Ends an order with a report; everything that hangs on it follows. */
void b4s_end(b4s_kernel *k, b4s_order *o, int kind, int reason);
/* Ends an order that is done (nothing remains), with a report only when it filled less than ordered. */
void b4s_settle(b4s_kernel *k, b4s_order *o);
/* Takes what remains away from an order: its end, or a pause while its entry may still fill. */
void b4s_release(b4s_kernel *k, b4s_order *o, int reason);
/* Frees the slots of ended orders; no order pointer is valid over it. */
void b4s_sweep(b4s_kernel *k);

/* account.c */
int b4s_admit(b4s_kernel *k, b4s_order *o);
void b4s_relock(b4s_kernel *k, b4s_order *o);
int64_t b4s_affordable(b4s_kernel *k, const b4s_order *o, int64_t lots, int64_t price, int maker);
int b4s_book(b4s_kernel *k, const b4s_order *o, int64_t lots, int64_t price, int maker, int64_t *fee, int64_t *cost);

/* fill.c */
/* Fills up to `lots` at `price`; market_price is where the market stands, for orders that the fill makes live.
 * Answers the lots that filled. */
int64_t b4s_fill(b4s_kernel *k, b4s_order *o, int64_t lots, int64_t price, int maker, int64_t market_price);
/* Fills an order that takes or rests against `left` lots, honouring IOC and FOK. */
int64_t b4s_take(b4s_kernel *k, b4s_order *o, int64_t left, int64_t price, int maker, int64_t market_price);
void b4s_trigger(b4s_kernel *k, b4s_order *o);
/* Decides whether a limit that just arrived may take, and what stands before it. */
void b4s_place(b4s_kernel *k, b4s_order *o);
int b4s_crosses(const b4s_market *m, int side, int64_t price);

/* arrivals.c */
int b4s_has_room(const b4s_kernel *k);
void b4s_arrive_next(b4s_kernel *k);
void b4s_expire(b4s_kernel *k);

/* bars.c, ticks.c */
void b4s_match_bar(b4s_kernel *k, const b4_event *e);
void b4s_match_trade(b4s_kernel *k, const b4_event *e);
void b4s_match_quote(b4s_kernel *k, const b4_event *e);

#endif
