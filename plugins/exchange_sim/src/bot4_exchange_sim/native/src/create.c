/* Checking the history, and laying out a kernel. */
#include "model.h"

#include <string.h>

#define PRICE_MAX ((int64_t)1 << 53)

static int possible(const b4_event *e)
{
    const int64_t *v = e->v;
    switch (e->kind) {
    case B4_KIND_BAR:
        return v[B4_BAR_LOW] > 0 && v[B4_BAR_HIGH] <= PRICE_MAX && v[B4_BAR_LOW] <= v[B4_BAR_OPEN] &&
               v[B4_BAR_OPEN] <= v[B4_BAR_HIGH] && v[B4_BAR_LOW] <= v[B4_BAR_CLOSE] &&
               v[B4_BAR_CLOSE] <= v[B4_BAR_HIGH] && v[B4_BAR_VOLUME] >= 0;
    case B4_KIND_TRADE:
        return v[B4_TRADE_PRICE] > 0 && v[B4_TRADE_PRICE] <= PRICE_MAX && v[B4_TRADE_QUANTITY] >= 0;
    case B4_KIND_QUOTE:
        return v[B4_QUOTE_BID] >= 0 && v[B4_QUOTE_BID] <= PRICE_MAX && v[B4_QUOTE_ASK] >= 0 &&
               v[B4_QUOTE_ASK] <= PRICE_MAX && v[B4_QUOTE_BID_SIZE] >= 0 && v[B4_QUOTE_ASK_SIZE] >= 0;
    default:
        return e->kind == B4_KIND_LEVEL;
    }
}

int b4s_scan(const b4_event *records, int64_t n, b4s_scanned *out)
{
    if (!out || (!records && n))
        return B4_E_NULL;
    if (n < 0)
        return B4_E_RANGE;
    b4s_scanned found = {.bad_row = -1};
    int64_t run = 0;
    for (int64_t i = 0; i < n; i++) {
        const b4_event *e = &records[i];
        if (!possible(e) || e->ts < 0 || e->ts > INT64_MAX / 2 || (i && e->ts < e[-1].ts)) {
            found.bad_row = i;
            break;
        }
        run = i && e->ts == e[-1].ts ? run + 1 : 1;
        found.longest_run = b4s_max(found.longest_run, run);
        found.kinds |= 1u << e->kind;
    }
    *out = found;
    return B4_OK;
}

static int is_ratio(int64_t num, int64_t den)
{
    return num >= 0 && den > 0;
}

static int good_rules(const b4s_rules *r)
{
    return is_ratio(r->market_num, r->market_den) && is_ratio(r->slip_num, r->slip_den) && r->maker_den > 0 &&
           r->taker_den > 0 && is_ratio(r->leverage_num, r->leverage_den) && r->latency_ns >= 0 && r->capacity > 0 &&
           r->capacity <= B4S_MAX_ORDERS && r->step_capacity > 0 && r->step_capacity <= B4S_MAX_STEP;
}

static int good_instrument(const b4s_instrument *s, uint32_t n_assets)
{
    return s->cost_num > 0 && s->cost_den > 0 && s->lot_units > 0 && is_ratio(s->volume_num, s->volume_den) &&
           is_ratio(s->share_num, s->share_den) && s->min_lots >= 0 && s->max_lots >= 0 && s->min_notional >= 0 &&
           s->base < n_assets && s->quote < n_assets && s->base != s->quote;
}

/* Streams come sorted by instrument: that is the order of events inside a step. */
static int good_stream(const b4s_stream *s, uint32_t i, uint32_t n_instruments)
{
    return (s->records || !s->count) && s->count >= 0 && s->interval_ns >= 0 && s->instrument < n_instruments &&
           (uintptr_t)s->records % sizeof(int64_t) == 0 && (i == 0 || s[-1].instrument <= s->instrument);
}

static size_t rounded(size_t bytes)
{
    return (bytes + B4_CACHE_LINE - 1) / B4_CACHE_LINE * B4_CACHE_LINE;
}

static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t n = 1;
    while (n < at_least)
        n *= 2;
    return n;
}

/* The kernel and its arrays, one behind the other. */
enum { KERNEL, STEP, REPORTS, ORDERS, ARRIVALS, BY_ID, DEAD, SEEN, PARTS };

static size_t lay_out(const b4s_rules *r, size_t at[PARTS])
{
    const size_t sizes[PARTS] = {
        [KERNEL] = sizeof(b4s_kernel),
        [STEP] = r->step_capacity * sizeof(b4_event),
        [REPORTS] = B4S_MAX_REPORTS * sizeof(b4_event),
        [ORDERS] = r->capacity * sizeof(b4s_order),
        [ARRIVALS] = power_of_two(4 * r->capacity) * sizeof(b4s_arrival),
        [BY_ID] = power_of_two(4 * r->capacity) * sizeof(uint32_t),
        [DEAD] = r->capacity * sizeof(uint32_t),
        [SEEN] = B4S_SEEN_IDS / 8,
    };
    size_t total = 0;
    for (int i = 0; i < PARTS; i++) {
        at[i] = total;
        total += rounded(sizes[i]);
    }
    return total;
}

size_t b4s_size(const b4s_rules *rules)
{
    size_t at[PARTS];
    return rules && good_rules(rules) ? lay_out(rules, at) : 0;
}

static b4s_kernel *place(char *memory, const b4s_rules *r)
{
    size_t at[PARTS];
    lay_out(r, at);
    b4s_kernel *k = (b4s_kernel *)memory;
    k->step = (b4_event *)(memory + at[STEP]);
    k->reports = (b4_event *)(memory + at[REPORTS]);
    k->orders = (b4s_order *)(memory + at[ORDERS]);
    k->arrivals = (b4s_arrival *)(memory + at[ARRIVALS]);
    k->by_id = (uint32_t *)(memory + at[BY_ID]);
    k->dead = (uint32_t *)(memory + at[DEAD]);
    k->seen = (uint64_t *)(memory + at[SEEN]);
    k->rules = *r;
    k->id_mask = k->arrival_mask = power_of_two(4 * r->capacity) - 1;
    memset(k->by_id, 0xff, (k->id_mask + 1) * sizeof(uint32_t)); /* B4S_NONE */
    for (uint32_t slot = 0; slot < r->capacity; slot++)
        k->orders[slot].next = slot + 1 < r->capacity ? slot + 1 : B4S_NONE;
    k->next_expiry = k->wake_at = INT64_MAX;
    return k;
}

static void add_streams(b4s_kernel *k, const b4s_stream *streams, uint32_t n)
{
    k->n_sources = n;
    for (uint32_t i = 0; i < n; i++) {
        const b4s_stream *s = &streams[i];
        b4s_market *m = &k->markets[s->instrument];
        k->sources[i] = (b4s_source){
            .records = s->records,
            .end = s->count,
            .count = s->count,
            .interval_ns = s->interval_ns,
            .instrument = s->instrument,
        };
        k->heads[i] = s->count ? k->sources[i].records[0].ts : INT64_MAX;
        m->has_trades |= s->kinds >> B4_KIND_TRADE & 1;
        m->has_quotes |= s->kinds >> B4_KIND_QUOTE & 1;
        if (s->kinds >> B4_KIND_BAR & 1)
            m->interval_ns = s->interval_ns;
    }
    for (uint32_t i = 0; i < k->n_markets; i++)
        k->markets[i].on_bars = !k->markets[i].has_trades && !k->markets[i].has_quotes;
}

static int check(const b4s_rules *rules, const b4s_instrument *instruments, uint32_t n_instruments,
                 const b4s_stream *streams, uint32_t n_streams, const int64_t *balances, uint32_t n_assets)
{
    if (!rules || !instruments || !streams || !balances)
        return B4_E_NULL;
    if (!good_rules(rules) || n_instruments < 1 || n_instruments > B4S_MAX_INSTRUMENTS || n_streams < 1 ||
        n_streams > B4S_MAX_STREAMS || n_assets < 1 || n_assets > B4S_MAX_ASSETS)
        return B4_E_RANGE;
    for (uint32_t i = 0; i < n_instruments; i++)
        if (!good_instrument(&instruments[i], n_assets) ||
            (rules->margin && instruments[i].quote != instruments[0].quote))
            return B4_E_RANGE;
    for (uint32_t i = 0; i < n_streams; i++)
        if (!good_stream(&streams[i], i, n_instruments))
            return B4_E_RANGE;
    for (uint32_t i = 0; i < n_assets; i++)
        if (balances[i] < 0)
            return B4_E_RANGE;
    return B4_OK;
}

int b4s_init(void *memory, size_t size, const b4s_rules *rules, const b4s_instrument *instruments,
             uint32_t n_instruments, const b4s_stream *streams, uint32_t n_streams, const int64_t *balances,
             uint32_t n_assets)
{
    int rc = check(rules, instruments, n_instruments, streams, n_streams, balances, n_assets);
    if (rc < 0)
        return rc;
    if (!memory)
        return B4_E_NULL;
    if ((uintptr_t)memory % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (size < b4s_size(rules))
        return B4_E_SIZE;
    b4s_kernel *k = place(memory, rules);
    k->n_markets = n_instruments;
    k->n_assets = n_assets;
    memcpy(k->balances, balances, n_assets * sizeof *balances);
    for (uint32_t i = 0; i < n_instruments; i++) {
        k->markets[i].spec = instruments[i];
        k->markets[i].head = k->markets[i].tail = B4S_NONE;
    }
    add_streams(k, streams, n_streams);
    return B4_OK;
}

b4_event *b4s_step(b4s_kernel *k)
{
    return k ? k->step : NULL;
}

b4_event *b4s_reports(b4s_kernel *k)
{
    return k ? k->reports : NULL;
}

int64_t b4s_processed(const b4s_kernel *k)
{
    return k ? k->processed : 0;
}

int64_t b4s_open_orders(const b4s_kernel *k)
{
    return k ? k->n_open : 0;
}

int64_t b4s_balance(const b4s_kernel *k, uint32_t asset)
{
    return k && asset < k->n_assets ? k->balances[asset] : B4S_NO_VALUE;
}

int64_t b4s_position(const b4s_kernel *k, uint32_t instrument)
{
    return k && instrument < k->n_markets ? k->markets[instrument].position : B4S_NO_VALUE;
}
