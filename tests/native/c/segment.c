/* A segment made in one mapping and used through another, with a thread behind each; then the same page damaged. */
#define _GNU_SOURCE
#include "segment.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

enum { TOTAL = 100000 };

static b4_segment *theirs;

static void *work(void *unused)
{
    (void)unused;
    b4_spsc *ring = b4_segment_at(theirs, 2, B4_SECTION_SPSC);
    b4_counters *counters = b4_segment_at(theirs, 0, B4_SECTION_COUNTERS);
    b4_histogram *histogram = b4_segment_at(theirs, 1, B4_SECTION_HISTOGRAM);
    CHECK(ring && counters && histogram);
    for (int64_t n = 0; n < TOTAL;) {
        b4_event e = {.ts = n, .v = {n, n, n, n, n, n}};
        if (!b4_spsc_push(ring, &e)) {
            sched_yield();
            continue;
        }
        CHECK(b4_counters_add(counters, 1, 1) == B4_OK);
        CHECK(b4_histogram_record(histogram, n++) == B4_OK);
    }
    CHECK(b4_segment_close(theirs) == B4_OK);
    return NULL;
}

int main(void)
{
    b4_section layout[4] = {{.name = "counters", .kind = B4_SECTION_COUNTERS, .count = 2},
                            {.name = "latency", .kind = B4_SECTION_HISTOGRAM, .count = 1},
                            {.name = "ring", .kind = B4_SECTION_SPSC, .count = 64},
                            {.name = "text", .kind = B4_SECTION_TEXT, .count = 65}};
    size_t size = b4_segment_size(layout, 4);
    FILE *file = tmpfile();
    CHECK(size && file && ftruncate(fileno(file), (off_t)size) == 0);
    b4_segment *ours = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    theirs = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    CHECK(ours != MAP_FAILED && theirs != MAP_FAILED);
    CHECK(b4_segment_check(theirs, size) == B4_E_DAMAGED); /* blank */
    CHECK(b4_segment_init(ours, size, layout, 4, 1, 2) == B4_OK);
    CHECK(b4_segment_check(theirs, size) == B4_OK && b4_segment_state(theirs) == B4_SEGMENT_READY);

    char *text = b4_segment_at(ours, 3, B4_SECTION_TEXT);
    CHECK(text && text + 128 == (char *)ours + size && !text[0] && !text[127]);
    memset(text, 'x', 65);
    CHECK(!memcmp(b4_segment_at(theirs, 3, B4_SECTION_TEXT), text, 128));

    pthread_t thread = start(work, NULL);
    b4_spsc *ring = b4_segment_at(ours, 2, B4_SECTION_SPSC);
    b4_event e;
    for (int64_t n = 0; n < TOTAL;) {
        if (!b4_spsc_pop(ring, &e)) {
            sched_yield();
            continue;
        }
        CHECK(e.ts == n && e.v[5] == n);
        n++;
    }
    while (b4_segment_state(ours) != B4_SEGMENT_CLOSED)
        sched_yield();
    join(thread);
    int64_t counted;
    b4_histogram_summary summary;
    CHECK(b4_counters_get(b4_segment_at(ours, 0, B4_SECTION_COUNTERS), 1, &counted) == B4_OK && counted == TOTAL);
    CHECK(b4_histogram_read(b4_segment_at(ours, 1, B4_SECTION_HISTOGRAM), &summary) == B4_OK);
    CHECK(summary.count == TOTAL && summary.max == TOTAL - 1);

    CHECK(b4_segment_check(ours, size - 64) == B4_E_SIZE && b4_segment_check(ours, 32) == B4_E_SIZE);
    for (size_t word = 0; word < 128 / 4 + 4 * 16; word++) { /* any damage is refused or harmless, never a crash */
        uint32_t *at = (uint32_t *)ours + word, kept = *at;
        for (int bit = 0; bit < 32; bit++) {
            *at = kept ^ 1u << bit;
            (void)b4_segment_check(ours, size);
        }
        *at = kept;
    }
    CHECK(b4_segment_check(ours, size) == B4_OK);
    CHECK(!b4_segment_at(ours, 0, B4_SECTION_SPSC) && !b4_segment_at(ours, 4, B4_SECTION_TEXT));
    munmap(ours, size);
    munmap(theirs, size);
    fclose(file);
    return 0;
}
