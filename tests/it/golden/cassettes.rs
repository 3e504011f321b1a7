//! Recorded exchanges as the cassettes that tools would have made of them, in each of their formats.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write as _;

use super::Exchange;

/// How a cassette is written.
#[derive(Clone, Copy, Debug)]
pub enum Format {
    Vcrpy,
    /// With bodies as they came over the wire, which are no text.
    VcrpyPacked,
    Vcr,
    Har,
}

pub const FORMATS: [Format; 4] = [Format::Vcrpy, Format::VcrpyPacked, Format::Vcr, Format::Har];

pub fn write(exchanges: &[Exchange], format: Format) -> String {
    let items: Vec<Value> = exchanges.iter().map(|exchange| item(exchange, format)).collect();
    match format {
        Format::Vcrpy => serde_saphyr::to_string(&json!({"interactions": items, "version": 1})).unwrap(),
        Format::VcrpyPacked => packed(&items),
        Format::Vcr => format!(
            "---\n{}",
            serde_saphyr::to_string(&json!({"http_interactions": items, "recorded_with": "VCR 6.1.0"})).unwrap()
        ),
        Format::Har => format!("{:#}", json!({"log": {"version": "1.2", "entries": items}})),
    }
}

fn item(exchange: &Exchange, format: Format) -> Value {
    let (request, response) = (&exchange.request, &exchange.response);
    let query: Vec<_> =
        request.query.iter().flatten().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let url = format!("https://api.openai.com{}{query}", request.path);
    let asked = request.body.as_ref().map(Value::to_string);
    let (kind, answered) = answered(exchange);
    let status = response.status.unwrap_or(200);
    match format {
        Format::Vcrpy | Format::VcrpyPacked => json!({
            "request": {"body": asked, "headers": {"host": ["api.openai.com"]}, "method": request.method, "uri": url},
            "response": {
                "body": {"string": answered},
                "headers": {"Content-Type": [kind]},
                "status": {"code": status, "message": "OK"},
            },
        }),
        Format::Vcr => json!({
            "request": {"method": request.method.to_lowercase(), "uri": url, "body": {"encoding": "UTF-8", "string": asked.unwrap_or_default()}, "headers": {}},
            "response": {
                "status": {"code": status, "message": "OK"},
                "headers": {"Content-Type": [kind]},
                "body": {"encoding": "ASCII-8BIT", "base64_string": STANDARD.encode(&answered)},
            },
            "recorded_at": "Wed, 08 Nov 2023 03:19:57 GMT",
        }),
        Format::Har => json!({
            "request": {"method": request.method, "url": url, "headers": [], "postData": {"mimeType": "application/json", "text": asked.unwrap_or_default()}},
            "response": {
                "status": status,
                "headers": [{"name": "Content-Type", "value": kind}],
                "content": {"mimeType": kind, "encoding": "base64", "text": STANDARD.encode(&answered)},
            },
        }),
    }
}

/// Bodies packed with gzip, which vcrpy writes as binary.
fn packed(items: &[Value]) -> String {
    let mut text = "interactions:\n".to_owned();
    for item in items {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(item["response"]["body"]["string"].as_str().unwrap().as_bytes()).unwrap();
        let encoded = STANDARD.encode(encoder.finish().unwrap());
        let (request, response) = (&item["request"], &item["response"]);
        text += &format!(
            "- request: {request}\n  response:\n    body:\n      string: !!binary |\n        {encoded}\n    headers: \
             {{Content-Encoding: [gzip], Content-Type: {}}}\n    status: {}\n",
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
