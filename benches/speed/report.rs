//! The table, and what was missed.

use std::path::Path;

use crate::common::processes;

#[derive(Default)]
pub struct Report {
    rows: Vec<[String; 4]>,
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
        self.rows.push([what.to_owned(), measured, ratio, goal]);
    }

    pub fn table(&self) -> String {
        let mut text =
            String::from("| what | measured | ratio | goal |\n| --- | ---: | ---: | --- |\n");
        for row in &self.rows {
            text += &format!("| {} |\n", row.join(" | "));
        }
        text
    }

    pub fn save(&self) {
        let page = format!(
            "# Benchmarks\n\nWritten by `cargo bench -- --save`: all figures are of one run, over \
             loopback sockets. The server, the bare axum route\nand the load are a process each \
             and share the machine's processors. A throughput's ratio compares it with the \
             requests\nper second of the bare route at as many clients; a page's compares it with \
             the page above it.\n\nA conversation is a thread, a message, a run to `completed` and \
             the list of messages: four or more requests.\n\nMachine: {}.\n\n{}",
            processes::machine(),
            self.table()
        );
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("BENCHMARKS.md");
        std::fs::write(&path, page).expect("BENCHMARKS.md can be written");
    }
}
