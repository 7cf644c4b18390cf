"""Making and checking identifiers. Randomness comes from the operating system."""

import re
import secrets
import string

from stepwell.core.errors import Invalid, TooLarge
from stepwell.core.limits import RUN_ID_LENGTH, WORKSPACE_NAME_LENGTH

_ALPHABET = string.ascii_letters + string.digits
_WORKSPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RESERVED_WORKSPACES = frozenset({"lm"})  # a path segment of another interface on the same origin
_ADJECTIVES = "amber bold brisk calm clear deep eager fair fleet gentle keen light lucid quick quiet swift warm".split()
_NOUNS = (
    "basin brook canal cistern creek delta harbor lagoon oasis pool reef river shoal spring stream tide well".split()
)


def new_run_id() -> str:
    """32 lower-case hexadecimal digits."""
    return secrets.token_hex(16)


def new_credential_id() -> str:
    """A short public name of a credential."""
    return "cr_" + "".join(secrets.choice(_ALPHABET) for _ in range(12))


def new_secret() -> str:
    """`sw_` and 40 letters or digits: 238 bits."""
    return "sw_" + "".join(secrets.choice(_ALPHABET) for _ in range(40))


def new_run_name() -> str:
    """A name that a person can say, for a run that came without one."""
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}-{secrets.randbelow(1000)}"


def check_workspace(name: str) -> str:
    """`name` if it may name a workspace. Raises Invalid or TooLarge."""
    if len(name) > WORKSPACE_NAME_LENGTH:
        raise TooLarge(
            f"workspace name has {len(name)} characters; the limit is {WORKSPACE_NAME_LENGTH}",
            field="workspace",
            limit=WORKSPACE_NAME_LENGTH,
        )
    if not _WORKSPACE.fullmatch(name):
        raise Invalid(
            f"workspace name {name!r} must begin with a letter or digit"
            " and hold only letters, digits, '.', '_' and '-'",
            field="workspace",
        )
    if name in _RESERVED_WORKSPACES:
        raise Invalid(f"workspace name {name!r} is reserved", field="workspace")
    return name


def check_run_id(run_id: str) -> str:
    """`run_id` if it may name a run: 1 to 255 printable characters without '/'. Raises Invalid or TooLarge."""
    if len(run_id) > RUN_ID_LENGTH:
        raise TooLarge(
            f"run id has {len(run_id)} characters; the limit is {RUN_ID_LENGTH}", field="run_id", limit=RUN_ID_LENGTH
        )
    if not run_id or "/" in run_id or not run_id.isprintable():
        raise Invalid(f"run id {run_id!r} must be printable, not empty and without '/'", field="run_id")
    return run_id
