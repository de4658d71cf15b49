/* The event record: every fact is one 64-byte record, one cache line (DECISIONS.md D-1).
 *
 * Ring slot, history row, journal row and numpy dtype have this layout; domain/event.py says what the words of `v`
 * mean for each kind, and a test compares every constant here with it. Plain data: no thread rules of its own. */
#ifndef B4_EVENT_H
#define B4_EVENT_H

#include <stddef.h>
#include <stdint.h>

/* Number of the memory layouts of this library. It changes whenever a public structure changes, and every structure
 * starts with it, so that a module built against other headers refuses instead of misreading. */
/* cdef begin */
#define B4_ABI 1
#define B4_EVENT_SIZE 64
#define B4_CACHE_LINE 64

typedef struct b4_event {
    int64_t ts;          /* UTC nanoseconds, the venue's time; for a bar its close */
    uint32_t instrument; /* index into the run's table of instruments */
    uint16_t kind;       /* B4_KIND_* */
    uint16_t flags;      /* B4_FLAG_* */
    int64_t v[6];        /* by kind */
} b4_event;

enum {
    B4_KIND_BAR = 1,
    B4_KIND_TRADE = 2,
    B4_KIND_QUOTE = 3,
    B4_KIND_LEVEL = 4,
    B4_KIND_ACK = 16,
    B4_KIND_TRIGGERED = 17,
    B4_KIND_FILL = 18,
    B4_KIND_CANCELLED = 19,
    B4_KIND_REJECTED = 20,
    B4_KIND_EXPIRED = 21,
    B4_KIND_CANCEL_REJECTED = 22,
    B4_KIND_INTENT = 32,
    B4_KIND_DENIED = 33,
    B4_KIND_CANCEL = 34,
    B4_KIND_HALT = 35,
    B4_KIND_EQUITY = 36,
    B4_KIND_RESIZED = 37,
    B4_KIND_RUN_START = 40,
    B4_KIND_RUN_END = 41,
};

enum {
    B4_FLAG_SELL = 1,
    B4_FLAG_SNAPSHOT = 2,
    B4_FLAG_LAST = 4,
    B4_FLAG_MAKER = 8,
    B4_FLAG_FEE_BASE = 16,
    B4_FLAG_VIOLATION = 32,
};

enum {
    B4_REASON_NONE = 0,
    B4_REASON_REQUESTED = 1,
    B4_REASON_TIME_IN_FORCE = 2,
    B4_REASON_INSUFFICIENT_BALANCE = 3,
    B4_REASON_MIN_QUANTITY = 4,
    B4_REASON_MAX_QUANTITY = 5,
    B4_REASON_MIN_NOTIONAL = 6,
    B4_REASON_UNKNOWN_ORDER = 7,
    B4_REASON_DUPLICATE_ID = 8,
    B4_REASON_WOULD_CROSS = 9,
    B4_REASON_POSITION_CLOSED = 10,
    B4_REASON_SIBLING_FILLED = 11,
    B4_REASON_PARENT_ENDED = 12,
    B4_REASON_INSUFFICIENT_MARGIN = 13,
    B4_REASON_OVERFLOW = 14,
    B4_REASON_BOOK_FULL = 15,
    B4_REASON_NOT_SENT = 16,
};
/* cdef end */

/* Words of `v` by name, for the kinds that C reads. */
enum { B4_BAR_OPEN, B4_BAR_HIGH, B4_BAR_LOW, B4_BAR_CLOSE, B4_BAR_VOLUME, B4_BAR_TRADES };
enum { B4_TRADE_PRICE, B4_TRADE_QUANTITY, B4_TRADE_ID, B4_TRADE_RECEIVED };
enum { B4_QUOTE_BID, B4_QUOTE_BID_SIZE, B4_QUOTE_ASK, B4_QUOTE_ASK_SIZE, B4_QUOTE_RECEIVED, B4_QUOTE_SEQUENCE };

_Static_assert(sizeof(b4_event) == B4_EVENT_SIZE, "an event is one cache line");
_Static_assert(offsetof(b4_event, instrument) == 8, "the layout of domain/event.py");
_Static_assert(offsetof(b4_event, kind) == 12, "the layout of domain/event.py");
_Static_assert(offsetof(b4_event, flags) == 14, "the layout of domain/event.py");
_Static_assert(offsetof(b4_event, v) == 16, "the layout of domain/event.py");

/* Records are little-endian on disk and are mapped as they are (SPEC.md R-08 for the atomics). */
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "bot4 needs a little-endian machine: history files and segments are mapped as they are"
#endif
#if !defined(__SIZEOF_INT128__)
#error "bot4 needs a compiler with 128-bit integers (gcc or clang on a 64-bit machine)"
#endif
#if !defined(__GCC_ATOMIC_LLONG_LOCK_FREE) || __GCC_ATOMIC_LLONG_LOCK_FREE != 2
#error "bot4 needs 64-bit atomics that are always lock-free (x86-64, aarch64)"
#endif

#endif
