//! The speed of the program, measured over real sockets in one run and told as ratios to a bare axum
//! route that answers a constant, in a process of its own like the server.
//!
//! `cargo bench` prints the table; `cargo bench -- --save` also writes it to `BENCHMARKS.md`. The load
//! comes from this process, so with few cores it competes with what it measures, for the bare route too.

#![allow(unreachable_pub, reason = "nothing here is for anybody else")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to people")]

mod client;
mod load;
mod processes;
mod report;

use std::{process::ExitCode, time::Duration};

use load::{Work, median, rate};
use processes::{Process, bare_route};
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
    throughput(&mut report).await;
    streaming(&mut report).await;
    pages(&mut report).await;
    start(&mut report).await;
    memory(&mut report).await;
    println!("{}", report.table());
    if std::env::args().any(|argument| argument == "--save") {
        report.save();
    }
    if report.missed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn throughput(report: &mut Report) {
    let bare = Process::bare();
    let server = Process::server(&[]);
    let base = rate(&bare, 32, Work::Constant).await;
    report.row("bare axum route, 32 clients", format!("{base:.0} requests/s"), Some(1.0), None);
    for (what, work, goal) in [("retrieve a stored run", Work::Retrieve, 0.30), ("create a message", Work::CreateMessage, 0.12)] {
        let measured = rate(&server, 32, work).await;
        let ratio = measured / base;
        let goal = (format!("at least {goal:.2}"), ratio >= goal);
        report.row(&format!("{what}, 32 clients"), format!("{measured:.0} requests/s"), Some(ratio), Some(goal));
    }
    for (what, work) in [("polled conversation", Work::Polled), ("streamed conversation", Work::Streamed)] {
        for clients in [1, 32, 256] {
            let base = rate(&bare, clients, Work::Constant).await;
            let measured = rate(&server, clients, work).await;
            let what = format!("{what}, {clients} clients");
            report.row(&what, format!("{measured:.0} conversations/s"), Some(measured / base), None);
        }
    }
}

/// An answer of twenty events must not wait on delayed acknowledgements.
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
    report.row("a page of 20 messages, thread of 100", format!("{:.3} ms", millis(small)), None, None);
    let ratio = millis(large) / millis(small);
    let goal = ("at most 1.5 times that of 100".to_owned(), ratio <= 1.5);
    report.row("a page of 20 messages, thread of 1,000,000", format!("{:.3} ms", millis(large)), Some(ratio), Some(goal));
}

async fn start(report: &mut Report) {
    let mut times = Vec::new();
    for _ in 0..20 {
        times.push(load::time_to_first_answer().await);
    }
    let median = median(&mut times);
    let goal = ("under 30 ms".to_owned(), median < Duration::from_millis(30));
    report.row("from start to the first answer, median of 20", format!("{:.1} ms", millis(median)), None, Some(goal));
}

async fn memory(report: &mut Report) {
    let server = Process::server(&[]);
    load::ask_once(&server).await;
    let idle = server.resident_mib();
    report.row("resident memory, idle", format!("{idle:.1} MiB"), None, Some(("under 20 MiB".to_owned(), idle < 20.0)));
    load::converse(&server, CONVERSATIONS).await;
    let after = server.resident_mib();
    report.row("resident memory after 10,000 conversations", format!("{after:.1} MiB"), None, None);
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
