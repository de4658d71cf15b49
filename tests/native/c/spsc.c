/* The ring between two threads: whole records, in order, none lost but those counted. */
#include "spsc.h"

#include <sched.h>

#include "check.h"

enum { TOTAL = 60000 };

static b4_spsc *ring;
static _Atomic int done;

static b4_event numbered(int64_t n)
{
    b4_event e = {.ts = n, .instrument = (uint32_t)n, .kind = B4_KIND_TRADE, .flags = (uint16_t)n};
    for (int w = 0; w < 6; w++)
        e.v[w] = n * (w + 3);
    return e;
}

static int whole(const b4_event *e)
{
    b4_event same = numbered(e->ts);
    return !memcmp(e, &same, sizeof same);
}

static void *produce_singly(void *unused)
{
    (void)unused;
    for (int64_t n = 0; n < TOTAL;) {
        b4_event e = numbered(n);
        if (b4_spsc_push(ring, &e))
            n++;
        else
            sched_yield();
    }
    atomic_store(&done, 1);
    return NULL;
}

static void *produce_batches(void *unused)
{
    b4_event batch[37];
    (void)unused;
    for (int64_t n = 0; n < TOTAL;) {
        size_t want = TOTAL - n < 37 ? (size_t)(TOTAL - n) : 37;
        for (size_t k = 0; k < want; k++)
            batch[k] = numbered(n + (int64_t)k);
        int64_t sent = b4_spsc_push_batch(ring, batch, want);
        CHECK(sent >= 0 && sent <= (int64_t)want);
        n += sent;
        if (!sent)
            sched_yield();
    }
    atomic_store(&done, 1);
    return NULL;
}

/* Messages of 1 to 7 records; the consumer must never see a part of one, so each record says where its own ends. */
static void *produce_messages(void *unused)
{
    b4_event message[7];
    (void)unused;
    for (int64_t n = 0; n < TOTAL;) {
        int64_t size = 1 + n % 7;
        for (int64_t k = 0; k < size; k++)
            message[k] = (b4_event){.ts = n + k, .v = {n, size, n * 5}};
        int stored = b4_spsc_push_all(ring, message, (size_t)size);
        CHECK(stored == 0 || stored == 1);
        if (stored)
            n += size;
        else
            sched_yield();
    }
    atomic_store(&done, 1);
    return NULL;
}

/* Looks at what is there, now and then twice, and takes whole messages only. */
static void consume_messages(size_t window)
{
    static b4_event out[64], again[64];
    int64_t next = 0;
    for (;;) {
        int finished = atomic_load(&done);
        int64_t seen = b4_spsc_peek_batch(ring, out, window), whole_ones = 0;
        CHECK(seen >= 0 && seen <= (int64_t)window);
        if (seen && next % 3 == 0) {
            int64_t more = b4_spsc_peek_batch(ring, again, window);
            CHECK(more >= seen && !memcmp(out, again, (size_t)seen * sizeof *out));
        }
        while (whole_ones < seen) {
            const b4_event *first = &out[whole_ones];
            int64_t size = first->v[1];
            CHECK(first->ts == next && first->v[0] == next && size == 1 + next % 7);
            if (whole_ones + size > seen) {
                CHECK(seen == (int64_t)window); /* cut by our window, never by the producer */
                break;
            }
            for (int64_t k = 0; k < size; k++)
                CHECK(first[k].ts == next + k && first[k].v[0] == next && first[k].v[2] == next * 5);
            whole_ones += size;
            next += size;
        }
        CHECK(b4_spsc_release(ring, (size_t)whole_ones) == whole_ones);
        if (!seen && finished)
            break;
        if (!seen)
            sched_yield();
    }
    CHECK(next >= TOTAL && b4_spsc_popped(ring) == next && b4_spsc_pushed(ring) == next);
    CHECK(b4_spsc_release(ring, 1) == B4_E_RANGE && b4_spsc_popped(ring) == next);
}

static void pass_messages(uint32_t capacity, size_t window)
{
    size_t size = b4_spsc_size(capacity);
    ring = rubbish(size);
    CHECK(b4_spsc_init(ring, size, capacity, B4_SPSC_REJECT) == B4_OK);
    atomic_store(&done, 0);
    pthread_t thread = start(produce_messages, NULL);
    consume_messages(window);
    join(thread);
    free(ring);
}

static void consume(size_t batch_size, int may_drop)
{
    b4_event out[64];
    int64_t last = -1, got = 0;
    for (;;) {
        int finished = atomic_load(&done);
        int64_t n = batch_size == 1 ? b4_spsc_pop(ring, out) : b4_spsc_pop_batch(ring, out, batch_size);
        CHECK(n >= 0 && n <= (int64_t)batch_size);
        for (int64_t k = 0; k < n; k++) {
            CHECK(whole(&out[k]));
            CHECK(may_drop ? out[k].ts > last : out[k].ts == last + 1);
            last = out[k].ts;
        }
        got += n;
        if (!n && finished)
            break;
        if (!n)
            sched_yield();
    }
    CHECK(last == TOTAL - 1);
    CHECK(b4_spsc_pushed(ring) == TOTAL);
    CHECK(b4_spsc_popped(ring) == got);
    CHECK(got + b4_spsc_dropped(ring) == TOTAL);
    CHECK(may_drop || got == TOTAL);
    CHECK(b4_spsc_length(ring) == 0);
}

static void pass(void *(*producer)(void *), size_t batch_size, int mode, uint32_t capacity)
{
    size_t size = b4_spsc_size(capacity);
    ring = rubbish(size);
    CHECK(b4_spsc_init(ring, size, capacity, mode) == B4_OK);
    atomic_store(&done, 0);
    pthread_t thread = start(producer, NULL);
    consume(batch_size, mode == B4_SPSC_DROP_OLDEST);
    join(thread);
    CHECK(b4_spsc_check(ring, size) == B4_OK);
    free(ring);
}

int main(void)
{
    for (int mode = B4_SPSC_REJECT; mode <= B4_SPSC_DROP_OLDEST; mode++)
        for (uint32_t capacity = 2; capacity <= 1024; capacity *= 8) {
            pass(produce_singly, 1, mode, capacity);
            pass(produce_singly, 64, mode, capacity);
            pass(produce_batches, 1, mode, capacity);
            pass(produce_batches, 64, mode, capacity);
        }
    pass_messages(8, 7);
    pass_messages(8, 8);
    pass_messages(64, 16);
    pass_messages(1024, 64);
    CHECK(b4_spsc_size(0) == 0 && b4_spsc_size(3) == 0 && b4_spsc_size(1u << 25) == 0);
    CHECK(b4_spsc_push(NULL, NULL) == B4_E_NULL && b4_spsc_pop(NULL, NULL) == B4_E_NULL);
    return 0;
}
