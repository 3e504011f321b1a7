//! Compaction: the messages of the user stay, and one item replaces everything else that a response
//! would read. Nothing is stored.

use super::{
    super::{error::EngineError, services::RunServices},
    context::{self, Read, ResponseContext},
    creation::{self, ResponseOrder},
};
use crate::{
    clock::chain_of_response,
    types::{
        Id, Item, Usage,
        response::{Compaction, ResponseUsage},
    },
};

impl ResponseOrder {
    /// Compacts what a response like this would read.
    pub(in super::super) async fn compact(
        self,
        at_hand: &RunServices,
    ) -> Result<Compaction, EngineError> {
        let Self { mut request, .. } = self;
        let at = at_hand.clock.now().seconds();
        let context = ResponseContext::load(&at_hand.store, &request, u64::MAX).await?;
        let given = request.input.take().unwrap_or_default().0;
        let given = context::resolved(&at_hand.store, given).await?;
        let chain = request.previous.as_ref().map(chain_of_response);
        let id = at_hand.ids.next_response(chain, false, at);
        let run = creation::run(&request, &request.settings(None, &[]), Id::new(id.as_str()), at);
        let ids = at_hand.ids.of_run(&run.id);
        let named = given.into_iter().enumerate();
        let input: Vec<_> = named
            .map(|(place, item)| item.into_item(|prefix| ids.item(prefix, place, at)))
            .collect();
        let read = context.read(&input);
        let (own, encrypted) = (ids.item("cmp_", input.len(), at), ids.encrypted(input.len()));
        let item = Item::compaction(own, &encrypted, context.questions(&input));
        let usage = usage(&read, read.length(&run), &request.model);
        let asked = read.items.iter().filter(|item| item.role() == Some("user"));
        let output = asked.map(|item| (*item).clone()).chain([item]).collect();
        Ok(Compaction::new(id, at, output, usage))
    }
}

/// A summary is as long as the items that it replaces.
fn usage(read: &Read<'_>, prompt_tokens: u64, model: &str) -> ResponseUsage {
    let replaced = read.items.iter().filter(|item| item.role().is_none_or(|role| role != "user"));
    let completion_tokens = replaced.map(|item| context::tokens_of(model, item)).sum();
    ResponseUsage::new(Usage::new(prompt_tokens, completion_tokens), 0)
}
