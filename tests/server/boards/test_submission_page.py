"""The page of one submission: its rank comes with the board that is kept, the rest is of now."""

from datacomp_server.boards.rendering import Workroom


def test_a_visit_costs_no_board(make_service, make_report, monkeypatch):
    service, rendered = make_service(board_seconds=3600), []
    render = Workroom.render

    def counting(workroom, view, version):
        rendered.append(view)
        return render(workroom, view, version)

    monkeypatch.setattr(Workroom, "render", counting)
    ids = [service.submit(make_report(seed=seed)).json()["id"] for seed in range(2)]

    pages = [service.http.get(f"/s/{one}").text for one in (*ids, *ids)]

    assert len(rendered) == 1
    assert all(f"/s/{ids[1]}" in page and "seed 1" in page for page in pages)


def test_a_submission_newer_than_the_board_is_shown_without_a_rank(make_service, make_report):
    service = make_service(board_seconds=3600)
    service.http.get("/b/tiny")
    new = service.submit(make_report(level=0.4), method="brand new").json()["id"]

    page = service.http.get(f"/s/{new}")

    assert page.status_code == 200
    assert "brand new" in page.text
    assert "unranked" in page.text
