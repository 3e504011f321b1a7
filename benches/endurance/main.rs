//! Endurance under bad conditions, in ten minutes: kills, ten thousand streams, readers that do not
//! read, huge bodies, a full disk, and heavy work next to the work of others.
//!
//! `cargo bench --bench endurance` prints the table. With `-- --save` it also writes it to
//! `docs/endurance.md`. With names after that (`kills`, `streams`, `readers`, `bodies`, `patterns`,
//! `unmatched`, `clock`, `disk`, `neighbours`, `memory`) it measures only those. `REHEARSAL_BIN`
//! selects another build for the measurement.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench talks to people")]

#[path = "../common/mod.rs"]
mod common;
mod disk;
mod kills;
mod load;
mod memory;
mod neighbours;
mod streams;
mod table;

use table::Table;

#[tokio::main]
async fn main() {
    // This process has both ends of ten thousand connections.
    _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut table = Table::default();
    let wanted = |part: &str| {
        let mut named =
            std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).peekable();
        named.peek().is_none() || named.any(|name| name == part)
    };
    if wanted("kills") {
        kills::measure(&mut table).await;
    }
    if wanted("streams") {
        streams::ten_thousand(&mut table).await;
    }
    if wanted("readers") {
        streams::unread(&mut table).await;
    }
    if wanted("bodies") {
        memory::bodies(&mut table).await;
    }
    if wanted("patterns") {
        memory::patterns(&mut table).await;
    }
    if wanted("unmatched") {
        memory::unmatched(&mut table).await;
    }
    if wanted("clock") {
        neighbours::clock(&mut table).await;
    }
    if wanted("disk") {
        disk::full(&mut table).await;
    }
    if wanted("neighbours") {
        neighbours::heavy_work(&mut table).await;
    }
    if wanted("memory") {
        memory::conversations(&mut table).await;
    }
    println!("{}", table.text());
    if std::env::args().any(|argument| argument == "--save") {
        table.save();
    }
}
