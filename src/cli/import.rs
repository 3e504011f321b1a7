//! `rehearsal import`: recordings that were made before the shutdown become fixtures.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::output::{UNUSABLE, complain, count, print};
use crate::{
    cassette::{self, CassetteContents},
    fixture,
    redact::{Redaction, Redactor},
    transcript::{
        self, ExportOptions, FilePlacement, GeneratedFixture, GeneratedReply, Omission, UsedNames,
        generate,
    },
};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Recordings: vcrpy, VCR, go-vcr, php-vcr, ExVCR, betamax, Polly.js, nock, WireMock, HAR,
    /// lists of requests with responses, the output of `curl -v`; or a folder of WireMock's
    /// mappings
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write a fixture for each recording into this folder, with its images and files. Without
    /// this, print one fixture to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also redact the matches of this regular expression, repeatable. Rehearsal always redacts
    /// values that look like keys
    #[arg(long, value_name = "REGEX")]
    redact: Vec<Redaction>,
}

pub(super) fn run(args: ImportArgs) -> Result<ExitCode, String> {
    let redactor = Redactor::new(args.redact, []);
    // The command reads all files before it writes anything.
    let mut read = Vec::new();
    for path in args.files {
        let seen = cassette::read(&path).map_err(|error| match error {
            cassette::CassetteError::Broken { line, what } => {
                format!("{}:{line}: {what}", path.display())
            }
            other => format!("{}: {other}", path.display()),
        })?;
        read.push((path, seen));
    }
    let runs = match args.out {
        Some(folder) => beside(read, &folder, &redactor)?,
        None => together(read, &redactor)?,
    };
    Ok(if runs > 0 { ExitCode::SUCCESS } else { ExitCode::from(UNUSABLE) })
}

/// Writes a fixture for each recording, such that one server can load all of them. It overwrites
/// only files that an import has written.
fn beside(
    read: Vec<(PathBuf, CassetteContents)>,
    folder: &Path,
    redactor: &Redactor,
) -> Result<usize, String> {
    let (mut stems, mut all) = (HashSet::new(), Vec::new());
    let read: Vec<_> =
        read.into_iter().map(|(path, seen)| (stem_of(&path, &mut stems), path, seen)).collect();
    let mut used = others(folder, &stems)?;
    for (stem, path, seen) in read {
        let generated =
            generate(&seen.objects, &options(FilePlacement::Beside, &stem, redactor), &mut used);
        report(&path, &seen, &generated);
        if generated.runs == 0 {
            continue;
        }
        let comment = imported_from(&[&path]);
        check_target(folder, &stem, &comment)?;
        all.push((stem, comment, generated));
    }
    take_turns(&mut all);
    let mut runs = 0;
    for (stem, comment, generated) in all {
        let text = fixture::written(&generated.document, &comment)?;
        transcript::write_files(folder, &stem, &text, &generated)
            .map_err(|error| format!("--out {}: {error}", folder.display()))?;
        runs += generated.runs;
    }
    Ok(runs)
}

/// The name of a recording, without its ending, and unlike those of the others.
fn stem_of(path: &Path, stems: &mut HashSet<String>) -> String {
    let stem = path
        .file_stem()
        .map_or_else(|| "recorded".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let mut stems_left =
        (1..).map(|number| if number == 1 { stem.clone() } else { format!("{stem}-{number}") });
    stems_left.find(|stem| stems.insert(stem.clone())).unwrap_or(stem)
}

/// The names that the other fixtures of the folder already use.
fn others(folder: &Path, stems: &HashSet<String>) -> Result<UsedNames, String> {
    let mut used = UsedNames::default();
    if !folder.is_dir() {
        return Ok(used);
    }
    let files = fixture::files(&[folder.to_owned()]).map_err(|error| error.to_string())?;
    for path in files {
        let is_target = path.parent() == Some(folder)
            && path.file_stem().is_some_and(|stem| stems.contains(&*stem.to_string_lossy()));
        if !is_target
            && let Some((document, _)) = std::fs::read_to_string(&path)
                .ok()
                .and_then(|text| fixture::lines_of(&text, &[]).ok())
        {
            used.note(document);
        }
    }
    Ok(used)
}

/// Refuses to overwrite a file, unless an import of the same recording wrote it.
fn check_target(folder: &Path, stem: &str, comment: &str) -> Result<(), String> {
    let target = folder.join(format!("{stem}.yaml"));
    let there = match std::fs::read_to_string(&target) {
        Ok(there) => there.lines().next().unwrap_or_default().to_owned(),
        Err(_) if target.exists() || folder.join(stem).exists() => String::new(),
        Err(_) => return Ok(()),
    };
    if there == format!("# {comment}") {
        return Ok(());
    }
    Err(format!(
        "{} already exists, and is no import of the same file: name another folder",
        target.display()
    ))
}

/// Recordings of the same question are used one after the other, in the order in which a server
/// loads fixtures.
fn take_turns(all: &mut [(String, String, GeneratedFixture)]) {
    all.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let mut later = HashSet::new();
    for (_, _, generated) in all.iter_mut().rev() {
        let replies = &mut generated.document.replies.0;
        let conditions: Vec<_> = replies.iter().map(GeneratedReply::conditions).collect();
        for (reply, conditions) in replies.iter_mut().zip(&conditions) {
            if later.contains(conditions) {
                reply.times = Some(1);
            }
        }
        later.extend(conditions);
    }
}

/// One fixture for all recordings, on standard output.
fn together(read: Vec<(PathBuf, CassetteContents)>, redactor: &Redactor) -> Result<usize, String> {
    let options = options(FilePlacement::Inline, "", redactor);
    let mut all = CassetteContents::default();
    let paths: Vec<PathBuf> = read.iter().map(|(path, _)| path.clone()).collect();
    for (path, seen) in read {
        report(&path, &seen, &generate(&seen.objects, &options, &mut UsedNames::default()));
        all.absorb(seen);
    }
    let generated = generate(&all.objects, &options, &mut UsedNames::default());
    if generated.runs > 0 {
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        _ = print(&fixture::written(&generated.document, &imported_from(&paths))?);
    }
    Ok(generated.runs)
}

fn options<'m>(
    placement: FilePlacement,
    folder: &'m str,
    redactor: &'m Redactor,
) -> ExportOptions<'m> {
    ExportOptions { placement, folder, redactor, seeds: true, suffix: "", only_performed: false }
}

fn imported_from(paths: &[&Path]) -> String {
    let names: Vec<_> =
        paths.iter().map(|path| path.to_string_lossy().replace('\n', " ")).collect();
    format!("Imported from {}.", names.join(", "))
}

/// Prints the unusable parts, with file and line, and how much was usable.
fn report(path: &Path, seen: &CassetteContents, generated: &GeneratedFixture) {
    let path = path.display();
    let mut lines: Vec<_> =
        seen.complaints.iter().map(|complaint| (complaint.line, complaint.what.clone())).collect();
    lines.extend(generated.omissions.iter().map(|Omission { about, what }| {
        (seen.line_of(about).unwrap_or(1), format!("{about}: {what}"))
    }));
    lines.sort();
    for (line, what) in lines {
        complain(&format!("{path}:{line}: {what}"));
    }
    let nothing =
        if generated.runs == 0 { ": it has no run, so the command writes nothing" } else { "" };
    let (replies, exchanges) = (count(generated.runs, "reply"), count(seen.exchanges, "exchange"));
    complain(&format!("{path}: {replies} out of {exchanges}{nothing}"));
}
