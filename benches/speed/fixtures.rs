//! The cost of ten thousand replies: to load them, and to choose one. The cost of control: a reset,
//! the journal.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use rehearsal::internals::load_fixtures;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    common::client::Client,
    common::processes::Process,
    load::{Work, median, rate},
};

pub const REPLIES: usize = 10_000;
pub const OBJECTS: usize = 10_000;

/// A folder with one file of this number of replies, with all kinds of conditions. The last reply
/// answers `Where is parcel 7?`.
pub fn written(replies: usize) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut yaml = String::from("replies:\n");
    for number in 1..replies {
        let message = match number % 5 {
            0 => format!("Question {number}?"),
            1 => format!("{{contains: 'order {number} of'}}"),
            2 => format!("{{matches: 'invoice (?<id>{number})\\b.*(paid|open)'}}"),
            3 => format!("{{matches: 'customer {number} is (?<name>[\\w ]+)'}}"),
            _ => format!("{{matches: '(?i)ticket {number}$'}}"),
        };
        _ = writeln!(
            yaml,
            "  - name: reply-{number}\n    when: {{message: {message}, turn: 1}}\n    steps: \
             [{{message: \"Answer {number}: {{{{ message }}}}\"}}]"
        );
    }
    yaml.push_str(
        "  - name: last\n    when: {message: {matches: 'parcel (?<id>\\d+)'}}\n    steps: \
         [{message: On its way.}]\n",
    );
    std::fs::write(folder.path().join("many.yaml"), yaml).expect("a fixture");
    folder
}

/// The time to load them.
pub fn load_time(folder: &TempDir) -> Duration {
    let mut times: Vec<_> = (0..5)
        .map(|_| {
            let begun = Instant::now();
            let replies = load_fixtures(&[folder.path().to_owned()]);
            assert_eq!(replies.expect("fixtures without mistakes"), REPLIES);
            begun.elapsed()
        })
        .collect();
    median(&mut times)
}

/// The median times of a run, with few and with many replies. The two are measured in turn, so that
/// both have the same noise.
pub async fn run_times(few: &TempDir, many: &TempDir) -> [Duration; 2] {
    let servers = [few, many]
        .map(|folder| Process::server(&["--fixtures", folder.path().to_str().expect("a path")]));
    let mut clients = Vec::new();
    for server in &servers {
        let mut client = Client::connect(&server.address).await;
        let assistant = client.assistant().await;
        clients.push((client, assistant));
    }
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..700 {
        for ((client, assistant), times) in clients.iter_mut().zip(&mut times) {
            let thread = json!({"messages": [{"role": "user", "content": "Where is parcel 7?"}]});
            let order = json!({"assistant_id": assistant, "stream": true, "thread": thread});
            let begun = Instant::now();
            let stream = client.post("/v1/threads/runs", &order).await;
            if round >= 100 {
                times.push(begun.elapsed());
            }
            assert!(
                stream.windows(11).any(|window| window == b"On its way."),
                "the reply that was meant"
            );
        }
    }
    times.map(|mut times| median(&mut times))
}

/// The median time of a reset. Each reset is in a session with many objects.
pub async fn reset_time() -> Duration {
    let server = Process::server(&[]);
    let mut client = Client::connect(&server.address).await;
    let mut times = Vec::new();
    for _ in 0..5 {
        // A thread comes with its messages: 20 objects per request.
        let messages: Vec<_> =
            (0..19).map(|number| json!({"role": "user", "content": number.to_string()})).collect();
        for _ in 0..OBJECTS / 20 {
            client.post("/v1/threads", &json!({"messages": messages})).await;
        }
        let begun = Instant::now();
        client.post("/_rehearsal/reset", &json!({})).await;
        times.push(begun.elapsed());
    }
    median(&mut times)
}

/// The throughput with a journal, divided by the throughput without one: the median of consecutive
/// pairs.
pub async fn journal_ratio(work: Work) -> f64 {
    let (without, with) = (Process::server(&["--journal", "0"]), Process::server(&[]));
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let base = rate(&without.address, 32, work).await;
        ratios.push(rate(&with.address, 32, work).await / base);
    }
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}
