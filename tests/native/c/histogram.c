/* Two threads record into one histogram while a third reads: nothing lost, the maximum exact. */
#include "histogram.h"

#include "check.h"

enum { EACH = 200000 };

static b4_histogram *histogram;

static void *record(void *argument)
{
    int64_t salt = (int64_t)(intptr_t)argument;
    for (int64_t k = 0; k < EACH; k++)
        CHECK(b4_histogram_record(histogram, k * 2 + salt) == B4_OK);
    CHECK(b4_histogram_error(histogram) == B4_OK);
    return NULL;
}

int main(void)
{
    size_t size = b4_histogram_size();
    histogram = rubbish(size);
    CHECK(b4_histogram_init(histogram, size) == B4_OK);
    pthread_t a = start(record, (void *)0), b = start(record, (void *)1);
    b4_histogram_summary s;
    int64_t before = 0;
    for (int k = 0; k < 50; k++) {
        CHECK(b4_histogram_read(histogram, &s) == B4_OK);
        CHECK(s.count >= before && s.p50 <= s.max + 1);
        before = s.count;
    }
    join(a);
    join(b);
    CHECK(b4_histogram_read(histogram, &s) == B4_OK);
    CHECK(s.count == 2 * EACH && s.errors == 2 && s.max == 2 * EACH - 1);
    CHECK(s.total == (int64_t)EACH * (2 * EACH - 1));
    CHECK(s.p50 >= EACH - 1 && s.p50 <= EACH + EACH / 32);
    for (int64_t edge = 1; edge < B4_HISTOGRAM_LIMIT; edge *= 2)
        CHECK(b4_histogram_record(histogram, edge) == B4_OK && b4_histogram_record(histogram, edge - 1) == B4_OK);
    CHECK(b4_histogram_record(histogram, B4_HISTOGRAM_LIMIT - 1) == B4_OK);
    CHECK(b4_histogram_record(histogram, B4_HISTOGRAM_LIMIT) == B4_E_RANGE);
    CHECK(b4_histogram_record(histogram, -1) == B4_E_RANGE && b4_histogram_record(NULL, 1) == B4_E_NULL);
    free(histogram);
    return 0;
}
