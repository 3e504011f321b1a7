//! Recordings of other tools with special features. For a file that is not a recording, the error
//! names the kind of file.

use std::{fs, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rehearsal::internals::read_cassette;
use serde_json::{Value, json};

const HOST: &str = "https://api.openai.com";

fn run(status: &str) -> Value {
    json!({
        "id": "run_1", "object": "thread.run", "created_at": 5, "thread_id": "thread_1",
        "assistant_id": "asst_1", "status": status,
    })
}

fn messages(answer: &str) -> Value {
    let said = |id: &str, role: &str, run: Option<&str>, text: &str| {
        let content = json!([{"type": "text", "text": {"value": text, "annotations": []}}]);
        json!({"id": id, "object": "thread.message", "created_at": 5, "thread_id": "thread_1",
            "role": role, "run_id": run, "content": content})
    };
    json!({"object": "list",
        "data": [said("msg_2", "assistant", Some("run_1"), answer),
            said("msg_1", "user", None, "Grüße?")]})
}

/// The output of `rehearsal import`, and its messages.
fn import(path: &Path) -> (String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_rehearsal")).arg("import").arg(path).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// The imported fixture of a text, with the messages.
fn imported(text: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording");
    fs::write(&path, text).unwrap();
    import(&path)
}

#[test]
fn a_folder_of_mappings_of_wiremock_is_one_recording() {
    let folder = tempfile::tempdir().unwrap();
    let (mappings, files) =
        (folder.path().join("mappings/threads"), folder.path().join("__files/bodies"));
    fs::create_dir_all(&mappings).unwrap();
    fs::create_dir_all(&files).unwrap();
    fs::write(files.join("messages.json"), messages("Grüße, Ada!").to_string()).unwrap();
    fs::write(folder.path().join("secret.json"), "{}").unwrap();
    let mapping = |name: &str, index: i64, request: Value, response: Value| {
        let mapping =
            json!({"id": name, "request": request, "response": response, "insertionIndex": index});
        fs::write(mappings.join(format!("{name}.json")), mapping.to_string()).unwrap();
    };
    // Of two responses to the same poll, the later one counts, for any names of the files.
    let poll = json!({"url": "/v1/threads/thread_1/runs/run_1", "method": "GET"});
    mapping("a", 3, poll.clone(), json!({"jsonBody": run("completed")}));
    mapping("b", 4, poll, json!({"status": 200, "body": run("queued").to_string()}));
    let list = json!({"urlPath": "/v1/threads/thread_1/messages", "method": "GET",
        "queryParameters": {"limit": {"equalTo": "2"}}});
    mapping("c", 2, list, json!({"status": 200, "bodyFileName": "bodies/messages.json"}));
    let escaping = json!({"urlPath": "/v1/threads/thread_2/messages"});
    mapping("d", 1, escaping, json!({"bodyFileName": "../secret.json"}));
    for path in [folder.path().to_owned(), folder.path().join("mappings")] {
        let (fixture, said) = import(&path);
        assert!(
            fixture.contains("message: Grüße?") && fixture.contains("Grüße, Ada!"),
            "{fixture}{said}"
        );
        assert!(!fixture.contains("hang"), "the run has ended: {fixture}");
        assert!(said.contains("has no answer: its body is in the file '../secret.json'"), "{said}");
    }
    let none = tempfile::tempdir().unwrap();
    assert!(
        import(none.path())
            .1
            .contains("of folders, those of WireMock's mappings are read: name the files")
    );
}

#[test]
fn what_curl_prints_is_read_with_its_remarks_and_commands() {
    let body = format!("{:#}", messages("Grüße, Ada!"));
    let (first, last) = body.split_at(body.len() - 2);
    let text = format!(
        "$ curl -v {HOST}/v1/threads/runs -H 'Authorization: Bearer $KEY' -d \
         '{{\"assistant_id\": \"asst_1\",\n\"thread\": {{\"messages\": \
         [{{\"role\": \"user\", \"content\": \"Grüße?\"}}]}}, \"stream\": true}}'\r\n*   Trying \
         1.2.3.4:443...\r\n* Connected to api.openai.com (1.2.3.4) port 443\r\n> POST \
         /v1/threads/runs HTTP/2\r\n> Host: api.openai.com\r\n> Authorization: Bearer \
         sk-secret\r\n> \r\n< HTTP/1.1 100 Continue\r\n< \r\n< HTTP/2 200 \r\n< content-type: \
         text/event-stream\r\n< \r\n{{ [261 bytes data]\r\nevent: thread.run.created\ndata: \
         {}\n\nevent: thread.run.completed\ndata: {}\n\nevent: done\ndata: [DONE]\n\n* Connection \
         #0 to host api.openai.com left intact\n$ curl -v {HOST}/v1/threads/thread_1/messages\n> \
         GET /v1/threads/thread_1/messages HTTP/1.1\n> Host: api.openai.com\n> \n< HTTP/1.1 200 \
         OK\n< Content-Type: application/json\n< \n{first}\n* Connection #0 to host api.openai.com \
         left intact\n{last}* Closing connection 0\n",
        run("queued"),
        run("completed"),
    );
    let (fixture, said) = imported(&text);
    assert!(
        fixture.contains("message: Grüße?") && fixture.contains("Grüße, Ada!"),
        "{fixture}{said}"
    );
    assert!(!fixture.contains("sk-secret") && !fixture.contains("hang"), "{fixture}");
    // Other tools print the same without the marks in front.
    let plain =
        text.replace("\n> ", "\n").replace("\n< ", "\n").replace("\n>", "\n").replace("\n<", "\n");
    assert!(imported(&plain).0.contains("Grüße, Ada!"), "{plain}");
}

#[test]
fn bodies_are_read_however_a_tool_packs_them() {
    let gzip = |text: &str| {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        STANDARD.encode(encoder.finish().unwrap())
    };
    let (run, messages) = (run("completed").to_string(), messages("Grüße, Ada!").to_string());
    let url = |path: &str| format!("{HOST}/v1/threads/thread_1/{path}");
    let go_vcr = format!(
        "---\nversion: 1\ninteractions:\n- request: {{method: GET, url: {}}}\n  response: {{code: \
         200, status: 200 OK, headers: {{Content-Encoding: [gzip]}}, body: !!binary {}}}\n- \
         request: {{method: GET, url: {}}}\n  response: {{code: 200, body: {}}}\n",
        url("runs/run_1"),
        gzip(&run),
        url("messages?limit=2"),
        json!(messages),
    );
    // VCR for Ruby marks text as binary if it has a character outside ASCII.
    let vcr = format!(
        "---\nhttp_interactions:\n- request: {{method: get, uri: {}, body: {{encoding: US-ASCII, \
         string: ''}}}}\n  response:\n    status: {{code: 200}}\n    body:\n      encoding: \
         ASCII-8BIT\n      string: !binary |-\n        {}\n- request: {{method: get, uri: {}}}\n  \
         response: {{status: {{code: 200}}, body: {{string: {}}}}}\nrecorded_with: VCR 6.4.0\n",
        url("messages"),
        STANDARD.encode(&messages),
        url("runs/run_1"),
        json!(run),
    );
    // PHP writes an extra comma if it cannot write a body.
    let php_vcr = format!(
        "[{{\"request\": {{\"method\": \"GET\", \"url\": {}}}, \"response\": {{\"status\": \
         {{\"code\": 200}}, \"body\": {}}}}}, {{\"request\": {{\"method\": \"GET\", \"url\": \
         {}}}, \"response\": {{\"status\": {{\"code\": 200}}, \"body\": {}}}}},]",
        json!(url("runs/run_1")),
        json!(run),
        json!(url("messages")),
        json!(messages),
    );
    let of_r = format!(
        "http_interactions:\n- request: {{method: get, uri: {}}}\n  response: {{status: \
         {{status_code: '200'}}, body: {{string: {}}}}}\n  recorded_with: vcr/1.2.0\n- request: \
         {{method: get, uri: {}}}\n  response: {{status: 200, body: {}}}\n  recorded_with: \
         vcr/1.2.0\n",
        url("runs/run_1"),
        json!(run),
        url("messages"),
        json!(messages),
    );
    let journal = json!({"requests": [
        {"request": {"method": "GET", "url": "/v1/threads/thread_1/messages"},
            "response": {"status": 200, "bodyAsBase64": STANDARD.encode(&messages)}},
        {"request": {"method": "GET", "url": "/v1/threads/thread_1/runs/run_1"},
            "responseDefinition": {"status": 200, "body": run}},
    ]});
    for text in [go_vcr, vcr, php_vcr, of_r, journal.to_string()] {
        let (fixture, said) = imported(&text);
        assert!(
            fixture.contains("message: Grüße?") && fixture.contains("Grüße, Ada!"),
            "{text}\n{fixture}{said}"
        );
    }
}

#[test]
fn what_is_no_recording_is_called_by_its_name() {
    for (text, name) in [
        ("nock('https://api.openai.com').get('/v1').reply(200)", "JavaScript of nock"),
        ("== Info: a\n=> Send header, 216 bytes (0xd8)\n0000: GET / HTTP/1.1\n", "a trace of curl"),
        (
            "HTTP/2 200\ncontent-type: application/json\n\n{\"id\": \"run_1\"}\n",
            "an answer without",
        ),
        ("{\"id\": 1}\n{\"id\": 2}\n", "lines of JSON"),
        ("# Title\n\nText: more: and more\n", "neither JSON nor YAML"),
        ("1:x,4:type;4:http;", "a file of flows of mitmproxy"),
        ("!tape\ninteractions:\n- !!okreplay.RecordedInteraction []\n", "a tape of OkReplay"),
        (
            "{\"data\": {\"pairs\": []}, \"meta\": {\"schemaVersion\": \"v5.2\"}}",
            "a simulation of Hoverfly",
        ),
        ("{\"imposters\": []}", "an imposter of Mountebank"),
        (
            "{\"info\": \
             {\"schema\": \"https://schema.getpostman.com/json/collection/v2.1.0/\"}, \"item\": \
             []}",
            "a collection of Postman",
        ),
        ("{\"_type\": \"export\", \"__export_format\": 4}", "an export of Insomnia"),
        ("[{\"httpRequest\": {}, \"httpResponse\": {}}]", "a list of expectations of MockServer"),
        ("[{\"Request\": {}, \"Response\": {}, \"RecordedAt\": \"a\"}]", "a cassette of EasyVCR"),
        ("{\"Guid\": \"a\", \"Request\": {\"Path\": {}}}", "a mapping of WireMock.Net"),
        (
            "responses:\n- response: {method: GET, url: 'https://a'}\n",
            "a recording of Python's 'responses'",
        ),
        ("openapi: 3.1.0\n", "the description of an API"),
        ("{\"meta\": {}, \"req\": {}, \"res\": {}}", "a tape of talkback"),
        ("a: 1\nb: 2\n", "its keys are 'a', 'b'"),
        ("[]", "it is an empty list"),
        ("[{\"a\": 1}]", "it is a list, and its first item reads {\"a\":1}"),
        ("", "it is empty"),
        ("Hello!", "it reads \"Hello!\""),
    ] {
        let said = read_cassette(text).unwrap_err();
        assert!(
            said.contains(name) && said.contains("known are cassettes of vcrpy"),
            "{text}: {said}"
        );
    }
    let other = json!([{"request": {"method": "GET", "url": "https://example.com/a"},
        "response": {"status": 200, "body": "b"}}]);
    let said = read_cassette(&other.to_string()).unwrap_err();
    assert_eq!(
        said,
        "there is nothing of the Assistants API or the Responses API in it: 1 exchange, 1 with example.com"
    );
    let cut = "interactions:\n- request: {method: GET, uri: 'https://a'}\n  response: {status: \
               {code: 200}}\n";
    assert!(read_cassette(cut).unwrap_err().contains("it ends without 'version'"));
}
