//! The counters of the server for Prometheus. All labels are bounded: routes are those that the
//! server has, and only the first hundred names of replies get a label of their own.

use std::{
    collections::{BTreeSet, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, prometheus_text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::types::RunStatus;

/// The content type of the metrics.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// How many routes get a label of their own, more than the server has.
const ROUTES: usize = 200;
/// How many names of replies get a label of their own.
const REPLIES: usize = 100;
/// The label of the others.
const OTHER: &str = "other";

/// Upper bounds for the time of an answer, in seconds.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The counters of one server.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    routes: RwLock<HashSet<Route>>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    runs: Family<RunLabels, Counter>,
    replies: RwLock<BTreeSet<Arc<str>>>,
    unmatched: Counter,
    open_streams: Gauge,
    sessions: Gauge,
    database: Gauge,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: Route,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: Route,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RunLabels {
    status: &'static str,
    reply: Arc<str>,
}

impl Metrics {
    pub fn new() -> Self {
        let seconds: fn() -> Histogram = || Histogram::new(SECONDS);
        let metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            routes: RwLock::default(),
            durations: Family::new_with_constructor(seconds),
            runs: Family::default(),
            replies: RwLock::default(),
            unmatched: Counter::default(),
            open_streams: Gauge::default(),
            sessions: Gauge::default(),
            database: Gauge::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let mut registry = Registry::with_prefix("rehearsal");
        let requests = "HTTP requests by method, route and status";
        registry.register("http_requests", requests, self.requests.clone());
        let durations = "Time from a request to the head of its answer";
        let name = "http_request_duration";
        registry.register_with_unit(name, durations, Unit::Seconds, self.durations.clone());
        let runs = "Runs that ended, by status and by the reply that answered";
        registry.register("runs", runs, self.runs.clone());
        registry.register("unmatched_runs", "Runs that no reply matched", self.unmatched.clone());
        registry.register("open_streams", "Streams that are open", self.open_streams.clone());
        registry.register("sessions", "Sessions in memory", self.sessions.clone());
        let database = "Size of the database without the contents of files";
        registry.register_with_unit("database", database, Unit::Bytes, self.database.clone());
        self.registry = registry;
        self
    }

    /// Counts a request and its answer.
    pub fn count_request(&self, method: &str, route: Route, status: u16, took: Duration) {
        let route = self.known_route(route);
        let labels = RequestLabels { method: known_method(method), route, status };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&RouteLabels { route }).observe(took.as_secs_f64());
    }

    /// A path may be rejected before the router checks it.
    fn known_route(&self, route: Route) -> Route {
        if self.routes.read().contains(&route) {
            return route;
        }
        let mut routes = self.routes.write();
        if routes.len() >= ROUTES {
            return Route::NONE;
        }
        routes.insert(route);
        route
    }

    /// Counts a run that has ended.
    pub fn count_run(&self, status: RunStatus, reply: Option<&str>) {
        let labels = RunLabels { status: status.name(), reply: self.reply_label(reply) };
        self.runs.get_or_create(&labels).inc();
    }

    /// Counts a run that no reply matched.
    pub fn count_unmatched(&self) {
        self.unmatched.inc();
    }

    fn reply_label(&self, reply: Option<&str>) -> Arc<str> {
        let Some(reply) = reply else { return Arc::from("") };
        if let Some(known) = self.replies.read().get(reply) {
            return Arc::clone(known);
        }
        let mut replies = self.replies.write();
        if replies.len() >= REPLIES && !replies.contains(reply) {
            return Arc::from(OTHER);
        }
        let label: Arc<str> = Arc::from(reply);
        replies.insert(Arc::clone(&label));
        label
    }

    /// Counts a stream as open for as long as the guard lives.
    pub fn open_stream(&self) -> OpenStream {
        self.open_streams.inc();
        OpenStream(self.open_streams.clone())
    }

    /// The metrics as text, with the values that are read at this moment.
    pub fn write(&self, sessions: usize, database: u64) -> Result<String, fmt::Error> {
        self.sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
        self.database.set(i64::try_from(database).unwrap_or(i64::MAX));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A stream that is open.
#[derive(Debug)]
pub struct OpenStream(Gauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn known_method(method: &str) -> &'static str {
    const METHODS: [&str; 7] = ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"];
    METHODS.into_iter().find(|known| *known == method).unwrap_or(OTHER)
}

/// The words in the server's paths. Everything else in a path is an id.
const WORDS: [&str; 44] = [
    "",
    "v1",
    "assistants",
    "threads",
    "runs",
    "messages",
    "steps",
    "files",
    "content",
    "uploads",
    "parts",
    "cancel",
    "complete",
    "submit_tool_outputs",
    "vector_stores",
    "file_batches",
    "search",
    "models",
    "_rehearsal",
    "health",
    "reset",
    "openapi.json",
    "fixtures",
    "fixture",
    "requests",
    "unmatched",
    "turns",
    "verify",
    "clock",
    "snapshots",
    "restore",
    "events",
    "metrics",
    "responses",
    "conversations",
    "containers",
    "compact",
    "items",
    "input_items",
    "input_tokens",
    "match",
    "pace",
    "sessions",
    "chunks",
];

/// No path of the server has more segments than this.
const SEGMENTS: usize = 8;
/// The code of an id. The codes of words begin after it.
const ID: u8 = 1;

/// The route of a path, with `{id}` in place of ids.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub struct Route {
    /// The codes of its segments. No code at all means every path that the server does not have.
    segments: [u8; SEGMENTS],
}

impl Route {
    /// The route of paths that the server does not have.
    pub const NONE: Self = Self { segments: [0; SEGMENTS] };

    /// Whether it is one of the control API, or of the metrics.
    pub fn is_control(self) -> bool {
        let word =
            self.segments[0].checked_sub(ID + 1).and_then(|word| WORDS.get(usize::from(word)));
        matches!(word, Some(&("_rehearsal" | "metrics")))
    }

    /// The route of a path that the server has.
    pub fn of(path: &str) -> Self {
        let mut segments = [0; SEGMENTS];
        for (index, segment) in path.trim_start_matches('/').split('/').enumerate() {
            let Some(code) = segments.get_mut(index) else { return Self::NONE };
            let word = WORDS.iter().position(|word| *word == segment);
            *code = word.and_then(|word| u8::try_from(word).ok()).map_or(ID, |word| word + ID + 1);
        }
        Self { segments }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str(OTHER);
        }
        let codes = self.segments.iter().take_while(|code| **code > 0);
        codes.into_iter().try_for_each(|code| {
            let word = code.checked_sub(ID + 1).and_then(|word| WORDS.get(usize::from(word)));
            write!(f, "/{}", word.unwrap_or(&"{id}"))
        })
    }
}

impl EncodeLabelValue for Route {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        fmt::Write::write_fmt(encoder, format_args!("{self}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_no_part_of_a_route() {
        for (path, route) in [
            ("/v1/threads/runs", "/v1/threads/runs"),
            (
                "/v1/threads/thread_a/runs/run_b/submit_tool_outputs",
                "/v1/threads/{id}/runs/{id}/submit_tool_outputs",
            ),
            ("/_rehearsal/snapshots/mine/restore", "/_rehearsal/snapshots/{id}/restore"),
            ("/a/b/c/d/e/f/g/h/i", "other"),
        ] {
            assert_eq!(Route::of(path).to_string(), route);
        }
    }

    #[test]
    fn labels_are_bounded() {
        let metrics = Metrics::new();
        for reply in 0..10_000 {
            metrics.count_run(RunStatus::Completed, Some(&format!("reply-{reply}")));
        }
        metrics.count_request("BREW", Route::NONE, 404, Duration::ZERO);
        let text = metrics.write(1, 2).unwrap();
        assert_eq!(text.matches("rehearsal_runs_total{").count(), REPLIES + 1);
        assert!(text.contains(r#"method="other",route="other",status="404"} 1"#), "{text}");
    }
}
