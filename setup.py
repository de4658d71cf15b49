"""Build of the native library; everything else stands in pyproject.toml."""

from setuptools import setup

setup(
    cffi_modules=["bot4_core/native/build_native.py:ffi"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
