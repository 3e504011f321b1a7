//! A file for the report at the end. It is opened at the start, so that a missing folder shows
//! before a long command and not after it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

use crate::report::{Report, ReportFormat};

pub(super) struct ReportFile {
    path: PathBuf,
    format: ReportFormat,
    file: File,
}

impl ReportFile {
    /// Opens all files. It checks the formats of all files before it creates the first.
    pub(super) fn open_all(paths: Vec<PathBuf>) -> Result<Vec<Self>, String> {
        let paths = paths.into_iter().filter(|path| !path.as_os_str().is_empty());
        let formats = paths.map(|path| match ReportFormat::of(&path) {
            Some(format) => Ok((path, format)),
            None => Err(format!(
                "--report {}: the name must end in .html, .xml or .json",
                path.display()
            )),
        });
        let formats: Vec<_> = formats.collect::<Result<_, _>>()?;
        formats.into_iter().map(|(path, format)| Self::open(path, format)).collect()
    }

    fn open(path: PathBuf, format: ReportFormat) -> Result<Self, String> {
        // The old content stays until the report replaces it.
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        match opened {
            Ok(file) => Ok(Self { path, format, file }),
            Err(error) => Err(cannot_write(&path, &error)),
        }
    }

    pub(super) fn is_page(&self) -> bool {
        self.format == ReportFormat::Html
    }

    pub(super) fn write(mut self, report: &Report) -> Result<(), String> {
        let text = report.write(self.format);
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(text.as_bytes()));
        written.map_err(|error| cannot_write(&self.path, &error))
    }
}

fn cannot_write(path: &std::path::Path, error: &io::Error) -> String {
    format!("--report {}: cannot write to it: {error}", path.display())
}
