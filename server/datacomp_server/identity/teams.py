"""Rules of teams: founding, inviting, joining, leaving. A team with members has an owner.

Who is not in a team is told that there is none.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from datacomp_server.audit import service as audit
from datacomp_server.identity import repository, tokens
from datacomp_server.identity.models import Account, Membership, Team, TeamInvite
from datacomp_server.identity.names import checked_name, key_of
from datacomp_server.identity.people import Role
from datacomp_server.kit.errors import Conflict, Forbidden, NotFound, Refused

INVITE_LIFETIME = timedelta(days=7)
_MAX_INVITES = 50


def found(
    session: Session, account_id: str, name: str, *, at_most: int | None, moment: datetime
) -> Team:
    """A new team, owned by the account; `Conflict` if the name is taken.

    `Refused` if the account owns `at_most` teams already.
    """
    owned = [m for m in repository.memberships_of(session, account_id) if m.role == "owner"]
    if at_most is not None and len(owned) >= at_most:
        raise Refused(
            f"an account may own {at_most} teams, and this one does", code="too_many_teams"
        )
    name = checked_name("team", name)
    if repository.team_by_key(session, key_of(name)) is not None:
        raise Conflict(f"there is a team {name!r} already, choose another name", code="name_taken")
    team = Team(name=name, key=key_of(name), created_at=moment)
    session.add(team)
    session.flush()
    session.add(Membership(team_id=team.id, account_id=account_id, role="owner", created_at=moment))
    session.flush()
    _record(session, "team:founded", team, {}, moment)
    return team


def invite(session: Session, team_id: str, role: Role, *, by: str | None, moment: datetime) -> str:
    """The text of a new invite; returned once. `by` is an owner's account, or None: an organiser.

    It lets one person in, within seven days.
    """
    team = _team(session, team_id, owner=by)
    if len(open_invites(session, team_id, moment)) >= _MAX_INVITES:
        raise Refused(f"{_MAX_INVITES} invites are open, withdraw some", code="too_many_invites")
    secret = tokens.generate(tokens.INVITE_PREFIX)
    session.add(
        TeamInvite(
            team_id=team.id,
            role=role,
            digest=tokens.digest(secret),
            created_at=moment,
            expires_at=moment + INVITE_LIFETIME,
        )
    )
    return secret


def open_invites(session: Session, team_id: str, moment: datetime) -> list[TeamInvite]:
    """The invites that can still be used, oldest first."""
    return [i for i in repository.unused_invites(session, team_id) if i.expires_at > moment]


def withdraw_invite(session: Session, team_id: str, invite_id: str, *, by: str) -> None:
    """Make an invite useless; `NotFound` if the team has none of that id."""
    _team(session, team_id, owner=by)
    if not repository.delete_invite(session, team_id, invite_id):
        raise NotFound("there is no such invite")


def join(session: Session, account_id: str, secret: str, *, moment: datetime) -> Team:
    """Use an invite; `Refused`, always in the same words, if it is not good.

    `Conflict`, and the invite stays good, if the account is in the team already.
    """
    known, secret = None, secret.strip()
    if tokens.is_well_formed(secret, tokens.INVITE_PREFIX):
        known = repository.invite_by_digest(session, tokens.digest(secret))
    if known is None or known.used_at is not None or known.expires_at <= moment:
        raise Refused("the invite is unknown, expired, withdrawn or used", code="bad_invite")
    known.used_at = moment
    team = session.get_one(Team, known.team_id)
    if repository.membership(session, team.id, account_id) is not None:
        raise Conflict(f"you are in {team.name!r} already", code="already_member")
    role = known.role if repository.members(session, team.id) else "owner"
    session.add(Membership(team_id=team.id, account_id=account_id, role=role, created_at=moment))
    session.flush()
    _record(session, "team:joined", team, {"role": role}, moment)
    return team


def add_member(
    session: Session, team: Team, account: Account, role: Role, *, moment: datetime
) -> None:
    """Put an account into a team, or change its role there; for organisers.

    `Conflict` if the team would have members and no owner.
    """
    present = repository.membership(session, team.id, account.id)
    if present is None:
        if role != "owner" and not repository.members(session, team.id):
            raise Conflict(f"{team.name!r} has no owner yet: add one first", code="last_owner")
        row = Membership(team_id=team.id, account_id=account.id, role=role, created_at=moment)
        session.add(row)
    else:
        _keep_an_owner(session, team, present, role)
        present.role = role
    session.flush()
    _record(session, "team:joined", team, {"role": role}, moment)


def set_role(
    session: Session, team_id: str, account_id: str, role: Role, *, by: str, moment: datetime
) -> None:
    """Make a member an owner or the other way round; `Conflict` for the last owner."""
    team = _team(session, team_id, owner=by)
    present = _present(session, team_id, account_id)
    _keep_an_owner(session, team, present, role)
    present.role = role
    session.flush()
    _record(session, "team:role-changed", team, {"role": role}, moment)


def remove(session: Session, team_id: str, account_id: str, *, by: str, moment: datetime) -> None:
    """Take a member out, or leave; `Conflict` for the last owner.

    The tokens that the member made for the team end, and so does every open invite, because the
    member may know one.
    """
    leaves = by == account_id
    team = _team(session, team_id, owner=None if leaves else by)
    present = (of_member if leaves else _present)(session, team_id, account_id)
    _keep_an_owner(session, team, present, None)
    session.delete(present)
    repository.revoke_tokens_of(session, account_id, team_id, moment)
    repository.delete_invites(session, team_id)
    session.flush()
    _record(session, "team:left", team, {"role": present.role}, moment)


def of_name(session: Session, name: str) -> Team:
    """The team of that name; `NotFound` if there is none."""
    team = repository.team_by_key(session, key_of(checked_name("team", name)))
    if team is None:
        raise NotFound(f"there is no team {name!r}; see: datacomp admin team list")
    return team


def of_name_among(mine: Mapping[str, Team], name: str) -> Team:
    """The team of that name among some by key; `NotFound`, in the same words for every other."""
    found = mine.get(key_of(name))
    if found is None:
        raise NotFound("you are in no such team")
    return found


def of_member(session: Session, team_id: str, account_id: str) -> Membership:
    """The account's membership; `NotFound` for whoever is not in the team, or if there is none."""
    found = repository.membership(session, team_id, account_id)
    if found is None:
        raise _no_team()
    return found


def _team(session: Session, team_id: str, *, owner: str | None) -> Team:
    """The team; `owner` must own it unless None."""
    team = session.get(Team, team_id)
    if team is None:
        raise _no_team()
    if owner is not None and of_member(session, team_id, owner).role != "owner":
        raise Forbidden("only an owner of the team may do this", code="not_an_owner")
    return team


def _present(session: Session, team_id: str, account_id: str) -> Membership:
    found = repository.membership(session, team_id, account_id)
    if found is None:
        raise NotFound("there is no such member in this team")
    return found


def _keep_an_owner(session: Session, team: Team, leaving: Membership, role: str | None) -> None:
    owners = [m for m in repository.members(session, team.id) if m.role == "owner"]
    if role != "owner" and [m.account_id for m in owners] == [leaving.account_id]:
        raise Conflict(
            f"{leaving.account.name!r} is the last owner of {team.name!r}: make somebody else an "
            "owner first",
            code="last_owner",
        )


def _no_team() -> NotFound:
    return NotFound("there is no such team")


def _record(
    session: Session, tag: str, team: Team, facts: dict[str, str], moment: datetime
) -> None:
    audit.record(
        session,
        tag=tag,
        subject_id=team.id,
        actor=f"team:{team.name}",
        facts=facts | {"team": team.name},
        moment=moment,
    )
