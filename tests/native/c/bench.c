/* Prints what each operation costs in C: the same cases as `bot4 bench` (src/bench.h), without Python. */
#include "bench.h"

#include "check.h"

enum { CHUNKS = 2000, OPS = 1000 };

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    static const char *const names[] = {"atomic fetch_add", "spsc push+pop", "spsc push+pop, drop-oldest",
                                        "histogram record", "latch mode", "valuation mark+close", "counter add"};
    static int64_t chunk_ns[CHUNKS];
    double baseline = 0;
    for (int what = 0; what < (int)(sizeof names / sizeof *names); what++) {
        CHECK(b4_bench_run(what, OPS, chunk_ns, CHUNKS) == B4_OK);
        qsort(chunk_ns, CHUNKS, sizeof *chunk_ns, ascending);
        double median = (double)chunk_ns[CHUNKS / 2] / OPS, p99 = (double)chunk_ns[CHUNKS * 99 / 100] / OPS;
        baseline = what ? baseline : median;
        printf("%-28s %7.2f ns  p99 %7.2f ns  %5.2fx fetch_add\n", names[what], median, p99, median / baseline);
    }
    CHECK(b4_bench_run(-1, 1, chunk_ns, 1) == B4_E_RANGE && b4_bench_run(0, 1, NULL, 1) == B4_E_NULL);
    CHECK(b4_bench_run(7, 1, chunk_ns, 1) == B4_E_RANGE);
    return 0;
}
