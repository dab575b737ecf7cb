# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the settings of an agent.yml, as JSON on standard input. Fails with what is wrong."""

from __future__ import annotations

import json
import sys

from ansible_collections.plumb.gitops.controller.core.config import config_of
from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import InputError

try:
    config_of(json.load(sys.stdin), subject="plumb_agent_settings", environment={})
except InputError as error:
    sys.exit(str(error))
