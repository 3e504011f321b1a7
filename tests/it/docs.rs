//! Checks the documents: every fixture in them loads, and every conversation in them runs as
//! printed.

use std::{fs, path::PathBuf, process::Command};

use regex::Regex;
use rehearsal::internals::read_fixture;
use serde_json::json;

use crate::server::TestServer;

/// The head of the document of the command line.
const CLI_HEADER: &str = "\
# Command line

What the program says of itself. `rehearsal` alone is `rehearsal serve`.

Every flag of `serve` has an environment variable `REHEARSAL_<FLAG>`. The flag wins. Commas separate several keys or hosts in one
variable.
";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The fenced blocks of a document: language, line, text.
fn blocks(document: &str) -> Vec<(String, usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, usize, String)> = None;
    for (number, line) in fs::read_to_string(root().join(document)).unwrap().lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some((language.to_owned(), number + 1, String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, _, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// All correct fixtures in the repository: files, and those in documents.
pub fn fixtures() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let files = ["fixtures", "tests/sdk"].map(|folder| fs::read_dir(root().join(folder)).unwrap());
    for file in files.into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if file.extension().is_some_and(|end| end == "yaml") {
            all.push((file.display().to_string(), fs::read_to_string(&file).unwrap()));
        }
    }
    let documents =
        ["coding-agents", "fixtures", "migrate", "recipes", "record", "responses", "testing"]
            .map(|it| format!("docs/{it}.md"));
    for document in ["README.md".to_owned()].iter().chain(&documents) {
        for (language, line, text) in blocks(document) {
            let is_fixture = [
                "replies:",
                "faults:",
                "assistants:",
                "vector_stores:",
                "files:",
                "threads:",
                "models:",
            ];
            if language == "yaml"
                && is_fixture.iter().any(|key| text.lines().any(|line| line.starts_with(key)))
            {
                all.push((format!("{document}:{line}"), text));
            }
        }
    }
    all
}

/// The document of the command line is the help output of the program. `REHEARSAL_BLESS=1` rewrites
/// it.
#[test]
fn the_command_line_is_documented_as_the_program_tells_it() {
    let help = |command: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
        let program = program.env_clear().args(command.split_whitespace()).arg("--help");
        let said = String::from_utf8(program.output().unwrap().stdout).unwrap();
        said.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    let commands = ["serve", "init", "check", "schema", "exec", "import", "export", "health"];
    let overview = help("");
    let known = |name: &str| overview.lines().any(|line| line.trim_start().starts_with(name));
    assert!(commands.into_iter().all(known), "{overview}");
    let mut text = format!("{CLI_HEADER}\n```text\n{}\n```\n", overview.trim_end());
    for command in commands {
        let said = help(command);
        text += &format!("\n## rehearsal {command}\n\n```text\n{}\n```\n", said.trim_end());
    }
    let path = root().join("docs/cli.md");
    if std::env::var_os("REHEARSAL_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(written == text, "write docs/cli.md anew: REHEARSAL_BLESS=1 cargo test --test it docs");
}

/// Every link to a page or to a part of a page has a target.
#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let folder = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = folder.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let mut links = 0;
    for page in pages.chain([root().join("README.md")]) {
        let text = fs::read_to_string(&page).unwrap();
        for found in link.captures_iter(&text) {
            let to = &found[1];
            if to.contains(':') {
                continue;
            }
            let (file, part) = to.split_once('#').unwrap_or((to, ""));
            let file =
                if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: {to}", page.display());
            if !part.is_empty() {
                let target = fs::read_to_string(&file).unwrap();
                let is_there = target.lines().any(|line| anchor(line).as_deref() == Some(part));
                assert!(is_there, "{}: {to}", page.display());
            }
            links += 1;
        }
    }
    assert!(links >= 100, "{links}");
}

/// The anchor of a heading in its page.
fn anchor(line: &str) -> Option<String> {
    let title = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))?;
    let kept = title.to_lowercase().replace(' ', "-");
    Some(kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect())
}

#[test]
fn every_fixture_of_the_documents_loads() {
    for (name, text) in fixtures() {
        if name.contains(".md:") {
            // The fixture is loaded in the folder of the documents, because some of them name files
            // there.
            let read = read_fixture(&format!("docs/{}", name.replace('/', "-")), &text);
            read.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[tokio::test]
async fn every_conversation_of_the_documents_goes_as_printed() {
    let blocks = blocks("docs/fixtures.md");
    let mut talks = 0;
    for pair in blocks.windows(2) {
        let [(fixture, line, yaml), (talk, _, said)] = pair else { continue };
        if fixture != "yaml" || talk != "talk" {
            continue;
        }
        talks += 1;
        let server = TestServer::with_fixtures(yaml).await;
        let assistant = server.assistant().await;
        let thread = format!("/v1/threads/{}", server.post("/v1/threads", json!({})).await.id());
        let mut run = String::new();
        for expected in said.lines() {
            if let Some(text) = expected.strip_prefix("> ") {
                server
                    .post(&format!("{thread}/messages"), json!({"role": "user", "content": text}))
                    .await;
                let created = server
                    .post(&format!("{thread}/runs"), json!({"assistant_id": assistant}))
                    .await;
                run = format!("{thread}/runs/{}", created.id());
                // A pause in a fixture ends when the clock passes it.
                server.advance(std::time::Duration::from_secs(5)).await;
            } else if let Some(status) =
                expected.strip_prefix("< [").and_then(|rest| rest.strip_suffix(']'))
            {
                assert_eq!(
                    server.get(&run).await.body["status"],
                    status,
                    "docs/fixtures.md:{line}: {expected}"
                );
            } else if let Some(text) = expected.strip_prefix("< ") {
                let heard = server.said(&thread).await;
                assert_eq!(heard.last().unwrap(), text, "docs/fixtures.md:{line}");
            }
        }
    }
    assert!(talks >= 20, "{talks}");
}

/// The pages that a list of links names, in their order.
fn linked(list: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("docs").join(list)).unwrap();
    let link = Regex::new(r"(?m)^(?:\| |- )\[[^\]]+\]\(([a-z-]+\.md)\)").unwrap();
    link.captures_iter(&text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_index_and_the_site_have_every_page() {
    let pages = fs::read_dir(root().join("docs")).unwrap();
    let pages = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    let lists = ["index.md", "SUMMARY.md"];
    let mut pages: Vec<_> =
        pages.filter(|page| page.ends_with(".md") && !lists.contains(&page.as_str())).collect();
    let mut listed = linked("index.md");
    assert_eq!(listed, linked("SUMMARY.md"), "both have the same order");
    pages.sort();
    listed.sort();
    assert_eq!(listed, pages);
}
