"""Every operation of the API, with requests made from its description: no answer of 5xx, none that
the description does not have. What the requests mean is other tests' business.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from datacomp_server.identity.models import Account
from datacomp_server.identity.service import create_organiser_token, create_worker_token

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
EXAMPLES = 3


@pytest.mark.parametrize("caller", ["nobody", "team", "organiser", "worker"])
def test_no_operation_surprises(service, headers_of, caller):
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", service.http.app)
    headers = headers_of(caller)
    for found in schema.get_all_operations():
        _try(found.ok(), headers)


def _try(operation, headers):
    @seed(0)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy())
    def run(case):
        case.headers.pop("Authorization", None)
        case.validate_response(case.call(headers=headers), checks=CHECKS)

    run()


@pytest.fixture
def headers_of(service):
    """`headers_of(caller)`: what nobody, a team, an organiser or a worker sends."""

    def make(caller):
        if caller == "nobody":
            return {}
        if caller == "team":
            return service.auth()
        moment = service.context.clock()
        with service.context.database.writing() as session:
            if caller == "worker":
                secret = create_worker_token(session, "gpu-1", moment=moment)
            else:
                account = Account(name="Ada", key="ada", password_hash="-", organiser=True)
                session.add(account)
                session.flush()
                secret = create_organiser_token(session, account, moment=moment)
        return {"Authorization": f"Bearer {secret}"}

    return make
