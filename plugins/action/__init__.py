# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions. Ansible's process is tuned before it imports any of them."""

from __future__ import annotations

from ansible_collections.plumb.gitops.plugins.plugin_utils.process_tuning import tune_process

tune_process()
