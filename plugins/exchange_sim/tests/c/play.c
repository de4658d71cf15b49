/* Plays scripts from standard input and writes the reports to standard output, so that the library can be run under
 * sanitizers without Python. A script: b4s_rules; counts (int64) of instruments, assets, streams, actions; then
 * b4s_instrument and int64 balances; per stream (int64) interval, instrument, count, then records; per action (int64)
 * time, what (0 submit, 1 cancel), then a b4s_request. The answer: int64 count of reports, then the reports, then the
 * balances. Scripts follow each other until the end of input. */
#include "kernel.h"
#include "valuation.h"

#include <stdio.h>
#include <stdlib.h>

static void need(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "play: %s\n", what);
        exit(2);
    }
}

static int take(void *into, size_t size, size_t count)
{
    return fread(into, size, count, stdin) == count;
}

static int64_t number(void)
{
    int64_t value;
    need(take(&value, sizeof value, 1), "script is cut");
    return value;
}

static b4_event *kept;
static int64_t n_kept, room;

static void keep(const b4_event *reports, int64_t n)
{
    while (n_kept + n > room) {
        room = room ? room * 2 : 1024;
        kept = realloc(kept, (size_t)room * sizeof *kept);
        need(kept != NULL, "memory");
    }
    for (int64_t i = 0; i < n; i++)
        kept[n_kept++] = reports[i];
}

enum { EVENT_BY_EVENT, BULK, WHEN_DUE };

/* One look: everything that comes next has just become due, as when events come over time. */
static int64_t when_due(b4s_kernel *k)
{
    int64_t next = b4s_next_ns(k);
    need(next >= 0, "next_ns");
    if (next > 0 && next < INT64_MAX) { /* a moment earlier nothing is due, and looking for it changes nothing */
        int64_t before = b4s_processed(k), early = b4s_run_until(k, next - 1);
        need(early == B4S_MORE || early == B4S_TIMER || (early & 0xFFFF) == 0, "ran ahead");
        if (early != B4S_MORE)
            return early;
        need(b4s_processed(k) == before && b4s_next_ns(k) == next, "looking changed something");
    }
    return b4s_run_until(k, next);
}

static void play_until(b4s_kernel *k, int64_t ts, int mode)
{
    need(b4s_wake_at(k, ts) == B4_OK, "wake_at");
    for (;;) {
        int64_t status = mode == BULK ? b4s_replay(k, B4S_BULK_EVENTS)
                         : mode == WHEN_DUE ? when_due(k)
                                            : b4s_replay(k, 1);
        need(status >= 0, "replay refused");
        if (status & (B4S_TIMER | B4S_FINISHED))
            return;
        if (!(status & B4S_MORE))
            keep(b4s_reports(k), status >> B4S_REPORTS_SHIFT & 0xFFFF);
    }
}

static void add_stream(b4s_stream *s, b4s_scanned *found)
{
    s->interval_ns = number();
    s->instrument = (uint32_t)number();
    s->count = number();
    b4_event *records = malloc((size_t)s->count * sizeof *records); /* exactly as long: a step beyond is caught */
    need(records && take(records, sizeof *records, (size_t)s->count), "records are cut");
    need(b4s_scan(records, s->count, found) == B4_OK && found->bad_row < 0, "bad record");
    s->records = records;
    s->kinds = found->kinds;
}

static b4s_kernel *build(b4s_rules *rules, b4s_stream *streams, int64_t counts[4], int64_t *balances)
{
    b4s_instrument instruments[B4S_MAX_INSTRUMENTS];
    need(counts[0] <= B4S_MAX_INSTRUMENTS && counts[1] <= B4S_MAX_ASSETS && counts[2] <= B4S_MAX_STREAMS, "counts");
    need(take(instruments, sizeof *instruments, (size_t)counts[0]), "instruments are cut");
    need(take(balances, sizeof *balances, (size_t)counts[1]), "balances are cut");
    rules->step_capacity = 0;
    for (int64_t i = 0; i < counts[2]; i++) {
        b4s_scanned found;
        add_stream(&streams[i], &found);
        rules->step_capacity += (uint32_t)found.longest_run;
    }
    size_t size = b4s_size(rules);
    need(size > 0, "rules");
    void *memory = aligned_alloc(B4_CACHE_LINE, size);
    need(memory != NULL, "memory");
    __builtin_memset(memory, 0, size);
    need(b4s_init(memory, size, rules, instruments, (uint32_t)counts[0], streams, (uint32_t)counts[2], balances,
                  (uint32_t)counts[1]) == B4_OK, "init");
    return memory;
}

/* A valuation too small in numbers to breach, to run the shared marking code under the sanitizers as well. */
static void *valuation_for(b4s_kernel *k, int64_t n)
{
    size_t size = b4_valuation_size((uint32_t)n, 64);
    void *memory = aligned_alloc(B4_CACHE_LINE, (size + 63) / 64 * 64);
    need(memory && b4_valuation_init(memory, size, (uint32_t)n, 64, 3600000000000, 1) == B4_OK, "valuation");
    need(b4s_attach(k, (uint64_t)(uintptr_t)memory) == B4_OK, "attach");
    return memory;
}

int main(int argc, char **argv)
{
    int mode = argc < 2 ? EVENT_BY_EVENT : argv[1][0] == 'b' ? BULK : WHEN_DUE;
    b4s_rules rules;
    while (take(&rules, sizeof rules, 1)) {
        int64_t counts[4], balances[B4S_MAX_ASSETS];
        b4s_stream streams[B4S_MAX_STREAMS];
        for (int i = 0; i < 4; i++)
            counts[i] = number();
        b4s_kernel *k = build(&rules, streams, counts, balances);
        void *valuation = valuation_for(k, counts[0]);
        n_kept = 0;
        for (int64_t i = 0; i < counts[3]; i++) {
            b4s_request request;
            int64_t at = number(), what = number();
            need(take(&request, sizeof request, 1), "request is cut");
            play_until(k, at, mode);
            need((what ? b4s_cancel(k, request.id) : b4s_submit(k, &request)) == B4_OK, "action refused");
        }
        play_until(k, INT64_MAX, mode);
        fwrite(&n_kept, sizeof n_kept, 1, stdout);
        fwrite(kept, sizeof *kept, (size_t)n_kept, stdout);
        for (uint32_t i = 0; i < counts[1]; i++) {
            int64_t balance = b4s_balance(k, i);
            fwrite(&balance, sizeof balance, 1, stdout);
        }
        for (int64_t i = 0; i < counts[2]; i++)
            free((void *)streams[i].records);
        free(valuation);
        free(k);
    }
    free(kept);
    return 0;
}
