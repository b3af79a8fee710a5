"""The user at the keyboard, as the aggregator will name them."""

from __future__ import annotations

import os
import pwd

from sam_cluster.core.errors import SubmissionError


def author() -> str:
    """The name of who runs this process. Raises SubmissionError where the machine knows none."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise SubmissionError(
            f"UID {uid} has no name on this machine, so whose jobs are its own cannot be told"
        ) from None
