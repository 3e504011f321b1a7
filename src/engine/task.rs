//! The task of one open run: how it begins, and how a run ends that cannot continue.

use std::{mem, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    command::RunCommand, cue::PerformanceEnd, error::RunError, event::Event, machine::Input,
    shell::Shell,
};
use crate::{
    clock::ActivityGuard,
    store::{Recovery, StoreError},
    types::run::{LastError, SORRY},
};

/// Sends the events of the run's creation, and performs the run.
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
        Ok(Err(RunError::Unwritten)) => return,
        Ok(Err(stop)) => {
            let stop: &dyn std::error::Error = &stop;
            tracing::error!(run = %shell.objects.run.id, error = stop, "a run stops");
        }
        Err(_) => tracing::error!(run = %shell.objects.run.id, "the task of a run panicked"),
    }
    shell.audience.dismiss(&Event::Error);
    give_up(&mut shell, &mut commands).await;
}

/// The run is gone. Its remaining listeners get the event that it was cancelled: streams always
/// end.
fn end_unseen(shell: &mut Shell) {
    tracing::debug!(run = %shell.objects.run.id, "the thread of a run is gone");
    let now = shell.clock.now();
    for input in [Input::Cancel, Input::Stop(PerformanceEnd::Cancelled)] {
        let shown = shell.objects.apply(shell.machine.handle(input, now));
        shell.performing.turns.see(&shown, shell.machine.used());
        shell.tell(shown);
    }
}

/// Ends the run, so that its thread is not locked for ever. The run fails, unless it has ended
/// already and only its last events could not be written. The task retries until the database
/// accepts the write. Meanwhile clients get a server error.
async fn give_up(shell: &mut Shell, commands: &mut UnboundedReceiver<RunCommand>) {
    let failed = Input::Stop(PerformanceEnd::failed(LastError::server_error(SORRY)));
    let mut shown = shell.objects.apply(shell.machine.handle(failed, shell.clock.now()));
    let mut recovery = Recovery::default();
    loop {
        // Commands come during the wait, as often as clients poll. They do not restart the wait.
        tokio::select! {
            () = refuse_all(commands) => return,
            () = recovery.wait() => {}
        }
        match shell.commit(&mem::take(&mut shown)).await {
            Ok(()) | Err(RunError::Gone | RunError::Unwritten) => return,
            Err(RunError::Store(_) | RunError::Resources(_)) => {}
        }
    }
}

/// Answers commands while writes are impossible. Returns when the run is gone.
async fn refuse_all(commands: &mut UnboundedReceiver<RunCommand>) {
    while let Some(command) = commands.recv().await {
        match command {
            RunCommand::Change { answer, .. } => {
                _ = answer.send(Err(StoreError::Unwritable.into()));
            }
            RunCommand::Poll { answer, .. } => _ = answer.send(()),
            RunCommand::Listen { answer, .. } => _ = answer.send(false),
            RunCommand::Abandon { .. } => return,
        }
    }
}
