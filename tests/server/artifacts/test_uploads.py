"""Uploads over HTTP: declared, resumed, checked, counted, and nobody else's business."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

DATA = bytes(range(256)) * 40
SHA256 = hashlib.sha256(DATA).hexdigest()


def declare(service, data=DATA, team="Alpha", **body):
    declared = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), **body}
    return service.http.post("/api/v1/uploads", json=declared, headers=service.auth(team))


def send(service, upload, data, offset=0, team="Alpha"):
    headers = {**service.auth(team), "Upload-Offset": str(offset)}
    headers["Content-Type"] = "application/octet-stream"
    return service.http.patch(f"/api/v1/uploads/{upload}", content=data, headers=headers)


def upload_whole(service, data=DATA, team="Alpha"):
    answer = send(service, declare(service, data, team).json()["id"], data, team=team)
    assert answer.json()["complete"], answer.text


def download(service, sha256=SHA256, team="Alpha", **headers):
    return service.http.get(
        f"/api/v1/artifacts/{sha256}", headers={**service.auth(team), **headers}
    )


def parts(service):
    return list(service.context.parts.ids())


def test_a_file_in_one_piece(service):
    declared = declare(service)
    assert declared.status_code == 201
    assert declared.json()["received"] == 0

    answer = send(service, declared.json()["id"], DATA)

    assert answer.status_code == 200
    assert (answer.json()["received"], answer.json()["complete"]) == (len(DATA), True)
    assert download(service).content == DATA
    assert parts(service) == []


def test_a_file_in_pieces_goes_on_where_it_was(service):
    upload = declare(service).json()["id"]
    send(service, upload, DATA[:1000])
    again = declare(service)

    assert again.json()["id"] == upload
    assert again.json()["received"] == 1000
    assert send(service, upload, DATA[1000:], offset=1000).json()["complete"]
    assert download(service).content == DATA


def test_another_offset_is_told_the_right_one(service):
    upload = declare(service).json()["id"]
    send(service, upload, DATA[:1000])

    for offset in (0, 999, 1001, 2**53):
        answer = send(service, upload, DATA[1000:], offset=offset)

        assert (answer.status_code, answer.json()["error"]) == (409, "wrong_offset")
        assert answer.headers["Upload-Offset"] == "1000"


def test_more_than_was_declared(service):
    upload = declare(service).json()["id"]

    for data in (DATA + b"more", iter([DATA + b"more"])):
        answer = send(service, upload, data)

        assert (answer.status_code, answer.json()["error"]) == (413, "over_size")
    assert download(service).status_code == 404


def test_other_content_than_declared_ends_the_upload(service):
    upload = declare(service).json()["id"]

    answer = send(service, upload, DATA[::-1])

    assert (answer.status_code, answer.json()["error"]) == (422, "bad_hash")
    assert send(service, upload, DATA).status_code == 404
    assert list(service.context.artifacts.names()) == []
    assert parts(service) == []


def test_a_content_of_ones_own_is_not_sent_twice(service):
    upload_whole(service)

    answer = declare(service)

    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["complete"]) == (None, True)
    assert declare(service, size=5).json()["error"] == "bad_size"


def test_nobody_learns_what_another_team_has(service):
    upload_whole(service)
    answer = declare(service, team="Beta")

    assert (answer.status_code, answer.json()["received"]) == (201, 0)
    assert download(service, team="Beta").status_code == 404
    assert download(service, team="Beta").json() == download(service, "0" * 64, "Beta").json()
    upload_whole(service, team="Beta")
    assert download(service, team="Beta").content == DATA
    assert len(list(service.context.artifacts.names())) == 1


def test_another_teams_upload_is_not_there(service):
    upload = declare(service).json()["id"]

    assert send(service, upload, DATA, team="Beta").status_code == 404
    for verb in ("get", "delete"):
        answer = getattr(service.http, verb)(
            f"/api/v1/uploads/{upload}", headers=service.auth("Beta")
        )
        assert answer.status_code == 404


def test_the_quota_counts_what_is_reserved_and_what_is_held(make_service):
    service = make_service(team_quota_bytes=25_000)
    upload_whole(service)
    open_one = declare(service, b"a" * 10_000).json()["id"]

    refused = declare(service, b"b" * 10_000)
    assert (refused.status_code, refused.json()["error"]) == (422, "quota_exceeded")
    assert declare(service, b"b" * 10_000, team="Beta").status_code == 201

    service.http.delete(f"/api/v1/uploads/{open_one}", headers=service.auth())
    assert declare(service, b"b" * 10_000).status_code == 201


def test_over_the_limit_of_a_file(make_service):
    service = make_service(max_artifact_bytes=2_000)
    assert declare(service).status_code == 413


def test_declared_again_with_another_size(service):
    declare(service)
    answer = declare(service, size=5)
    assert (answer.status_code, answer.json()["error"]) == (409, "upload_size")


def test_declarations_that_are_none(service):
    for body in (
        {"sha256": "A" * 64},
        {"sha256": SHA256 + "\n"},
        {"sha256": "../" * 20},
        {"size": 0},
        {"size": -1},
        {"size": 2**60},
        {"size": "100"},
        {"size": 1.0},
        {"lease_id": "0" * 25},
        {"more": 1},
    ):
        assert declare(service, **body).status_code == 422, body


def test_offsets_that_are_none(service):
    upload = declare(service).json()["id"]
    for offset in ("-1", "x", "1e3", ""):
        assert send(service, upload, DATA, offset=offset).status_code == 422


def test_a_stream_may_be_larger_than_any_other_body(make_service):
    service = make_service(max_body_bytes=2_000)

    upload_whole(service)

    assert declare(service, note="x" * 2_000).status_code == 413


def test_a_range_of_a_file(service):
    upload_whole(service)
    answer = download(service, Range="bytes=100-103")

    assert (answer.status_code, answer.content) == (206, DATA[100:104])
    assert answer.headers["Content-Range"] == f"bytes 100-103/{len(DATA)}"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_artifacts_in_an_object_store(make_service, bucket):
    service = make_service(artifacts_url=f"{bucket}/service")
    upload_whole(service)

    assert download(service).content == DATA
    assert download(service, Range="bytes=-5").content == DATA[-5:]
    assert parts(service) == []
    assert not service.context.settings.artifacts_dir.exists()


def test_a_quota_holds_when_many_ask_at_once(make_service):
    service = make_service(team_quota_bytes=4_000)
    service.token()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(declare, service, bytes([i]) * 1_000) for i in range(8)]
        codes = sorted(one.result().status_code for one in asked)

    assert codes == [201] * 4 + [422] * 4


def test_the_same_file_declared_by_many_at_once_is_one_upload(service):
    service.token()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(declare, service) for _ in range(8)]

    assert len({one.result().json()["id"] for one in asked}) == 1


def test_many_send_the_same_piece_at_once(service):
    upload = declare(service).json()["id"]
    with ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(send, service, upload, DATA[:5_000]) for _ in range(8)]
        codes = sorted(one.result().status_code for one in sent)

    assert codes == [200] + [409] * 7
    assert send(service, upload, DATA[5_000:], offset=5_000).json()["complete"]
    assert download(service).content == DATA
