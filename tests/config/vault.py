"""A sink plugin with a secret among its settings, planted where this process finds it; and a keyring of our own."""

from __future__ import annotations

from pathlib import Path

from keyring.backend import KeyringBackend

#: What the keyring holds.
ENTRIES: dict[tuple[str, str], str] = {}

SOURCE = '''\
"""A sink that holds a token."""

from attrs import frozen

from bot4_core.sdk import Secret, SinkSpec, hookimpl


@frozen(kw_only=True)
class VaultSettings:
    """Where the records go.

    Args:
        token: opens the vault.
        spare: opens it when the other does not.
    """

    token: Secret
    spare: Secret | None = None


class Vault:
    def __init__(self, settings, services):
        self.settings = settings

    def on_batch(self, events):
        pass


@hookimpl
def bot4_sinks():
    return [SinkSpec(name="vault", settings=VaultSettings, create=Vault, summary="Keeps records safe.")]
'''


class OwnKeyring(KeyringBackend):  # type: ignore[no-untyped-call]  # keyring's metaclass is not typed
    """Answers from :data:`ENTRIES`."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return ENTRIES.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        ENTRIES[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del ENTRIES[service, username]


def plant(site: Path, module: str = "bot4_test_vault", entry: str = "sink-vault", source: str = SOURCE) -> None:
    """Writes the plugin and the metadata an installer would leave; ``site`` must be on the import path."""
    site.mkdir(exist_ok=True)
    (site / f"{module}.py").write_text(source, encoding="utf-8")
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[bot4]\n{entry} = {module}\n")
