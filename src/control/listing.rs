//! Lists of objects in memory: the first item, the number of items, and a body that is written as
//! the client reads it.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::Query;
use crate::{
    http::{error::Result, extract},
    types::{ApiErrorKind, Order},
};

/// The items after the one that `after` names, oldest first unless `order` is `desc`.
pub(super) fn behind<T>(
    mut items: Vec<T>,
    query: &Query,
    noun: &str,
    has_id: impl Fn(&T, &str) -> bool,
) -> Result<Vec<T>> {
    if let Some(order) = query.get("order")
        && extract::order(order.to_owned()).map_err(|kind| ApiErrorKind::invalid("order", kind))?
            == Order::Descending
    {
        items.reverse();
    }
    let Some(id) = query.get("after") else { return Ok(items) };
    let missing = || ApiErrorKind::Missing {
        text: format!("No {noun} found with id '{id}'."),
        param: Some("after"),
    };
    let place = items.iter().position(|item| has_id(item, id)).ok_or_else(missing)?;
    items.drain(..=place);
    Ok(items)
}

/// The list of as many items as the client requests, or of all. Each item is made when the client
/// reads it, so a long list blocks nobody. The layout is that of all JSON here.
pub(super) fn list<T: Send + 'static>(
    mut items: Vec<T>,
    query: &Query,
    show: impl Fn(&T) -> Value + Clone + Send + 'static,
) -> Result<Response> {
    let limit = limit(query)?;
    let has_more = items.len() > limit;
    items.truncate(limit);
    let is_empty = items.is_empty();
    let made = stream::iter(items.into_iter().enumerate()).then(move |(index, item)| {
        let show = show.clone();
        async move {
            let made = tokio::task::spawn_blocking(move || indented(&show(&item)));
            let comma = if index == 0 { "" } else { "," };
            Ok::<_, std::io::Error>(format!(
                "{comma}{}",
                made.await.map_err(std::io::Error::other)?
            ))
        }
    });
    let head = "{\n  \"object\": \"list\",\n  \"data\": [".to_owned();
    let end = if is_empty { "" } else { "\n  " };
    let end = format!("{end}],\n  \"has_more\": {has_more}\n}}");
    let body = stream::iter([Ok(head)]).chain(made).chain(stream::iter([Ok(end)]));
    let json = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, json)], Body::from_stream(body)).into_response())
}

/// The limit of the request, or no limit.
fn limit(query: &Query) -> Result<usize> {
    let Some(given) = query.get("limit") else { return Ok(usize::MAX) };
    let limit =
        extract::limit(given, 1, i64::MAX).map_err(|kind| ApiErrorKind::invalid("limit", kind))?;
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// An item on lines of its own.
fn indented(item: &Value) -> String {
    format!("{item:#}").lines().fold(String::new(), |text, line| text + "\n    " + line)
}
