//! The objects that existed before a recorded flow began. They are seeded with the recorded ids.
//! Runs cannot be seeded, so requests outside the flow create them.

use std::collections::{BTreeMap, HashMap, HashSet};

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    Exchange, Response,
    compare::{ids_in, is_id},
};
use crate::server::TestServer;

/// The assistant of runs without a recorded assistant.
const NOBODY: &str = "asst_NobodyNobodyNobodyNobod";

#[derive(Default)]
pub struct Found {
    assistants: BTreeMap<String, Value>,
    threads: BTreeMap<String, Value>,
    files: BTreeMap<String, Value>,
    stores: BTreeMap<String, Value>,
    /// Threads and runs, with the version and the status of their first appearance.
    runs: Vec<(String, String, String, Option<String>)>,
    /// Files that v1 gave to assistants.
    given: Vec<(String, String)>,
    /// Messages of seeded threads, oldest first.
    messages: Vec<(String, Vec<String>)>,
}

impl Found {
    pub fn by(exchanges: &[Exchange]) -> Self {
        let (mut found, mut made) = (Self::default(), HashSet::new());
        for exchange in exchanges {
            let status = exchange.response.status.unwrap_or(200);
            let path = &exchange.request.path;
            // A list of other people's objects has at least one item.
            if let Some(first) = exchange.objects().first().filter(|_| is_list_of_all(exchange))
                && let Some(id) = first["id"].as_str().filter(|id| !made.contains(*id))
            {
                found.note(id, exchange, exchanges);
            }
            if status != 401 {
                let body = exchange.request.body.as_ref().map(Value::to_string).unwrap_or_default();
                // An object that was missing then must be missing now.
                let missing =
                    if status == 404 { path.rsplit('/').next().unwrap_or_default() } else { "" };
                for id in ids_in(&format!("{path} {body}"))
                    .filter(|id| *id != missing && !made.contains(*id))
                {
                    found.note(id, exchange, exchanges);
                }
            }
            for answer in exchange.answers() {
                made.extend(ids_in(&answer.to_string()).map(str::to_owned));
            }
            made.extend(ids_in(path).map(str::to_owned));
        }
        found
    }

    fn note(&mut self, id: &str, exchange: &Exchange, exchanges: &[Exchange]) {
        let as_said = || last_said(id, exchanges);
        match id.split(['_', '-']).next() {
            Some("asst") => self.assistant(id, as_said(), exchange, exchanges),
            Some("thread") => self.thread(id, as_said(), exchanges),
            Some("file") => {
                let content = exchanges
                    .iter()
                    .find(|exchange| exchange.request.path == format!("/v1/files/{id}/content"));
                self.file(id, as_said());
                if let Some(content) =
                    content.filter(|content| content.response.status == Some(200))
                {
                    self.give_content(id, &content.response);
                }
            }
            Some("vs") => {
                let said = as_said().unwrap_or_default();
                let name = said["name"].as_str().unwrap_or("Recorded");
                self.stores.insert(
                    id.to_owned(),
                    json!({"id": id, "name": name, "metadata": given(&said, "metadata")}),
                );
            }
            Some("run") => self.run(id, exchange, exchanges),
            _ => {}
        }
    }

    fn assistant(
        &mut self,
        id: &str,
        said: Option<Value>,
        exchange: &Exchange,
        exchanges: &[Exchange],
    ) {
        if self.assistants.contains_key(id) {
            return;
        }
        let run = || {
            let answers = exchanges.iter().flat_map(Exchange::objects);
            answers
                .into_iter()
                .find(|object| object["object"] == "thread.run" && object["assistant_id"] == id)
        };
        let mut said = said.or_else(run).unwrap_or_else(|| json!({"model": "gpt-4"}));
        if said["object"] == "thread.run"
            && exchange.request.body.as_ref().is_some_and(|body| !body["instructions"].is_null())
        {
            said["instructions"] = Value::Null;
        }
        let mut seed = json!({"id": id});
        for key in [
            "name",
            "description",
            "model",
            "instructions",
            "metadata",
            "temperature",
            "top_p",
            "response_format",
        ] {
            if !said[key].is_null() {
                seed[key] = said[key].clone();
            }
        }
        let tools: Value = said["tools"]
            .to_string()
            .replace("\"retrieval\"", "\"file_search\"")
            .parse()
            .unwrap_or_default();
        seed["tools"] = if tools.is_array() { tools } else { json!([]) };
        if exchange.beta.as_deref() == Some("v1") {
            self.given(id, &said, exchanges);
        }
        let resources = said["tool_resources"].clone();
        for inner in ids_in(&resources.to_string()) {
            self.note(inner, exchange, exchanges);
        }
        if resources.is_object() {
            seed["tool_resources"] = resources;
        }
        self.assistants.insert(id.to_owned(), seed);
    }

    /// The files of an assistant in the recordings.
    fn given(&mut self, id: &str, said: &Value, exchanges: &[Exchange]) {
        let prefix = format!("/v1/assistants/{id}/files");
        let of_it = exchanges.iter().filter(|exchange| exchange.request.path.starts_with(&prefix));
        let mut files: Vec<String> = said["file_ids"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|id| Some(id.as_str()?.to_owned()))
            .collect();
        for exchange in of_it.filter(|exchange| exchange.request.method != "POST") {
            let listed = exchange
                .objects()
                .into_iter()
                .filter(|object| object["object"] == "assistant.file");
            // Newest first.
            files.extend(
                listed
                    .filter_map(|file| file["id"].as_str().map(str::to_owned))
                    .collect::<Vec<_>>()
                    .into_iter()
                    .rev(),
            );
            files.extend(
                exchange.request.path.strip_prefix(&format!("{prefix}/")).map(str::to_owned),
            );
        }
        for file in files {
            self.file(&file, None);
            if !self.given.contains(&(id.to_owned(), file.clone())) {
                self.given.push((id.to_owned(), file));
            }
        }
    }

    fn thread(&mut self, id: &str, said: Option<Value>, exchanges: &[Exchange]) {
        let said = said.unwrap_or_default();
        let mut seed = json!({"id": id, "metadata": given(&said, "metadata")});
        if said["tool_resources"].is_object() {
            for inner in
                ids_in(&said["tool_resources"].to_string()).map(str::to_owned).collect::<Vec<_>>()
            {
                if inner.starts_with("file-") {
                    self.file(&inner, None);
                } else {
                    self.stores
                        .entry(inner.clone())
                        .or_insert_with(|| json!({"id": inner, "name": "Recorded"}));
                }
            }
        }
        let sent: HashSet<String> = exchanges
            .iter()
            .filter(|exchange| {
                exchange.request.method == "POST" && !exchange.request.path.contains("/runs")
            })
            .flat_map(Exchange::objects)
            .filter_map(|object| object["id"].as_str().map(str::to_owned))
            .collect();
        let mut messages: BTreeMap<(i64, String), Value> = BTreeMap::new();
        for message in exchanges.iter().flat_map(Exchange::objects) {
            let is_found = message["object"] == "thread.message"
                && message["thread_id"] == id
                && message["run_id"].is_null()
                && !sent.contains(message["id"].as_str().unwrap_or_default());
            if is_found {
                let key = (
                    message["created_at"].as_i64().unwrap_or_default(),
                    message["id"].as_str().unwrap_or_default().to_owned(),
                );
                messages.insert(key, message);
            }
        }
        let shown = messages.values().map(|message| {
            json!({"role": message["role"],
                "content": message["content"][0]["text"]["value"]})
        });
        let shown: Vec<_> = shown.collect();
        if !shown.is_empty() {
            seed["messages"] = Value::Array(shown);
        }
        self.messages.push((id.to_owned(), messages.into_keys().map(|(_, id)| id).collect()));
        self.threads.insert(id.to_owned(), seed);
    }

    fn file(&mut self, id: &str, said: Option<Value>) {
        let said = said.unwrap_or_default();
        let name = said["filename"].as_str().unwrap_or("recorded.txt");
        let purpose = said["purpose"].as_str().filter(|purpose| {
            ["assistants", "vision", "fine-tune", "batch", "user_data"].contains(purpose)
        });
        let bytes = usize::try_from(said["bytes"].as_u64().unwrap_or(9)).unwrap();
        let text = format!("{:x<bytes$}", "x");
        let seed = json!({"id": id, "path": {"name": name, "text": text},
            "purpose": purpose.unwrap_or("assistants")});
        self.files.entry(id.to_owned()).or_insert(seed);
    }

    /// A file whose content was downloaded.
    fn give_content(&mut self, id: &str, response: &Response) {
        let (Some(file), Some(content)) = (self.files.get_mut(id), &response.body) else { return };
        let disposition =
            response.headers.as_ref().and_then(|headers| headers.get("content-disposition"));
        if let Some((_, name)) = disposition.and_then(|value| value.split_once("filename=")) {
            file["path"]["name"] = json!(name.trim_matches('"'));
        }
        file["purpose"] = json!("fine-tune");
        let bytes = usize::try_from(content["_bytes"].as_u64().unwrap_or(9)).unwrap();
        file["path"]["text"] =
            content.as_str().map_or_else(|| json!(format!("{:x<bytes$}", "x")), |text| json!(text));
    }

    fn run(&mut self, id: &str, exchange: &Exchange, exchanges: &[Exchange]) {
        let Some((_, rest)) = exchange.request.path.split_once("/threads/") else { return };
        let thread = rest.split('/').next().unwrap_or_default();
        if !is_id(thread) {
            return;
        }
        let assistant =
            exchanges.iter().flat_map(Exchange::objects).find(|object| object["id"] == id);
        let assistant = assistant
            .and_then(|run| run["assistant_id"].as_str().map(str::to_owned))
            .unwrap_or(NOBODY.to_owned());
        if !self.assistants.contains_key(&assistant) {
            let said = last_said(&assistant, exchanges);
            self.assistant(&assistant, said, exchange, exchanges);
        }
        let version = exchange.beta.clone().unwrap_or("v2".to_owned());
        let met = exchange.response.body.as_ref().and_then(status_of);
        if !self.runs.iter().any(|(_, known, ..)| known == id) {
            self.runs.push((thread.to_owned(), id.to_owned(), version, met));
        }
    }

    /// Whether some of its runs were created before the recording.
    pub fn has_runs(&self) -> bool {
        !self.runs.is_empty()
    }

    /// The objects as parts of a fixture.
    pub fn seeds(&self) -> Map<String, Value> {
        let all = |seeds: &BTreeMap<String, Value>| Value::Array(seeds.values().cloned().collect());
        Map::from_iter([
            ("assistants".to_owned(), all(&self.assistants)),
            ("threads".to_owned(), all(&self.threads)),
            ("files".to_owned(), all(&self.files)),
            ("vector_stores".to_owned(), all(&self.stores)),
        ])
    }

    /// Creates the objects that cannot be seeded, and notes their local ids.
    pub async fn make(
        &self,
        server: &TestServer,
        ids: &mut HashMap<String, String>,
        exchanges: &[Exchange],
    ) {
        let ask = async |version: &str,
                         method: Method,
                         path: &str,
                         reply: Option<&str>,
                         body: Option<Value>| {
            let mut request = server
                .bare(method, path)
                .bearer_auth("sk-test")
                .header("openai-beta", format!("assistants={version}"));
            if let Some(reply) = reply {
                request = request.header("x-rehearsal-reply", reply);
            }
            server.send(if let Some(body) = body { request.json(&body) } else { request }).await
        };
        for (assistant, file) in &self.given {
            ask(
                "v1",
                Method::POST,
                &format!("/v1/assistants/{assistant}/files"),
                None,
                Some(json!({"file_id": file})),
            )
            .await;
        }
        for (thread, known) in &self.messages {
            let listed = ask(
                "v2",
                Method::GET,
                &format!("/v1/threads/{thread}/messages?order=asc"),
                None,
                None,
            )
            .await;
            for (message, id) in listed.body["data"].as_array().into_iter().flatten().zip(known) {
                ids.insert(id.clone(), message["id"].as_str().unwrap_or_default().to_owned());
            }
        }
        for (thread, run, version, met) in &self.runs {
            let recorded = exchanges
                .iter()
                .flat_map(Exchange::objects)
                .find(|object| object["id"] == run.as_str());
            let recorded = recorded.unwrap_or_default();
            let mut order =
                json!({"assistant_id": recorded["assistant_id"].as_str().unwrap_or(NOBODY)});
            let keys = [
                "model",
                "instructions",
                "tools",
                "metadata",
                "max_prompt_tokens",
                "max_completion_tokens",
            ];
            for key in
                keys.into_iter().filter(|key| !recorded[*key].is_null() && recorded[*key] != "")
            {
                order[key] = recorded[key].clone();
            }
            let made = ask(
                version,
                Method::POST,
                &format!("/v1/threads/{thread}/runs"),
                Some(run),
                Some(order),
            )
            .await;
            let Some(id) = made.body["id"].as_str() else { continue };
            ids.insert(run.clone(), id.to_owned());
            for _ in 0..5 {
                let path = format!("/v1/threads/{thread}/runs?limit=1");
                let listed = ask(version, Method::GET, &path, None, None).await;
                if met.as_deref().is_none_or(|met| listed.body["data"][0]["status"] == met) {
                    break;
                }
                ask(version, Method::GET, &format!("/v1/threads/{thread}/runs/{id}"), None, None)
                    .await;
                server.idle().await;
            }
        }
    }
}

/// Whether the list has objects of all users.
fn is_list_of_all(exchange: &Exchange) -> bool {
    let path = exchange.request.path.as_str();
    exchange.request.method == "GET"
        && matches!(path, "/v1/assistants" | "/v1/files" | "/v1/vector_stores")
}

/// The status of a run in a response, or the status in an error text. If the response changed the
/// status, it is the status before that.
fn status_of(answer: &Value) -> Option<String> {
    let named = answer["error"]["message"].as_str().and_then(|text| {
        text.split(['\'', '"']).find(|word| word.contains("complete") || word.contains("progress"))
    });
    let status =
        named.or_else(|| answer["status"].as_str().filter(|_| answer["object"] == "thread.run"))?;
    Some(
        match status {
            "cancelling" => "in_progress",
            other => other,
        }
        .to_owned(),
    )
}

fn last_said(id: &str, exchanges: &[Exchange]) -> Option<Value> {
    let objects = exchanges.iter().flat_map(Exchange::objects);
    let mut objects =
        objects.filter(|object| object["id"] == id && !object["created_at"].is_null());
    objects.find(|object| object["object"] != "vector_store.file")
}

fn given(said: &Value, key: &str) -> Value {
    if said[key].is_object() { said[key].clone() } else { json!({}) }
}
