"""Files that are no report are refused with one line and exit code 3."""

from __future__ import annotations

import json

import pytest
from gate_reports import report
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hrsnn_lava.deploy.compare import files
from hrsnn_lava.deploy.compare.files import MAX_PROBLEMS, as_report, read_report
from hrsnn_lava.deploy.gate.check import check
from hrsnn_lava.errors import AnswerError, ArtifactError, Problem
from hrsnn_lava.report.document import SCHEMA_VERSION


def write(folder, content):
    path = folder / "report.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_report_comes_back_as_it_was_written(tmp_path):
    data = report()
    assert read_report(write(tmp_path, json.dumps(data))) == data
    assert read_report(str(write(tmp_path, b"\xef\xbb\xbf" + json.dumps(data).encode()))) == data


def test_the_answer_of_a_command_holds_a_report(tmp_path):
    document = {"schema_version": 1, "command": "report", "report": report(), "notes": []}
    assert read_report(write(tmp_path, json.dumps(document))) == report()


def test_the_version_is_that_of_the_reports():
    assert files.SCHEMA_VERSION == SCHEMA_VERSION


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON: Expecting value (line 1, column 1)"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1} x', "not JSON: Extra data"),
        (b"\xff\xfe{\x00", "not UTF-8"),
        ("[]", "not a report: the JSON document is no object"),
        ("3", "not a report"),
        ("{}", "not a report: schema_version, project, profile, verdict, sop, energy"),
        ('{"error": {"message": "no such file"}}', "not a report but an error: no such file"),
        ('{"a": NaN}', "NaN is no finite number"),
        ('{"a": -Infinity}', "-Infinity is no finite number"),
        ('{"a": 1e999}', "1e999 is no finite number"),
        ('{"a": ' + "9" * 5000 + "}", "is no finite number in range"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' is there twice"),
        ("[" * 100 + "]" * 100, "nested too deep"),
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deep"),
    ],
    ids=range(16),
)
def test_what_is_no_report_is_refused(tmp_path, content, message):
    with pytest.raises(ArtifactError) as caught:
        read_report(write(tmp_path, content))
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 3


def test_a_file_that_is_not_there_or_no_file(tmp_path):
    with pytest.raises(ArtifactError, match="no such file"):
        read_report(tmp_path / "none.json")
    with pytest.raises(ArtifactError, match="not a regular file"):
        read_report(tmp_path)


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as handle:
        handle.truncate(files.MAX_BYTES + 1)
    with pytest.raises(ArtifactError, match="more than 64 MiB"):
        read_report(path)


@pytest.mark.parametrize("key", ["sop", "energy", "verdict"])
def test_a_report_with_a_part_missing_is_none(key):
    data = report()
    del data[key]
    with pytest.raises(ArtifactError, match=f"not a report: {key} missing"):
        as_report(data)
    if key != "verdict":
        with pytest.raises(ArtifactError, match=f"not a report: {key} missing"):
            as_report({**report(), key: [1]})


@pytest.mark.parametrize("key", ["activity", "network", "mapping", "summary"])
def test_a_report_without_a_further_part_is_judged_by_what_it_has(key):
    data = report()
    del data[key]
    assert check(as_report(data), {"max_sops": 10**12}).verdict == "PASS"
    wanted = {
        "activity": "max_spikes",
        "network": "max_synapses",
        "mapping": "max_mean_hops",
    }
    if key in wanted:
        assert check(data, {wanted[key]: 10**12}).verdict == "FAIL"


def test_operations_by_projection_may_be_plain_numbers():
    old, new = report(), report()
    old["sop"]["per_projection"], new["sop"]["per_projection"] = {"a": 1, "b": 5}, {"a": 4, "b": 5}
    (grown,) = check(new, baseline=old).growth
    assert (grown.projection, grown.change) == ("a", 3)


def test_an_unknown_verdict_is_refused():
    with pytest.raises(ArtifactError, match="verdict 'MAYBE'"):
        as_report({**report(), "verdict": "MAYBE"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(tmp_path, content):
    with pytest.raises(ArtifactError):
        read_report(write(tmp_path, content))


def test_a_truncated_report_is_refused(tmp_path):
    text = json.dumps(report())
    for end in range(0, len(text), 997):
        with pytest.raises(ArtifactError):
            read_report(write(tmp_path, text[:end]))


def test_the_answer_of_a_command_that_failed_keeps_its_problems_and_its_code(tmp_path):
    problem = {"where": "axons", "measured": "9", "allowed": "8", "fix": "prune"}
    error = {"message": "no fit", "problems": [problem] * 99, "exit_code": 4}
    with pytest.raises(AnswerError) as caught:
        read_report(write(tmp_path, json.dumps({"command": "run", "error": error})))
    assert caught.value.exit_code == 4
    assert caught.value.problems == (Problem(**problem),) * MAX_PROBLEMS
    for code in (None, True, 0, 1, -3, 256, "4"):
        for problems in (None, 3, [3], [{}]):
            text = json.dumps({"error": {"exit_code": code, "problems": problems}})
            with pytest.raises(AnswerError) as caught:
                read_report(write(tmp_path, text))
            assert caught.value.exit_code == 3
