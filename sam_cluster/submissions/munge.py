"""Who wrote a file, said by munge: the credential names the UID that asked for it.

What is signed is the content's digest with a word of our own before it, so that a credential that a
user made for anything else vouches for nothing here. A credential lives minutes and a file may wait
days: munge still decodes one that is expired, and one that it has seen before, and says who made it.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import SubmissionError

DIRECTORIES = ("/usr/bin", "/usr/local/bin", "/opt/munge/bin")
TIMEOUT_SECONDS = 10
CREDENTIAL = re.compile(r"MUNGE:[A-Za-z0-9+/=]{1,4096}:")
UID = re.compile(rb"^UID: .*\(([0-9]+)\)$", re.MULTILINE)  # `alice (1001)`; --numeric is not in munge 0.5.13

# Statuses of libmunge (munge_err_t in munge.h).
SUCCESS, EXPIRED, REWOUND, REPLAYED = 0, 15, 16, 17
NOT_ABOUT_THE_CREDENTIAL = {1, 2, 5, 6, 7}  # snafu, bad argument, no memory, no daemon, timed out


class CredentialUnchecked(Exception):
    """Raised when munge could not be asked: nothing is known of the credential."""


@dataclass(frozen=True, slots=True)
class Munge:
    """The programs `munge` and `unmunge` of this machine.

    They are run by absolute path and without a shell. `socket` is munged's, where it is not the usual one.
    """

    directory: Path
    socket: Path | None = None

    @classmethod
    def installed(cls, socket: Path | None = None) -> Munge | None:
        """Munge as installed here; None where it is not."""
        for directory in map(Path, DIRECTORIES):
            if (directory / "munge").is_file() and (directory / "unmunge").is_file():
                return cls(directory, socket)
        return None

    def vouch(self, content: bytes) -> str | None:
        """A credential that names this process's UID as the author of the content; None where no daemon
        gives one, for then the file's owner has to do."""
        try:
            asked = self._ask("munge", [], _claim(content))
        except (OSError, subprocess.SubprocessError):
            return None
        credential = asked.stdout.decode("ascii", "replace").strip()
        return credential if asked.returncode == SUCCESS and CREDENTIAL.fullmatch(credential) else None

    def author(self, credential: str, content: bytes) -> int:
        """The UID that vouched for the content.

        Raises SubmissionError where the credential is none, or not for this content, and
        CredentialUnchecked where munge cannot be asked.
        """
        if not CREDENTIAL.fullmatch(credential):
            raise SubmissionError("its munge credential is not one")
        try:
            asked = self._ask("unmunge", ["--keys=STATUS,UID"], credential.encode("ascii"))
        except (OSError, subprocess.SubprocessError) as error:
            raise CredentialUnchecked(f"unmunge could not be run ({type(error).__name__})") from None
        if asked.returncode in NOT_ABOUT_THE_CREDENTIAL or asked.returncode < 0:
            raise CredentialUnchecked(f"unmunge failed with status {asked.returncode}: does munged run here?")
        if asked.returncode not in (SUCCESS, EXPIRED, REWOUND, REPLAYED):
            raise SubmissionError(f"its munge credential is refused with status {asked.returncode}")
        metadata, _, claim = asked.stdout.partition(b"\n\n")
        uid = UID.search(metadata)
        if uid is None:
            raise CredentialUnchecked("unmunge named no UID")
        if claim != _claim(content):
            raise SubmissionError("its munge credential was made for something else")
        return int(uid[1])

    def _ask(self, program: str, flags: list[str], text: bytes) -> subprocess.CompletedProcess[bytes]:
        socket = [f"--socket={self.socket}"] if self.socket else []
        return subprocess.run(
            [str(self.directory / program), *flags, *socket],
            input=text,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            env={"LC_ALL": "C"},
            check=False,
        )


def _claim(content: bytes) -> bytes:
    return b"sam-cluster submission " + hashlib.sha256(content).hexdigest().encode("ascii")
