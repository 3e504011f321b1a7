//! Recorded exchanges as cassettes, in the format of each tool.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::Exchange;

/// The format of a cassette.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    Vcrpy,
    /// With compressed bodies as on the wire, which are not text.
    VcrpyPacked,
    Vcr,
    Har,
    GoVcr,
    PhpVcr,
    ExVcr,
    Betamax,
    BetamaxForJava,
    Nock,
    WireMock,
    Polly,
    TestProxy,
    List,
    Curl,
}

pub const FORMATS: [Format; 15] = [
    Format::Vcrpy,
    Format::VcrpyPacked,
    Format::Vcr,
    Format::Har,
    Format::GoVcr,
    Format::PhpVcr,
    Format::ExVcr,
    Format::Betamax,
    Format::BetamaxForJava,
    Format::Nock,
    Format::WireMock,
    Format::Polly,
    Format::TestProxy,
    Format::List,
    Format::Curl,
];

const HOST: &str = "api.openai.com";

/// An exchange in the form that all tools see.
struct Seen<'e> {
    method: &'e str,
    /// The path with its query.
    target: String,
    asked: Option<String>,
    status: u16,
    kind: &'static str,
    answered: String,
}

impl Seen<'_> {
    fn url(&self) -> String {
        format!("https://{HOST}{}", self.target)
    }

    /// The response as JSON, if possible.
    fn json(&self) -> Value {
        serde_json::from_str(&self.answered).unwrap_or_else(|_| Value::from(self.answered.as_str()))
    }
}

fn see(exchange: &Exchange) -> Seen<'_> {
    let (request, response) = (&exchange.request, &exchange.response);
    let query: Vec<_> = request
        .query
        .iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let (kind, answered) = answered(exchange);
    Seen {
        method: &request.method,
        target: format!("{}{query}", request.path),
        asked: request.body.as_ref().map(Value::to_string),
        status: response.status.unwrap_or(200),
        kind,
        answered,
    }
}

pub fn write(exchanges: &[Exchange], format: Format) -> String {
    let seen: Vec<Seen<'_>> = exchanges.iter().map(see).collect();
    if matches!(format, Format::Curl) {
        return seen.iter().map(curl).collect();
    }
    let items: Vec<Value> = seen.iter().map(|seen| item(seen, format)).collect();
    let yaml = |document: Value| serde_saphyr::to_string(&document).unwrap();
    match format {
        Format::Vcrpy => yaml(json!({"interactions": items, "version": 1})),
        Format::VcrpyPacked => packed(&items),
        Format::Vcr => format!(
            "---\n{}",
            yaml(json!({"http_interactions": items,
            "recorded_with": "VCR 6.1.0"}))
        ),
        Format::Har => format!("{:#}", json!({"log": {"version": "1.2", "entries": items}})),
        Format::GoVcr => format!("---\n{}", yaml(json!({"version": 2, "interactions": items}))),
        Format::PhpVcr => format!("\n{}", yaml(items.into())),
        Format::Betamax => json!({"http_interactions": items,
            "recorded_with": "betamax/0.9.0"})
        .to_string(),
        Format::BetamaxForJava => format!(
            "!tape\n{}",
            yaml(json!({"name": "tape",
            "interactions": items}))
        ),
        // The newest is first.
        Format::WireMock => {
            format!("{:#}", json!({"mappings": items.into_iter().rev().collect::<Vec<_>>()}))
        }
        Format::Polly => {
            json!({"log": {"_recordingName": "r", "creator": {"name": "Polly.JS"}, "entries": items,
                "version": "1.2"}})
            .to_string()
        }
        Format::TestProxy => format!("{:#}", json!({"Entries": items, "Variables": {}})),
        Format::ExVcr | Format::Nock | Format::List => format!("{:#}", Value::from(items)),
        Format::Curl => unreachable!("it is text"),
    }
}

fn item(seen: &Seen<'_>, format: Format) -> Value {
    let Seen { method, asked, status, kind, answered, .. } = seen;
    let (url, target) = (seen.url(), &seen.target);
    let text = asked.clone().unwrap_or_default();
    let headers = json!({"Content-Type": [kind]});
    match format {
        Format::Vcrpy | Format::VcrpyPacked => json!({
            "request": {"body": asked, "headers": {"host": [HOST]}, "method": method, "uri": url},
            "response": {"body": {"string": answered}, "headers": headers,
                "status": {"code": status, "message": "OK"}},
        }),
        Format::Vcr => json!({
            "request": {"method": method.to_lowercase(), "uri": url,
                "body": {"encoding": "UTF-8", "string": text}, "headers": {}},
            "response": {
                "status": {"code": status, "message": "OK"},
                "headers": headers,
                "body": {"encoding": "ASCII-8BIT", "base64_string": STANDARD.encode(answered)},
            },
            "recorded_at": "Wed, 08 Nov 2023 03:19:57 GMT",
        }),
        Format::Har => json!({
            "request": {"method": method, "url": url, "headers": [],
                "postData": {"mimeType": "application/json", "text": text}},
            "response": {
                "status": status,
                "headers": [{"name": "Content-Type", "value": kind}],
                "content": {"mimeType": kind, "encoding": "base64",
                    "text": STANDARD.encode(answered)},
            },
        }),
        Format::GoVcr => json!({
            "id": 0,
            "request": {"proto": "HTTP/1.1", "host": HOST, "body": text, "form": {},
                "headers": headers, "url": url, "method": method},
            "response": {
                "proto": "HTTP/2.0", "body": answered, "headers": headers,
                "status": format!("{status} OK"), "code": status,
                "duration": "312.5ms",
            },
        }),
        Format::PhpVcr => json!({
            "request": {"method": method, "url": url, "headers": {"Host": HOST}, "body": text},
            "response": {
                "status": {"code": status, "message": "OK"}, "headers": {"Content-Type": kind},
                "body": answered, "curl_info": {},
            },
            "index": 0,
        }),
        Format::ExVcr => {
            // The binaries of Erlang start with six extra bytes.
            let length = u32::try_from(answered.len()).unwrap().to_be_bytes();
            let term = [b"\x83m".as_slice(), &length, answered.as_bytes()].concat();
            json!({
                "request": {"body": text, "headers": [], "method": method.to_lowercase(),
                    "options": [], "request_body": "", "url": url},
                "response": {
                    "binary": true, "body": STANDARD.encode(term),
                    "headers": {"content-type": kind}, "status_code": ["HTTP/1.1", status, "OK"],
                    "type": "ok",
                },
            })
        }
        Format::Betamax => {
            // A text without a charset counts as Latin-1.
            let latin: String = answered.bytes().map(char::from).collect();
            json!({
                "request": {"body": {"encoding": "utf-8", "string": text}, "headers": {},
                    "method": method, "uri": url},
                "response": {
                    "body": {"encoding": "ISO-8859-1", "string": latin}, "headers": headers,
                    "status": {"code": status, "message": "OK"}, "url": url,
                },
                "recorded_at": "2024-05-01T10:00:00",
            })
        }
        Format::BetamaxForJava => json!({
            "recorded": "2024-05-01T10:00:00.123Z",
            "request": {"method": method, "uri": url,
                "headers": {"Content-Type": "application/json"}, "body": text},
            "response": {"status": status, "headers": {"Content-Type": kind}, "body": answered},
        }),
        Format::Nock => {
            let hex: String = gzip(answered).iter().map(|byte| format!("{byte:02x}")).collect();
            let (first, second) = hex.split_at(20.min(hex.len()));
            json!({
                "scope": format!("https://{HOST}:443"), "method": method, "path": target,
                "body": serde_json::from_str::<Value>(&text).unwrap_or_else(|_| text.clone().into()),
                "status": status, "response": [first, second], "responseIsBinary": false,
                "rawHeaders": ["Content-Type", kind, "Content-Encoding", "gzip"],
            })
        }
        Format::WireMock => {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let queries = query.split('&').filter_map(|pair| pair.split_once('='));
            let queries: serde_json::Map<_, _> = queries
                .map(|(key, value)| (key.to_owned(), json!({"hasExactly": [{"equalTo": value}]})))
                .collect();
            let mut request =
                json!({"urlPath": path, "method": method, "queryParameters": queries});
            if asked.is_some() {
                request["bodyPatterns"] = json!([{"equalToJson": text, "ignoreArrayOrder": true}]);
            }
            json!({
                "id": "a", "uuid": "a", "persistent": true, "request": request,
                "response": {"status": status, "body": answered,
                    "headers": {"Content-Type": kind, "Set-Cookie": ["a=1", "b=2"]}},
            })
        }
        Format::Polly => json!({
            "_id": "5dbc", "_order": 0,
            "request": {"method": method, "url": url, "headers": [],
                "postData": {"mimeType": "application/json", "params": [], "text": text}},
            "response": {
                "status": status,
                "headers": [{"name": "content-type", "value": kind},
                    {"name": "content-encoding", "value": "gzip"}],
                "content": {
                    "mimeType": kind, "encoding": "base64",
                    "text": json!([STANDARD.encode(gzip(answered))]).to_string(),
                },
            },
        }),
        Format::TestProxy => {
            let body = if kind.starts_with("text/") {
                answered.split_inclusive('\n').map(Value::from).collect()
            } else if *kind == "application/json" {
                seen.json()
            } else {
                Value::from(STANDARD.encode(answered))
            };
            json!({
                "RequestUri": url, "RequestMethod": method,
                "RequestHeaders": {"Authorization": "Sanitized",
                    "Content-Type": "application/json"},
                "RequestBody": serde_json::from_str::<Value>(&text).unwrap_or_default(),
                "StatusCode": status, "ResponseHeaders": {"Content-Type": kind},
                "ResponseBody": body,
            })
        }
        Format::List => json!({
            "request": {"method": method, "url": url, "headers": {},
                "body": asked.as_ref().map(|text| serde_json::from_str::<Value>(text).unwrap())},
            "response": {"status": status, "headers": {"content-type": kind}, "body": seen.json()},
        }),
        Format::Curl => unreachable!("it is text"),
    }
}

/// A command and its output. The response follows curl's last remark, as in a file.
fn curl(seen: &Seen<'_>) -> String {
    let Seen { method, asked, status, kind, answered, target, .. } = seen;
    let data = asked
        .as_ref()
        .map_or_else(String::new, |text| format!(" -d '{}'", text.replace('\'', "\\u0027")));
    let sent = if asked.is_some() { "} [41 bytes data]\n" } else { "" };
    format!(
        "$ curl -v -X {method} https://{HOST}{target}{data}\n* Connected to {HOST} (127.0.0.1) \
         port 443 (#0)\n> {method} {target} HTTP/1.1\n> Host: {HOST}\n> Authorization: Bearer \
         sk-test\n> \n{sent}< HTTP/1.1 {status} OK\n< Content-Type: {kind}\n< \n{{ [261 bytes \
         data]\n* Connection #0 to host {HOST} left intact\n{answered}\n"
    )
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Bodies with gzip compression, which vcrpy writes as binary.
fn packed(items: &[Value]) -> String {
    let mut text = "interactions:\n".to_owned();
    for item in items {
        let encoded = STANDARD.encode(gzip(item["response"]["body"]["string"].as_str().unwrap()));
        let (request, response) = (&item["request"], &item["response"]);
        text += &format!(
            "- request: {request}\n  response:\n    body:\n      string: !!binary |\n        \
             {encoded}\n    headers: {{Content-Encoding: [gzip], Content-Type: {}}}\n    status: \
             {}\n",
            response["headers"]["Content-Type"], response["status"],
        );
    }
    text + "version: 1\n"
}

fn answered(exchange: &Exchange) -> (&'static str, String) {
    let Some(events) = &exchange.response.sse else {
        return match &exchange.response.body {
            Some(Value::String(text)) => ("application/octet-stream", text.clone()),
            Some(body) => ("application/json", format!("{body:#}")),
            None => ("application/json", String::new()),
        };
    };
    let frames = events.iter().map(|event| {
        let data = event.data.as_str().map_or_else(|| event.data.to_string(), str::to_owned);
        format!("event: {}\ndata: {data}\n\n", event.event)
    });
    ("text/event-stream; charset=utf-8", frames.collect())
}
