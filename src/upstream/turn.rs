//! A turn of an upstream: it is asked on a task of its own, and what it answers comes as it comes.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{
    assistants, chat,
    client::{
        AHEAD, Finish, Turn, TurnError, Upstream, UpstreamKind, UpstreamPiece, UpstreamRequest,
    },
    pieces::PieceSender,
    responses,
};

impl Upstream {
    /// Asks for what comes next in a run. What is answered comes as it comes.
    pub fn ask(self: &Arc<Self>, asked: UpstreamRequest) -> Turn {
        let (sender, pieces) = mpsc::channel(AHEAD);
        let upstream = Arc::clone(self);
        let sender = PieceSender::new(sender, self.own_key());
        let task = tokio::spawn(async move {
            let done = match upstream.kind {
                UpstreamKind::Chat => chat::perform(&upstream, &asked, &sender).await,
                UpstreamKind::Responses => responses::perform(&upstream, &asked, &sender).await,
                UpstreamKind::Assistants => assistants::perform(&upstream, &asked, &sender).await,
            };
            if let Err(TurnError::Upstream(error)) = done {
                let error = upstream.cleaned(error);
                let (run, said) = (&asked.run.id, &error.message);
                tracing::warn!(%run, code = error.code, error = said, "the upstream did not answer");
                _ = sender.give(UpstreamPiece::End(Finish::Unanswered(error))).await;
            }
        });
        Turn { pieces, task }
    }
}
