//! The log for people: one line for each API request, and one for each other event.
//!
//! Text from clients and fixtures cannot break a line or colour it.

use std::fmt::{self, Debug, Write as _};

use anstyle::{AnsiColor, Style};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::Directive,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::http::observe::REQUEST;

/// Lets the events of requests through a filter.
pub(super) fn requests() -> Directive {
    format!("{REQUEST}=debug").parse().expect("a target and a level are a directive")
}

pub(super) struct CompactLog;

impl<S, N> FormatEvent<S, N> for CompactLog
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let has_colours = writer.has_ansi_escapes();
        let mut line = Line { text: String::new(), has_colours };
        if event.metadata().target() == REQUEST {
            line.request(&fields);
        } else {
            line.other(*event.metadata().level(), &fields);
        }
        writeln!(writer, "{}", line.text.trim_end())
    }
}

/// The fields of an event, in their order.
#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0.push((field.name(), value.to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push((field.name(), format!("{value:.1}")));
    }
}

struct Line {
    text: String,
    has_colours: bool,
}

impl Line {
    /// `POST /v1/threads/thread_1/runs 200 0.8 ms run_1 weather`
    fn request(&mut self, fields: &Fields) {
        let status = fields.get("status");
        let colour = match status.as_bytes().first() {
            Some(b'2' | b'3') => AnsiColor::Green,
            Some(b'4') => AnsiColor::Yellow,
            _ => AnsiColor::Red,
        };
        self.add(fields.get("method"), Style::new().bold());
        self.add(fields.get("path"), Style::new());
        self.add(status, colour.on_default());
        self.add(&format!("{} ms", fields.get("ms")), Style::new().dimmed());
        self.add(fields.get("run"), Style::new());
        self.add(fields.get("reply"), AnsiColor::Cyan.on_default());
        if fields.get("unmatched") == "true" {
            self.add("(no reply matched)", AnsiColor::Yellow.on_default());
        }
    }

    /// `WARN a run stops error=…`
    fn other(&mut self, level: Level, fields: &Fields) {
        let colour = match level {
            Level::ERROR => AnsiColor::Red,
            Level::WARN => AnsiColor::Yellow,
            _ => AnsiColor::Green,
        };
        self.add(level.as_str(), colour.on_default());
        // The mistakes of a fixture have several lines.
        for (place, line) in fields.get("message").lines().enumerate() {
            if place > 0 {
                self.text.truncate(self.text.trim_end().len());
                self.text.push('\n');
            }
            self.add(line, Style::new());
        }
        for (name, value) in fields.0.iter().filter(|(name, _)| *name != "message") {
            self.add(&format!("{name}={value}"), Style::new().dimmed());
        }
    }

    fn add(&mut self, word: &str, style: Style) {
        if word.is_empty() {
            return;
        }
        let word = printable(word);
        _ = if self.has_colours && style != Style::new() {
            write!(self.text, "{style}{word}{style:#} ")
        } else {
            write!(self.text, "{word} ")
        };
    }
}

/// A text in one line, without characters that control a terminal.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            printable.extend(c.escape_default());
        } else {
            printable.push(c);
        }
    }
    printable
}
