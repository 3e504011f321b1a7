//! The table, and the missed goals.

use std::path::Path;

use crate::common::processes;

/// The values of rows before the work on speed, on another machine.
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

/// The attempts for each missed goal, and the remaining causes.
const NOTES: &str = "\
## What stands in the way

- **The machine.** *Before* was measured on an Intel Xeon that made about 100,000 requests/s of the bare route. On an AMD EPYC, half-way
  through the work on speed: 47,000–53,000 retrieves/s, 19,500–22,700 creates/s, 560–755 and 2,025–2,449 polled conversations/s, in one
  request 0.77–0.87 ms and 2,855–4,084/s, 20–22 ms to the first answer.
- **Retrieves and creates.** A request passes one path of calls, where ten boxed layers were; reads have no task of their own; bodies, and
  what answers show of them, are in memory with the commit that writes them. Of a retrieve, 60 % is what a bare route costs too: the
  kernel and hyper. The rest is the journal (a third of it), the routes, and the headers of answers. A path of Azure's is written anew
  for the routes. Of a create, 40 % is SQLite: pages that are read and written, checksums of the write-ahead log.
- **Conversations.** A run on a new thread is one commit and no read; a polled conversation has three commits and two reads, where there
  were four and four. A commit is a trip to the thread of the database and back: with one client, more than a third of the CPU time
  is the kernel that wakes threads. aimock stores nothing: it answers from memory.
- **The first answer.** A quarter is the start of the process, half is the private database: its tables, made while the fixtures are
  read, and its connections.
- **Memory.** Of what an idle server has, three quarters are pages of the program, which the kernel shares and drops. The journal holds up
  to 64 MiB of bodies for each session (`--journal 0` keeps none), bodies in memory take 8 MiB, the writer's connection 4 MiB of pages,
  the three others 2 MiB each.
- **The size of the program.** Two thirds are code, a quarter of that the program's own; 9 % are tables that unwinding after a panic
  needs. Cold crates are built for size. The vocabularies are 2 MB.
- **Not taken.** SQLite's JSON functions are 3 % of the CPU time of streamed conversations, so columns are still derived from the body. No
  function of the template engine is above 0.2 %, so templates are parsed when they are rendered. Other crates for the text of PDF are
  built on `lopdf` too, or need a native library; it is built for size.
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
             requests\nper second of the bare route at as many clients, and is the worst of three; \
             a page's compares it with the page above it.\n\nA conversation is a thread, a message, a run to `completed` and \
             the list of messages: four or more requests. *Before* is what was\nmeasured before \
             the work on speed, on another machine.\n\nMachine: {}.\n\n{}\n{}\n{NOTES}",
            processes::machine(),
            self.table(),
            std::fs::read_to_string(root.join("benches/build.md")).unwrap_or_default()
        );
        std::fs::write(root.join("BENCHMARKS.md"), page).expect("BENCHMARKS.md can be written");
    }
}
