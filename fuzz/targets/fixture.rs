//! Any fixture file: the reader accepts it or reports a mistake with its place.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(report) = rehearsal::internals::read_fixture("fuzz.yaml", text) {
        assert!(report.contains("fuzz.yaml"), "{report}");
    }
});
