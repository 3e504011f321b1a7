//! The table, and what was missed.

use std::path::Path;

use crate::common::processes;

/// What rows were before the work on speed, on a machine of the same kind.
const BEFORE: &[(&str, &str)] = &[
    ("retrieve a stored run, 32 clients", "0.25–0.34"),
    ("create a message, 32 clients", "0.10–0.26"),
    ("polled conversation, 1 clients", "263 /s"),
    ("polled conversation, 32 clients", "978 /s"),
    ("streamed conversation in one request, 1 clients", "2.1 ms"),
    ("streamed conversation in one request, 32 clients", "870–1,240 /s"),
    ("chat streams of aimock, which stores nothing, 32 clients", "2,690–3,400 /s"),
    ("a page of 20 messages, thread of 1,000,000", "1.08"),
    ("from start to the first answer, median of 20", "20–35 ms"),
    ("the first run after a start, median of 20", "110–180 ms"),
    ("resident memory, idle", "21 MiB"),
    ("resident memory after the first run", "90 MiB"),
    ("resident memory after 10,000 conversations", "113–175 MiB"),
];

/// What was tried where a goal is missed, and what stands in the way.
const NOTES: &str = "\
## What stands in the way

- **Retrieves and creates.** Objects that were read are answered from memory. At 32 clients that gives little, because look-ups were made
  together before. What is left is flat: 13 % context switches, 7 % copies of futures on their way through the layers, JSON that is read
  and written again.
- **Conversations.** Each has four commits; a run that is performed in one go has two. A commit is a trip to the thread of the database
  and back. Near misses that nobody reads are not worked out any more, two reads of a run wait together, and SQLite is built without
  mutexes at every allocation.
- **The first answer.** The profile is flat: page faults of a new process (12 %), context switches (8 %), the tables of the private
  database, patterns that are compiled.
- **Memory.** Of what an idle server has, two thirds are pages of the program, which the kernel shares and drops. The journal holds up to
  64 MiB of bodies for each session (`--journal 0` keeps none), bodies in memory take 8 MiB, each of five connections 2 MiB of pages.
";

#[derive(Default)]
pub struct Report {
    rows: Vec<[String; 5]>,
    pub missed: bool,
}

impl Report {
    pub fn row(
        &mut self,
        what: &str,
        measured: String,
        ratio: Option<f64>,
        goal: Option<(String, bool)>,
    ) {
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.3}"));
        let goal = goal.map_or_else(String::new, |(text, reached)| {
            self.missed |= !reached;
            format!("{text}: {}", if reached { "reached" } else { "**missed**" })
        });
        eprintln!("{what}: {measured} {ratio} {goal}");
        let before = BEFORE.iter().find(|(row, _)| *row == what).map_or("", |(_, before)| before);
        self.rows.push([what.to_owned(), before.to_owned(), measured, ratio, goal]);
    }

    pub fn table(&self) -> String {
        let mut text = String::from(
            "| what | before | measured | ratio | goal |\n| --- | ---: | ---: | ---: | --- |\n",
        );
        for row in &self.rows {
            text += &format!("| {} |\n", row.join(" | "));
        }
        text
    }

    pub fn save(&self) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = format!(
            "# Benchmarks\n\nWritten by `cargo bench -- --save`: all figures are of one run, over \
             loopback sockets. The server, the bare axum route\nand the load are a process each \
             and share the machine's processors. A throughput's ratio compares it with the \
             requests\nper second of the bare route at as many clients; a page's compares it with \
             the page above it.\n\nA conversation is a thread, a message, a run to `completed` and \
             the list of messages: four or more requests. *Before* is what was\nmeasured before \
             the work on speed, on a machine of the same kind.\n\nMachine: {}.\n\n{}\n{}\n{NOTES}",
            processes::machine(),
            self.table(),
            std::fs::read_to_string(root.join("benches/build.md")).unwrap_or_default()
        );
        std::fs::write(root.join("BENCHMARKS.md"), page).expect("BENCHMARKS.md can be written");
    }
}
