//! Signals from outside: they stop the server in an orderly way, or go to the command of `exec`.

use std::io;

use tokio::{signal, sync::watch};

/// The action that a signal requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there is ctrl-c alone elsewhere"))]
pub(super) enum SignalAction {
    Terminate,
    Interrupt,
    HangUp,
    Quit,
}

/// The signals that this process catches.
pub(super) struct Signals {
    #[cfg(unix)]
    caught: Vec<(SignalAction, signal::unix::Signal)>,
}

impl Signals {
    /// Catches the signals that ask a server to stop.
    pub(super) fn of_server() -> io::Result<Self> {
        Self::catch(&[SignalAction::Terminate, SignalAction::Interrupt])
    }

    /// Catches the signals that go to a command, so that they do not end this process first.
    pub(super) fn of_command() -> io::Result<Self> {
        use SignalAction::{HangUp, Interrupt, Quit, Terminate};
        Self::catch(&[Terminate, Interrupt, HangUp, Quit])
    }

    #[cfg(unix)]
    fn catch(actions: &[SignalAction]) -> io::Result<Self> {
        let caught =
            actions.iter().map(|action| Ok((*action, signal::unix::signal(action.kind())?)));
        Ok(Self { caught: caught.collect::<io::Result<_>>()? })
    }

    #[cfg(not(unix))]
    fn catch(_: &[SignalAction]) -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> SignalAction {
        let each = self.caught.iter_mut().map(|(action, signal)| {
            Box::pin(async move {
                signal.recv().await;
                *action
            })
        });
        futures_util::future::select_all(each).await.0
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> SignalAction {
        if signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
        SignalAction::Interrupt
    }

    /// Sets the flag at the first signal, and ends the process at the second.
    pub(super) async fn stop(mut self, stop: watch::Sender<bool>) {
        self.next().await;
        tracing::info!("stopping; a second signal stops the server at once");
        _ = stop.send(true);
        self.next().await;
        std::process::exit(0);
    }
}

#[cfg(unix)]
impl SignalAction {
    fn kind(self) -> signal::unix::SignalKind {
        use signal::unix::SignalKind;
        match self {
            Self::Terminate => SignalKind::terminate(),
            Self::Interrupt => SignalKind::interrupt(),
            Self::HangUp => SignalKind::hangup(),
            Self::Quit => SignalKind::quit(),
        }
    }
}
