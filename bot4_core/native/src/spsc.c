/* Making, checking and counting; spsc.h has the hot half. */
#include "spsc.h"

static int capacity_ok(uint64_t capacity)
{
    return capacity >= B4_SPSC_MIN_CAPACITY && capacity <= B4_SPSC_MAX_CAPACITY && !(capacity & (capacity - 1));
}

size_t b4_spsc_size(uint32_t capacity)
{
    return capacity_ok(capacity) ? sizeof(struct b4_spsc) + (size_t)capacity * sizeof(b4__slot) : 0;
}

int b4_spsc_init(void *memory, size_t size, uint32_t capacity, int mode)
{
    b4_spsc *ring = memory;
    if (!ring)
        return B4_E_NULL;
    if (!capacity_ok(capacity) || (mode != B4_SPSC_REJECT && mode != B4_SPSC_DROP_OLDEST))
        return B4_E_RANGE;
    if ((uintptr_t)memory % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (size < b4_spsc_size(capacity))
        return B4_E_SIZE;
    __builtin_memset(memory, 0, b4_spsc_size(capacity));
    ring->abi = B4_SPSC_ABI;
    ring->mode = (uint32_t)mode;
    ring->capacity = capacity;
    ring->size = b4_spsc_size(capacity);
    return B4_OK;
}

int b4_spsc_check(const b4_spsc *ring, size_t size)
{
    if (!ring)
        return B4_E_NULL;
    if ((uintptr_t)ring % B4_CACHE_LINE)
        return B4_E_ALIGN;
    if (size < sizeof *ring)
        return B4_E_SIZE;
    if (ring->abi != B4_SPSC_ABI)
        return B4_E_ABI;
    if (!capacity_ok(ring->capacity) || ring->mode > B4_SPSC_DROP_OLDEST ||
        ring->size != b4_spsc_size((uint32_t)ring->capacity))
        return B4_E_DAMAGED;
    if (size < ring->size)
        return B4_E_SIZE;
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    uint64_t write = atomic_load_explicit(&ring->write, memory_order_acquire);
    if (write < read)
        return B4_E_DAMAGED; /* read was loaded first and never passes write */
    return B4_OK;
}

static int64_t get(const _Atomic uint64_t *counter)
{
    return (int64_t)atomic_load_explicit(counter, memory_order_acquire);
}

int64_t b4_spsc_pushed(const b4_spsc *ring)
{
    return ring ? get(&ring->write) : -1;
}

int64_t b4_spsc_popped(const b4_spsc *ring)
{
    if (!ring)
        return -1;
    int64_t dropped = get(&ring->dropped); /* first: `read` is stored after it */
    return get(&ring->read) - dropped;
}

int64_t b4_spsc_rejected(const b4_spsc *ring)
{
    return ring ? get(&ring->rejected) : -1;
}

int64_t b4_spsc_dropped(const b4_spsc *ring)
{
    return ring ? get(&ring->dropped) : -1;
}

int64_t b4_spsc_length(const b4_spsc *ring)
{
    if (!ring)
        return -1;
    int64_t read = get(&ring->read), length = get(&ring->write) - read;
    return length < (int64_t)ring->capacity ? length : (int64_t)ring->capacity;
}

int64_t b4_spsc_capacity(const b4_spsc *ring)
{
    return ring ? (int64_t)ring->capacity : -1;
}

int64_t b4_spsc_mode(const b4_spsc *ring)
{
    return ring ? (int64_t)ring->mode : -1;
}
