//! Any recording of another tool: the reader finds exchanges or rejects it.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    _ = rehearsal::internals::read_cassette(text);
});
