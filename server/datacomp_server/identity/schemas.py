"""What comes in and goes out over the API of tokens."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from datacomp_server.identity import passwords
from datacomp_server.identity.own_tokens import MAX_DAYS
from datacomp_server.identity.tokens import Scope


class SignIn(BaseModel):
    """Name and password, and the token that is wanted for them."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    account: str = Field(max_length=passwords.MAX_LENGTH)
    password: str = Field(max_length=passwords.MAX_LENGTH)
    team: str | None = Field(
        default=None,
        max_length=passwords.MAX_LENGTH,
        description="The team it speaks for. Default: the only one that the account is in.",
    )
    name: str = Field(default="default", description="What to call the token in lists.")
    scopes: frozenset[Scope] | None = Field(
        default=None, description="Default: all that a team's token may. Organisers: admin."
    )
    days: int = Field(default=90, ge=1, le=MAX_DAYS, description="Days until it expires.")


class TokenOut(BaseModel):
    """A token without its text."""

    id: str
    owner: str = Field(description='Who it speaks for, such as "team:Alpha".')
    name: str
    hint: str = Field(description="Its first characters.")
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenOut(TokenOut):
    """A new token. Its text is shown this once and stored only as a hash."""

    token: str


class CallerOut(BaseModel):
    """Whom the token that was sent speaks for."""

    actor: str = Field(description='Such as "team:Alpha", "worker:gpu-03" or "organiser:Ada".')
    scopes: list[str]
    token_id: str
    expires_at: datetime | None
