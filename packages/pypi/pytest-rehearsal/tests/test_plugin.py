"""The plugin as users see it: pytest runs projects with their own tests."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request

import pytest

ASK = """
import openai

def ask(text, **options):
    client = openai.OpenAI(max_retries=0)
    assistant = client.beta.assistants.create(model="gpt-4o", instructions="Answer in French.")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": text}])
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, **options
    )
    [newest, *_] = client.beta.threads.messages.list(thread.id)
    return run, newest.content[0].text.value
"""


@pytest.fixture
def project(pytester):
    pytester.makeini("[pytest]\nfilterwarnings = ignore::DeprecationWarning\n")
    pytester.makepyfile(app=ASK)

    def run(*arguments, **files):
        pytester.makepyfile(**{name: textwrap.dedent(text) for name, text in files.items()})
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    run.path = pytester.path
    return run


def test_replies_fixtures_clock_and_verification(project):
    project.path.joinpath("more").mkdir()
    project.path.joinpath("more/a.yaml").write_text(
        "replies: [{name: file, when: {message: File}, steps: [{message: From a file}]}]"
    )
    result = project(
        test_all="""
        import os
        import pytest
        from app import ask

        def test_a_reply(rehearsal):
            rehearsal.reply("Hello!", message="Hi", name="greets", times=1)
            assert ask("Hi")[1] == "Hello!"
            assert os.environ["OPENAI_BASE_URL"] == rehearsal.base_url
            assert os.environ["AZURE_OPENAI_ENDPOINT"] == rehearsal.url
            [turn] = rehearsal.turns
            assert turn["answered"]["reply"] == "greets"
            assert {request["method"] for request in rehearsal.requests} == {"POST", "GET"}
            rehearsal.verify([{"reply": "greets", "times": 1}, {"unmatched": 0}])
            with pytest.raises(AssertionError, match=r"Answer in \\[-Greek-\\]\\{\\+French\\+\\}"):
                rehearsal.verify([{"turn": {"instructions": "Answer in Greek."}}])
            with pytest.raises(ValueError, match="did you mean 'reply'"):
                rehearsal.verify([{"rely": "greets"}])

        def test_steps_and_outcomes(rehearsal):
            rehearsal.reply([{"message": "One"}, {"message": "Two"}], model="gpt-4o")
            rehearsal.reply(outcome={"failed": {"code": "server_error", "message": "Oh."}}, message="Fail")
            assert ask("Anything")[1] == "Two"
            assert ask("Fail")[0].last_error.message == "Oh."

        def test_responses(rehearsal):
            rehearsal.reply("Hello!", message="Hi")
            response = rehearsal.client().responses.create(model="gpt-4o", input="Hi")
            assert response.output_text == "Hello!"
            [turn] = rehearsal.turns
            assert (turn["api"], turn["run"]) == ("responses", response.id)

        @pytest.mark.parametrize("fixtures", [
            {"replies": [{"steps": [{"message": "Same"}]}]},
            "replies: [{steps: [{message: Same}]}]",
        ])
        def test_documents(rehearsal, fixtures):
            rehearsal.fixtures(fixtures)
            assert ask("Hi")[1] == "Same"

        @pytest.mark.rehearsal(fixtures="more")
        def test_a_folder(rehearsal):
            assert ask("File")[1] == "From a file"
            with pytest.raises(ValueError, match="no such file or folder"):
                rehearsal.fixtures("none")
            with pytest.raises(ValueError, match="did you mean 'steps'"):
                rehearsal.fixtures({"replies": [{"stps": []}]})

        def test_the_clock(rehearsal):
            rehearsal.clock.freeze("2026-01-31T12:00:00Z")
            rehearsal.clock.advance("10m")
            assert rehearsal.clock.now == "2026-01-31T12:10:00Z"
            rehearsal.clock.resume()

        def test_a_reset(rehearsal):
            rehearsal.reply("Hi", times=1)
            assert ask("a")[1] == "Hi"
            rehearsal.reset()
            assert rehearsal.turns == []
            assert rehearsal.client().beta.assistants.list().data == []
            assert ask("b")[1] == "Hi"

        @pytest.mark.asyncio
        async def test_async(rehearsal):
            rehearsal.reply("Later")
            client = rehearsal.async_client()
            assistant = await client.beta.assistants.create(model="gpt-4o")
            run = await client.beta.threads.create_and_run_poll(
                assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]})
            assert run.status == "completed"

        @pytest.mark.rehearsal(unmatched="echo")
        def test_echo(rehearsal):
            assert ask("Anything")[1] == "Anything"
            assert len(rehearsal.unmatched) == 1
        """
    )
    result.assert_outcomes(passed=10)


def test_an_unmatched_run_fails_the_test_and_shows_what_came_near(project):
    result = project(
        test_it="""
        from app import ask

        def test_one(rehearsal):
            rehearsal.reply("Hi", message="hello", name="greets")
            ask("Hello")

        def test_two(rehearsal):
            rehearsal.reply("Hi", message="Hi")
            assert ask("Hi")[1] == "Bonjour"
        """
    )
    result.assert_outcomes(passed=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*no reply matches the run run_* (message: 'Hello')",
            '*nearest is greets (added fixtures 1:1): message: expected "hello", got "Hello" '
            "(only the case differs)",
            "*to answer it, add:",
        ]
    )
    result.stdout.fnmatch_lines(
        ["*- rehearsal -*", "*instructions: 'Answer in French.'", "*answer: 'Hi'"]
    )


def test_workers_do_not_see_each_other(project):
    result = project(
        "-n",
        "3",
        test_many="""
        import pytest
        from app import ask

        @pytest.mark.parametrize("number", range(12))
        def test_one(rehearsal, number):
            rehearsal.reply(f"Reply {number}")
            assert ask("Hi")[1] == f"Reply {number}"
            assert len(rehearsal.client().beta.assistants.list().data) == 1
            assert len(rehearsal.turns) == 1
        """,
    )
    result.assert_outcomes(passed=12)


def test_a_client_of_a_module_within_exec(project):
    project.path.joinpath("agent.py").write_text(
        "import openai\nclient = openai.OpenAI(max_retries=0)\n\n"
        "def ask(text):\n"
        "    return client.responses.create(model='gpt-4o', input=text).output_text\n"
    )
    test = (
        "import pytest\nfrom agent import ask\n"
        "@pytest.mark.parametrize('answer', ['Hello!', 'Bye!'])\n"
        "def test_one(rehearsal, answer):\n"
        "    rehearsal.reply(answer)\n"
        "    assert ask('Hi') == answer\n"
        "    assert len(rehearsal.turns) == 1\n"
    )
    project.path.joinpath("test_agent.py").write_text(test)
    project.path.joinpath("base.yaml").write_text("replies: [{steps: [{message: Base}]}]")
    pytest_command = [sys.executable, "-m", "pytest", "-q", "test_agent.py", "--rehearsal-exec"]

    def run(*command, **variables):
        done = subprocess.run(
            command,
            cwd=project.path,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    command = ["rehearsal", "exec", "--api-key", "k1", "--", *pytest_command]
    code, said = run(*command)
    assert (code, "2 passed" in said) == (0, True), said
    test = "from agent import ask\ndef test_one(rehearsal):\n    assert ask('Hi') == 'Base'\n"
    project.path.joinpath("test_agent.py").write_text(test)
    code, said = run(*command, "--rehearsal-fixtures=base.yaml")
    assert (code, "1 passed" in said) == (0, True), said
    code, said = run(*command, "--rehearsal-args=--seed 7")
    assert "rehearsal_args has no effect: give it to 'rehearsal exec'" in said
    code, said = run(*pytest_command, OPENAI_API_KEY="k1")
    assert "rehearsal_exec needs 'rehearsal exec -- pytest'" in said


def test_options_of_the_ini_file_and_of_the_command_line(project):
    path = project.path
    path.joinpath("base.yaml").write_text("replies: [{name: base, steps: [{message: Base}]}]")
    path.joinpath("pytest.ini").write_text(
        "[pytest]\nrehearsal_fixtures = base.yaml\nrehearsal_args = --seed 7\n"
        "filterwarnings = ignore::DeprecationWarning\n"
    )
    test = "from app import ask\ndef test_one(rehearsal):\n    assert ask('Hi')[1] == 'Base'\n"
    show = "    print('ID', rehearsal.client().beta.assistants.list().data[0].id)\n"
    ids = set()
    for _ in range(2):
        result = project("-s", test_it=test + show)
        result.assert_outcomes(passed=1)
        ids.add(next(line for line in result.outlines if "ID asst_" in line))
    assert len(ids) == 1, "the seed of the ini file"
    other = path / "other.yaml"
    other.write_text("replies: [{steps: [{message: Other}]}]")
    result = project(
        "--rehearsal-fixtures=other.yaml",
        "--rehearsal-unmatched=echo",
        test_it="from app import ask\ndef test_one(rehearsal):\n    assert ask('Hi')[1] == 'Other'\n",
    )
    result.assert_outcomes(passed=1)


def test_recording_with_an_upstream(project, rehearsal):
    rehearsal.reply("From the model")
    test = "from app import ask\ndef test_one(rehearsal):\n    assert ask('Hi')[1] == 'From the model'\n"
    upstream = [
        f"--rehearsal-upstream={rehearsal.base_url}",
        "--rehearsal-record=recorded",
        "--rehearsal-args=--upstream-kind assistants --upstream-key-env MODEL_KEY",
    ]
    os.environ["MODEL_KEY"] = "sk-of-the-model"
    project(*upstream, test_it=test).assert_outcomes(passed=1)
    assert list((project.path / "recorded").rglob("*.yaml"))
    project("--rehearsal-fixtures=recorded", test_it=test).assert_outcomes(passed=1)
    result = project("--rehearsal-record=recorded", test_it=test)
    result.stdout.fnmatch_lines(["*rehearsal_record needs rehearsal_upstream*"])


def test_what_cannot_be_used_is_said_in_one_message(project, monkeypatch):
    test = "def test_one(rehearsal):\n    pass\n"
    project.path.joinpath("broken.yaml").write_text("replies: [{stps: []}]")
    result = project("--rehearsal-fixtures=broken.yaml", test_it=test)
    result.stdout.fnmatch_lines(
        ["*broken.yaml:1:12: unknown key 'stps'*", "*did you mean 'steps'?*"]
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = project(f"--rehearsal-args=--listen 127.0.0.1:{port}", test_it=test)
        result.stdout.fnmatch_lines([f"*cannot listen on 127.0.0.1:{port}: *"])
    result = project("--rehearsal-unmatched=sometimes", test_it=test)
    result.stdout.fnmatch_lines(["*unmatched is 'fail' or 'echo', not 'sometimes'*"])
    result = project(
        test_it="import pytest\n@pytest.mark.rehearsal(fixture='a')\ndef test_one(rehearsal):\n    pass\n"
    )
    result.stdout.fnmatch_lines(["*the marker 'rehearsal' knows no fixture*"])
    monkeypatch.setenv("REHEARSAL_PROGRAM", str(project.path / "none"))
    result = project(test_it=test)
    result.stdout.fnmatch_lines(["*none is not there (REHEARSAL_PROGRAM names it)*"])
    script = project.path / "no-run-bit"
    script.write_text("#!/bin/sh\n")
    monkeypatch.setenv("REHEARSAL_PROGRAM", str(script))
    if os.geteuid() != 0 or not os.access(script, os.X_OK):
        result = project(test_it=test)
        result.stdout.fnmatch_lines(["*no-run-bit cannot be run*chmod +x*"])


def test_versions_that_do_not_fit_and_an_old_c_library(project, monkeypatch):
    test = "def test_one(rehearsal):\n    pass\n"
    project.path.joinpath("conftest.py").write_text(
        "import pytest_rehearsal.server\npytest_rehearsal.server.version = lambda name: '9.9.0'\n"
    )
    result = project(test_it=test)
    result.stdout.fnmatch_lines(
        ["*pytest-rehearsal 9.9.0 does not fit rehearsal 0.*: install 'rehearsal-server==9.9.0'*"]
    )
    program = project.path / "of-a-newer-system"
    program.write_text(
        "#!/bin/sh\necho \"rehearsal: libc.so.6: version 'GLIBC_2.99' not found\" >&2\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("REHEARSAL_PROGRAM", str(program))
    result = project(test_it=test)
    result.stdout.fnmatch_lines(["*this machine's C library is older*", "*'GLIBC_2.99' not found*"])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_end_from_outside_leaves_no_server_behind(project, how):
    project.path.joinpath("test_it.py").write_text(
        "import pathlib, time\ndef test_one(rehearsal):\n"
        "    pathlib.Path('url').write_text(rehearsal.url)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    process = subprocess.Popen(command, cwd=project.path, stdout=subprocess.DEVNULL)
    url = project.path / "url"
    _until(lambda: url.exists() and url.read_text())
    process.send_signal(how)
    process.wait(timeout=30)
    _until(lambda: not _answers(url.read_text()))


def _answers(url):
    try:
        urllib.request.urlopen(url + "/_rehearsal/health").close()
    except OSError:
        return False
    return True


def _until(holds):
    """Wait for a condition outside of this process that sends no signal."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)
