//! Writes the files of the vocabularies. With `--check`, it checks that they are up to date.

use std::{path::Path, process::ExitCode};

use vocabulary_check::{file, tokens};

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    let cl100k = tokens(bpe_openai::cl100k_base());
    let o200k = tokens(bpe_openai::o200k_base());
    let files = [("cl100k.pairs", file(&cl100k, 17)), ("o200k.pairs", file(&o200k, 18))];
    let done = files.iter().map(|(name, made)| write_or_check(name, made, check));
    if done.fold(true, |all, one| all & one) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns whether the file is up to date.
fn write_or_check(name: &str, made: &[u8], check: bool) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/vocabulary").join(name);
    if !check {
        std::fs::write(&path, made).expect("the file can be written");
    }
    let same = std::fs::read(&path).is_ok_and(|there| there == made);
    println!("{name}: {} bytes, {}", made.len(), if same { "the same" } else { "not the same" });
    same
}
