"""`datacomp submit` with files, `status`, `withdraw`, and the organiser's boards and budgets."""

import json
import re
import shutil
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from datacomp.cli.main import main
from datacomp.client import Connection
from datacomp.client.signing import register_key
from datacomp.files import sha256_file
from datacomp.pool import index_pool, open_pool
from datacomp.pool.pairs import PairsId
from datacomp.reports import write_report
from datacomp.submission.attestation import PrivateKey
from datacomp.submission.checkpoint_file import Tensor
from datacomp.submission.kept_keys import keep_key
from datacomp.subset import UID_DTYPE, Subset, write_subset
from datacomp.subset.uids import format_uids
from datacomp.training import tensors
from datacomp_server import create_token, run_in_thread
from datacomp_server.boards.opening import current_board
from datacomp_server.budgets import service as budgets
from datacomp_server.identity.repository import team_by_key
from datacomp_server.running import opened


@pytest.fixture(scope="module")
def settings(make_module_settings):
    return make_module_settings(board_seconds=0)  # the queue as it is, not as it was


@pytest.fixture(scope="module")
def running(settings):
    with run_in_thread(settings) as service:
        yield service.url, create_token(settings, "Alpha")


@pytest.fixture
def call(capsys, monkeypatch, tmp_path, running):
    """`call(command, *arguments)`: exit code, stdout, stderr; in a workspace, with a token."""
    url, token = running
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATACOMP_TOKEN", token)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "datacomp.toml").write_text(f'service = "{url}"')

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["datacomp", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capsys.readouterr()
        if "--json" not in arguments and not stopped.value.code:
            assert max(map(len, (out + err).splitlines()), default=0) <= 80
        return stopped.value.code or 0, out, err

    return run


@pytest.fixture
def trained(tmp_path, make_report, monkeypatch):
    """`trained(seed)`: a run's folder with weights and report, and its subset; the report."""
    monkeypatch.setattr(tensors, "recipe_tensors", lambda _: {"w": Tensor("F32", (4,))})

    def make(seed=0, n=100):
        uids = np.zeros(n, UID_DTYPE)
        uids["f1"] = np.arange(n)
        subset = Subset(uids)
        write_subset(subset, tmp_path / "mine.npy", {"uses_truth": True, "pool_id": "p"})
        run = tmp_path / "runs" / f"tiny-mine-seed{seed}"
        path = run / "evaluation" / "tiny" / "report.json"
        path.parent.mkdir(parents=True)
        save_file({"w": np.full(4, seed, np.float32)}, run / "weights.safetensors")
        facts = {"name": "mine", "sha256": subset.sha256, "n": n, "n_unique": n}
        weights = sha256_file(run / "weights.safetensors")
        write_report(make_report(subset=facts, checkpoint_sha256=weights, seed=seed), path)
        return path

    return make


def test_a_signature_goes_with_it(call, trained, running, settings, monkeypatch, tmp_path):
    url, token = running[0], create_token(settings, "Signers")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DATACOMP_TOKEN", token)
    trained(seed=77)

    code, _, err = call("submit", "--method", "mine", "--sign")
    assert (code, "datacomp key new" in err) == (2, True)
    with Connection(url, token) as connection:
        kept = register_key(connection, PrivateKey.generate(), team="Signers", name="laptop")
    keep_key(url, kept)
    submission_id = call("submit", "--method", "mine", "--sign")[1].split()[0]
    with Connection(url) as connection:
        found = connection.read("get_evidence", submission_id=submission_id)
    assert found["level"] == "attested"
    assert set(found["evidence"][0]["facts"]["statement"]["files"]) == {"checkpoint", "subset"}


def test_a_run_goes_with_its_weights_subset_and_lock(call, trained):
    trained()

    code, out, err = call("submit", "--method", "mine")

    submission, said = out.splitlines()[0].split("  ")
    assert code == 0
    assert re.fullmatch(r"submitted: accepted, attempt \d", said)
    assert re.search(r"subset +mine.npy\ncheckpoint +runs/tiny-mine-seed0/weights", err)
    _, shown, _ = call("status", submission, "--json")
    found = json.loads(shown)
    assert {file["role"] for file in found["files"]} == {"subset", "checkpoint"}
    assert found["oracle"]

    again, out, _ = call("submit", "--method", "mine")
    assert again == 0
    assert out.startswith(f"{submission}  stands already: accepted")


def test_files_of_other_runs_stay_here(call, trained, tmp_path):
    path = trained(seed=1)
    save_file({"w": np.ones(9, np.float32)}, path.parents[2] / "weights.safetensors")
    shutil.move(tmp_path / "mine.npy", tmp_path / "other.npy")

    code, _, err = call("submit", path, "--method", "mine")

    assert (code, err) == (0, "")


def test_a_damaged_file_is_refused_here(call, trained, tmp_path):
    path = trained(seed=2)
    (tmp_path / "mine.npy").write_bytes((tmp_path / "mine.npy").read_bytes()[:-5])

    code, out, err = call("submit", path, "--method", "m", "--subset", "mine.npy")

    assert (code, out) == (1, "")
    assert "F104 mine.npy" in err
    assert "nothing sent" in err


def test_a_subset_to_be_trained_on(call, trained):
    trained(seed=3)

    code, out, _ = call("submit", "--train", "--subset", "mine.npy", "--method", "new")
    _, shown, _ = call("status", out.split()[0])

    assert (code, "accepted" in out) == (0, True)
    assert re.search(r"average +-, reported\n", shown)
    assert re.search(r"job +train queued: \w", shown)


def test_what_verification_costs_then_asking_for_it(call, trained):
    trained(seed=31)
    _, out, _ = call("submit", "--method", "asked", "--verify", "re-evaluated")
    submission = out.split()[0]
    assert re.search(r"queued +evaluate, score; to be re-evaluated\ncharged +0\.03 worker", out)

    _, told, _ = call("request", submission)
    code, asked, _ = call("request", submission, "re-trained", "--seed", 5)

    assert re.search(r"^now +reported$", told, re.M)
    assert re.search(r"^re-evaluated +not now: .*?under way", told, re.M | re.S)
    assert re.search(r"^re-trained +0\.12 worker hours: train, evaluate, score$", told, re.M)
    assert re.search(r"^left +\S+ worker hours of 168\.00 worker hours$", told, re.M)
    assert code == 0
    assert re.search(r"^charged +0\.12 worker hours$", asked, re.M)
    assert call("request", submission, "--seed", 5)[0] == 2


def test_own_data_to_be_trained_on(call, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("DATACOMP_SERVER_DATABASE_URL", settings.url)
    call("admin", "--data", settings.data_dir, "board", "open", "tiny", "--track", "byod")
    urls = ["https://pictures.example/1.jpg"] * 60
    pq.write_table(pa.table({"url": urls, "caption": ["a"] * 60}), tmp_path / "own.parquet")

    code, out, err = call("submit", "--train", "--byod", "own.parquet", "--method", "own")
    assert code == 0, err
    _, shown, _ = call("status", out.split()[0])
    _, found, _ = call("status", out.split()[0], "--json")

    assert (code, "accepted" in out) == (0, True)
    assert re.search(r"board +tiny \(byod\), attempt \d", shown)
    assert "notice" not in shown
    known = PairsId()
    known.add(urls, ["a"] * 60)
    assert json.loads(found)["pool_id"] == known.pool_id


def test_own_data_that_are_not_the_runs(call, trained, tmp_path):
    path = trained(seed=32)
    table = pa.table({"url": ["https://pictures.example/1.jpg"], "caption": ["a"]})
    pq.write_table(table, tmp_path / "own.parquet")

    code, out, err = call("submit", path, "--byod", "own.parquet", "--method", "own")

    assert (code, out) == (1, "")
    assert "F308 own.parquet: its 1 pairs are pool" in err


@pytest.fixture
def pool(tmp_path):
    """An indexed pool of one row."""
    (tmp_path / "pool").mkdir()
    pq.write_table(pa.table({"uid": ["0" * 32], "text": ["a dog"]}), tmp_path / "pool/0.parquet")
    index_pool(str(tmp_path / "pool"))
    return tmp_path / "pool"


def test_a_plugin_goes_with_its_selection(call, tmp_path, pool):
    with zipfile.ZipFile(tmp_path / "p.whl", "w") as archive:
        info = "mine-1.0.dist-info"
        archive.writestr("mine.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", tags)
        archive.writestr(f"{info}/RECORD", "")
        archive.writestr(f"{info}/entry_points.txt", "[datacomp.filters]\nmine = mine:Mine\n")
    (tmp_path / "s.yaml").write_text("select: mine\n")
    common = ("submit", "--plugin", "p.whl", "--scale", "tiny", "--pool", pool, "--method", "mine")

    code, out, _ = call(*common, "--selection", "s.yaml")

    assert (code, out.split()[1:3]) == (0, ["submitted:", "accepted,"])
    code, _, err = call(*common)
    assert code == 1
    assert "needs a file of role 'selection'" in err
    (tmp_path / "s.yaml").write_text("select: !!python/name:os.system")
    code, _, err = call(*common, "--selection", "s.yaml")
    assert code == 1
    assert "F502" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--train", "--report-only"),
        ("--scale", "tiny"),
        ("--subset", "none.npy"),
        ("--report-only", "--subset", "mine.npy"),
    ],
)
def test_options_that_make_no_sense_together(call, trained, arguments):
    trained(seed=4)

    assert call("submit", "--method", "m", *arguments)[0] == 2


def test_status_lists_and_withdraw_strikes_out(call, trained):
    trained(seed=5)
    _, out, _ = call("submit", "--method", "gone", "--report-only")
    submission = out.split()[0]

    code, said, _ = call("withdraw", submission, "--reason", "mistake")
    _, listed, _ = call("status")

    assert (code, said) == (0, f"{submission}  withdrawn\n")
    (line,) = [line for line in listed.splitlines() if submission in line]
    assert line.split()[1:4] == ["tiny", "gone", "withdrawn"]
    assert re.search(r"tiny \(filtering\): \S+ submissions left of 1,000 submissions", listed)


def test_what_the_budget_does_not_pay_is_told_and_asked_for_later(
    call, settings, trained, monkeypatch
):
    monkeypatch.setenv("DATACOMP_SERVER_DATABASE_URL", settings.url)
    monkeypatch.setenv("DATACOMP_TOKEN", create_token(settings, "Poor"))
    with opened(settings) as service, service.database.writing() as session:
        board, team = current_board(session, "filtering", "tiny"), team_by_key(session, "poor")
        whose = {"team_id": team.id, "board_id": board.id, "unit": "compute_seconds"}
        left = board.compute_seconds_per_team - 60
        budgets.charge(session, amount=left, by="test", moment=service.clock(), **whose)
    trained(seed=6)

    code, out, err = call("submit", "--train", "--subset", "mine.npy", "--method", "new")

    submission = out.split()[0]
    asked = ("request", submission, "re-trained")
    assert (code, out.split()[2]) == (0, "accepted,")
    assert "a training costs 0.12 worker hours" in " ".join(err.split())
    assert f"Then: datacomp {' '.join(asked)}" in err
    for arguments in ((submission,), ()):
        told = call("status", *arguments)[1]
        assert "budget_spent: No worker trains on it" in told
        assert f"then: datacomp {' '.join(asked)}" in told
    assert call(*asked)[0] == 1
    admin = ("admin", "--data", settings.data_dir)
    call(*admin, "budget", "grant", "Poor", "--scale", "tiny", "--hours", 1)
    code, said, _ = call(*asked)
    assert (code, "train, evaluate, score; to be re-trained" in said) == (0, True)
    assert "budget_spent" not in call("status", submission)[1]
    for again in (("request", submission, "checked"), (*admin, "check", submission)):
        code, _, err = call(*again)
        assert (code > 0, "checked again is only what is unchecked" in err) == (True, True)


def test_organisers_open_boards_and_grant(call, settings, trained, monkeypatch):
    monkeypatch.setenv("DATACOMP_SERVER_DATABASE_URL", settings.url)
    admin = ("admin", "--data", settings.data_dir)

    opened = call(*admin, "board", "open", "smoke", "--track", "byod", "--closes", "2099-01-31")
    moved = call(*admin, "board", "set", "smoke", "--track", "byod", "--never-closes")
    _, boards, _ = call(*admin, "board", "list")
    granted = call(*admin, "budget", "grant", "Alpha", "--scale", "smoke", "--submissions", 5)

    assert (opened[0], moved[0], granted[0]) == (0, 0, 0)
    assert "never closes" in moved[1]
    assert re.search(r"byod +smoke .* never +open", boards)
    assert granted[1] == "Alpha has 1,005 submissions left on smoke (filtering)\n"
    assert call(*admin, "board", "open", "smoke", "--track", "byod")[0] == 2


class TestProfile:
    """What goes along for the submission's page."""

    @pytest.fixture
    def of_pool(self, trained, tmp_path):
        """`of_pool(seed)`: the report of a run on the workspace's pool, with its log beside it."""
        metadata = tmp_path / "pools" / "tiny" / "metadata"
        metadata.mkdir(parents=True)
        uids = np.zeros(200, UID_DTYPE)
        uids["f1"] = np.arange(200)
        captions = [f"caption {i}" for i in range(200)]
        pq.write_table(
            pa.table({"uid": format_uids(uids), "text": captions}), metadata / "a.parquet"
        )
        index_pool(str(tmp_path / "pools" / "tiny"))
        manifest = open_pool(str(tmp_path / "pools" / "tiny")).require_manifest()

        def make(seed):
            path = trained(seed)
            value = json.loads(path.read_text())
            value["provenance"] |= {"pool_id": manifest.pool_id, "pool_size": 200}
            path.write_text(json.dumps(value))
            line = {"step": 9, "samples": 1280, "loss": 4.9, "logit_scale": 14.2}
            (path.parents[2] / "metrics.jsonl").write_text(json.dumps(line))
            return path

        return make

    def profile(self, running, out):
        with Connection(running[0]) as connection:
            return connection.read("get_profile", submission_id=out.split()[0])

    def test_it_is_made_of_pool_subset_and_run(self, call, of_pool, running):
        code, out, err = call("submit", of_pool(21), "--method", "profiled")

        assert code == 0, err
        assert "200 rows of the pool" in err
        found = self.profile(running, out)
        assert found["portrait"]["kept_read"] == 100
        assert found["curve"]["samples"] == [1280]
        assert found["portrait"]["kept_captions"][0].startswith("caption ")

    def test_it_can_be_left_out(self, call, of_pool, running):
        _, out, err = call("submit", of_pool(22), "--method", "shy", "--no-profile")

        with Connection(running[0]) as connection:
            shown = connection.read("get_submission", submission_id=out.split()[0])
        assert shown["profile_sha256"] is None
        assert "profile" not in err

    def test_a_pool_that_is_not_the_runs_is_said(self, call, of_pool, trained, tmp_path):
        of_pool(23)
        other = trained(24)

        code, _, err = call("submit", other, "--method", "other")
        assert code == 0
        assert "no portrait of the subset" in err

        again = trained(25)
        code, _, err = call("submit", again, "--method", "named", "--pool", tmp_path / "pools/tiny")
        assert code == 1
        assert "is the pool" in err
