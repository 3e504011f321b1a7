//! The table: each measurement, next to its value before the bounds existed.

use std::path::Path;

use crate::common::processes;

#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 3]>,
}

impl Table {
    /// Adds a row. `before` is the first measurement, of the version without bounds.
    pub fn row(&mut self, what: &str, before: &str, measured: String) {
        eprintln!("{what}: {measured} (before: {before})");
        self.rows.push([what.to_owned(), before.to_owned(), measured]);
    }

    pub fn text(&self) -> String {
        let mut text = String::from("| what | before | now |\n| --- | ---: | ---: |\n");
        for row in &self.rows {
            text += &format!("| {} |\n", row.join(" | "));
        }
        text
    }

    pub fn save(&self) {
        let page = format!(
            "# Endurance\n\nWritten by `cargo bench --bench endurance -- --save`. The server is a \
             process of its own; the load shares the machine\nwith it. *Before* is the version \
             before any of this was bounded, on a machine of the same kind.\n\nMachine: \
             {}.\n\n{}",
            processes::machine(),
            self.text()
        );
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/endurance.md");
        std::fs::write(&path, page).expect("docs/endurance.md can be written");
    }
}
