/* One memory-mapped file per running bot: a header, a table of named sections, and the sections (DESIGN.md).
 *
 * The trading process makes it; recorder, guard and `bot4 status` attach to it from their own processes and find
 * counters, histograms, rings and constant texts by name. Everything inside is addressed by offset. A segment holds no truth that
 * must survive a crash (the journal and the latch do): it is made anew at each start.
 *
 * b4_segment_init, and writing the names of counters and the texts: one thread, before the file gets its name. Everything else: any thread of any process.
 * Atomics: `state` (maker: release when all is laid out, and again when it leaves; attacher: acquire). */
#ifndef B4_SEGMENT_H
#define B4_SEGMENT_H

#include <stdatomic.h>

#include "counters.h"
#include "event.h"
#include "histogram.h"
#include "spsc.h"
#include "status.h"

/* cdef begin */
#define B4_SEGMENT_ABI 2
#define B4_SEGMENT_MAX_SECTIONS 256
#define B4_SECTION_NAME 32
#define B4_SEGMENT_MAX_TEXT 16777216

enum { B4_SECTION_COUNTERS = 1, B4_SECTION_HISTOGRAM = 2, B4_SECTION_SPSC = 3, B4_SECTION_TEXT = 4 };
enum { B4_SEGMENT_BLANK = 0, B4_SEGMENT_READY = 1, B4_SEGMENT_CLOSED = 2 };

typedef struct b4_segment b4_segment;

typedef struct b4_section {
    char name[32];   /* zero-padded, 1 to 31 bytes, unique */
    uint32_t kind;   /* B4_SECTION_* */
    uint32_t count;  /* counters, records of a ring, or bytes of a text (1 to 16 MiB); 1 for a histogram */
    uint32_t mode;   /* of a ring */
    uint32_t spare;
    uint64_t offset; /* from the start of the segment; set by b4_segment_init */
    uint64_t size;   /* set by b4_segment_init */
} b4_section;

/* Bytes for these sections (name, kind, count and mode filled in); 0 when one is not possible. */
size_t b4_segment_size(const b4_section *sections, uint32_t n);
/* Lays out and initialises everything. owner: process id; made_ns: the caller's clock, UTC. */
int b4_segment_init(void *memory, size_t size, const b4_section *sections, uint32_t n, int64_t owner, int64_t made_ns);
/* Checks a mapping of `size` bytes before anything in it is trusted: header, size, table (bounds, order, overlap,
 * names) and every section. */
int b4_segment_check(const b4_segment *segment, size_t size);
/* Number of sections, or a refusal. */
int b4_segment_sections(const b4_segment *segment);
/* Copies entry i of the table. */
int b4_segment_section(const b4_segment *segment, uint32_t i, b4_section *out);
/* Start of section i if it is of that kind, else NULL. */
void *b4_segment_at(b4_segment *segment, uint32_t i, uint32_t kind);
int b4_segment_state(const b4_segment *segment);
/* Says that the maker has left in order. */
int b4_segment_close(b4_segment *segment);
int64_t b4_segment_owner(const b4_segment *segment);
int64_t b4_segment_made_ns(const b4_segment *segment);
/* cdef end */

struct b4_segment {
    uint64_t magic;
    uint32_t abi;
    uint32_t layout; /* B4_ABI: of all structures together */
    uint64_t size;
    int64_t owner;
    int64_t made_ns;
    uint32_t n;
    _Alignas(B4_CACHE_LINE) _Atomic uint32_t state;
    _Alignas(B4_CACHE_LINE) b4_section table[];
};

_Static_assert(sizeof(b4_section) == 64, "one line per entry");

#endif
