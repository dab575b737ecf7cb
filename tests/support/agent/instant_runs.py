# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In place of a run, for tests of the agent alone: it answers at once, as the real one would.

Started as a program it is an agent whose runs are this.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.plumb.gitops.controller.core.run_protocol import RunJob, RunOutcome
from ansible_collections.plumb.gitops.controller.runner import fork_server as launch
from ansible_collections.plumb.gitops.controller.runner.reports import read_report, summary_of
from ansible_collections.plumb.gitops.plugins.module_utils.report.document import document
from ansible_collections.plumb.gitops.plugins.module_utils.report.file import write_report
from ansible_collections.plumb.gitops.tests.unit.report.reports import app, report

SETTINGS = {"sources": [], "apps": [], "cache_dir": "/nonexistent", "connection": {}}
HOSTS = ("one", "two", "three")


def _answer(job: RunJob) -> RunOutcome:
    if not job.report:  # the inventory is to be checked
        return RunOutcome(code=0, settings=dict.fromkeys(HOSTS, SETTINGS))
    file = Path(job.report)
    write_report(file, document(report(app("shop"))))
    return RunOutcome(code=0, summary=summary_of(read_report(file)))


if __name__ == "__main__":
    if sys.argv[1].isdigit():  # what runs are forked from
        launch.serve(launch.started_by_the_agent(), lambda job, _place: _answer(job))
    from ansible_collections.plumb.gitops.controller.__main__ import main
    from ansible_collections.plumb.gitops.controller.runner import fork_client as ahead

    ahead.LAUNCH = __spec__.name
    sys.exit(main(sys.argv[1:]))
