"""What the runner says of a load run beyond k6's own verdict."""

import json
from pathlib import Path

import pytest

from scripts.k6 import Result, faults, iterations_in

API = "http://host.docker.internal:8080/v1/api"


def a_result(
    *,
    exit_status: int = 0,
    requests: int = 400,
    checks_failed: int = 0,
    errors: tuple[str, ...] = (),
    iterations_admitted: int = 100,
) -> Result:
    return Result(
        exit_status=exit_status,
        requests=requests,
        checks_passed=400 - checks_failed,
        checks_failed=checks_failed,
        errors=errors,
        iterations=100,
        iterations_admitted=iterations_admitted,
    )


def a_request(path: str, *, vu: str, iteration: str, status: str = "200", scenario: str | None = "opening") -> str:
    tags = {"url": f"{API}{path}", "status": status} | ({"scenario": scenario} if scenario else {})
    data = {"value": 1, "tags": tags, "metadata": {"vu": vu, "iter": iteration}}
    return json.dumps({"metric": "http_reqs", "type": "Point", "data": data}, separators=(",", ":"))


def test_a_good_run_has_no_faults() -> None:
    assert faults(a_result(iterations_admitted=95), min_progress=95) == []


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (a_result(exit_status=99), "k6 exited with status 99"),
        (a_result(checks_failed=1), "1 checks failed"),
        (a_result(errors=("thrown",)), "1 errors were logged, the first: thrown"),
        (a_result(requests=0), "no request was made"),
        (a_result(iterations_admitted=94), "fewer than 95 % of the iterations reached PROGRESS"),
    ],
)
def test_a_bad_run_says_what_is_wrong(result: Result, said: str) -> None:
    (fault,) = faults(result, min_progress=95)

    assert fault.startswith(said)


def test_an_iteration_reached_progress_when_a_call_for_the_admitted_was_answered(tmp_path: Path) -> None:
    samples = tmp_path / "samples.json"
    samples.write_text(
        "\n".join(
            [
                '{"type":"Metric","data":{"name":"http_reqs"},"metric":"http_reqs"}',
                a_request("/queue/token", vu="0", iteration="0", scenario=None),
                a_request("/queue/token", vu="1", iteration="0"),
                a_request("/concerts/schedule", vu="1", iteration="0"),
                a_request("/concerts/seat?scheduleId=1", vu="1", iteration="0"),
                a_request("/queue/token", vu="1", iteration="1"),
                a_request("/concerts/schedule", vu="1", iteration="1", status="403"),
                a_request("/queue/token", vu="2", iteration="0"),
            ]
        ),
        encoding="utf-8",
    )

    assert iterations_in(samples) == (3, 1)
