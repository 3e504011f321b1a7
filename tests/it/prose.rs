//! Documents and comments stay easy to read: the numbers of their long sentences and slow words
//! never grow.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A sentence with more words than this is long.
const LONG: usize = 25;

/// Words that slow down readers who learned English later.
const SLOW: [&str; 9] =
    ["whoever", "whatever", "nought", "told", "stands", "beforehand", "thereof", "anew", "lest"];

/// The numbers of long sentences and slow words. Lower a bound when a text gets better. Never raise
/// a bound.
const DOCUMENTS: (usize, usize) = (0, 0);
const COMMENTS: (usize, usize) = (0, 0);

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<PathBuf> {
    let root = root();
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    // The page of the command line is the help output of the program.
    let docs = docs.filter(|path| {
        path.extension().is_some_and(|end| end == "md") && !path.ends_with("cli.md")
    });
    docs.chain([root.join("README.md")]).collect()
}

/// The files of a folder of code.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match path.is_dir() {
            true => all.extend(sources(&path)),
            false if path.extension().is_some_and(|end| end == "rs") => all.push(path),
            false => {}
        }
    }
    all.sort();
    all
}

/// The comments of a file. Code ends a comment.
fn comments(source: &str) -> String {
    let mut text = String::new();
    for line in source.lines().map(str::trim) {
        match line.strip_prefix("//") {
            Some(comment) => text.push_str(comment.trim_start_matches(['/', '!'])),
            None => text.push_str(" ."),
        }
        text.push(' ');
    }
    text
}

/// The running text of a page: no code, no tables, no headings.
fn prose(page: &str) -> String {
    let mut is_code = false;
    let mut text = String::new();
    for line in page.lines() {
        let line = line.trim();
        is_code ^= line.starts_with("```");
        let is_text = !is_code && !line.starts_with(['|', '#', '`', '!']);
        // A paragraph and an item of a list end a sentence.
        if line.is_empty() || line.starts_with("- ") {
            text.push_str(". ");
        }
        if is_text {
            text.push_str(line);
            text.push(' ');
        }
    }
    text
}

fn sentences(text: &str) -> impl Iterator<Item = &str> {
    // A colon and a semicolon end a sentence, too.
    text.split_inclusive(char::is_whitespace)
        .fold(vec![(0, 0)], |mut parts, word| {
            let last = parts.len() - 1;
            parts[last].1 += word.len();
            if word.trim_end().ends_with(['.', '!', '?', ':', ';']) {
                let end = parts[last].1;
                parts.push((end, end));
            }
            parts
        })
        .into_iter()
        .map(|(start, end)| &text[start..end])
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
}

/// The faults of a text: its long sentences, and its slow words.
fn faults(name: &str, text: &str) -> (Vec<String>, Vec<String>) {
    let long = sentences(text).filter(|sentence| words(sentence).count() > LONG);
    let slow = words(text).filter(|word| SLOW.contains(&word.as_str()));
    (
        long.map(|sentence| format!("{name}: {}", sentence.trim())).collect(),
        slow.map(|word| format!("{name}: {word}")).collect(),
    )
}

fn check(bounds: (usize, usize), texts: impl Iterator<Item = (String, String)>) {
    let (mut long, mut slow) = (Vec::new(), Vec::new());
    for (name, text) in texts {
        let (more_long, more_slow) = faults(&name, &text);
        long.extend(more_long);
        slow.extend(more_slow);
    }
    assert_eq!(
        (long.len(), slow.len()),
        bounds,
        "if there are fewer, lower the bounds in tests/it/prose.rs; if there are more, write shorter \
         sentences:\n{}\n{}",
        long.join("\n"),
        slow.join("\n")
    );
}

fn named(path: &Path) -> (String, String) {
    (path.display().to_string(), fs::read_to_string(path).unwrap())
}

#[test]
fn the_documents_get_no_harder_to_read() {
    let pages = pages().into_iter().map(|page| {
        let (name, text) = named(&page);
        (name, prose(&text))
    });
    check(DOCUMENTS, pages);
}

#[test]
fn the_comments_get_no_harder_to_read() {
    let sources = sources(&root().join("src")).into_iter().map(|source| {
        let (name, text) = named(&source);
        (name, comments(&text))
    });
    check(COMMENTS, sources);
}
