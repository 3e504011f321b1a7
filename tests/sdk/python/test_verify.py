"""Every kind of expectation, met and not met, after an application with the official client."""

import json
import os
import pathlib
import unittest
import urllib.error
import urllib.request

import agent  # noqa: F401: the application runs when it is imported
from prometheus_client.parser import text_string_to_metric_families

CONTROL = os.environ["REHEARSAL_URL"] + "/_rehearsal"
CASES = json.loads((pathlib.Path(__file__).parents[1] / "verification.json").read_text())


def verify(*expect):
    """The status and the answer."""
    body = json.dumps({"expect": expect}).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(CONTROL + "/verify", body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


class Verify(unittest.TestCase):
    def test_each_expectation(self):
        for case in CASES:
            with self.subTest(case["expect"]):
                status, body = verify(case["expect"])
                [result] = body["results"]
                self.assertEqual(body["object"], "verification")
                self.assertEqual(body["passed"], result["passed"])
                self.assertEqual(result["expectation"], case["expect"])
                if "difference" in case:
                    self.assertEqual((status, result["passed"]), (422, False))
                    for part in case["difference"]:
                        self.assertIn(part, result["difference"])
                else:
                    self.assertEqual(status, 200, result)
                    self.assertNotIn("difference", result)

    def test_all_together_keep_their_order(self):
        status, body = verify(*(case["expect"] for case in CASES))
        self.assertEqual(status, 422)
        passed = [result["passed"] for result in body["results"]]
        self.assertEqual(passed, ["difference" not in case for case in CASES])

    def test_what_makes_no_sense_is_refused_with_its_place(self):
        for expectation, param, advice in [
            ({"rely": "weather"}, "expect[0].rely", "did you mean 'reply'?"),
            ({"turn": {"instrctions": "x"}}, "expect[0].turn.instrctions", "did you mean 'instructions'?"),
            ({"turn": {"message": {"matches": "("}}}, "expect[0].turn.message.matches", "unclosed group"),
            ({"request": {"path": "/v1/["}}, "expect[0].request.path", "not a glob"),
            ({"request": {"method": "PSOT"}}, "expect[0].request.method", "did you mean 'POST'?"),
            ({"reply": "a", "times": {"at_least": 2, "at_most": 1}}, "expect[0].times", "is greater than 'at_most'"),
            ({"reply": "a", "times": -1}, "expect[0].times", "at least 0"),
            ({"reply": "a", "times": "often"}, "expect[0].times", "got a string"),
            ({"reply": "a", "times": {}}, "expect[0].times", "give 'at_least'"),
            ({"unmatched": 0, "times": 1}, "expect[0].times", "use 'times' only with"),
            ({"reply": "a", "order": ["a"]}, "expect[0]", "an expectation needs exactly one of"),
            ({}, "expect[0]", "an expectation needs exactly one of"),
            ({"order": []}, "expect[0].order", "must not be empty"),
            ({"unmatched": 0, "session": "other"}, None, "only the session 'default'"),
        ]:
            with self.subTest(expectation):
                status, body = verify(expectation)
                error = body["error"]
                self.assertEqual((status, error["code"]), (400, "invalid_expectation"))
                self.assertEqual(error["param"], param)
                self.assertIn(advice, error["message"])
                self.assertTrue(body["diagnostics"])

    def test_prometheus_reads_the_metrics(self):
        with urllib.request.urlopen(os.environ["REHEARSAL_URL"] + "/metrics") as answer:
            text = answer.read().decode()
        families = {family.name: family for family in text_string_to_metric_families(text)}
        runs = {
            (sample.labels["status"], sample.labels["reply"]): sample.value
            for sample in families["rehearsal_runs"].samples
        }
        self.assertEqual(runs, {("completed", "weather"): 1, ("completed", "hello"): 1})
        requests = {
            (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
            for sample in families["rehearsal_http_requests"].samples
        }
        self.assertEqual(requests["POST", "/v1/threads/{id}/runs", "200"], 2)
        self.assertEqual(families["rehearsal_unmatched_runs"].samples[0].value, 0)
        self.assertEqual(families["rehearsal_http_request_duration_seconds"].type, "histogram")
        for gauge in ["open_streams", "sessions", "database_bytes"]:
            self.assertEqual(families["rehearsal_" + gauge].type, "gauge", gauge)
