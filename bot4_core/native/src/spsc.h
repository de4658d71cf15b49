/* A ring of 64-byte records from exactly one producer to exactly one consumer, in one process or two.
 *
 * Two modes, fixed when it is made. REJECT: a push into a full ring answers 0 and is counted; nothing is lost that
 * was accepted. DROP_OLDEST (ticks): a push always succeeds and overwrites the oldest record; the consumer notices
 * what it missed, counts it, and never hands out a torn record (MEMORY.md has the argument).
 *
 * REJECT rings also pass messages of several records: push_all stores all of them or none, and the consumer may look
 * at records (peek) and take them later (release), so that what it dies over is still there for its successor.
 *
 * Push functions: the producer's thread only. Pop, peek and release: the consumer's only. The counters: any thread.
 * Memory is the caller's, 64-byte aligned, free of addresses, so it can lie in a segment.
 *
 * Atomics and their partners: `write` (producer: release; consumer: acquire), `read` (consumer: release; producer:
 * acquire), `claim` (producer: relaxed before a release fence; consumer: relaxed after an acquire fence). */
#ifndef B4_SPSC_H
#define B4_SPSC_H

#include <stdatomic.h>

#include "event.h"
#include "status.h"

/* cdef begin */
#define B4_SPSC_ABI 1
#define B4_SPSC_MIN_CAPACITY 2
#define B4_SPSC_MAX_CAPACITY 16777216

enum { B4_SPSC_REJECT = 0, B4_SPSC_DROP_OLDEST = 1 };

typedef struct b4_spsc b4_spsc;

/* Bytes for `capacity` records, a power of two inside the bounds; 0 when it is not. */
size_t b4_spsc_size(uint32_t capacity);
int b4_spsc_init(void *memory, size_t size, uint32_t capacity, int mode);
/* B4_OK when `memory` of `size` bytes holds a ring of this ABI whose indices make sense. */
int b4_spsc_check(const b4_spsc *ring, size_t size);

/* 1 = stored, 0 = full (REJECT only). */
static inline int b4_spsc_push(b4_spsc *ring, const b4_event *event);
/* 1 = `out` holds the oldest record, 0 = empty (or, DROP_OLDEST, overtaken eight times in a row: try again). */
static inline int b4_spsc_pop(b4_spsc *ring, b4_event *out);
/* Stores records in order until the ring is full; how many. What did not fit is counted as rejected. */
static inline int64_t b4_spsc_push_batch(b4_spsc *ring, const void *events, size_t n);
/* Takes up to n records in order; how many. */
static inline int64_t b4_spsc_pop_batch(b4_spsc *ring, void *out, size_t n);
/* Stores all n records with one publication, or none: 1 or 0. Refusals are counted record by record.
 * REJECT only, else B4_E_STATE; B4_E_RANGE when n is 0 or above the capacity: it would never fit. */
static inline int b4_spsc_push_all(b4_spsc *ring, const void *events, size_t n);
/* Copies up to n of the oldest records without taking them; how many. REJECT only, else B4_E_STATE. */
static inline int64_t b4_spsc_peek_batch(b4_spsc *ring, void *out, size_t n);
/* Takes the n oldest records unseen; how many, which is n. B4_E_RANGE, and nothing taken, when fewer wait.
 * REJECT only, else B4_E_STATE. */
static inline int64_t b4_spsc_release(b4_spsc *ring, size_t n);

/* Counters since the ring was made; pushed = popped + dropped + length once both sides rest. -1 for NULL. */
int64_t b4_spsc_pushed(const b4_spsc *ring);
int64_t b4_spsc_popped(const b4_spsc *ring);
int64_t b4_spsc_rejected(const b4_spsc *ring); /* REJECT: records refused because the ring was full */
int64_t b4_spsc_dropped(const b4_spsc *ring);  /* DROP_OLDEST: records the consumer found overwritten */
int64_t b4_spsc_length(const b4_spsc *ring);   /* records waiting, at most the capacity */
int64_t b4_spsc_capacity(const b4_spsc *ring);
int64_t b4_spsc_mode(const b4_spsc *ring);
/* cdef end */

typedef struct b4__slot {
    uint64_t word[B4_EVENT_SIZE / 8];
} b4__slot;

struct b4_spsc {
    uint32_t abi;
    uint32_t mode;
    uint64_t capacity;
    uint64_t size;
    /* The producer's line. */
    _Alignas(B4_CACHE_LINE) _Atomic uint64_t write; /* records published */
    _Atomic uint64_t claim;                         /* DROP_OLDEST: records whose slot is being or was overwritten */
    uint64_t seen_read;                             /* the producer's last look at `read` */
    _Atomic uint64_t rejected;
    /* The consumer's line. */
    _Alignas(B4_CACHE_LINE) _Atomic uint64_t read; /* records taken or found lost */
    uint64_t seen_write;                           /* the consumer's last look at `write` */
    _Atomic uint64_t dropped;
    _Alignas(B4_CACHE_LINE) b4__slot slots[];
};

static inline b4__slot *b4__slot_of(b4_spsc *ring, uint64_t index)
{
    return &ring->slots[index & (ring->capacity - 1)];
}

/* Owner-only counters need no read-modify-write: nobody else stores them. */
static inline void b4__bump(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by, memory_order_relaxed);
}

/* How many of n records fit now (REJECT). Looks at the consumer's line only when the last look is used up. */
static inline uint64_t b4__room(b4_spsc *ring, uint64_t write, uint64_t n)
{
    uint64_t room = ring->capacity - (write - ring->seen_read);
    if (room < n) {
        ring->seen_read = atomic_load_explicit(&ring->read, memory_order_acquire);
        room = ring->capacity - (write - ring->seen_read);
    }
    return room < n ? room : n;
}

/* DROP_OLDEST writes word by word with relaxed atomics, because the consumer may be reading the same slot. */
static inline void b4__overwrite(b4_spsc *ring, uint64_t write, const char *from, uint64_t n)
{
    atomic_store_explicit(&ring->claim, write + n, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (uint64_t k = 0; k < n; k++, from += B4_EVENT_SIZE) {
        b4__slot *slot = b4__slot_of(ring, write + k);
        for (int w = 0; w < B4_EVENT_SIZE / 8; w++) {
            uint64_t word;
            __builtin_memcpy(&word, from + w * 8, 8);
            __atomic_store_n(&slot->word[w], word, __ATOMIC_RELAXED);
        }
    }
    atomic_store_explicit(&ring->write, write + n, memory_order_release);
}

static inline int64_t b4_spsc_push_batch(b4_spsc *ring, const void *events, size_t n)
{
    if (!ring || (!events && n))
        return B4_E_NULL;
    const char *from = (const char *)events;
    uint64_t write = atomic_load_explicit(&ring->write, memory_order_relaxed);
    if (ring->mode == B4_SPSC_DROP_OLDEST) {
        /* Half a ring at a time, so that a consumer at work loses the older half only. */
        for (uint64_t done = 0, part; done < n; done += part) {
            part = n - done < ring->capacity / 2 ? n - done : ring->capacity / 2;
            b4__overwrite(ring, write + done, from + done * B4_EVENT_SIZE, part);
        }
        return (int64_t)n;
    }
    uint64_t fits = b4__room(ring, write, n);
    for (uint64_t k = 0; k < fits; k++)
        __builtin_memcpy(b4__slot_of(ring, write + k), from + k * B4_EVENT_SIZE, B4_EVENT_SIZE);
    atomic_store_explicit(&ring->write, write + fits, memory_order_release);
    if (fits < n)
        b4__bump(&ring->rejected, n - fits);
    return (int64_t)fits;
}

static inline int b4_spsc_push_all(b4_spsc *ring, const void *events, size_t n)
{
    if (!ring || !events)
        return B4_E_NULL;
    if (ring->mode != B4_SPSC_REJECT)
        return B4_E_STATE;
    if (n < 1 || n > ring->capacity)
        return B4_E_RANGE;
    uint64_t write = atomic_load_explicit(&ring->write, memory_order_relaxed);
    if (b4__room(ring, write, n) < n) {
        b4__bump(&ring->rejected, n);
        return 0;
    }
    for (uint64_t k = 0; k < n; k++)
        __builtin_memcpy(b4__slot_of(ring, write + k), (const char *)events + k * B4_EVENT_SIZE, B4_EVENT_SIZE);
    atomic_store_explicit(&ring->write, write + n, memory_order_release);
    return 1;
}

static inline int b4_spsc_push(b4_spsc *ring, const b4_event *event)
{
    if (!ring || !event)
        return B4_E_NULL;
    uint64_t write = atomic_load_explicit(&ring->write, memory_order_relaxed);
    if (ring->mode == B4_SPSC_DROP_OLDEST) {
        b4__overwrite(ring, write, (const char *)event, 1);
        return 1;
    }
    if (!b4__room(ring, write, 1)) {
        b4__bump(&ring->rejected, 1);
        return 0;
    }
    __builtin_memcpy(b4__slot_of(ring, write), event, sizeof *event);
    atomic_store_explicit(&ring->write, write + 1, memory_order_release);
    return 1;
}

/* How many of n records wait (both modes). Looks at the producer's line only when the last look is used up. */
static inline uint64_t b4__waiting(b4_spsc *ring, uint64_t read, uint64_t n)
{
    if (ring->seen_write - read < n)
        ring->seen_write = atomic_load_explicit(&ring->write, memory_order_acquire);
    uint64_t waiting = ring->seen_write - read;
    return waiting < n ? waiting : n;
}

/* DROP_OLDEST: copies, then asks whether the producer had begun to overwrite what was copied. */
static inline int64_t b4__take_fresh(b4_spsc *ring, char *out, size_t n)
{
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed), lost = 0, got = 0;
    for (int tries = 0; tries < 8 && !got; tries++) {
        ring->seen_write = atomic_load_explicit(&ring->write, memory_order_acquire);
        if (ring->seen_write - read > ring->capacity) {
            lost += ring->seen_write - ring->capacity - read;
            read = ring->seen_write - ring->capacity;
        }
        uint64_t want = ring->seen_write - read < n ? ring->seen_write - read : n;
        if (!want)
            break;
        for (uint64_t k = 0; k < want; k++) {
            b4__slot *slot = b4__slot_of(ring, read + k);
            for (int w = 0; w < B4_EVENT_SIZE / 8; w++) {
                uint64_t word = __atomic_load_n(&slot->word[w], __ATOMIC_RELAXED);
                __builtin_memcpy(out + k * B4_EVENT_SIZE + w * 8, &word, 8);
            }
        }
        atomic_thread_fence(memory_order_acquire);
        uint64_t claim = atomic_load_explicit(&ring->claim, memory_order_relaxed);
        uint64_t torn = claim - read > ring->capacity ? claim - ring->capacity - read : 0;
        if (torn >= want) { /* all of it: start again at the oldest record that is whole */
            lost += torn;
            read += torn;
            continue;
        }
        if (torn)
            __builtin_memmove(out, out + torn * B4_EVENT_SIZE, (want - torn) * B4_EVENT_SIZE);
        lost += torn;
        got = want - torn;
        read += want;
    }
    if (lost)
        b4__bump(&ring->dropped, lost);
    atomic_store_explicit(&ring->read, read, memory_order_release);
    return (int64_t)got;
}

/* REJECT: copies what waits, up to n, and leaves it where it is. */
static inline uint64_t b4__copy_out(b4_spsc *ring, uint64_t read, char *out, uint64_t n)
{
    uint64_t have = b4__waiting(ring, read, n);
    for (uint64_t k = 0; k < have; k++)
        __builtin_memcpy(out + k * B4_EVENT_SIZE, b4__slot_of(ring, read + k), B4_EVENT_SIZE);
    return have;
}

static inline int64_t b4_spsc_pop_batch(b4_spsc *ring, void *out, size_t n)
{
    if (!ring || (!out && n))
        return B4_E_NULL;
    if (ring->mode == B4_SPSC_DROP_OLDEST)
        return b4__take_fresh(ring, (char *)out, n);
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    uint64_t have = b4__copy_out(ring, read, (char *)out, n);
    atomic_store_explicit(&ring->read, read + have, memory_order_release);
    return (int64_t)have;
}

static inline int64_t b4_spsc_peek_batch(b4_spsc *ring, void *out, size_t n)
{
    if (!ring || (!out && n))
        return B4_E_NULL;
    if (ring->mode != B4_SPSC_REJECT)
        return B4_E_STATE;
    return (int64_t)b4__copy_out(ring, atomic_load_explicit(&ring->read, memory_order_relaxed), (char *)out, n);
}

static inline int64_t b4_spsc_release(b4_spsc *ring, size_t n)
{
    if (!ring)
        return B4_E_NULL;
    if (ring->mode != B4_SPSC_REJECT)
        return B4_E_STATE;
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    if (n > ring->capacity || b4__waiting(ring, read, n) < n)
        return B4_E_RANGE;
    atomic_store_explicit(&ring->read, read + n, memory_order_release);
    return (int64_t)n;
}

static inline int b4_spsc_pop(b4_spsc *ring, b4_event *out)
{
    if (!ring || !out)
        return B4_E_NULL;
    if (ring->mode == B4_SPSC_DROP_OLDEST)
        return (int)b4__take_fresh(ring, (char *)out, 1);
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    if (!b4__waiting(ring, read, 1))
        return 0;
    __builtin_memcpy(out, b4__slot_of(ring, read), sizeof *out);
    atomic_store_explicit(&ring->read, read + 1, memory_order_release);
    return 1;
}

#endif
