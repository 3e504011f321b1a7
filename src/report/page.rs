//! A report as a page: one file that needs no server, no network and no script. If scripts run, it
//! is the Playground with the answers from the file.
//!
//! Its policy allows only its own style and its own script, which it names by their hashes.

use std::{collections::HashMap, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use minijinja::{Environment, value::Serde};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Report, UnmatchedEntry};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// The Playground. If scripts run, it replaces the tables.
const APP_STYLE: &str = include_str!("../control/playground/style.css");
static APP: LazyLock<String> = LazyLock::new(|| {
    // The strings of the script have names of XML namespaces. A report must contain nothing that
    // looks like an address.
    include_str!("../control/playground/app.js").replace("://", r":\x2f\x2f")
});

pub(super) fn write(report: &Report) -> String {
    let mut environment = Environment::new();
    // Because of the extension of its name, texts are escaped.
    environment.add_template("page.html", PAGE).expect("the page is a template");
    let page = environment.get_template("page.html").expect("it has just been added");
    let expectations = report.verification.as_ref().map(|it| it.results.as_slice());
    let expectations = expectations.unwrap_or_default().iter().map(|result| {
        let difference = &result.difference;
        json!({"text": result.expectation.to_string(), "difference": difference})
    });
    let unmatched = report.unmatched.iter().map(|UnmatchedEntry { shown, why }| {
        let mut shown = shown.clone();
        shown["why"] = why.as_str().into();
        shown
    });
    let rendered = page.render(Serde(json!({
        "policy": policy(),
        "style": STYLE,
        "app_style": APP_STYLE,
        "app": *APP,
        "data": embedded(serde_json::to_string(report).expect("a report is JSON")),
        "answers": embedded(report.answers.to_json()),
        "runs": runs(&report.data),
        "turns": report.data.len(),
        "failed": report.verification.as_ref().map_or(0, |it| it.failed().count()),
        "expectations": expectations.collect::<Vec<_>>(),
        "unmatched": unmatched.collect::<Vec<_>>(),
        "version": env!("CARGO_PKG_VERSION"),
    })));
    rendered.expect("the page uses what it is given")
}

fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src {} {}; script-src {}; img-src blob: data:; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(APP_STYLE),
        hash(&APP)
    )
}

/// JSON that cannot end an element of the page.
fn embedded(json: String) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// The turns grouped by run, in the order of the runs.
fn runs(turns: &[Value]) -> Vec<Value> {
    let (mut runs, mut places) = (Vec::<Value>::new(), HashMap::new());
    for turn in turns {
        // With a seed, runs in different sessions have the same ids.
        let key = (turn["session"].as_str(), turn["run"].as_str());
        let run = match places.get(&key) {
            Some(place) => &mut runs[*place],
            None => {
                places.insert(key, runs.len());
                runs.push(json!({
                    "run": turn["run"],
                    "session": turn["session"],
                    "thread": turn["thread"],
                    "api": turn["api"],
                    "assistant": turn["asked"]["assistant"],
                    "message": newest_message(turn),
                    "turns": [],
                }));
                let last = runs.len() - 1;
                &mut runs[last]
            }
        };
        run["reply"] = turn["answered"]["reply"].clone();
        run["status"] = turn["answered"]["status"].clone();
        if let Some(turns) = run["turns"].as_array_mut() {
            turns.push(turn.clone());
        }
    }
    runs
}

fn newest_message(turn: &Value) -> &Value {
    let messages = turn["asked"]["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let newest = messages.iter().rfind(|message| message["role"] == "user");
    newest.map_or(&Value::Null, |message| &message["content"])
}
