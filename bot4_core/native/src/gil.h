/* Included once, by the text cffi compiles (build_native.py), after Python.h.
 *
 * cffi's wrappers give the GIL away around every call and save errno. Both cost more than our functions do, and with
 * a second busy Python thread getting the GIL back takes half a millisecond (PERFORMANCE.md 3A). Every function of
 * this module is bounded, never blocks and reports errors by its answer, so the wrappers are told to keep the GIL;
 * the bulk functions below, whose work grows with n, release it themselves from B4_RELEASE_FROM items on. */
#ifndef B4_GIL_H
#define B4_GIL_H

#undef Py_BEGIN_ALLOW_THREADS
#undef Py_END_ALLOW_THREADS
#define Py_BEGIN_ALLOW_THREADS {
#define Py_END_ALLOW_THREADS }
#undef _cffi_save_errno
#undef _cffi_restore_errno
#define _cffi_save_errno() ((void)0)
#define _cffi_restore_errno() ((void)0)

#define B4_RELEASE_FROM 1024

/* Evaluates `call` into `out`, without the GIL when n is large enough to be worth the hand-over. */
#define B4_BULK(n, out, call)                                        \
    do {                                                             \
        if ((size_t)(n) >= B4_RELEASE_FROM) {                        \
            PyThreadState *b4_thread_state = PyEval_SaveThread();    \
            (out) = (call);                                          \
            PyEval_RestoreThread(b4_thread_state);                   \
        } else {                                                     \
            (out) = (call);                                          \
        }                                                            \
    } while (0)

#endif
