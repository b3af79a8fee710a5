"""The salt of the pseudonyms that people have on the page of the cluster.

It is drawn once and lies in the commit's properties: whoever can read the tables can read it, and knows the
names anyway; nobody else can find a name by trying all. It stays, so that the same tables give the same page.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sam_cluster.store.commit import Transaction

PSEUDONYM_SALT = "pseudonym_salt"

Salt = Callable[[], str]


def new_salt() -> str:
    """128 random bits, as text."""
    return secrets.token_hex(16)


def keep_salt(transaction: Transaction, salt: Salt) -> None:
    """Draw the salt where there is none yet."""
    if PSEUDONYM_SALT not in transaction.properties:
        transaction.properties[PSEUDONYM_SALT] = salt()
