/* The cases of bench.h: straight loops over the same inline functions that the product calls. */
#include "bench.h"

#include <time.h>

#include "counters.h"
#include "histogram.h"
#include "latch.h"
#include "spsc.h"
#include "valuation.h"

#define RING 256
#define KEEP(x) __asm__ volatile("" : : "r"(x) : "memory")

typedef struct bench_memory {
    _Alignas(B4_CACHE_LINE) _Atomic uint64_t word;
    _Alignas(B4_CACHE_LINE) char ring[sizeof(struct b4_spsc) + RING * B4_EVENT_SIZE];
    _Alignas(B4_CACHE_LINE) struct b4_histogram histogram;
    _Alignas(B4_CACHE_LINE) char latch[B4_LATCH_SIZE];
    _Alignas(B4_CACHE_LINE) char valuation[sizeof(struct b4_valuation) + 2 * sizeof(b4__mark) + 64 * 5 * 8];
    _Alignas(B4_CACHE_LINE) char counters[sizeof(struct b4_counters) + sizeof(b4__counter)];
} bench_memory;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int prepare(bench_memory *m, int what)
{
    atomic_store_explicit(&m->word, 0, memory_order_relaxed);
    int mode = what == B4_BENCH_SPSC_DROP ? B4_SPSC_DROP_OLDEST : B4_SPSC_REJECT, rc;
    if ((rc = b4_spsc_init(m->ring, sizeof m->ring, RING, mode)) < 0 ||
        (rc = b4_histogram_init(&m->histogram, sizeof m->histogram)) < 0 ||
        (rc = b4_latch_init(m->latch, sizeof m->latch, "bench", 5, 0, "", 0)) < 0 ||
        (rc = b4_valuation_init(m->valuation, sizeof m->valuation, 2, 64, 60000000000, 1000)) < 0 ||
        (rc = b4_counters_init(m->counters, sizeof m->counters, 1)) < 0)
        return rc;
    b4_valuation *v = (b4_valuation *)m->valuation;
    b4_valuation_set_cash(v, 100000000000);
    b4_valuation_set_limit(v, 150000000);
    return b4_valuation_set_position(v, 0, 1000000, 10);
}

static void run_ring(bench_memory *m, size_t ops, uint64_t *seed)
{
    b4_spsc *ring = (b4_spsc *)m->ring;
    b4_event event = {.ts = (int64_t)*seed, .kind = B4_KIND_TRADE}, out = event;
    for (size_t k = 0; k < ops; k++) {
        event.v[0] = (int64_t)k;
        KEEP(b4_spsc_push(ring, &event));
        KEEP(b4_spsc_pop(ring, &out));
        KEEP(&out);
    }
}

/* A price that wanders like one, from a linear congruential step; time goes on from chunk to chunk. */
static void run_valuation(bench_memory *m, size_t ops, uint64_t *seed)
{
    b4_valuation *v = (b4_valuation *)m->valuation;
    b4_event event = {.ts = v->step_ts, .kind = B4_KIND_TRADE, .v = {1000000, 1}};
    for (size_t k = 0; k < ops; k++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        event.v[0] = 900000 + (int64_t)(*seed >> 47);
        event.ts += 1000;
        KEEP(b4_valuation_mark(v, &event));
        KEEP(b4_valuation_close_step(v, event.ts));
    }
}

static void run_small(bench_memory *m, int what, size_t ops, uint64_t *seed)
{
    for (size_t k = 0; k < ops; k++) {
        switch (what) {
        case B4_BENCH_FETCH_ADD:
            KEEP(atomic_fetch_add_explicit(&m->word, 1, memory_order_relaxed));
            break;
        case B4_BENCH_HISTOGRAM:
            *seed = *seed * 6364136223846793005u + 1442695040888963407u;
            KEEP(b4_histogram_record(&m->histogram, (int64_t)(*seed >> 50)));
            break;
        case B4_BENCH_LATCH:
            KEEP(b4_latch_mode((const b4_latch *)m->latch));
            break;
        default:
            KEEP(b4_counters_add((b4_counters *)m->counters, 0, 1));
        }
    }
}

int b4_bench_run(int what, size_t ops, int64_t *chunk_ns, size_t chunks)
{
    if (!chunk_ns)
        return B4_E_NULL;
    if (what < B4_BENCH_FETCH_ADD || what > B4_BENCH_COUNTER || ops < 1 || ops > B4_BENCH_MAX_OPS)
        return B4_E_RANGE;
    bench_memory memory;
    int rc = prepare(&memory, what);
    uint64_t seed = 1;
    for (size_t chunk = 0; rc == B4_OK && chunk < chunks; chunk++) {
        int64_t start = now_ns();
        if (what == B4_BENCH_SPSC || what == B4_BENCH_SPSC_DROP)
            run_ring(&memory, ops, &seed);
        else if (what == B4_BENCH_VALUATION)
            run_valuation(&memory, ops, &seed);
        else
            run_small(&memory, what, ops, &seed);
        chunk_ns[chunk] = now_ns() - start;
    }
    return rc;
}

int b4_bench_nothing(int a, int b)
{
    return a + b;
}
