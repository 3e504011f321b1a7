//! Whatever a fixture file has in it: it is read, or told what is wrong, at a place.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(report) = rehearsal::internals::read_fixture("fuzz.yaml", text) {
        assert!(report.contains("fuzz.yaml"), "{report}");
    }
});
