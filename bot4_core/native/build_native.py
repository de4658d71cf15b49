"""Builds the native module ``bot4_core.native._native`` (cffi API mode, stable ABI).

Run by setuptools (``cffi_modules`` in setup.py). What Python may call is the text between the two ``cdef`` marker
lines of each header, so a header is the only place where a function is declared. The .c files are the sources; the
module text below them only includes headers, keeps the GIL in the wrappers (src/gil.h), and releases it for bulk
calls (src/bulk.h).
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

_SRC = Path(__file__).parent / "src"
#: Concepts in the order their headers depend on each other; a .c file of the name is compiled where there is one.
_CONCEPTS = ("status", "event", "valuation", "latch", "spsc", "histogram", "counters", "segment", "bench")
#: Headers only this module includes: they need Python.h.
_MODULE_ONLY = ("bulk",)
_MARKED = re.compile(r"/\* cdef begin \*/\n(.*?)/\* cdef end \*/", re.DOTALL)


def declarations(header: Path) -> str:
    """The part of a header that cffi reads.

    Args:
        header: a file with one or more parts between ``cdef begin`` and ``cdef end`` comments.

    Returns:
        Those parts, without ``static inline`` (cffi calls an inline function like any other).

    Raises:
        ValueError: the header has no such part.
    """
    parts = _MARKED.findall(header.read_text(encoding="utf-8"))
    if not parts:
        raise ValueError(f"{header.name}: no text between the cdef markers")
    return "".join(parts).replace("static inline ", "")


ffi = FFI()
for _name in (*_CONCEPTS, *_MODULE_ONLY):
    ffi.cdef(declarations(_SRC / f"{_name}.h"))

ffi.set_source(
    "bot4_core.native._native",
    '#include "gil.h"\n' + "".join(f'#include "{name}.h"\n' for name in (*_CONCEPTS, *_MODULE_ONLY)),
    # Relative to setup.py: setuptools refuses absolute paths in an sdist.
    sources=[f"bot4_core/native/src/{name}.c" for name in _CONCEPTS if (_SRC / f"{name}.c").exists()],
    depends=[f"bot4_core/native/src/{path.name}" for path in sorted(_SRC.glob("*.h"))],
    include_dirs=["bot4_core/native/src"],
    # No -march: one wheel runs on every machine of its architecture (SPEC.md R-15).
    extra_compile_args=["-std=gnu11", "-O3", "-g0", "-fvisibility=hidden", "-Wall", "-Wextra", "-flto"],
    extra_link_args=["-O3", "-flto"],
)
