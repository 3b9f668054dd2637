"""Accounts and teams: names, invites, roles, the last owner, and two who act at one moment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from datacomp_server.identity import accounts, repository, service, teams
from datacomp_server.identity.models import Account
from datacomp_server.kit.errors import Conflict, Forbidden, NotFound, Refused, ServerError


@pytest.fixture
def base(service):
    return service.context.database


@pytest.fixture
def moment(service):
    return service.context.clock()


@pytest.fixture
def add(base, moment):
    """`add(name)`: an account's id."""

    def make(name):
        with base.writing() as session:
            subject = f"https://id.test {name}"
            return accounts.create(session, name, oidc_subject=subject, moment=moment).id

    return make


@pytest.fixture
def ada(add):
    return add("Ada")


@pytest.fixture
def team(base, ada, moment):
    """The id of a team that Ada founded."""
    with base.writing() as session:
        return teams.found(session, ada, "Alpha", at_most=3, moment=moment).id


@pytest.fixture
def invite(base, team, ada, moment):
    def make(role="member"):
        with base.writing() as session:
            return teams.invite(session, team, role, by=ada, moment=moment)

    return make


def roles(base, team):
    with base.reading() as session:
        return {m.account.name: m.role for m in repository.members(session, team)}


def join(base, account, secret, moment):
    with base.writing() as session:
        teams.join(session, account, secret, moment=moment)


def at_once(base, *works):
    """Run each `work(session)` in a transaction of its own, side by side; errors are results."""
    barrier = threading.Barrier(len(works))

    def run(work):
        barrier.wait()
        try:
            with base.writing() as session:
                work(session)
        except ServerError as error:
            return error.error
        return "done"

    with ThreadPoolExecutor(len(works)) as pool:
        return sorted(pool.map(run, works))


def test_a_founder_owns_the_team(base, team):
    assert roles(base, team) == {"Ada": "owner"}


def test_an_account_owns_no_more_teams_than_allowed(base, ada, team, moment):
    with base.writing() as session, pytest.raises(Refused, match="may own 1"):
        teams.found(session, ada, "Beta", at_most=1, moment=moment)


@pytest.mark.parametrize("name", ["ADA", "Ａda", " ada "])
def test_two_accounts_cannot_look_the_same(base, ada, name, moment):
    with base.writing() as session, pytest.raises(Conflict) as caught:
        accounts.create(session, name, oidc_subject="other", moment=moment)
    assert caught.value.error == "name_taken"


def test_of_two_sign_ups_with_one_name_at_once_one_wins(base, moment):
    def sign_up(subject):
        return lambda session: accounts.create(session, "Ada", oidc_subject=subject, moment=moment)

    assert at_once(base, sign_up("a"), sign_up("b"), sign_up("c")) == [
        "done",
        "name_taken",
        "name_taken",
    ]


def test_of_two_teams_with_one_name_at_once_one_is_founded(base, ada, add, moment):
    bob = add("Bob")

    def founding(account):
        return lambda session: teams.found(session, account, "Alpha", at_most=3, moment=moment)

    assert at_once(base, founding(ada), founding(bob)) == ["done", "name_taken"]


def test_an_invite_lets_one_person_in(base, team, add, invite, moment):
    secret, bob = invite(), add("Bob")
    join(base, bob, f" {secret}\n", moment)

    assert roles(base, team) == {"Ada": "owner", "Bob": "member"}
    with pytest.raises(Refused) as caught:
        join(base, add("Cy"), secret, moment)
    assert caught.value.error == "bad_invite"


def test_of_two_who_use_one_invite_at_once_one_is_in(base, team, add, invite, moment):
    secret, bob, cy = invite(), add("Bob"), add("Cy")

    def joining(account):
        return lambda session: teams.join(session, account, secret, moment=moment)

    assert at_once(base, joining(bob), joining(cy)) == ["bad_invite", "done"]
    assert len(roles(base, team)) == 2


def test_every_bad_invite_is_refused_in_the_same_words(base, team, ada, add, invite, moment):
    bob, words = add("Bob"), set()
    withdrawn, expired = invite(), invite()
    with base.writing() as session:
        first = teams.open_invites(session, team, moment)[0]
        teams.withdraw_invite(session, team, first.id, by=ada)
    late = moment + timedelta(days=7)
    for secret, when in [(withdrawn, moment), (expired, late), ("dci_x", late), ("\x00", late)]:
        with pytest.raises(Refused) as caught:
            join(base, bob, secret, when)
        words.add(str(caught.value))

    assert len(words) == 1
    assert roles(base, team) == {"Ada": "owner"}


def test_an_invite_is_not_spent_by_who_is_in_already(base, ada, add, invite, moment):
    secret = invite()
    with pytest.raises(Conflict):
        join(base, ada, secret, moment)

    join(base, add("Bob"), secret, moment)


def test_a_token_is_no_invite(base, service, add, moment):
    with pytest.raises(Refused):
        join(base, add("Bob"), service.token(), moment)


def test_the_first_to_join_a_team_without_members_owns_it(base, service, add, moment):
    service.token("Founded by an organiser")
    bob = add("Bob")
    with base.writing() as session:
        found = teams.of_name(session, "founded by an organiser")
        secret = teams.invite(session, found.id, "member", by=None, moment=moment)
    join(base, bob, secret, moment)

    assert roles(base, found.id) == {"Bob": "owner"}


def test_the_last_owner_neither_leaves_nor_steps_down(base, team, ada, add, invite, moment):
    join(base, add("Bob"), invite(), moment)

    with base.writing() as session, pytest.raises(Conflict) as left:
        teams.remove(session, team, ada, by=ada, moment=moment)
    with base.writing() as session, pytest.raises(Conflict) as stepped:
        teams.set_role(session, team, ada, "member", by=ada, moment=moment)

    assert {left.value.error, stepped.value.error} == {"last_owner"}
    assert roles(base, team) == {"Ada": "owner", "Bob": "member"}


def test_two_owners_who_leave_at_once_leave_one(base, team, ada, add, invite, moment):
    bob = add("Bob")
    join(base, bob, invite("owner"), moment)

    def leaving(account):
        return lambda session: teams.remove(session, team, account, by=account, moment=moment)

    assert at_once(base, leaving(ada), leaving(bob)) == ["done", "last_owner"]
    assert list(roles(base, team).values()) == ["owner"]


def test_two_owners_who_remove_each_other_at_once_leave_one(base, team, ada, add, invite, moment):
    bob = add("Bob")
    join(base, bob, invite("owner"), moment)

    def removing(who, by):
        return lambda session: teams.remove(session, team, who, by=by, moment=moment)

    assert at_once(base, removing(ada, bob), removing(bob, ada)) == ["done", "not_found"]


def test_who_leaves_takes_no_key_along(base, team, add, invite, moment):
    bob, kept = add("Bob"), invite()
    join(base, bob, invite(), moment)
    with base.writing() as session:
        found = session.get_one(Account, bob)
        _, secret = service.add_team_token(
            session,
            teams.of_name(session, "Alpha"),
            name="laptop",
            scopes=frozenset(),
            lifetime=timedelta(days=1),
            moment=moment,
            by=found,
        )
    with base.writing() as session:
        teams.remove(session, team, bob, by=bob, moment=moment)

    with base.reading() as session, pytest.raises(ServerError):
        service.authenticate(session, secret, moment=moment)
    with pytest.raises(Refused):
        join(base, bob, kept, moment)


def test_only_owners_invite_and_remove(base, team, ada, add, invite, moment):
    bob = add("Bob")
    join(base, bob, invite(), moment)
    with base.writing() as session:
        for attempt in (
            lambda: teams.invite(session, team, "owner", by=bob, moment=moment),
            lambda: teams.set_role(session, team, bob, "owner", by=bob, moment=moment),
            lambda: teams.remove(session, team, ada, by=bob, moment=moment),
            lambda: teams.withdraw_invite(session, team, "x", by=bob),
        ):
            with pytest.raises(Forbidden):
                attempt()


def test_to_a_stranger_a_team_is_not_there(base, team, ada, add, moment):
    eve = add("Eve")
    with base.writing() as session:
        for team_id in (team, "01ARZ3NDEKTSV4RRFFQ69G5FAV"):
            for attempt in (
                lambda t: teams.invite(session, t, "owner", by=eve, moment=moment),
                lambda t: teams.remove(session, t, ada, by=eve, moment=moment),
                lambda t: teams.remove(session, t, eve, by=eve, moment=moment),
            ):
                with pytest.raises(NotFound, match=r"^there is no such team$"):
                    attempt(team_id)
