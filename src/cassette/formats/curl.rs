//! The output of `curl -v`, or of another tool that shows HTTP as text. It has the heads of
//! requests and responses, their bodies between them, and curl's own remarks among all that.
//!
//! curl never shows the body of a request. If the text also shows the command, its `-d` gives the
//! body.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde::de::IgnoredAny;

use crate::cassette::exchange::Raw;

/// How the lines of such a text look.
struct Patterns {
    request: Regex,
    response: Regex,
    header: Regex,
    /// curl's own output: remarks, counts of bytes, its progress.
    remark: Regex,
    /// A remark behind a body that does not end in a line break.
    glued: Regex,
    connected: Regex,
    /// The option in a command that is before the body of a request.
    data: Regex,
    /// The beginning of a document in place of a file.
    document: Regex,
    /// The line of a command, with any prompt before it.
    command: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let pattern = |text| Regex::new(text).expect("a pattern of ours");
    Patterns {
        request: pattern(r"^(?:> )?([A-Z]{3,7}) (\S+) HTTP/[\d.]+$"),
        response: pattern(r"^(?:< )?HTTP/[\d.]+ (\d{3})(?: .*)?$"),
        header: pattern(r"^(?:[<>] )?([A-Za-z0-9-]+): *(.*)$"),
        remark: pattern(
            r"^(?:\* .*|\*$|[{}] \[\d+ bytes data\]|  % Total .*|\s+Dload .*|[\s\d:.\-kMG]*\r.*)$",
        ),
        glued: pattern(
            r"\* (?:Connection #\d+ to host|Found bundle for host|Closing connection|Re-using existing|Curl_).*$",
        ),
        connected: pattern(r"^\* Connected to (\S+) "),
        data: pattern(r"(?:\s-d|\s--data(?:-raw|-binary|-ascii)?|\s--json)[ =]*"),
        document: pattern(r"<<-?\s*['\x22]?(\w+)['\x22]?"),
        command: pattern(r"(?m)^(?:.*[ \t])?curl(?:\.exe)?[ \t]"),
    }
});

/// The exchanges of such a text, or `None` for any other text.
pub(super) fn exchanges(text: &str) -> Option<Vec<Raw>> {
    let has =
        |pattern: &Regex| text.lines().any(|line| pattern.is_match(line.trim_end_matches('\r')));
    if !has(&PATTERNS.request) || !has(&PATTERNS.response) {
        return None;
    }
    let mut reader = Reader::default();
    for (number, line) in text.lines().enumerate() {
        reader.line(number + 1, line.trim_end_matches('\r'));
    }
    reader.end();
    Some(reader.done)
}

/// The part of an exchange that the last line was in.
#[derive(Default)]
enum LineKind {
    /// Before the first request: a command, perhaps.
    #[default]
    Outside,
    RequestHead,
    RequestBody,
    ResponseHead,
    ResponseBody,
}

#[derive(Default)]
struct Reader {
    place: LineKind,
    /// The host that curl says it has connected to.
    host: String,
    /// The text above a request, which may have the command.
    above: String,
    now: Option<Raw>,
    done: Vec<Raw>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        if let Some(found) = PATTERNS.request.captures(line) {
            self.end();
            self.begin(number, &found);
        } else if let Some(found) = PATTERNS.response.captures(line).filter(|_| self.now.is_some())
        {
            self.answer(&found);
        } else if PATTERNS.remark.is_match(line) {
            if let Some(found) = PATTERNS.connected.captures(line) {
                self.host = found[1].to_owned();
            }
        } else {
            self.text(line);
        }
    }

    fn begin(&mut self, line: usize, found: &Captures<'_>) {
        let given = data_of(&self.above);
        self.above.clear();
        self.place = LineKind::RequestHead;
        self.now = Some(Raw {
            line,
            method: found[1].to_owned(),
            url: format!("https://{}{}", self.host, &found[2]),
            request: given.unwrap_or_default().into_bytes(),
            ..Raw::default()
        });
    }

    /// The head of an answer. Of several, as after `100 Continue`, the last counts.
    fn answer(&mut self, found: &Captures<'_>) {
        let Some(now) = &mut self.now else { return };
        now.status = found[1].parse().ok();
        now.headers.clear();
        now.response.clear();
        self.place = LineKind::ResponseHead;
    }

    fn text(&mut self, line: &str) {
        let is_end_of_head = matches!(line, "" | ">" | "> " | "<" | "< ");
        match (&self.place, &mut self.now) {
            (LineKind::RequestHead, _) if is_end_of_head => self.place = LineKind::RequestBody,
            (LineKind::ResponseHead, _) if is_end_of_head => self.place = LineKind::ResponseBody,
            (LineKind::RequestHead, Some(now)) => {
                if let Some(host) = PATTERNS
                    .header
                    .captures(line)
                    .filter(|found| found[1].eq_ignore_ascii_case("host"))
                {
                    let path = now.url.splitn(4, '/').nth(3).unwrap_or_default();
                    now.url = format!("https://{}/{path}", &host[2]);
                }
            }
            (LineKind::ResponseHead, Some(now)) => {
                if let Some(found) = PATTERNS.header.captures(line) {
                    now.headers.push((found[1].to_lowercase(), found[2].to_owned()));
                }
            }
            (LineKind::RequestBody, Some(now)) => append(&mut now.request, line),
            (LineKind::ResponseBody, Some(now)) => {
                append(&mut now.response, &PATTERNS.glued.replace(line, ""))
            }
            (LineKind::Outside, _) | (_, None) => {
                self.above.push_str(line);
                self.above.push('\n');
            }
        }
    }

    fn end(&mut self) {
        let Some(mut now) = self.now.take() else { return };
        // The next command is behind the body before it.
        if let Some(command) = find_command(&now.response) {
            self.above = String::from_utf8_lossy(&now.response[command..]).into_owned();
            now.response.truncate(command);
        }
        if !now.headers.iter().any(|(_, value)| value.starts_with("text/event-stream")) {
            now.response.truncate(now.response.trim_ascii_end().len());
        }
        self.place = LineKind::Outside;
        self.done.push(now);
    }
}

fn append(body: &mut Vec<u8>, line: &str) {
    body.extend_from_slice(line.as_bytes());
    body.push(b'\n');
}

/// The position at which a command begins behind a body: behind the JSON value, if the body is
/// JSON.
fn find_command(body: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(body).ok()?;
    if text.trim_start().starts_with(['{', '[']) {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        return Some(values.byte_offset());
    }
    let mut commands = PATTERNS.command.find_iter(text);
    let is_said = |line: &str| line.starts_with("data:") || line.starts_with("event:");
    commands.find(|line| !is_said(line.as_str())).map(|line| line.start())
}

/// The body that a command gives to its request, if it gives one.
fn data_of(command: &str) -> Option<String> {
    let data = PATTERNS.data.find_iter(command).last()?;
    let given = unquoted(&command[data.end()..]);
    if given != "@-" {
        return Some(given);
    }
    let document = PATTERNS.document.captures(command)?;
    let lines = command[document.get(0)?.end()..].lines().skip(1);
    Some(lines.take_while(|line| line.trim() != &document[1]).collect::<Vec<_>>().join("\n"))
}

/// The word that a shell reads at the start of a text.
fn unquoted(text: &str) -> String {
    let mut letters = text.chars().peekable();
    let mut word = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => word.extend(letters.by_ref().take_while(|letter| *letter != '\'')),
            '$' if letters.next_if_eq(&'\'').is_some() => quoted(&mut letters, '\'', &mut word),
            '"' => quoted(&mut letters, '"', &mut word),
            '\\' => word.extend(letters.next()),
            letter if letter.is_whitespace() => break,
            letter => word.push(letter),
        }
    }
    word
}

/// Reads up to the quote that ends a string in which a backslash escapes.
fn quoted(letters: &mut impl Iterator<Item = char>, quote: char, word: &mut String) {
    while let Some(letter) = letters.next().filter(|letter| *letter != quote) {
        let Some(escaped) = (if letter == '\\' { letters.next() } else { None }) else {
            word.push(letter);
            continue;
        };
        match (quote, escaped) {
            ('\'', 'n') => word.push('\n'),
            ('\'', 't') => word.push('\t'),
            ('\'', 'r') => word.push('\r'),
            // A text in JSON reads the rest.
            ('\'', 'u') => word.push_str("\\u"),
            (_, '\'' | '"' | '\\' | '$' | '`' | '!') => word.push(escaped),
            (_, '\n') => {}
            (_, other) => word.extend(['\\', other]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_a_shell_reads_it() {
        for (command, body) in [
            (r#"curl x -d '{"a": 1}' -v"#, r#"{"a": 1}"#),
            (r#"curl x -d '{"a": "it'\''s"}'"#, r#"{"a": "it's"}"#),
            (r#"curl x -d '{"a": "it'"'"'s"}'"#, r#"{"a": "it's"}"#),
            (r#"curl x --data-raw $'{"a": "it\'s\u0021\\n"}'"#, r#"{"a": "it's\u0021\n"}"#),
            (r#"curl x --json "{\"a\": \"\$1\"}""#, r#"{"a": "$1"}"#),
            ("curl x -d @- <<'EOF'\n{\"a\":\n1}\nEOF\n", "{\"a\":\n1}"),
        ] {
            assert_eq!(data_of(command).as_deref(), Some(body), "{command}");
        }
        assert_eq!(data_of("curl x -v"), None);
    }

    #[test]
    fn a_command_is_found_behind_whatever_prompt_it_has() {
        for prompt in ["", "$ ", "user@host:~$ ", "# ", "➜  ~ ", "PS C:\\> ", "(venv) $ time "] {
            let command = format!("{prompt}curl -v https://x\n");
            let json = format!("{{\n  \"a\": \"use curl -v \"\n}}\n{command}");
            assert_eq!(json[find_command(json.as_bytes()).unwrap()..].trim_start(), command);
            let events = format!("event: a\ndata: see curl -v x\n\n{command}");
            assert_eq!(&events[find_command(events.as_bytes()).unwrap()..], command);
        }
    }
}
