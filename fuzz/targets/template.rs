//! Whatever a template has in it: it renders, within its bounds, or says what is wrong.

#![no_main]

/// The most characters that a template may write, of up to four bytes.
const OUTPUT: usize = 4 * 256_000;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match rehearsal::internals::render_template(text) {
        Ok(rendered) => assert!(rendered.len() <= OUTPUT.max(text.len())),
        Err(reason) => assert!(reason.starts_with("line ")),
    }
});
