"""deploy/ray and deploy/kubernetes fit to what they start, as far as that shows without Ray."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import yaml

from bot.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "deploy/ray/serve.yaml").read_text("utf-8"))
(APPLICATION,) = CONFIG["applications"]
(DEPLOYMENT,) = APPLICATION["deployments"]
KUBERNETES = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/serve.yaml").read_text("utf-8")))


def test_the_application_of_ray_exists_under_its_name() -> None:
    module, name = APPLICATION["import_path"].split(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    (made,) = (
        ast.unparse(each.value)
        for each in tree.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == name
    )
    assert f"name='{DEPLOYMENT['name']}'" in made
    health = re.search(r"HEALTH_SECONDS = ([\d.]+)", ast.unparse(tree))
    assert health
    assert float(health[1]) < DEPLOYMENT["health_check_timeout_s"]


def test_ray_listens_where_glimpse_does_and_waits_as_long_as_an_answer_may_take() -> None:
    assert CONFIG["http_options"]["port"] == Settings().api_port
    assert CONFIG["http_options"]["request_timeout_s"] > 120


def test_what_ray_is_installed_with_does_not_contradict_the_lock() -> None:
    lock, more = (
        dict(line.split("==") for line in (ROOT / path).read_text("utf-8").splitlines()
             if "==" in line)
        for path in ("requirements.lock", "deploy/ray/requirements.lock")
    )  # fmt: skip
    assert not lock.keys() & more.keys()
    assert f"ray[serve]>={'.'.join(more['ray'].split('.')[:2])}" in (
        ROOT / "pyproject.toml"
    ).read_text(encoding="utf-8")


def test_the_replicas_of_kubernetes_are_found_by_their_service_and_set_as_glimpse_is() -> None:
    deployment, service, scaler, budget = KUBERNETES
    pod = deployment["spec"]["template"]
    for chosen in (deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"],
                   budget["spec"]["selector"]["matchLabels"]):  # fmt: skip
        assert chosen.items() <= pod["metadata"]["labels"].items()
    (container,) = pod["spec"]["containers"]
    assert container["ports"][0]["containerPort"] == Settings().api_port
    environment = {each["name"]: each["value"] for each in container["env"]}
    assert all(name.startswith(PREFIX) for name in environment)
    assert load_settings(environment | {"GLIMPSE_CONFIG": ""}).api_host == "0.0.0.0"
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
