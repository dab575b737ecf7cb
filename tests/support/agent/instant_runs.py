# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In place of a run, for tests of the agent alone: it answers at once, as the real one would.

Started as a program it is an agent whose runs are this.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from ansible_collections.plumb.gitops.controller.core.run_protocol import RunJob, RunOutcome
from ansible_collections.plumb.gitops.controller.runner.ansible_run import answer_job
from ansible_collections.plumb.gitops.controller.runner.fork_server import inherited_socket, serve
from ansible_collections.plumb.gitops.controller.runner.report_digest import digest_of
from ansible_collections.plumb.gitops.controller.runner.reports import read_report
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import document
from ansible_collections.plumb.gitops.plugins.module_utils.report.file import write_report
from ansible_collections.plumb.gitops.tests.unit.report.reports import app, report

SETTINGS = {"sources": [], "apps": [], "cache_dir": "/nonexistent", "connection": {}}
HOSTS = ("one", "two", "three")


def _answer(job: RunJob, _folder: Path) -> RunOutcome:
    if not job.report:  # the inventory is to be checked
        return RunOutcome(code=0, settings=dict.fromkeys(HOSTS, SETTINGS))
    file = Path(job.report)
    write_report(file, document(report(app("shop"))))
    return RunOutcome(code=0, digest=digest_of(read_report(file)))


if __name__ == "__main__":
    if sys.argv[1].isdigit():  # what runs are forked from
        serve(inherited_socket(), partial(answer_job, make=_answer))
    from ansible_collections.plumb.gitops.controller.__main__ import main
    from ansible_collections.plumb.gitops.controller.runner import fork_client

    fork_client.FORK_SERVER = __spec__.name
    sys.exit(main(sys.argv[1:]))
