//! The task of one open run: how it begins, and what becomes of a run that cannot go on.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    command::RunCommand, cue::PerformanceEnd, error::RunError, event::Event, machine::Input,
    shell::Shell,
};
use crate::{
    clock::ActivityGuard,
    store::Recovery,
    types::run::{LastError, SORRY},
};

/// Tells how the run came to be, and performs it.
pub(super) async fn run(
    mut shell: Shell,
    created: Vec<Event>,
    first: Option<Input>,
    mut commands: UnboundedReceiver<RunCommand>,
    activity: ActivityGuard,
) {
    shell.audience.send(created);
    let to_end = async {
        if let Some(input) = first {
            let told = shell.take(input).await?;
            shell.audience.send(told);
        }
        shell.perform(&mut commands, activity).await
    };
    match AssertUnwindSafe(to_end).catch_unwind().await {
        Ok(Ok(())) => return,
        Ok(Err(RunError::Gone)) => return end_unseen(&mut shell),
        Ok(Err(stop)) => {
            let stop: &dyn std::error::Error = &stop;
            tracing::error!(run = %shell.objects.run.id, error = stop, "a run stops");
        }
        Err(_) => tracing::error!(run = %shell.objects.run.id, "the task of a run panicked"),
    }
    shell.audience.dismiss(&Event::Error);
    give_up(&mut shell).await;
}

/// The run is gone. Whoever still listens is told that it was cancelled: streams end, always.
fn end_unseen(shell: &mut Shell) {
    tracing::debug!(run = %shell.objects.run.id, "the thread of a run is gone");
    let now = shell.clock.now();
    for input in [Input::Cancel, Input::Stop(PerformanceEnd::Cancelled)] {
        let shown = shell.objects.apply(shell.machine.handle(input, now));
        shell.audience.send(shown);
    }
}

/// Ends the run as failed, so that its thread is not locked for ever. A database that cannot be
/// written to is given a while to recover; after that it is for a restart to take the run up.
async fn give_up(shell: &mut Shell) {
    let failed = Input::Stop(PerformanceEnd::failed(LastError::server_error(SORRY)));
    let shown = shell.objects.apply(shell.machine.handle(failed, shell.clock.now()));
    let mut recovery = Recovery::default();
    while recovery.wait().await {
        if let Ok(()) | Err(RunError::Gone) = shell.commit(&shown).await {
            return;
        }
    }
    tracing::error!(run = %shell.objects.run.id, "a run stays as it is until a restart");
}
