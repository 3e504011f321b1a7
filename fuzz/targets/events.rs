//! A stream of events has the same events for every split into pieces.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (piece, stream) = input;
    let whole = rehearsal::internals::read_events(stream, stream.len());
    assert_eq!(rehearsal::internals::read_events(stream, usize::from(piece)), whole);
});
