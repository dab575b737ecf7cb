# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster as the reconcile room sees it."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from .counts import RequestCounts
from .discovery import ApiResource, Discovery

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Listing:
    """A collection as it was at one resourceVersion; each item has apiVersion and kind."""

    items: list[dict[str, Any]]
    resource_version: str


class Cluster:
    """An API server and the rights to use it. Its methods may be called from several threads at once.

    Each raises a subclass of RequestError (errors.py).
    """

    requests: RequestCounts
    server: str

    def __enter__(self) -> Cluster:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        raise NotImplementedError

    def version(self) -> str:
        raise NotImplementedError

    def discover(self) -> Discovery:
        raise NotImplementedError

    def rediscover(self) -> Discovery:
        raise NotImplementedError

    def list(
        self, kind: ApiResource, *, namespace: str = "", label_selector: str = "", metadata_only: bool = False
    ) -> Listing:
        raise NotImplementedError

    def get(
        self, kind: ApiResource, *, namespace: str, name: str, metadata_only: bool = False
    ) -> dict[str, Any] | None:
        raise NotImplementedError

    def apply(
        self,
        kind: ApiResource,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        raise NotImplementedError

    def json_patch(
        self,
        kind: ApiResource,
        *,
        namespace: str,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        field_manager: str,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        raise NotImplementedError

    def delete(
        self,
        kind: ApiResource,
        *,
        namespace: str,
        name: str,
        uid: str,
        resource_version: str,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        raise NotImplementedError

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> builtins.list[R]:
        raise NotImplementedError

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        raise NotImplementedError
