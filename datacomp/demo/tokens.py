"""The tokens of the demo's team and of its worker, kept beside its service.

Kept, because a worker that was killed takes up its jobs with the same token alone.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from datacomp.credentials import write_private
from datacomp_server import Settings
from datacomp_server.identity.service import authenticate, create_token, create_worker_token
from datacomp_server.kit.errors import Unauthorised
from datacomp_server.running import opened

TEAM = WORKER = "demo"
_FILE = "demo-tokens.json"


def demo_tokens(settings: Settings) -> Mapping[str, str]:
    """The tokens by owner, "team" and "worker"; one that is not good any more is made anew."""
    path = settings.data_dir / _FILE
    kept = json.loads(path.read_text()) if path.exists() else {}
    with opened(settings) as context, context.database.writing() as session:
        makers: dict[str, Callable[..., str]] = {
            "team": partial(create_token, session, TEAM, name="demo"),
            "worker": partial(create_worker_token, session, WORKER),
        }
        moment = context.clock()
        good = {owner: text for owner, text in kept.items() if _is_good(session, text, moment)}
        tokens = {owner: good.get(owner) or make(moment=moment) for owner, make in makers.items()}
        if tokens != kept:
            write_private(path, tokens)
        return tokens


def _is_good(session: Session, token: str, moment: datetime) -> bool:
    try:
        authenticate(session, token, moment=moment)
    except Unauthorised:
        return False
    return True
