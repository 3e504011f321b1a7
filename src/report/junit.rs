//! A report as JUnit XML: one test case for each expectation, and one for each run that no reply
//! matched. It follows the schema of Jenkins' xUnit plugin (`junit-10.xsd`), which other tools
//! read, too.

use std::io;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};

use super::{Report, UnmatchedEntry, message_of};

/// One test case.
struct TestCase {
    class: &'static str,
    name: String,
    /// The failure, if there is one.
    failure: Option<String>,
}

pub(super) fn write(report: &Report) -> String {
    let cases = cases(report);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    document(&mut writer, &cases).expect("a buffer can be written to");
    let mut text = String::from_utf8(writer.into_inner()).expect("XML is text");
    text.push('\n');
    text
}

fn cases(report: &Report) -> Vec<TestCase> {
    let results = report.verification.iter().flat_map(|verification| &verification.results);
    let expectations = results.map(|result| TestCase {
        class: "rehearsal.expectations",
        name: result.expectation.to_string(),
        failure: result.difference.clone(),
    });
    let unmatched = report.unmatched.iter().map(|UnmatchedEntry { shown: run, why }| TestCase {
        class: "rehearsal.unmatched",
        name: message_of(run).to_owned(),
        failure: Some(format!(
            "no reply matched {}\n{why}",
            run["run"].as_str().unwrap_or_default(),
        )),
    });
    expectations.chain(unmatched).collect()
}

fn document(writer: &mut Writer<Vec<u8>>, cases: &[TestCase]) -> io::Result<()> {
    let failures = cases.iter().filter(|case| case.failure.is_some()).count().to_string();
    let tests = cases.len().to_string();
    let counts = [
        ("name", "rehearsal"),
        ("tests", tests.as_str()),
        ("failures", failures.as_str()),
        ("errors", "0"),
    ];
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.create_element("testsuites").with_attributes(counts).write_inner_content(|writer| {
        writer.create_element("testsuite").with_attributes(counts).write_inner_content(
            |writer| cases.iter().try_for_each(|case| test_case(writer, case)),
        )?;
        Ok(())
    })?;
    Ok(())
}

fn test_case(writer: &mut Writer<Vec<u8>>, case: &TestCase) -> io::Result<()> {
    let name = allowed(&case.name);
    let element = writer
        .create_element("testcase")
        .with_attributes([("classname", case.class), ("name", name.as_str())]);
    let Some(failure) = &case.failure else {
        element.write_empty()?;
        return Ok(());
    };
    let failure = allowed(failure);
    let message = failure.lines().next().unwrap_or_default();
    element.write_inner_content(|writer| {
        let element = writer.create_element("failure").with_attribute(("message", message));
        element.write_text_content(BytesText::new(&failure))?;
        Ok(())
    })?;
    Ok(())
}

/// A text without the characters that XML forbids.
fn allowed(text: &str) -> String {
    let is_allowed = |c: &char| {
        matches!(
            c,
            '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..
        )
    };
    text.chars().filter(is_allowed).collect()
}
