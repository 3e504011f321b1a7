//! The speed of the program. It is measured over real sockets in one run, and shown as ratios to a
//! bare axum route with a constant response. The route has a process of its own, like the server.
//!
//! `cargo bench` prints the table. `cargo bench -- --save` also writes it to `BENCHMARKS.md`. With
//! names after that (`throughput`, `versions`, `streaming`, `pages`, `start`, `memory`, `files`,
//! `search`, `fixtures`, `control`, `recording`) it measures only those. The load comes from this
//! process. With few cores, it competes with the measured process, and also with the bare route.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to people")]

#[path = "../common/mod.rs"]
mod common;
mod fixtures;
mod knowledge;
mod load;
mod peer;
mod recording;
mod report;

use std::{process::ExitCode, time::Duration};

use common::processes::{self, Process, bare_route};
use load::{Work, median, rate};
use peer::Peer;
use report::Report;

const ROWS: u32 = 1_000_000;
const CONVERSATIONS: usize = 10_000;

#[tokio::main]
async fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == processes::BARE) {
        bare_route().await;
        return ExitCode::SUCCESS;
    }
    let mut report = Report::default();
    let wanted = |part: &str| {
        let mut named =
            std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).peekable();
        named.peek().is_none() || named.any(|name| name == part)
    };
    if wanted("throughput") {
        throughput(&mut report).await;
    }
    if wanted("versions") {
        versions(&mut report).await;
    }
    if wanted("streaming") {
        streaming(&mut report).await;
    }
    if wanted("pages") {
        pages(&mut report).await;
    }
    if wanted("start") {
        start(&mut report).await;
    }
    if wanted("memory") {
        memory(&mut report).await;
    }
    if wanted("files") {
        large_files(&mut report).await;
    }
    if wanted("search") {
        searches(&mut report).await;
    }
    if wanted("fixtures") {
        many_fixtures(&mut report).await;
    }
    if wanted("control") {
        control(&mut report).await;
    }
    if wanted("recording") {
        recorded(&mut report).await;
    }
    println!("{}", report.table());
    if std::env::args().any(|argument| argument == "--save") {
        report.save();
    }
    if report.missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn throughput(report: &mut Report) {
    let bare = Process::bare();
    let server = Process::server(&[]);
    let base = rate(&bare.address, 32, Work::Constant).await;
    report.row("bare axum route, 32 clients", format!("{base:.0} requests/s"), Some(1.0), None);
    for (what, work, goal) in [
        ("retrieve a stored run", Work::Retrieve, 0.70),
        ("create a message", Work::CreateMessage, 0.40),
    ] {
        let (measured, ratio) =
            worst_of_three((&server.address, work), (&bare.address, Work::Constant), 32).await;
        let goal = (format!("at least {goal:.2}"), ratio >= goal);
        report.row(
            &format!("{what}, 32 clients"),
            format!("{measured:.0} requests/s"),
            Some(ratio),
            Some(goal),
        );
    }
    let polled = ("polled conversation", Work::Polled, [Some(900.0), Some(2_500.0), None]);
    let streamed = ("streamed conversation", Work::Streamed, [None; 3]);
    for (what, work, goals) in [polled, streamed] {
        for (clients, goal) in [1, 32, 256].into_iter().zip(goals) {
            let (measured, ratio) =
                worst_of_three((&server.address, work), (&bare.address, Work::Constant), clients)
                    .await;
            let goal = goal.map(|goal| (format!("at least {goal}/s"), measured >= goal));
            report.row(
                &format!("{what}, {clients} clients"),
                format!("{measured:.0} conversations/s"),
                Some(ratio),
                goal,
            );
        }
    }
    beside_a_peer(&server, report).await;
}

/// Measures this work and another work in turn, three times. Returns the rate per second and the
/// ratio from the round with the worst ratio.
async fn worst_of_three(
    (ours, work): (&str, Work),
    (other, others): (&str, Work),
    clients: usize,
) -> (f64, f64) {
    let mut worst = (f64::INFINITY, f64::INFINITY);
    for _ in 0..3 {
        let base = rate(other, clients, others).await;
        let measured = rate(ours, clients, work).await;
        if measured / base < worst.1 {
            worst = (measured, measured / base);
        }
    }
    worst
}

/// Stored and streamed conversations in one request, compared with streams that are not stored.
async fn beside_a_peer(server: &Process, report: &mut Report) {
    let alone = 1_000.0 / rate(&server.address, 1, Work::StreamedAtOnce).await;
    report.row(
        "streamed conversation in one request, 1 clients",
        format!("{alone:.2} ms"),
        None,
        Some(("at most 0.8 ms".to_owned(), alone <= 0.8)),
    );
    let (ours, ratio) = match Peer::start() {
        Some(peer) => {
            let ours = (server.address.as_str(), Work::StreamedAtOnce);
            let (ours, ratio) = worst_of_three(ours, (&peer.address, Work::PeerChat), 32).await;
            (ours, Some(ratio))
        }
        None => (rate(&server.address, 32, Work::StreamedAtOnce).await, None),
    };
    let theirs = ratio.map(|ratio| ours / ratio);
    let reached = ours >= 3_000.0 && ratio.is_none_or(|ratio| ratio >= 1.0);
    report.row(
        "streamed conversation in one request, 32 clients",
        format!("{ours:.0} conversations/s"),
        ratio,
        Some(("at least 3,000/s, and those of aimock".to_owned(), reached)),
    );
    let run = (server.address.as_str(), Work::StreamedAtOnce);
    let (measured, ratio) = worst_of_three((&server.address, Work::Response), run, 32).await;
    report.row(
        "a stored, streamed response, beside such a run, 32 clients",
        format!("{measured:.0} responses/s"),
        Some(ratio),
        Some(("at least 1.00".to_owned(), ratio >= 1.0)),
    );
    let measured = theirs
        .map_or("skipped: npm is missing".to_owned(), |theirs| format!("{theirs:.0} streams/s"));
    let what = "chat streams of aimock, which stores nothing, 32 clients";
    report.row(what, measured, theirs.map(|_| 1.0), None);
}

/// The cost of v1, and of Azure's paths. Each is measured in turn with v2, and the row shows the
/// median of the ratios.
async fn versions(report: &mut Report) {
    let server = Process::server(&[]);
    for (what, work) in
        [("under v1", Work::RetrieveV1), ("by a path of Azure's", Work::RetrieveAzure)]
    {
        let mut ratios = Vec::new();
        for _ in 0..5 {
            let base = rate(&server.address, 32, Work::Retrieve).await;
            ratios.push(rate(&server.address, 32, work).await / base);
        }
        ratios.sort_by(f64::total_cmp);
        let ratio = ratios[ratios.len() / 2];
        let goal = ("at least 0.95".to_owned(), ratio >= 0.95);
        report.row(
            &format!("retrieve a stored run {what}, of that under v2"),
            String::new(),
            Some(ratio),
            Some(goal),
        );
    }
}

/// A response with twenty events must not wait for delayed acknowledgements.
async fn streaming(report: &mut Report) {
    let server = Process::server(&[]);
    let mut times = load::stream_times(&server, 200).await;
    let median = median(&mut times);
    let slowest = times.last().copied().unwrap_or_default();
    let goal = ("under 5 ms".to_owned(), median < Duration::from_millis(5));
    let measured = format!("{:.2} ms, slowest of 200 {:.2} ms", millis(median), millis(slowest));
    report.row("a stream of 20 events, from request to `[DONE]`", measured, None, Some(goal));
}

async fn pages(report: &mut Report) {
    let (small, large) = (load::page_time(100).await, load::page_time(ROWS).await);
    report.row(
        "a page of 20 messages, thread of 100",
        format!("{:.3} ms", millis(small)),
        None,
        None,
    );
    let ratio = millis(large) / millis(small);
    let goal = ("at most 1.5 times that of 100".to_owned(), ratio <= 1.5);
    report.row(
        "a page of 20 messages, thread of 1,000,000",
        format!("{:.3} ms", millis(large)),
        Some(ratio),
        Some(goal),
    );
}

async fn start(report: &mut Report) {
    let mut times = Vec::new();
    for _ in 0..20 {
        times.push(load::time_to_first_answer().await);
    }
    let median = median(&mut times);
    let goal = ("under 8 ms".to_owned(), median < Duration::from_millis(8));
    report.row(
        "from start to the first answer, median of 20",
        format!("{:.1} ms", millis(median)),
        None,
        Some(goal),
    );
    let mut times = Vec::new();
    for _ in 0..20 {
        times.push(load::time_of_first_run().await);
    }
    let median = load::median(&mut times);
    let goal = ("under 12 ms".to_owned(), median < Duration::from_millis(12));
    report.row(
        "the first run after a start, median of 20",
        format!("{:.1} ms", millis(median)),
        None,
        Some(goal),
    );
}

async fn memory(report: &mut Report) {
    let server = Process::server(&[]);
    load::ask_once(&server).await;
    resident(report, "resident memory, idle", &server, 10.0);
    load::run_once(&server).await;
    resident(report, "resident memory after the first run", &server, 25.0);
    load::converse(&server, CONVERSATIONS).await;
    resident(report, "resident memory after 10,000 conversations", &server, 80.0);
}

/// The rest of the memory is pages of the program, which the kernel shares and drops.
fn resident(report: &mut Report, what: &str, server: &Process, goal: f64) {
    let (all, own) = (server.resident_mib(), server.own_mib());
    let goal = (format!("under {goal} MiB"), all < goal);
    report.row(what, format!("{all:.1} MiB, {own:.1} its own"), None, Some(goal));
}

/// The upload and the download of a large file, compared with a copy on the same disk.
async fn large_files(report: &mut Report) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copied = knowledge::copy_time(folder.path());
    let database = folder.path().join("bench.db");
    let server = Process::server(&["--database", &database.to_string_lossy()]);
    let (up, down, grown) = knowledge::move_large_file(&server).await;
    let speed = |time: Duration| (knowledge::LARGE >> 20) as f64 / time.as_secs_f64();
    report.row(
        "a file of 512 MiB, copied on disk",
        format!("{:.0} MiB/s", speed(copied)),
        Some(1.0),
        None,
    );
    for (what, time) in [("uploaded", up), ("downloaded", down)] {
        let ratio = speed(time) / speed(copied);
        let goal = ("at least 0.25".to_owned(), ratio >= 0.25);
        report.row(
            &format!("a file of 512 MiB, {what}"),
            format!("{:.0} MiB/s", speed(time)),
            Some(ratio),
            Some(goal),
        );
    }
    let goal = ("under 64 MiB".to_owned(), grown < 64.0);
    report.row("memory that the server took for it", format!("{grown:.1} MiB"), None, Some(goal));
}

/// Texts that become searchable, and searches among many chunks.
async fn searches(report: &mut Report) {
    let server = Process::server(&[]);
    let mut writer = knowledge::Writer::new();
    // The first use of a server is not measured.
    knowledge::index(&server, &[writer.text(1_000)], &serde_json::json!({"type": "auto"})).await;
    let texts: Vec<_> = (0..4).map(|_| writer.text(5_000_000)).collect();
    let (time, _) = knowledge::index(&server, &texts, &serde_json::json!({"type": "auto"})).await;
    let speed = 20.0 / time.as_secs_f64();
    let goal = ("at least 5 MB/s".to_owned(), speed >= 5.0);
    report.row("20 MB of text made searchable", format!("{speed:.1} MB/s"), None, Some(goal));
    let small = serde_json::from_str(knowledge::SMALL_CHUNKS).expect("a chunking strategy");
    let mut before = None;
    for chunks in [1_000, 10_000, 100_000] {
        // Twenty files that have this number of chunks. A chunk has about 100 tokens.
        let texts: Vec<_> = (0..20).map(|_| writer.text(chunks / 20 * CHUNK_BYTES)).collect();
        let (_, store) = knowledge::index(&server, &texts, &small).await;
        let time = knowledge::search_time(&server, &store, &mut writer).await;
        let ratio = before.map(|before| millis(time) / before);
        let goal = match ratio {
            Some(ratio) if chunks == 100_000 => {
                let fast = time < Duration::from_millis(10) && ratio < 10.0;
                Some(("under 10 ms, and less than ten times that of 10,000".to_owned(), fast))
            }
            _ => None,
        };
        let what = format!("a search among {chunks} chunks, median of 200");
        report.row(&what, format!("{:.2} ms", millis(time)), ratio, goal);
        before = Some(millis(time));
    }
}

/// The approximate number of bytes in 100 tokens of such a text.
const CHUNK_BYTES: usize = 210;

/// Ten thousand replies: the time to load them, and the time to choose one.
async fn many_fixtures(report: &mut Report) {
    let (few, many) = (fixtures::written(1), fixtures::written(fixtures::REPLIES));
    let time = fixtures::load_time(&many);
    let goal = ("under 1 s".to_owned(), time < Duration::from_secs(1));
    report.row(
        "10,000 replies loaded, median of 5",
        format!("{:.0} ms", millis(time)),
        None,
        Some(goal),
    );
    let [one, chosen] = fixtures::run_times(&few, &many).await;
    report.row(
        "a streamed run with one reply, median of 600",
        format!("{:.3} ms", millis(one)),
        None,
        None,
    );
    let more = millis(chosen) - millis(one);
    let goal = ("at most 0.2 ms more".to_owned(), more < 0.2);
    let measured = format!("{:.3} ms, {more:+.3} ms", millis(chosen));
    report.row(
        "the same among 10,000 replies",
        measured,
        Some(millis(chosen) / millis(one)),
        Some(goal),
    );
}

/// A reset, and the cost of the journal.
async fn control(report: &mut Report) {
    let time = fixtures::reset_time().await;
    let goal = ("under 20 ms".to_owned(), time < Duration::from_millis(20));
    report.row(
        "a reset of a session with 10,000 objects, median of 5",
        format!("{:.2} ms", millis(time)),
        None,
        Some(goal),
    );
    let works = [Work::Retrieve, Work::CreateMessage, Work::Polled];
    for (what, work) in
        ["retrieve a stored run", "create a message", "polled conversations"].into_iter().zip(works)
    {
        let ratio = fixtures::journal_ratio(work).await;
        let goal = ("at least 0.95".to_owned(), ratio >= 0.95);
        report.row(
            &format!("{what} with a journal, of that without one"),
            String::new(),
            Some(ratio),
            Some(goal),
        );
    }
}

/// Runs that an upstream performs, with and without recording, and imports of old recordings.
async fn recorded(report: &mut Report) {
    let ([plain, recording], first) = recording::run_times(300).await;
    let what = "a streamed run of an upstream, with 2 ms of thinking, median of 300";
    report.row(what, format!("{:.3} ms", millis(plain)), None, None);
    let more = millis(recording) - millis(plain);
    let goal = ("at most 2 ms more".to_owned(), more < 2.0);
    let measured = format!("{:.3} ms, {more:+.3} ms", millis(recording));
    report.row("the same, recorded", measured, Some(millis(recording) / millis(plain)), Some(goal));
    let goal = ("under 5 ms".to_owned(), first < Duration::from_millis(5));
    report.row(
        "from the upstream's first token to the client's",
        format!("{:.3} ms", millis(first)),
        None,
        Some(goal),
    );
    let time = recording::import_time(1_000);
    let goal = ("under 2 s".to_owned(), time < Duration::from_secs(2));
    report.row(
        "1,000 exchanges imported, median of 5",
        format!("{:.0} ms", millis(time)),
        None,
        Some(goal),
    );
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
