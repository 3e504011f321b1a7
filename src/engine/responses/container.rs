//! The container in which the code interpreter of a response works: the one that its tool names, the
//! one that the calls before it have used, or a new one.

use super::{
    super::{error::EngineError, services::RunServices},
    context::{Read, ResponseContainer},
};
use crate::knowledge::KnowledgeError;
use crate::types::{
    ApiErrorKind, Container, Id,
    container::{NewContainer, ToolContainer},
    response::{item::CODE_INTERPRETER_CALL, request::NewResponse},
};

/// Finds the container, and refuses one that cannot be used. `fresh` is the id of a new one.
pub(super) async fn choose(
    at_hand: &RunServices,
    request: &NewResponse,
    read: &Read<'_>,
    fresh: Id<Container>,
) -> Result<ResponseContainer, EngineError> {
    let tool = request.tools.iter().find_map(|tool| tool.container());
    let new = match &tool {
        None => NewContainer::default(),
        Some(ToolContainer::Named(id)) => {
            return running(at_hand, id).await?.ok_or(EngineError::Refused(EXPIRED));
        }
        Some(ToolContainer::Auto(new)) => new.clone(),
    };
    if let Some(used) = last_used(read)
        && let Ok(Some(reused)) = running(at_hand, &used).await
    {
        return Ok(reused);
    }
    if tool.is_some() {
        // Reported: it is there before the model calls the tool.
        at_hand.knowledge.make_container(fresh.clone(), &new).await?;
    }
    Ok(ResponseContainer { id: fresh, new: Some(new) })
}

const EXPIRED: ApiErrorKind = ApiErrorKind::ContainerExpired;

/// A container, unless it has expired.
async fn running(
    at_hand: &RunServices,
    id: &Id<Container>,
) -> Result<Option<ResponseContainer>, EngineError> {
    match at_hand.knowledge.running_container(id).await {
        Ok(_) => Ok(Some(ResponseContainer { id: id.clone(), new: None })),
        Err(KnowledgeError::ContainerExpired) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The container of the newest call of a code interpreter.
fn last_used(read: &Read<'_>) -> Option<Id<Container>> {
    let call = read.items.iter().rfind(|item| item.is(CODE_INTERPRETER_CALL))?;
    call.text_at("container_id").map(Id::new)
}
