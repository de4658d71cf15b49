"""Build of the native library, and the list of packages; everything else stands in pyproject.toml."""

from setuptools import find_packages, setup

#: The wheel ships alembic/ inside the package, where setuptools does not look by itself. The folder must never
#: become importable under its own name, so it has no __init__.py.
MIGRATIONS = ["bot4_core._migrations", "bot4_core._migrations.versions"]

setup(
    packages=find_packages(include=["bot4_core*"]) + MIGRATIONS,
    cffi_modules=["bot4_core/native/build_native.py:ffi"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
