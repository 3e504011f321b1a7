//! Requests that only observe: a page or a tool that watches a session without being a part of it.
//!
//! Such a request changes nothing. It creates no session and draws no id. It does not advance an
//! object that clients poll. No fault applies to it or counts it. The journal, the metrics and the
//! log do not know it. Flags that reject clients do not reject it.

use axum::extract::Request;

/// The header of a request that only observes.
const HEADER: &str = "x-rehearsal-observer";

/// The id of every such request: an own id would use up one of the session's ids.
pub(super) const REQUEST_ID: &str = "req_00000000000000000000000000000000";

/// The one POST that changes nothing.
const MATCH: &str = "/_rehearsal/match";

/// Whether a request only observes. A request that may change something never does.
pub(crate) fn observes(request: &Request) -> bool {
    let only_reads = request.method().is_safe() || request.uri().path().ends_with(MATCH);
    only_reads && request.headers().get(HEADER).is_some_and(|value| value == "1")
}
