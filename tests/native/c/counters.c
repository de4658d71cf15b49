/* Threads count into one group: nothing lost, each within its bounds, and a set publishes what came before it. */
#include "counters.h"

#include "check.h"

enum { EACH = 200000 };

static b4_counters *counters;
static int64_t payload;

static void *count(void *unused)
{
    (void)unused;
    for (int k = 0; k < EACH; k++)
        CHECK(b4_counters_add(counters, (uint32_t)(k % 3), 2) == B4_OK);
    return NULL;
}

static void *beat(void *unused)
{
    (void)unused;
    payload = 5;
    CHECK(b4_counters_set(counters, 3, 1) == B4_OK);
    return NULL;
}

int main(void)
{
    size_t size = b4_counters_size(4);
    counters = rubbish(size);
    CHECK(b4_counters_init(counters, size, 4) == B4_OK);
    pthread_t a = start(count, NULL), b = start(count, NULL), c = start(beat, NULL);
    int64_t value = 0, sum = 0;
    while (!value)
        CHECK(b4_counters_get(counters, 3, &value) == B4_OK);
    CHECK(payload == 5);
    join(a);
    join(b);
    join(c);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(b4_counters_get(counters, i, &value) == B4_OK);
        sum += value;
    }
    CHECK(sum == 4 * EACH);
    CHECK(b4_counters_add(counters, 4, 1) == B4_E_RANGE && b4_counters_get(counters, 0, NULL) == B4_E_NULL);
    CHECK(b4_counters_size(0) == 0 && b4_counters_size(4097) == 0);
    free(counters);
    return 0;
}
