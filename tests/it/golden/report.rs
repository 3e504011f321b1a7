//! `FIDELITY.md`: the similarity of this server to the recorded service, from the replay of the
//! recordings. `REHEARSAL_BLESS=1 cargo test --test it golden` writes it. Without that, an outdated
//! page fails the test.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
};

use regex::Regex;
use serde_json::Value;

use super::Outcome;

/// The text around the figures.
const PAGE: &str = include_str!("page.md");

/// One exchange for the report: method, path, version, and result.
pub struct Line {
    pub method: String,
    pub path: String,
    pub version: &'static str,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    matched: usize,
    earlier: usize,
    deviates: usize,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Matched => self.matched += 1,
            Outcome::Earlier => self.earlier += 1,
            Outcome::Deviates(_) => self.deviates += 1,
        }
    }

    fn all(self) -> usize {
        self.matched + self.earlier + self.deviates
    }

    fn shown(self) -> String {
        let mut parts = Vec::new();
        for (count, word) in [(self.matched + self.earlier, "matched"), (self.deviates, "deviates")]
        {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        if parts.is_empty() { "not recorded".to_owned() } else { parts.join(", ") }
    }
}

/// The figures on one line.
pub fn summary(lines: &[Line]) -> String {
    let tally = sum(lines);
    let (all, close) = (tally.all(), tally.matched + tally.earlier);
    let percent = |count: usize| count as f64 * 100.0 / all.max(1) as f64;
    format!(
        "{} of {all} exchanges match exactly ({:.1} %), {} more match but for shapes that the \
         service changed later ({:.1} % together), {} are listed below",
        tally.matched,
        percent(tally.matched),
        tally.earlier,
        percent(close),
        tally.deviates
    )
}

fn sum(lines: &[Line]) -> Tally {
    let mut tally = Tally::default();
    lines.iter().for_each(|line| tally.add(&line.outcome));
    tally
}

/// The correct page.
///
/// For Assistants and for Responses: the exchanges, and their listed exceptions.
pub fn page(pages: &[(Vec<Line>, &str); 2], documents: &[Value; 2]) -> String {
    let [(assistants, exceptions), (responses, of_responses)] = pages;
    let mut page = PAGE.replace("{{summary}}", &format!("{}.", summary(assistants)));
    page = page.replace("{{table}}", &table(assistants, documents));
    page = page.replace("{{clients}}", &clients());
    page = page.replace("{{exceptions}}", &listed(exceptions));
    page = page.replace("{{responses}}", &format!("{}.", summary(responses)));
    page = page.replace("{{responses_table}}", &responses_table(responses));
    page.replace("{{responses_exceptions}}", &listed(of_responses))
}

/// The endpoints of Responses and Conversations, without the ids in their paths.
fn responses_table(lines: &[Line]) -> String {
    let mut rows: BTreeMap<String, Tally> = BTreeMap::new();
    for line in lines {
        let parts = line.path.split('/').map(|part| match part.split_once('_') {
            Some(("resp", _)) => "{response_id}",
            Some(("conv", _)) => "{conversation_id}",
            Some(("msg", _)) => "{item_id}",
            _ => part,
        });
        let path = parts.collect::<Vec<_>>().join("/");
        rows.entry(format!("{} {path}", line.method)).or_default().add(&line.outcome);
    }
    let mut table = String::from("| endpoint | recorded |\n| --- | --- |\n");
    for (endpoint, tally) in rows {
        writeln!(table, "| `{endpoint}` | {} |", tally.shown()).unwrap();
    }
    table
}

/// The clients of the tests with their versions, from the files that install them.
fn clients() -> String {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    let read = |name: &str| std::fs::read_to_string(sdk.join(name)).unwrap();
    let listed = |name: &str| {
        let versions: Vec<_> = read(name)
            .lines()
            .filter_map(|line| line.split(' ').next().map(str::to_owned))
            .collect();
        versions.join(", ")
    };
    let found = |name: &str, pattern: &str| {
        Regex::new(pattern).unwrap().captures(&read(name)).unwrap()[1].to_owned()
    };
    let rows = [
        ("Python", "openai", listed("versions/python.txt")),
        ("Node", "openai", listed("versions/node.txt")),
        (
            "Go",
            "github.com/openai/openai-go/v3",
            found("go/official/go.mod", r"openai-go/v3 v(\S+)"),
        ),
        (
            "Go",
            "github.com/sashabaranov/go-openai",
            found("go/community/go.mod", r"go-openai v(\S+)"),
        ),
        (
            "Java",
            "com.openai:openai-java",
            found("java/pom.xml", r"(?s)openai-java</artifactId>\s*<version>([^<]+)"),
        ),
        (
            "Rust",
            "async-openai",
            found("../../Cargo.lock", r#"name = "async-openai"\nversion = "([^"]+)""#),
        ),
    ];
    let mut table = String::from("| language | client | versions |\n| --- | --- | --- |\n");
    for (language, client, versions) in rows {
        writeln!(table, "| {language} | `{client}` | {versions} |").unwrap();
    }
    table
}

fn table(lines: &[Line], documents: &[Value; 2]) -> String {
    let mut rows: BTreeMap<(String, String), [Option<Tally>; 2]> = BTreeMap::new();
    let mut templates = BTreeSet::new();
    for (version, document) in documents.iter().enumerate() {
        for (template, operations) in document["paths"].as_object().into_iter().flatten() {
            templates.insert(template.clone());
            for method in
                ["get", "post", "delete"].iter().filter(|method| operations.get(**method).is_some())
            {
                let row = rows.entry((template.clone(), method.to_uppercase())).or_default();
                row[version] = Some(Tally::default());
                // Files, and other endpoints without a version, are the same in both.
                if !template.starts_with("/assistants") && !template.starts_with("/threads") {
                    row[1] = Some(Tally::default());
                    row[0] = None;
                }
            }
        }
    }
    for line in lines {
        let Some(template) = template_of(&templates, &line.path) else { continue };
        let row = rows.entry((template.to_owned(), line.method.clone())).or_default();
        let is_versioned = template.starts_with("/assistants") || template.starts_with("/threads");
        let version = usize::from(!(is_versioned && line.version == "v1"));
        row[version].get_or_insert_default().add(&line.outcome);
    }
    let mut table = String::from("| endpoint | v1 | v2 | Azure |\n| --- | --- | --- | --- |\n");
    for ((template, method), [v1, v2]) in rows {
        let shown = |tally: Option<Tally>, other: &str| {
            tally.map_or_else(|| other.to_owned(), Tally::shown)
        };
        let is_versioned = template.starts_with("/assistants") || template.starts_with("/threads");
        let v1 = shown(v1, if is_versioned { "none there" } else { "as v2" });
        let has_v2 = v2.is_some();
        let azure = if has_v2 { "not recorded" } else { "none there" };
        writeln!(table, "| `{method} {template}` | {v1} | {} | {azure} |", shown(v2, "none there"))
            .unwrap();
    }
    table
}

fn template_of<'t>(templates: &'t BTreeSet<String>, path: &str) -> Option<&'t str> {
    let path = path.strip_prefix("/v1")?;
    let fits = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) =
            (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len()
            && template.iter().zip(&path).all(|(part, got)| part.starts_with('{') || part == got)
    };
    let fitting = templates.iter().filter(|template| fits(template));
    fitting.min_by_key(|template| template.matches('{').count()).map(String::as_str)
}

/// The exceptions by reason, each with its exchanges.
fn listed(exceptions: &str) -> String {
    let mut text = String::new();
    let mut reason = String::new();
    let mut names: Vec<&str> = Vec::new();
    let mut flush = |reason: &mut String, names: &mut Vec<&str>| {
        if !names.is_empty() {
            writeln!(
                text,
                "- {} ({}): {}",
                reason.trim().trim_end_matches(':'),
                names.len(),
                names.join(", ")
            )
            .unwrap();
        }
        reason.clear();
        names.clear();
    };
    for line in exceptions.lines() {
        match line.strip_prefix('#') {
            Some(comment) => {
                if !names.is_empty() || comment.trim().is_empty() {
                    flush(&mut reason, &mut names);
                }
                reason.push_str(comment);
            }
            None => names.extend(line.split_whitespace().next()),
        }
    }
    flush(&mut reason, &mut names);
    text
}

/// Checks the page, or rewrites it on request.
pub fn settle(page: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("FIDELITY.md");
    if std::env::var_os("REHEARSAL_BLESS").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "FIDELITY.md is not what the recordings say: write it anew with REHEARSAL_BLESS=1 cargo \
         test --test it golden"
    );
}
