/* The latch under raises, releases and reads from several threads: it is never looser than the last raise allows. */
#include "latch.h"

#include "check.h"

enum { ROUNDS = 100000 };

static b4_latch *latch;
static _Atomic int go;

/* What a raise published must be visible to whoever reads the mode it set. */
static int told;

static void *raise_it(void *unused)
{
    (void)unused;
    told = 42;
    CHECK(b4_latch_raise(latch, B4_MODE_KILLED) == B4_MODE_KILLED);
    return NULL;
}

static void *raise_and_look(void *argument)
{
    int mode = (int)(intptr_t)argument;
    while (!atomic_load(&go))
        ;
    for (int k = 0; k < ROUNDS; k++)
        CHECK(b4_latch_raise(latch, mode) >= mode);
    return NULL;
}

/* Releases as long as nobody raises in between; a release may only succeed against the word it saw. */
static void *release(void *unused)
{
    (void)unused;
    while (!atomic_load(&go))
        ;
    for (int k = 0; k < ROUNDS; k++) {
        uint64_t seen = b4_latch_word(latch);
        int rc = b4_latch_lower(latch, seen);
        CHECK(rc == B4_OK || rc == B4_E_STATE);
    }
    return NULL;
}

static void fresh(void)
{
    CHECK(b4_latch_init(latch, B4_LATCH_SIZE, "trend", 5, 7, "ops", 3) == B4_OK);
    CHECK(b4_latch_check(latch) == B4_OK);
    CHECK(b4_latch_mode(latch) == B4_MODE_ACTIVE);
}

int main(void)
{
    latch = rubbish(B4_LATCH_SIZE);
    CHECK(b4_latch_mode(latch) == B4_MODE_KILLED); /* rubbish latches */
    CHECK(b4_latch_check(latch) == B4_E_DAMAGED);
    fresh();

    pthread_t raiser = start(raise_it, NULL);
    while (b4_latch_mode(latch) != B4_MODE_KILLED)
        ;
    CHECK(told == 42);
    join(raiser);

    fresh();
    atomic_store(&go, 1);
    pthread_t a = start(raise_and_look, (void *)(intptr_t)B4_MODE_REDUCE_ONLY);
    pthread_t b = start(raise_and_look, (void *)(intptr_t)B4_MODE_CANCEL_ONLY);
    pthread_t c = start(release, NULL);
    join(a);
    join(b);
    join(c);
    int mode = b4_latch_mode(latch);
    CHECK(mode == B4_MODE_ACTIVE || mode == B4_MODE_REDUCE_ONLY || mode == B4_MODE_CANCEL_ONLY);

    uint64_t seen = b4_latch_word(latch);
    CHECK(b4_latch_raise(latch, B4_MODE_KILLED) == B4_MODE_KILLED);
    uint64_t killed = b4_latch_word(latch);
    CHECK(b4_latch_raise(latch, B4_MODE_KILLED) == B4_MODE_KILLED); /* the same mode, yet another raise */
    CHECK(b4_latch_lower(latch, seen) == B4_E_STATE && b4_latch_lower(latch, killed) == B4_E_STATE);
    CHECK(b4_latch_mode(latch) == B4_MODE_KILLED);

    b4_latch_note note;
    for (int64_t k = 2; k < 6; k++) {
        CHECK(b4_latch_write_note(latch, B4_MODE_KILLED, k, "who", 3, "why", 3) == B4_OK);
        CHECK(b4_latch_read_note(latch, &note) == B4_OK && note.seq == (uint64_t)k && note.ts == k);
    }
    latch->notes[0].note.ts ^= 1;
    CHECK(b4_latch_read_note(latch, &note) == B4_OK);
    latch->notes[1].note.ts ^= 1;
    CHECK(b4_latch_read_note(latch, &note) == B4_E_DAMAGED);
    free(latch);
    return 0;
}
