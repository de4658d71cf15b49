/* 200,000 random steps: the running equity equals the sum worked out anew, and no bound is overstepped. */
#include "valuation.h"

#include "check.h"

enum { N = 5, SAMPLES = 16, STEPS = 200000 };

static uint64_t seed = 9;

static int64_t random_below(int64_t bound)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((seed >> 11) % (uint64_t)bound);
}

int main(void)
{
    size_t size = b4_valuation_size(N, SAMPLES);
    b4_valuation *v = rubbish(size);
    CHECK(b4_valuation_check(v) == B4_E_ABI);
    CHECK(b4_valuation_init(v, size, N, SAMPLES, 1000, 1000) == B4_OK && b4_valuation_check(v) == B4_OK);
    CHECK(b4_valuation_set_limit(v, 150000000) == B4_OK);
    __int128 coef[N] = {0};
    int64_t ticks[N] = {0}, cash = 0, ts = 1;
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)random_below(N);
        if (step % 3 == 0) {
            /* Now and then far beyond what fits, which must be refused whole. */
            int64_t base = random_below(1 << 20) - (1 << 19), mul = 1 + random_below(1000);
            if (step % 7 == 0) {
                base *= 1ll << 40;
                mul *= 1ll << 50;
            }
            if (b4_valuation_set_position(v, i, base, mul) == B4_OK)
                coef[i] = (__int128)base * mul;
        }
        if (step % 5 == 0) {
            cash = random_below(1ll << 50) - (1ll << 49);
            CHECK(b4_valuation_set_cash(v, cash) == B4_OK);
        }
        ts += random_below(400);
        b4_event e = {.ts = ts, .instrument = i, .kind = B4_KIND_TRADE, .v = {1 + random_below(1ll << 40), 1}};
        int rc = b4_valuation_mark(v, &e);
        CHECK(rc == B4_OK || rc == B4_E_OVERFLOW);
        if (rc == B4_OK)
            ticks[i] = e.v[0];
        CHECK(b4_valuation_mark_of(v, i) == ticks[i]);
        rc = b4_valuation_close_step(v, ts);
        CHECK(rc == 0 || rc == 1 || rc == B4_E_OVERFLOW);
        __int128 sum = (__int128)cash * 1000;
        int64_t unmarked = 0;
        for (int k = 0; k < N; k++) {
            sum += coef[k] * ticks[k];
            unmarked += coef[k] && !ticks[k];
        }
        CHECK(v->equity == sum && b4_valuation_unmarked(v) == unmarked);
        CHECK(!v->judged || v->peak >= v->trough);
        CHECK(v->rows <= SAMPLES);
    }
    size_t rows, columns;
    const int64_t *row = b4_valuation_samples(v, &rows, &columns);
    CHECK(rows > 1 && columns == 3 + N);
    for (size_t r = 1; r < rows; r++)
        CHECK(row[r * columns] > row[(r - 1) * columns]);
    CHECK(b4_valuation_check(v) == B4_OK);
    free(v);
    return 0;
}
