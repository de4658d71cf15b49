/* The kill latch: one word that every process reads before every send, and the story of who set it and why.
 *
 * The structure is one page, so that it can be a small file of its own (DECISIONS.md D-8) mapped shared by every
 * process of a bot, or live on the heap for a backtest. The word is a 32-bit tag of the mode above a 32-bit count of
 * raises; anything that is not the tag of a lesser mode reads as KILLED, zeroes included: damage latches.
 * The notes (mode, time, who, reason) are two slots with a checksum each: a writer overwrites the older one, so a
 * crash in the middle leaves the newer one.
 *
 * Any thread of any process may call b4_latch_mode and b4_latch_raise at any time. b4_latch_note, _lower and _read
 * want the callers to take turns (native/latch.py holds a file lock). Raising is word first, note second, so the
 * effect never waits for a disk; lowering is note first, word second, so a crash in between stays latched. The
 * mode after a restart is the stricter of word and newest note.
 *
 * Atomics: `word`, written by raise (CAS, acq_rel) and lower (CAS, acq_rel), read by mode (acquire). */
#ifndef B4_LATCH_H
#define B4_LATCH_H

#include <stdatomic.h>

#include "event.h"
#include "status.h"

/* cdef begin */
#define B4_LATCH_ABI 1
#define B4_LATCH_SIZE 4096
#define B4_LATCH_BOT 200
#define B4_LATCH_WHO 64
#define B4_LATCH_REASON 400

/* Each allows less than the one before it. */
enum { B4_MODE_ACTIVE = 0, B4_MODE_REDUCE_ONLY = 1, B4_MODE_CANCEL_ONLY = 2, B4_MODE_KILLED = 3 };

typedef struct b4_latch b4_latch;

typedef struct b4_latch_note {
    uint64_t seq; /* 1, 2, 3 ... in the life of this latch */
    int64_t ts;   /* UTC nanoseconds, the caller's clock */
    uint32_t mode;
    uint32_t who_size;
    uint32_t reason_size;
    char who[64];     /* UTF-8, not terminated */
    char reason[400]; /* UTF-8, not terminated */
    uint32_t check;   /* CRC-32 of everything before it */
} b4_latch_note;

/* Makes a new latch, ACTIVE, with its first note; `bot` is the name that a release must repeat. */
int b4_latch_init(void *memory, size_t size, const char *bot, size_t bot_size, int64_t ts, const char *who,
                  size_t who_size);
/* B4_OK when the page was made by b4_latch_init; B4_E_ABI for another version, B4_E_DAMAGED for anything else. */
int b4_latch_check(const b4_latch *latch);
/* Copies the bot's name (at most B4_LATCH_BOT bytes) and returns its length. */
int b4_latch_bot(const b4_latch *latch, char *out);

/* The mode now, B4_MODE_KILLED for NULL. One load. */
static inline int b4_latch_mode(const b4_latch *latch);
/* The word itself, for b4_latch_lower. */
uint64_t b4_latch_word(const b4_latch *latch);
/* Makes the mode at least `mode` for everybody, at once; returns the mode that then holds. Never lowers. */
int b4_latch_raise(b4_latch *latch, int mode);
/* Back to ACTIVE if nobody raised the latch since `observed` was read, else B4_E_STATE. */
int b4_latch_lower(b4_latch *latch, uint64_t observed);

/* Writes the next note over the older slot. Texts longer than their field are refused (B4_E_RANGE). */
int b4_latch_write_note(b4_latch *latch, int mode, int64_t ts, const char *who, size_t who_size, const char *reason,
                        size_t reason_size);
/* Copies the newest undamaged note; B4_E_DAMAGED when there is none. */
int b4_latch_read_note(const b4_latch *latch, b4_latch_note *out);
/* cdef end */

/* 16 bits or more apart from each other, and far from all zeroes and all ones. */
#define B4__TAG_ACTIVE 0x5AA5C33Cu
#define B4__TAG_REDUCE_ONLY 0x3CC35AA5u
#define B4__TAG_CANCEL_ONLY 0xC33CA55Au
#define B4__TAG_KILLED 0xA55A3CC3u

#define B4__SECTOR 512

typedef struct b4__latch_slot {
    b4_latch_note note;
    char pad[B4__SECTOR - sizeof(b4_latch_note)];
} b4__latch_slot;

struct b4_latch {
    uint64_t magic;
    uint32_t abi;
    uint32_t size;
    uint32_t bot_size;
    char bot[B4_LATCH_BOT];
    uint32_t check; /* CRC-32 of everything before it */
    _Alignas(B4_CACHE_LINE) _Atomic uint64_t word;
    char pad[B4__SECTOR / 2 - sizeof(uint64_t)];
    b4__latch_slot notes[2];
};

_Static_assert(offsetof(struct b4_latch, notes) == B4__SECTOR, "a note lies in one disk sector");
_Static_assert(sizeof(struct b4_latch) <= B4_LATCH_SIZE, "the latch is one page");

static inline int b4_latch_mode(const b4_latch *latch)
{
    if (!latch)
        return B4_MODE_KILLED;
    switch ((uint32_t)(atomic_load_explicit(&latch->word, memory_order_acquire) >> 32)) {
    case B4__TAG_ACTIVE:
        return B4_MODE_ACTIVE;
    case B4__TAG_REDUCE_ONLY:
        return B4_MODE_REDUCE_ONLY;
    case B4__TAG_CANCEL_ONLY:
        return B4_MODE_CANCEL_ONLY;
    default:
        return B4_MODE_KILLED;
    }
}

#endif
