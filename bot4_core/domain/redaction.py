"""Text that may be shown or stored: passwords are taken out of URLs, and out of settings that are named like one."""

from __future__ import annotations

import re

#: What stands in a secret's place.
HIDDEN = "***"

_SECRET_NAME = r"[\w-]*(?:password|passwd|passphrase|secret|token|api_?key)[\w-]*"
#: ``scheme://user:PASSWORD@``; a password may hold an unescaped ``@`` or ``/``, so it reaches to the last ``@``
_USER_INFO = re.compile(r"""(://[^/@\s"']*?:)[^\s"']*@""")
_QUERY = re.compile(rf"""([?&]{_SECRET_NAME}=)[^&\s"'#]*""", re.IGNORECASE)
#: ``key = "value"`` of a TOML, the key quoted or not
_SETTING = re.compile(rf"""(\b{_SECRET_NAME}["']?[ \t]*=[ \t]*)("[^"\n]*"|'[^'\n]*')""", re.IGNORECASE)


def without_password(text: str) -> str:
    """A URL, or a text with URLs in it, as it may be shown."""
    return _QUERY.sub(rf"\1{HIDDEN}", _USER_INFO.sub(rf"\1{HIDDEN}@", text))


def without_secrets(text: str) -> str:
    """A TOML as it may be stored: as :func:`without_password`, and text behind keys such as ``api_key`` hidden too."""
    return _SETTING.sub(rf'\1"{HIDDEN}"', without_password(text))


def is_secret(name: str) -> bool:
    """Whether a setting of this name holds something that must not be shown."""
    return re.fullmatch(_SECRET_NAME, name, re.IGNORECASE) is not None
