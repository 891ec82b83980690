"""The one error tree.

    VitrinaError            500  exit 1
    ├── InputError          400  exit 2   a value, file or record that somebody gave us is wrong
    ├── NotFoundError       404  exit 3   the named thing does not exist
    ├── ConflictError       409  exit 4   it exists already, or somebody else changed it meanwhile
    ├── NotSignedInError    401  exit 5   nobody is signed in
    ├── DeniedError         403  exit 5   this person may not do this
    ├── LimitError          429  exit 6   too many, too large, too often
    ├── MissingError        501  exit 7   a program, extra or weight file is not installed
    ├── CameraError         502  exit 8   a video source cannot be opened or read
    └── StorageError        503  exit 9   the database or the lake cannot do it now

A message says what was expected, what came, where (file, line, field, camera), and what to do next.
It is shown to people as it stands, in the command line, the API and the pages: no secret belongs in it.
"""

from __future__ import annotations

from typing import ClassVar


class VitrinaError(Exception):
    """Anything that we can explain to the person who caused it or has to mend it."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1


class InputError(VitrinaError):
    """A value, file or record that was given to us is wrong."""

    status = 400
    exit_code = 2


class NotFoundError(VitrinaError):
    """The thing that was named does not exist."""

    status = 404
    exit_code = 3


class ConflictError(VitrinaError):
    """It exists already, or somebody else changed it meanwhile."""

    status = 409
    exit_code = 4


class NotSignedInError(VitrinaError):
    """Nobody is signed in, or the session has ended."""

    status = 401
    exit_code = 5


class DeniedError(VitrinaError):
    """The person is known and may not do this."""

    status = 403
    exit_code = 5


class LimitError(VitrinaError):
    """Too many, too large or too often."""

    status = 429
    exit_code = 6


class MissingError(VitrinaError):
    """A program, an extra or a weight file is not installed; the message says how to get it."""

    status = 501
    exit_code = 7


class CameraError(VitrinaError):
    """A video source cannot be opened or read."""

    status = 502
    exit_code = 8


class StorageError(VitrinaError):
    """The database or the lake cannot do this now."""

    status = 503
    exit_code = 9
