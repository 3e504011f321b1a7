//! Any template: it renders within its bounds, or gives an error.

#![no_main]

/// The maximum output of a template, with up to four bytes per character.
const OUTPUT: usize = 4 * 256_000;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match rehearsal::internals::render_template(text) {
        Ok(rendered) => assert!(rendered.len() <= OUTPUT.max(text.len())),
        Err(reason) => assert!(reason.starts_with("line ")),
    }
});
