"""Build of the replay kernel; everything else stands in pyproject.toml."""

from setuptools import setup

setup(
    cffi_modules=["src/bot4_exchange_sim/native/build_kernel.py:ffi"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
