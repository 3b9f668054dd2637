"""docker/ agrees with the code. The images themselves are not built here: that needs a daemon."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from datacomp.cli.main import app
from datacomp_server import Settings

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
IMAGES = sorted(DOCKER.glob("*.Dockerfile"))
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_an_image_has_all_packages_and_is_not_roots(path):
    text = path.read_text()
    packages = {
        p.split("/")[0] for p in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    }
    copied = {line.split()[1] for line in text.splitlines() if line.startswith("COPY ")}
    ignored = (ROOT / ".dockerignore").read_text()

    assert packages <= copied
    assert all(f"!{name}\n" in ignored for name in packages)
    assert re.findall(r"^USER (\w+)$", text, re.M)[-1] == "datacomp"
    for extras in re.findall(r"\[([\w,]+)\]'", text):
        assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_every_image_that_is_fetched_is_a_named_release():
    froms = [re.findall(r"^FROM (\S+)(?: AS (\w+))?$", path.read_text(), re.M) for path in IMAGES]
    fetched = {image for file in froms for image, _ in file} - {
        stage for file in froms for _, stage in file
    }
    fetched |= {one["image"] for one in COMPOSE["services"].values() if "build" not in one}

    assert all(re.search(r":[\w.-]*\d", image) for image in fetched), fetched
    # The tests run on it as well.
    assert {image for image in fetched if "python" in image} == {"python:3.11-slim-bookworm"}
    assert PROJECT["project"]["requires-python"] == ">=3.11"


def test_a_workers_image_does_what_a_worker_takes_by_default():
    """Of the class tiny the evaluation sets are made where they are used; own data are fetched."""
    installed = re.findall(r"\[([\w,]+)\]'", (DOCKER / "worker.Dockerfile").read_text())

    assert {"train", "tiny", "download", "worker"} <= set(installed[0].split(","))


def test_every_setting_is_one():
    texts = [path.read_text() for path in (*IMAGES, DOCKER / "compose.yaml")]
    named = set(re.findall(r"DATACOMP_SERVER_(\w+)[:=]", "".join(texts)))

    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_a_container_may_take_as_long_to_stop_as_it_needs():
    """Docker's ten seconds are too few for both."""
    grace = {name: one.get("stop_grace_period") for name, one in COMPOSE["services"].items()}

    assert int(grace["service"].removesuffix("s")) > 2 * Settings().stop_seconds
    # What docs/operations.md gives it under systemd.
    assert grace["worker"] == "180s"


def test_every_command_is_one():
    commands = [
        re.findall(r'"([^"]+)"', line)
        for path in IMAGES
        for line in re.findall(r"^CMD (\[\"datacomp.*)$", path.read_text(), re.M)
    ]
    commands.append(COMPOSE["services"]["worker"]["command"])
    for program, *words in commands:
        options = [word for word in words if word.startswith("--") and word != "--help"]
        told = CliRunner().invoke(app, [*words[:1], "--help"], env={"COLUMNS": "200"}).output
        assert program == "datacomp"
        assert all(option in told for option in options), told


def test_compose_is_whole():
    services, secrets = COMPOSE["services"], (DOCKER / "example.env").read_text()
    wanted = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))

    assert {line.split("=")[0] for line in secrets.splitlines() if "=" in line} == wanted
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
        if "build" in service:
            file = (ROOT / service["build"]["dockerfile"]).read_text()
            assert f" AS {service['build'].get('target', 'build')}\n" in file
        volumes = {v.split(":")[0] for v in service.get("volumes", ()) if not v.startswith("$")}
        assert volumes <= set(COMPOSE["volumes"])
