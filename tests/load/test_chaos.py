"""A small run of chaos.py: four jobs, two workers, kills of both kinds of process."""

from pathlib import Path

CHAOS = Path(__file__).with_name("chaos.py")
WORDS = {
    "--jobs": 4,
    "--pairs": 1,
    "--workers": 2,
    "--every": 2,
    "--kills": 4,
    "--service-kills": 1,
    "--bound": 240,
}


def test_every_job_ends_once_whatever_is_killed(start_python, tmp_path, tiny_suite):
    words = ["--folder", tmp_path / "chaos", *(word for pair in WORDS.items() for word in pair)]
    child = start_python(CHAOS, *words, DATACOMP_CACHE=tiny_suite.parents[2])

    assert child.wait() == 0, child.told
    assert '"service killed": 1' in child.told
    assert "workers killed" in child.told
