/* A simulated exchange that replays recorded history: the public door of this library.
 *
 * One kernel holds the streams (pointers into mapped history files, never copied), our orders, the account and the
 * buffers, in memory of the caller's; nothing is allocated. One thread at a time may use a kernel.
 * The fill rules are TRADING.md section 4; bars.c and ticks.c name the rule beside each line that carries it out.
 *
 * A step is all events of one time. b4s_run matches our orders against each event of the step, in the order of the
 * instruments' indices, and returns the step when somebody wants it: a report other than an ACK, an event kind asked
 * for by b4s_wake_on, or a breach of the attached valuation. Steps nobody wants are marked into the valuation here;
 * a returned step is not (unless it is returned for a breach), because its fills have to be applied first. */
#ifndef B4S_KERNEL_H
#define B4S_KERNEL_H

#include "event.h"
#include "status.h"

/* cdef begin */
#define B4S_ABI 1
#define B4S_MAX_STREAMS 64
#define B4S_MAX_INSTRUMENTS 64
#define B4S_MAX_ASSETS 128
#define B4S_MAX_STEP 65535       /* events of one time */
#define B4S_MAX_REPORTS 65535    /* reports of one return */
#define B4S_MAX_ORDERS 8192      /* open at once, attached ones included */
#define B4S_HOT_EVENTS 512       /* events one call of b4s_run looks at, about */
#define B4S_BULK_EVENTS 262144   /* the same for b4s_run_bulk */

/* Answer of b4s_run: events | reports << 16 | reasons; negative is a refusal (status.h). */
#define B4S_REPORTS_SHIFT 16
#define B4S_TIMER 0x100000000
#define B4S_FINISHED 0x200000000
#define B4S_BREACH 0x400000000
#define B4S_MARKED 0x800000000
#define B4S_MORE 0x1000000000

typedef struct b4s_kernel b4s_kernel;

/* What holds for the whole venue. Ratios are exact: numerator / denominator, denominator > 0. */
typedef struct b4s_rules {
    int64_t market_num, market_den; /* half spread + slippage: what a market order pays beyond the price */
    int64_t slip_num, slip_den;     /* slippage alone: stops and marketable limits */
    int64_t maker_num, maker_den;   /* fee; a negative numerator is a rebate */
    int64_t taker_num, taker_den;
    int64_t leverage_num, leverage_den; /* margin account: gross exposure / equity allowed at submission */
    int64_t latency_ns;             /* from submit or cancel to arrival at the venue */
    uint32_t margin;                /* 0 = spot account, 1 = margin account: shorts, balances may be negative */
    uint32_t compat;                /* 1 = the looser rules of compat-backtesting */
    uint32_t capacity;              /* open orders, attached ones included */
    uint32_t step_capacity;         /* largest number of events of one time: the sum of b4s_scan's runs */
} b4s_rules;

typedef struct b4s_instrument {
    int64_t cost_num, cost_den;     /* quote units of one tick times one lot */
    int64_t lot_units;              /* base units of one lot */
    int64_t volume_num, volume_den; /* lots in one unit of market-data volume */
    int64_t share_num, share_den;   /* lots that we may fill per unit of a bar's volume (B-1) */
    int64_t min_lots, max_lots;     /* order filters; max_lots 0 = none */
    int64_t min_notional;           /* quote units, 0 = none */
    uint32_t base, quote;           /* indices of assets */
} b4s_instrument;

typedef struct b4s_stream {
    const void *records; /* b4_event, sorted by ts, unchanged while the kernel lives */
    int64_t count;
    int64_t interval_ns; /* length of its bars, 0 for ticks */
    uint32_t instrument;
    uint32_t kinds;      /* 1 << kind of what it holds, from b4s_scan */
} b4s_stream;

/* What b4s_scan found. */
typedef struct b4s_scanned {
    int64_t bad_row;     /* first record that cannot be, -1 when all can */
    int64_t longest_run; /* most records with one ts */
    uint32_t kinds;
    uint32_t pad;
} b4s_scanned;

/* One order. An entry may bring a protective stop and a target; ids are never used twice (O-7). */
typedef struct b4s_request {
    int64_t id, quantity, price, trigger, expire_ns; /* lots, ticks, UTC ns; 0 = none */
    int64_t stop_id, stop_ticks, target_id, target_ticks;
    uint32_t instrument;
    uint8_t side, type, tif, role; /* the numbers of domain/order.py */
    uint8_t reduce_only, post_only;
    uint8_t pad[6];
} b4s_request;

/* Reads n records once: order, kinds and prices that cannot be. Answers B4_OK also for a bad row. */
int b4s_scan(const b4_event *records, int64_t n, b4s_scanned *out);

/* Bytes a kernel of these rules needs, 0 when one of them is outside its bound. */
size_t b4s_size(const b4s_rules *rules);
/* Lays a kernel out in `size` bytes of zeroed memory, which start on a cache line and outlive it; so do the records.
 * Streams come sorted by instrument; a margin account has one quote asset. */
int b4s_init(void *memory, size_t size, const b4s_rules *rules, const b4s_instrument *instruments,
             uint32_t n_instruments, const b4s_stream *streams, uint32_t n_streams, const int64_t *balances,
             uint32_t n_assets);

/* Replays only events of from_ns..to_ns, both included; before the first run and the first order. */
int b4s_window(b4s_kernel *k, int64_t from_ns, int64_t to_ns);
/* Names the kinds (1 << kind) of one instrument that wake the caller. */
int b4s_wake_on(b4s_kernel *k, uint32_t instrument, uint32_t kinds);
/* The valuation that skipped steps mark (an address, because it comes from another module), or 0 for none. */
int b4s_attach(b4s_kernel *k, uint64_t valuation);

/* Sends an order or a cancel at the present time; outcomes are reports. B4_E_STATE: too many under way. */
int b4s_submit(b4s_kernel *k, const b4s_request *request);
int b4s_cancel(b4s_kernel *k, int64_t order_id);

/* Names the time of the next timer: later events are left. INT64_MAX at first. */
int b4s_wake_at(b4s_kernel *k, int64_t ns);
/* Replays up to the next wanted step. The kernel is its only argument, because cffi passes a single one at half the
 * cost of two. */
int64_t b4s_run(b4s_kernel *k);
/* As b4s_run, but what is later than until_ns stays where it is: B4S_MORE then, also while a timer waits beyond it.
 * For events that come over time: no report is handed over earlier, and no order arrives earlier or later, than in one
 * run over the same events. */
int64_t b4s_run_until(b4s_kernel *k, int64_t until_ns);
/* Time of what a run looks at next: an event, the arrival of an order or cancel, or the expiry of one. Nothing is
 * consumed. INT64_MAX when nothing is left. The expiry may be of an order that has ended meanwhile. */
int64_t b4s_next_ns(const b4s_kernel *k);

b4_event *b4s_step(b4s_kernel *k);
b4_event *b4s_reports(b4s_kernel *k);
int64_t b4s_processed(const b4s_kernel *k);
int64_t b4s_open_orders(const b4s_kernel *k);
/* The venue's truth: balance and lots held; B4S_NO_VALUE for an index out of range. */
int64_t b4s_balance(const b4s_kernel *k, uint32_t asset);
int64_t b4s_position(const b4s_kernel *k, uint32_t instrument);
/* cdef end */

#define B4S_NO_VALUE INT64_MIN

/* b4s_run with a larger budget of events; bulk.h wraps it without the GIL. */
int64_t b4s_replay(b4s_kernel *k, int64_t budget);

_Static_assert(sizeof(b4s_request) == 88, "exchange.py packs this layout");

#endif
