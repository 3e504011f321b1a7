//! `rehearsal import`: recordings that were made before the shutdown become fixtures.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{UNUSABLE, complain, print};
use crate::{
    cassette::{self, Seen},
    fixture,
    transcript::{self, Keeping, Manner, Redaction, Redactor, Retold, Taken, retell},
};

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Cassettes of vcrpy (YAML, JSON) and VCR for Ruby, HAR files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Write a fixture for each file into this folder, with images and files beside it, in place of standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What else must not be kept, beside whatever looks like a key; a regular expression, repeatable
    #[arg(long, value_name = "REGEX")]
    redact: Vec<Redaction>,
}

pub(super) fn run(args: ImportArgs) -> Result<ExitCode, String> {
    let redactor = Redactor::new(args.redact, []);
    // All of them are understood before anything is written.
    let mut read = Vec::new();
    for path in args.files {
        let seen = cassette::read(&path).map_err(|useless| match useless {
            cassette::Useless::Broken { line, what } => format!("{}:{line}: {what}", path.display()),
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

/// A fixture for each recording, such that all of them can be served together. Nothing is written over but what an
/// import has written.
fn beside(read: Vec<(PathBuf, Seen)>, folder: &Path, redactor: &Redactor) -> Result<usize, String> {
    let (mut taken, mut stems, mut all) = (Taken::default(), HashSet::new(), Vec::new());
    for (path, seen) in read {
        let stem = path.file_stem().map_or_else(|| "recorded".to_owned(), |stem| stem.to_string_lossy().into_owned());
        let mut stems_left = (1..).map(|number| if number == 1 { stem.clone() } else { format!("{stem}-{number}") });
        let stem = stems_left.find(|stem| stems.insert(stem.clone())).unwrap_or(stem);
        let retold = retell(&seen.objects, &manner(Keeping::Beside, &stem, redactor), &mut taken);
        tell(&path, &seen, &retold);
        if retold.runs == 0 {
            continue;
        }
        let target = folder.join(format!("{stem}.yaml"));
        if std::fs::read(&target).is_ok_and(|there| !there.starts_with(IMPORTED.as_bytes())) {
            return Err(format!("{} is there already, and was not imported: name another folder", target.display()));
        }
        let text = fixture::written(&retold.document, &imported_from(&[&path]))?;
        all.push((stem, text, retold));
    }
    let mut runs = 0;
    for (stem, text, retold) in all {
        transcript::keep(folder, &stem, &text, &retold).map_err(|error| format!("{}: {error}", folder.display()))?;
        runs += retold.runs;
    }
    Ok(runs)
}

/// One fixture for all recordings, on standard output.
fn together(read: Vec<(PathBuf, Seen)>, redactor: &Redactor) -> Result<usize, String> {
    let manner = manner(Keeping::Inline, "", redactor);
    let mut all = Seen::default();
    let paths: Vec<PathBuf> = read.iter().map(|(path, _)| path.clone()).collect();
    for (path, seen) in read {
        tell(&path, &seen, &retell(&seen.objects, &manner, &mut Taken::default()));
        all.absorb(seen);
    }
    let retold = retell(&all.objects, &manner, &mut Taken::default());
    if retold.runs > 0 {
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        _ = print(&fixture::written(&retold.document, &imported_from(&paths))?);
    }
    Ok(retold.runs)
}

fn manner<'m>(keeping: Keeping, folder: &'m str, redactor: &'m Redactor) -> Manner<'m> {
    Manner { keeping, folder, redactor, seeds: true, suffix: "", only_performed: false }
}

/// What every import begins with.
const IMPORTED: &str = "# Imported from ";

fn imported_from(paths: &[&Path]) -> String {
    let names: Vec<_> = paths.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy()).collect();
    format!("{}{}.", IMPORTED.trim_start_matches("# "), names.join(", "))
}

/// What could not be used, with file and line, and how much could.
fn tell(path: &Path, seen: &Seen, retold: &Retold) {
    let path = path.display();
    let mut lines: Vec<_> = seen.complaints.iter().map(|complaint| (complaint.line, complaint.what.clone())).collect();
    lines.extend(retold.gaps.iter().map(|gap| (seen.line_of(&gap.about).unwrap_or(1), format!("{}: {}", gap.about, gap.what))));
    lines.sort();
    for (line, what) in lines {
        complain(&format!("{path}:{line}: {what}"));
    }
    let nothing = if retold.runs == 0 { ": no run is in it, so nothing is written" } else { "" };
    complain(&format!("{path}: {} replies out of {} exchanges{nothing}", retold.runs, seen.exchanges));
}
