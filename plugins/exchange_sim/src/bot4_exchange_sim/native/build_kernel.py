"""Builds the native module ``bot4_exchange_sim.native._kernel`` (cffi API mode, stable ABI).

Run by setuptools (``cffi_modules`` in setup.py). What Python may call is the text between the two ``cdef`` marker
lines of a header, so a header is the only place where a function is declared. event.h, status.h, valuation.h and
gil.h are the core's own (symlinks in the repository, files in an sdist).
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

_SRC = Path(__file__).parent / "src"
#: Headers with declarations for Python; bulk.h needs Python.h and is no part of the library proper.
_HEADERS = ("event", "status", "kernel", "bulk")
_MARKED = re.compile(r"/\* cdef begin \*/\n(.*?)/\* cdef end \*/", re.DOTALL)
#: From setup.py: setuptools refuses absolute paths in an sdist.
_HERE = "src/bot4_exchange_sim/native/src"

ffi = FFI()
for _name in _HEADERS:
    for _part in _MARKED.findall((_SRC / f"{_name}.h").read_text(encoding="utf-8")):
        ffi.cdef(_part.replace("static inline ", ""))

ffi.set_source(
    "bot4_exchange_sim.native._kernel",
    '#include "gil.h"\n' + "".join(f'#include "{name}.h"\n' for name in _HEADERS),
    sources=[f"{_HERE}/{path.name}" for path in sorted(_SRC.glob("*.c"))],
    depends=[f"{_HERE}/{path.name}" for path in sorted(_SRC.glob("*.h"))],
    include_dirs=[_HERE],
    # No -march: one wheel runs on every machine of its architecture (SPEC.md R-15).
    extra_compile_args=["-std=gnu11", "-O3", "-fvisibility=hidden", "-Wall", "-Wextra", "-flto"],
    extra_link_args=["-O3", "-flto"],
)
