//! Any body of a request: it is an object of the API, or an error.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    rehearsal::internals::read_request(body);
});
