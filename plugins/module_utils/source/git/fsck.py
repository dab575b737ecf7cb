# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faults of objects are borne: the one list for whatever fetches or checks.

Git's names of them are those of git-fsck(1), "fsck message ids". Borne is what old and foreign tools wrote into the
lines of author, committer and tagger, and zeros before a file's mode: forges host such commits, they cannot be mended
without rewriting history, and whoever reads them here takes any text for a name and any number for a time. What changes
which files or parents an object names, or how some program reads them, is refused.
"""

from __future__ import annotations

TOLERATED = (
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
)

# For every Git that is started: a fetch reads the first, `git fsck` the second.
CHECKED = {
    "transfer.fsckObjects": "true",
    **{f"fetch.fsck.{fault}": "ignore" for fault in TOLERATED},
    **{f"fsck.{fault}": "ignore" for fault in TOLERATED},
}
# For a fetch with a filter, which knows no exceptions: `git fsck` is run on what came.
UNCHECKED = {"transfer.fsckObjects": "false", "fetch.fsckObjects": "false"}
