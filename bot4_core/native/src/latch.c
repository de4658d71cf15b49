/* The kill latch; latch.h says the rules. */
#include "latch.h"

#include <string.h>

static const uint64_t MAGIC = 0x315443544C344240u; /* "@B4LTCT1" */
static const uint32_t TAGS[] = {B4__TAG_ACTIVE, B4__TAG_REDUCE_ONLY, B4__TAG_CANCEL_ONLY, B4__TAG_KILLED};

/* CRC-32 (IEEE 802.3, reflected), bit by bit: a few hundred bytes, only when a mode changes. */
static uint32_t crc32(const void *data, size_t size)
{
    const unsigned char *at = data;
    uint32_t crc = ~0u;
    while (size--) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xEDB88320u & -(crc & 1));
    }
    return ~crc;
}

static uint32_t header_check(const b4_latch *latch)
{
    return crc32(latch, offsetof(struct b4_latch, check));
}

static uint32_t note_check(const b4_latch_note *note)
{
    return crc32(note, offsetof(b4_latch_note, check));
}

int b4_latch_check(const b4_latch *latch)
{
    if (!latch)
        return B4_E_NULL;
    if ((uintptr_t)latch % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (latch->magic != MAGIC)
        return B4_E_DAMAGED;
    if (latch->abi != B4_LATCH_ABI)
        return B4_E_ABI;
    if (latch->size != B4_LATCH_SIZE || !latch->bot_size || latch->bot_size > B4_LATCH_BOT ||
        latch->check != header_check(latch))
        return B4_E_DAMAGED;
    return B4_OK;
}

/* Newest undamaged slot, NULL when both are damaged. */
static const b4_latch_note *newest(const b4_latch *latch)
{
    const b4_latch_note *best = NULL;
    for (int i = 0; i < 2; i++) {
        const b4_latch_note *note = &latch->notes[i].note;
        int good = note->seq && note->mode <= B4_MODE_KILLED && note->who_size <= B4_LATCH_WHO &&
                   note->reason_size <= B4_LATCH_REASON && note->check == note_check(note);
        if (good && (!best || note->seq > best->seq))
            best = note;
    }
    return best;
}

int b4_latch_write_note(b4_latch *latch, int mode, int64_t ts, const char *who, size_t who_size, const char *reason,
                        size_t reason_size)
{
    if (!latch || !who || !reason)
        return B4_E_NULL;
    if (mode < B4_MODE_ACTIVE || mode > B4_MODE_KILLED || who_size > B4_LATCH_WHO || reason_size > B4_LATCH_REASON)
        return B4_E_RANGE;
    const b4_latch_note *last = newest(latch);
    b4_latch_note *slot = &latch->notes[last == &latch->notes[0].note].note;
    b4_latch_note note;
    memset(&note, 0, sizeof note);
    note.seq = last ? last->seq + 1 : 1;
    note.ts = ts;
    note.mode = (uint32_t)mode;
    note.who_size = (uint32_t)who_size;
    note.reason_size = (uint32_t)reason_size;
    memcpy(note.who, who, who_size);
    memcpy(note.reason, reason, reason_size);
    note.check = note_check(&note);
    *slot = note;
    return B4_OK;
}

int b4_latch_read_note(const b4_latch *latch, b4_latch_note *out)
{
    if (!latch || !out)
        return B4_E_NULL;
    const b4_latch_note *note = newest(latch);
    if (!note)
        return B4_E_DAMAGED;
    *out = *note;
    return B4_OK;
}

int b4_latch_init(void *memory, size_t size, const char *bot, size_t bot_size, int64_t ts, const char *who,
                  size_t who_size)
{
    static const char made[] = "created";
    b4_latch *latch = memory;
    if (!latch || !bot || !who)
        return B4_E_NULL;
    if (size < B4_LATCH_SIZE)
        return B4_E_SIZE;
    if ((uintptr_t)memory % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (!bot_size || bot_size > B4_LATCH_BOT || who_size > B4_LATCH_WHO)
        return B4_E_RANGE;
    memset(memory, 0, B4_LATCH_SIZE);
    latch->magic = MAGIC;
    latch->abi = B4_LATCH_ABI;
    latch->size = B4_LATCH_SIZE;
    latch->bot_size = (uint32_t)bot_size;
    memcpy(latch->bot, bot, bot_size);
    latch->check = header_check(latch);
    b4_latch_write_note(latch, B4_MODE_ACTIVE, ts, who, who_size, made, sizeof made - 1);
    atomic_store_explicit(&latch->word, (uint64_t)B4__TAG_ACTIVE << 32, memory_order_release);
    return B4_OK;
}

int b4_latch_bot(const b4_latch *latch, char *out)
{
    int rc = b4_latch_check(latch);
    if (rc < 0)
        return rc;
    if (!out)
        return B4_E_NULL;
    memcpy(out, latch->bot, latch->bot_size);
    return (int)latch->bot_size;
}

uint64_t b4_latch_word(const b4_latch *latch)
{
    return latch ? atomic_load_explicit(&latch->word, memory_order_acquire) : 0;
}

static int mode_of(uint64_t word)
{
    for (int mode = B4_MODE_ACTIVE; mode < B4_MODE_KILLED; mode++)
        if ((uint32_t)(word >> 32) == TAGS[mode])
            return mode;
    return B4_MODE_KILLED;
}

int b4_latch_raise(b4_latch *latch, int mode)
{
    if (!latch)
        return B4_E_NULL;
    if (mode < B4_MODE_ACTIVE || mode > B4_MODE_KILLED)
        return B4_E_RANGE;
    uint64_t word = atomic_load_explicit(&latch->word, memory_order_relaxed), next;
    int held;
    do {
        held = mode_of(word) > mode ? mode_of(word) : mode;
        next = (uint64_t)TAGS[held] << 32 | (uint32_t)(word + 1); /* the count moves even if the mode stays */
    } while (!atomic_compare_exchange_weak_explicit(&latch->word, &word, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return held;
}

int b4_latch_lower(b4_latch *latch, uint64_t observed)
{
    if (!latch)
        return B4_E_NULL;
    uint64_t next = (uint64_t)B4__TAG_ACTIVE << 32 | (uint32_t)(observed + 1);
    return atomic_compare_exchange_strong_explicit(&latch->word, &observed, next, memory_order_acq_rel,
                                                   memory_order_relaxed)
               ? B4_OK
               : B4_E_STATE;
}
