# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that an agent needs: RBAC rules for exactly the kinds that its apps have, and for what runs read besides.

A kind counts where a manifest of the revision has it, and where the record in the cluster says that the app has it
still. Nothing is written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...cluster.client import Cluster
from ...cluster.credentials.rights import Right, missing_rights
from ...cluster.discovery import Discovery
from ...model.app import AppSpec, AppState
from ...model.errors import ClusterError, PlumbError
from ...model.objects import Body, GroupKind, Manifest, ObjectRef
from ..applyset.inventory import identity_of, read_inventory
from ..desired.desired_state import identities_of
from ..desired.manifests import CRD, defined_kinds, desired_objects
from ..fields.object_view import LiveView
from ..membership.member_records import MemberRecords
from ..membership.record import record_name
from ..plan.snapshot import read_parents
from ..run import Run, renderer
from .reading_reasons import rules_of_reasons
from .rule import Rule

# What runs do with each kind: they list its members and read objects, apply (a patch, which the server counts as
# create too where the object is new) and prune. `watch` is for noticing changes between runs.
OF_A_KIND = ("create", "delete", "get", "list", "patch", "watch")

_RBAC = "rbac.authorization.k8s.io"
_CONFIG_MAP, _NAMESPACE = GroupKind("", "ConfigMap"), GroupKind("", "Namespace")
_AUTOSCALER = GroupKind("autoscaling", "HorizontalPodAutoscaler")
_PLURALS = {"ClusterRole": "clusterroles", "Role": "roles"}
# Kinds that grant rights, and the verb without which the server lets nobody grant more than he has.
# Source: Kubernetes, "Privilege escalation prevention and bootstrapping" in "Using RBAC Authorization".
_GRANTING = {
    "ClusterRole": "escalate",
    "Role": "escalate",
    "ClusterRoleBinding": "bind",
    "RoleBinding": "bind",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAccount:
    """The service account of an agent. Its Lease has its name."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredRules:
    """The rules for a ClusterRole and for a Role in the account's namespace; `problems` say why they cannot do."""

    everywhere: tuple[Rule, ...]
    own: tuple[Rule, ...]
    kinds: tuple[GroupKind, ...]
    problems: tuple[str, ...] = ()


def required_rules(
    cluster: Cluster, run: Run, account: AgentAccount, *, escalate: bool, reasons: bool = True
) -> RequiredRules:
    """Return the rules for an agent that is to make this run, again and again.

    `escalate` allows rules that let the agent grant more than it has, where apps hold Roles or bindings; `reasons` adds
    those for reading why something is not healthy. Raises ClusterError where nothing at all can be read.
    """
    discovery = cluster.discover()
    rendered, problems = _rendered(run)
    kinds, unusable = _kinds_of_manifests(run, rendered, discovery)
    kinds_in_cluster, unreadable = _kinds_of_inventories(cluster, discovery, run)
    resources = _resources(kinds | kinds_in_cluster, discovery, rendered)
    granting = [manifest for manifests in rendered.values() for manifest in manifests if _grants(manifest)]
    refused = [] if escalate else _escalations(rendered)
    everywhere = [
        *_of_kinds(resources),
        *_of_runs(run, frozenset(resources), account),
        *(_of_grants(granting) if escalate else ()),
        *(rules_of_reasons(frozenset(resources)) if reasons else ()),
    ]
    return RequiredRules(
        everywhere=tuple(sorted(set(everywhere))),
        own=rules_of_account(account),
        kinds=tuple(sorted(resources)),
        problems=(*problems, *unusable, *unreadable, *refused),
    )


def rules_of_account(account: AgentAccount) -> tuple[Rule, ...]:
    """Return the rules for what an agent does in its own namespace: hold its Lease, and renew its own token."""
    group = ("coordination.k8s.io",)
    return (
        Rule(groups=("",), resources=("serviceaccounts/token",), verbs=("create",), names=(account.name,)),
        Rule(groups=group, resources=("leases",), verbs=("create",)),
        Rule(groups=group, resources=("leases",), verbs=("get", "patch", "update"), names=(account.name,)),
    )


def missing_for_setup(cluster: Cluster, account: AgentAccount) -> tuple[str, ...]:
    """Return why the connection's account cannot set an agent up; empty where it can."""
    inside, rbac = account.namespace, _RBAC
    places = (
        ("", "namespaces", ""), ("", "configmaps", inside), ("", "serviceaccounts", inside),
        (rbac, "roles", inside), (rbac, "rolebindings", inside),
        (rbac, "clusterroles", ""), (rbac, "clusterrolebindings", ""),
    )  # fmt: skip
    rights = [
        Right(verb=verb, group=group, resource=resource, namespace=namespace)
        for group, resource, namespace in places
        for verb in ("get", "create", "patch")
    ]
    token = Right(verb="create", group="", resource="serviceaccounts", subresource="token", namespace=inside)
    lacking = missing_rights(cluster, [*rights, token])
    if not lacking:
        return ()
    message = f"{cluster.named}: setting an agent up: this account may not {'; '.join(map(str, lacking))}."
    return (f"{message} Run the bootstrap with the credentials of a cluster admin.",)


def _rendered(run: Run) -> tuple[dict[AppSpec, tuple[Manifest, ...]], list[str]]:
    """Return each app's manifests, and why those of others are not known."""
    render, manifests_of, problems = renderer(run), dict[AppSpec, tuple[Manifest, ...]](), list[str]()
    for app in run.apps:
        try:
            manifests_of[app] = render(app) if app.state is AppState.PRESENT else ()
        except PlumbError as error:
            problems.append(str(error))
    return manifests_of, list(dict.fromkeys(problems))


def _kinds_of_manifests(
    run: Run, rendered: Mapping[AppSpec, Sequence[Manifest]], discovery: Discovery
) -> tuple[frozenset[GroupKind], list[str]]:
    defined = defined_kinds(manifest for manifests in rendered.values() for manifest in manifests)
    kinds, problems = set[GroupKind](), list[str]()
    for app, manifests in rendered.items():
        try:
            desired = desired_objects(
                app, identity_of(app, run.options.namespace).id, manifests, discovery, defined
            )
        except PlumbError as error:
            problems.append(str(error))
            continue
        kinds |= {wanted.ref.group_kind for wanted in desired.wanted}
        problems += [f"app {app.name}: {action.ref}: {action.reason}" for action in desired.refused]
    return frozenset(kinds), problems


def _kinds_of_inventories(
    cluster: Cluster, discovery: Discovery, run: Run
) -> tuple[frozenset[GroupKind], list[str]]:
    """Return the kinds that apps have in the cluster by now: what left Git has still to be pruned."""
    identities = [identity for app in run.apps for identity in identities_of(app, run.options.namespace)]
    parents = read_parents(cluster, discovery, identities)
    records = MemberRecords(cluster, run.options.namespace, run.options.owner)
    kinds, problems = set[GroupKind](), list[str]()
    for identity in identities:
        parent = parents.get(identity.ref)
        try:
            if isinstance(parent, ClusterError):
                raise parent
            inventory, record = read_inventory(parent, identity, run.options.owner), records.load(identity)
            # Whoever may edit a parent could have any kind granted: it counts only before there is a record.
            kinds |= record.group_kinds if record.exists else inventory.group_kinds
        except PlumbError as error:
            problems.append(str(error))
    return frozenset(kinds), problems


def _resources(
    kinds: Iterable[GroupKind], discovery: Discovery, rendered: Mapping[AppSpec, Sequence[Manifest]]
) -> dict[GroupKind, str]:
    """Return the plural of each kind: as the server serves it, else as a CRD among the manifests will define it."""
    coming: dict[GroupKind, str] = {}
    for manifests in rendered.values():
        for manifest in manifests:
            if manifest.ref.group_kind == CRD:
                crd = LiveView(manifest.body)
                kind = GroupKind(crd.text("spec", "group"), crd.text("spec", "names", "kind"))
                coming[kind] = crd.text("spec", "names", "plural")
    plurals: dict[GroupKind, str] = {}
    for kind in sorted(kinds):
        served = discovery.of(kind)
        plural = served.plural if served is not None else coming.get(kind, "")
        if plural:  # a kind that is gone with its CRD has no objects either
            plurals[kind] = plural
    return plurals


def _of_kinds(resources: Mapping[GroupKind, str]) -> list[Rule]:
    """Return one rule for each API group."""
    by_group: dict[str, set[str]] = {}
    for kind, plural in resources.items():
        by_group.setdefault(kind.group, set()).add(plural)
    return [
        Rule(groups=(group,), resources=tuple(sorted(plurals)), verbs=OF_A_KIND)
        for group, plurals in by_group.items()
    ]


def _of_runs(run: Run, kinds: frozenset[GroupKind], account: AgentAccount) -> list[Rule]:
    """Return rules for what every run needs: inventories, namespaces of apps, HorizontalPodAutoscalers, Events."""
    rules = [Rule(groups=("events.k8s.io",), resources=("events",), verbs=("create",))]
    if _CONFIG_MAP not in kinds:
        identities = [identity for app in run.apps for identity in identities_of(app, run.options.namespace)]
        own = {name for identity in identities for name in (identity.name, record_name(identity))}
        rules += [
            Rule(groups=("",), resources=("configmaps",), verbs=("list", "watch")),
            *_named("", "configmaps", ("create", "delete", "get", "patch"), own),
        ]
    if _NAMESPACE not in kinds:
        created = {app.namespace for app in run.apps if app.create_namespace} | {
            run.options.namespace
            for app in run.apps
            if not app.namespace or run.options.namespace != account.namespace
        }
        rules += [
            Rule(groups=("",), resources=("namespaces",), verbs=("get", "list")),
            *_named("", "namespaces", ("create", "patch"), created - {""}),
        ]
    if _AUTOSCALER not in kinds:
        rules.append(Rule(groups=("autoscaling",), resources=("horizontalpodautoscalers",), verbs=("list",)))
    return rules


def _named(group: str, resource: str, verbs: tuple[str, ...], names: Iterable[str]) -> list[Rule]:
    """Return a rule for objects of these names; none without names, because it would hold for all objects."""
    chosen = tuple(sorted(names))
    return [Rule(groups=(group,), resources=(resource,), verbs=verbs, names=chosen)] if chosen else []


def _grants(manifest: Manifest) -> bool:
    return manifest.ref.group == _RBAC and manifest.ref.kind in _GRANTING


def _of_grants(granting: Iterable[Manifest]) -> list[Rule]:
    """Return rules for `escalate` on the roles of these names and for `bind` on those that bindings refer to."""
    names: dict[tuple[str, str], set[str]] = {}
    for manifest in granting:
        verb = _GRANTING[manifest.ref.kind]
        kind, name = (manifest.ref.kind, manifest.ref.name) if verb == "escalate" else _role_of(manifest.body)
        if kind in _PLURALS and name:
            names.setdefault((_PLURALS[kind], verb), set()).add(name)
    return [
        rule for (plural, verb), chosen in names.items() for rule in _named(_RBAC, plural, (verb,), chosen)
    ]


def _role_of(binding: Body) -> tuple[str, str]:
    view = LiveView(binding)
    return view.text("roleRef", "kind"), view.text("roleRef", "name")


def _escalations(rendered: Mapping[AppSpec, Sequence[Manifest]]) -> list[str]:
    return [
        f"app {app.name}: {_shown(manifest.ref, app)}: it grants rights ({manifest.origin}), and an agent that may"
        f" apply it can give itself any right. Set agent_escalate: true (plumb_agent_escalate) if that is wanted, give"
        f" the rules yourself (plumb_agent_rules), or leave it to another tool."
        for app, manifests in rendered.items()
        for manifest in manifests
        if _grants(manifest)
    ]


def _shown(ref: ObjectRef, app: AppSpec) -> str:
    inside = ref.kind in {"Role", "RoleBinding"}
    namespace = (ref.namespace or app.namespace) if inside else ""
    return str(ObjectRef(ref.group, ref.kind, namespace, ref.name))
