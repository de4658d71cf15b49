/* Laying out, checking and finding; segment.h says who may call what. */
#include "segment.h"

#include <string.h>

static const uint64_t MAGIC = 0x31474553544F4234u; /* "4BOTSEG1" */

static uint64_t table_end(uint32_t n)
{
    return sizeof(struct b4_segment) + (uint64_t)n * sizeof(b4_section);
}

/* Bytes of one section, 0 when its kind or count is not possible. */
static uint64_t section_size(const b4_section *s)
{
    switch (s->kind) {
    case B4_SECTION_COUNTERS:
        return b4_counters_size(s->count);
    case B4_SECTION_HISTOGRAM:
        return s->count == 1 ? b4_histogram_size() : 0;
    case B4_SECTION_SPSC:
        return s->mode <= B4_SPSC_DROP_OLDEST ? b4_spsc_size(s->count) : 0;
    case B4_SECTION_TEXT: /* whole lines, so that the next section begins on one */
        return s->count >= 1 && s->count <= B4_SEGMENT_MAX_TEXT
                   ? ((uint64_t)s->count + B4_CACHE_LINE - 1) / B4_CACHE_LINE * B4_CACHE_LINE
                   : 0;
    default:
        return 0;
    }
}

static int name_ok(const b4_section *s)
{
    size_t length = strnlen(s->name, B4_SECTION_NAME);
    return length > 0 && length < B4_SECTION_NAME;
}

static int names_differ(const b4_section *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (!strncmp(s[i].name, s[k].name, B4_SECTION_NAME))
                return 0;
    return 1;
}

size_t b4_segment_size(const b4_section *sections, uint32_t n)
{
    if (!sections || n < 1 || n > B4_SEGMENT_MAX_SECTIONS || !names_differ(sections, n))
        return 0;
    uint64_t size = table_end(n);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t part = section_size(&sections[i]); /* at most 2^30, a multiple of the line */
        if (!part || !name_ok(&sections[i]))
            return 0;
        size += part;
    }
    return size;
}

static int init_section(void *at, const b4_section *s)
{
    switch (s->kind) {
    case B4_SECTION_COUNTERS:
        return b4_counters_init(at, s->size, s->count);
    case B4_SECTION_HISTOGRAM:
        return b4_histogram_init(at, s->size);
    case B4_SECTION_TEXT:
        memset(at, 0, s->size);
        return B4_OK;
    default:
        return b4_spsc_init(at, s->size, s->count, (int)s->mode);
    }
}

int b4_segment_init(void *memory, size_t size, const b4_section *sections, uint32_t n, int64_t owner, int64_t made_ns)
{
    b4_segment *segment = memory;
    if (!segment || !sections)
        return B4_E_NULL;
    size_t needed = b4_segment_size(sections, n);
    if (!needed)
        return B4_E_RANGE;
    if ((uintptr_t)memory % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (size < needed)
        return B4_E_SIZE;
    memset(memory, 0, table_end(n));
    segment->magic = MAGIC;
    segment->abi = B4_SEGMENT_ABI;
    segment->layout = B4_ABI;
    segment->size = size;
    segment->owner = owner;
    segment->made_ns = made_ns;
    segment->n = n;
    uint64_t offset = table_end(n);
    for (uint32_t i = 0; i < n; i++) {
        b4_section *s = &segment->table[i];
        *s = sections[i];
        s->spare = 0;
        s->offset = offset;
        s->size = section_size(s);
        offset += s->size;
        int rc = init_section((char *)memory + s->offset, s);
        if (rc < 0)
            return rc;
    }
    atomic_store_explicit(&segment->state, B4_SEGMENT_READY, memory_order_release);
    return B4_OK;
}

/* The structure inside agrees with its entry in the table. */
static int check_section(const b4_segment *segment, const b4_section *s)
{
    const char *at = (const char *)segment + s->offset;
    int rc;
    switch (s->kind) {
    case B4_SECTION_COUNTERS:
        rc = b4_counters_check((const b4_counters *)at, s->size);
        return rc < 0 ? rc : ((const b4_counters *)at)->n == s->count ? B4_OK : B4_E_DAMAGED;
    case B4_SECTION_HISTOGRAM:
        return b4_histogram_check((const b4_histogram *)at, s->size);
    case B4_SECTION_TEXT: /* plain bytes: its length, compared with its size before, is all there is to know */
        return B4_OK;
    default:
        rc = b4_spsc_check((const b4_spsc *)at, s->size);
        if (rc < 0)
            return rc;
        return b4_spsc_capacity((const b4_spsc *)at) == s->count && b4_spsc_mode((const b4_spsc *)at) == s->mode
                   ? B4_OK
                   : B4_E_DAMAGED;
    }
}

int b4_segment_check(const b4_segment *segment, size_t size)
{
    if (!segment)
        return B4_E_NULL;
    if ((uintptr_t)segment % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (size < sizeof *segment)
        return B4_E_SIZE;
    if (segment->magic != MAGIC)
        return B4_E_DAMAGED;
    if (segment->abi != B4_SEGMENT_ABI || segment->layout != B4_ABI)
        return B4_E_ABI;
    uint32_t state = atomic_load_explicit(&segment->state, memory_order_acquire);
    if (state != B4_SEGMENT_READY && state != B4_SEGMENT_CLOSED)
        return B4_E_STATE;
    if (segment->size != size)
        return B4_E_SIZE;
    if (segment->n < 1 || segment->n > B4_SEGMENT_MAX_SECTIONS || table_end(segment->n) > size)
        return B4_E_DAMAGED;
    uint64_t offset = table_end(segment->n);
    for (uint32_t i = 0; i < segment->n; i++) {
        const b4_section *s = &segment->table[i];
        /* Sections lie one after the other, so in order also means without overlap. */
        if (!name_ok(s) || s->offset != offset || !s->size || s->size != section_size(s) || s->size > size - offset)
            return B4_E_DAMAGED;
        offset += s->size;
        int rc = check_section(segment, s);
        if (rc < 0)
            return rc;
    }
    return names_differ(segment->table, segment->n) ? B4_OK : B4_E_DAMAGED;
}

int b4_segment_sections(const b4_segment *segment)
{
    return segment ? (int)segment->n : B4_E_NULL;
}

int b4_segment_section(const b4_segment *segment, uint32_t i, b4_section *out)
{
    if (!segment || !out)
        return B4_E_NULL;
    if (i >= segment->n)
        return B4_E_RANGE;
    *out = segment->table[i];
    return B4_OK;
}

void *b4_segment_at(b4_segment *segment, uint32_t i, uint32_t kind)
{
    if (!segment || i >= segment->n || segment->table[i].kind != kind)
        return NULL;
    return (char *)segment + segment->table[i].offset;
}

int b4_segment_state(const b4_segment *segment)
{
    return segment ? (int)atomic_load_explicit(&segment->state, memory_order_acquire) : B4_E_NULL;
}

int b4_segment_close(b4_segment *segment)
{
    if (!segment)
        return B4_E_NULL;
    atomic_store_explicit(&segment->state, B4_SEGMENT_CLOSED, memory_order_release);
    return B4_OK;
}

int64_t b4_segment_owner(const b4_segment *segment)
{
    return segment ? segment->owner : B4_E_NULL;
}

int64_t b4_segment_made_ns(const b4_segment *segment)
{
    return segment ? segment->made_ns : B4_E_NULL;
}
