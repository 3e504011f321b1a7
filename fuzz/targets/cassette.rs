//! Whatever a recording of another tool has in it: exchanges are read from it, or it is refused.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    _ = rehearsal::internals::read_cassette(text);
});
