"""Teams and tokens: what is stored of them, and how they end."""

import pytest

from datacomp.errors import UsageError
from datacomp_server import Settings, create_token, list_tokens, revoke_token
from datacomp_server.identity import tokens
from datacomp_server.identity.service import authenticate
from datacomp_server.kit.errors import Unauthorised


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "service")


def test_tokens_carry_prefix_and_checksum():
    secret = tokens.generate()

    assert secret.startswith("dcp_")
    assert len(secret) == 42
    assert tokens.is_well_formed(secret)
    swapped = secret[:10] + ("a" if secret[10] != "a" else "b") + secret[11:]
    assert not tokens.is_well_formed(swapped)


def test_only_the_hash_is_stored(settings):
    secret = create_token(settings, "Alpha")

    (info,) = list_tokens(settings)
    assert (info.team, info.hint, info.revoked_at) == ("Alpha", secret[:10], None)
    database = settings.data_dir.rglob("*")
    assert not [p for p in database if p.is_file() and secret.encode() in p.read_bytes()]


def test_a_team_may_have_many_tokens_and_one_spelling(settings):
    create_token(settings, "Alpha", name="laptop")
    create_token(settings, "  ALPHA ", name="cluster")

    assert [(t.team, t.name) for t in list_tokens(settings)] == [
        ("Alpha", "laptop"),
        ("Alpha", "cluster"),
    ]


def test_use_is_noted(service):
    token = service.token()
    with service.context.database.writing() as session:
        assert authenticate(session, token).team == "Alpha"

    (info,) = list_tokens(service.context.settings)
    assert info.last_used_at is not None


def test_a_revoked_token_is_dead(service):
    token = service.token()
    (info,) = list_tokens(service.context.settings)
    revoke_token(service.context.settings, info.id)
    revoke_token(service.context.settings, info.id)

    with service.context.database.writing() as session, pytest.raises(Unauthorised):
        authenticate(session, token)


def test_revoking_an_unknown_token_names_the_remedy(settings):
    with pytest.raises(UsageError, match="serve token list"):
        revoke_token(settings, "none")


@pytest.mark.parametrize("team", ["", "a\u202eb", "x" * 61])
def test_misleading_team_names_are_refused(settings, team):
    with pytest.raises(UsageError, match="team's name"):
        create_token(settings, team)
