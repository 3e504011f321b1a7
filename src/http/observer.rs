//! Requests that only look: a page or a tool that watches a session without being a part of it.
//!
//! Such a request changes nothing. It makes no session and draws no id, it moves nothing on that is
//! polled, no fault strikes or counts it, and neither the journal nor the metrics nor the log know
//! of it. Flags that refuse clients do not refuse it.

use axum::extract::Request;

/// The header of a request that only looks.
const HEADER: &str = "x-rehearsal-observer";

/// The id of every such request: one of its own would be drawn from those of the session.
pub(super) const REQUEST_ID: &str = "req_00000000000000000000000000000000";

/// The one POST that only asks.
const MATCH: &str = "/_rehearsal/match";

/// Whether a request only looks. One that may change something is never such.
pub(crate) fn observes(request: &Request) -> bool {
    let only_reads = request.method().is_safe() || request.uri().path().ends_with(MATCH);
    only_reads && request.headers().get(HEADER).is_some_and(|value| value == "1")
}
