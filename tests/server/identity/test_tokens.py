"""Tokens: what is stored of them, whom they speak for, and how they end."""

from datetime import timedelta

import pytest

import datacomp_server
from datacomp.errors import UsageError
from datacomp_server import Settings, list_tokens, revoke_token
from datacomp_server.identity import service as service_of_tokens
from datacomp_server.identity import tokens
from datacomp_server.identity.service import authenticate, create_token
from datacomp_server.identity.tokens import Scope
from datacomp_server.kit.errors import Refused, Unauthorised


@pytest.fixture
def settings(tmp_path, make_database_url):
    return Settings(data_dir=tmp_path / "service", database_url=make_database_url())


def test_tokens_carry_prefix_and_checksum():
    secret = tokens.generate()

    assert secret.startswith("dcp_")
    assert len(secret) == 42
    assert tokens.is_well_formed(secret)
    swapped = secret[:10] + ("a" if secret[10] != "a" else "b") + secret[11:]
    assert not tokens.is_well_formed(swapped)


def test_only_the_hash_is_stored(tmp_path):
    settings = Settings(data_dir=tmp_path)  # SQLite's files can be searched
    secret = datacomp_server.create_token(settings, "Alpha")

    (info,) = list_tokens(settings)
    assert (info.owner, info.hint, info.revoked_at) == ("team:Alpha", secret[:10], None)
    database = settings.data_dir.rglob("*")
    assert not [p for p in database if p.is_file() and secret.encode() in p.read_bytes()]


def test_a_team_may_have_many_tokens_and_one_spelling(settings):
    datacomp_server.create_token(settings, "Alpha", name="laptop")
    datacomp_server.create_token(settings, "  ALPHA ", name="cluster")

    assert [(t.owner, t.name) for t in list_tokens(settings)] == [
        ("team:Alpha", "laptop"),
        ("team:Alpha", "cluster"),
    ]


def test_use_is_noted_once_a_minute(service):
    token, database = service.token(), service.context.database
    start = service.context.clock()

    seen = [
        service_of_tokens.recognise(database, token, moment=start + timedelta(seconds=second))
        for second in (0, 59, 61, 62)
    ]

    noted = [caller.last_used_at for caller in seen]
    assert noted == [None, start, start, start + timedelta(seconds=61)]


def test_a_token_that_is_over_is_refused_in_the_same_words(service):
    context, words = service.context, set()
    revoked, good = service.token("Beta"), service.token()
    (info, _) = list_tokens(context.settings)
    revoke_token(context.settings, info.id)
    revoke_token(context.settings, info.id)

    late = context.clock() + timedelta(days=90, seconds=1)
    for secret, moment in [
        (revoked, context.clock()),
        (good, late),
        (tokens.generate(), late),
        ("nonsense", late),
    ]:
        with context.database.reading() as session, pytest.raises(Unauthorised) as caught:
            authenticate(session, secret, moment=moment)
        words.add(str(caught.value))

    assert words == {"the token is unknown, expired or revoked"}


def test_a_teams_token_carries_no_other_scopes(service):
    with service.context.database.writing() as session, pytest.raises(Refused, match="admin"):
        create_token(session, "Alpha", scopes=frozenset(Scope), moment=service.context.clock())


def test_revoking_an_unknown_token_names_the_remedy(settings):
    with pytest.raises(UsageError, match="admin token list"):
        revoke_token(settings, "none")


@pytest.mark.parametrize("team", ["", "a\u202eb", "x" * 61, "\ufdfa" * 60])
def test_misleading_team_names_are_refused(settings, team):
    with pytest.raises(UsageError, match="team's name"):
        datacomp_server.create_token(settings, team)


@pytest.mark.parametrize("team", ["alpha  one", "ALPHA ONE", "Ａlpha one", "alpha\u00a0one"])
def test_names_that_look_the_same_are_the_same(settings, team):
    datacomp_server.create_token(settings, "Alpha one")
    datacomp_server.create_token(settings, team)

    assert {info.owner for info in list_tokens(settings)} == {"team:Alpha one"}
