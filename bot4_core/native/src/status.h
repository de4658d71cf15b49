/* What every function of the library returns: 0 or a positive answer when it did its work, one of these when it
 * refused. A refused call has changed nothing. Python turns a negative answer into NativeError (native/status.py). */
#ifndef B4_STATUS_H
#define B4_STATUS_H

/* cdef begin */
enum {
    B4_OK = 0,
    B4_E_NULL = -1,     /* a handle or buffer is NULL */
    B4_E_RANGE = -2,    /* an index, size or argument is outside its stated bound */
    B4_E_OVERFLOW = -3, /* the exact result does not fit */
    B4_E_ABI = -4,      /* the memory was laid out by another version of the library */
    B4_E_ALIGN = -5,    /* the memory is not aligned as the structure needs */
    B4_E_SIZE = -6,     /* the memory is smaller than the structure */
    B4_E_STATE = -7,    /* the call does not fit the state the structure is in */
    B4_E_DAMAGED = -8,  /* contents that no correct writer leaves behind */
    B4_E_IO = -9,       /* the operating system refused; b4_*_errno or the caller's errno says why */
};
/* cdef end */

#endif
