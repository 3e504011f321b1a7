//! Whatever the body of a request has in it: it is an object of the API, or refused.

#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    rehearsal::internals::read_request(body);
});
