//! Session: a deploy on one host, step by step over any transport.
//!
//! Plan, lock, send what is missing, stage, test, switch, confirm over a new connection. Several hosts
//! can be prepared before the first is switched. Over a long way the round trips are what takes time:
//! what needs no decision here is asked at once, and the login for the confirmation is made while the
//! server works. The answer is what the server says, or "unknown": never a guess.

pub use super::options::{Options, Progress};

use super::connection::{Connection, PAUSE, Posted, TalkError};
use super::ending::{Ended, Failure, Phase};
use super::prepared::Prepared;
use super::sending::{self, Flushing, Sent};
use super::settle::{Settled, settle};
use super::transport::{Purpose, Transport};
use crate::release::{Package, Release};
use crate::wire::{Base, Frame, Intent, Missing, Plan, RefusalCode, Reply, Request, ServerStatus};
use cellgate_core::digest::Digest;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Release to activate, and the base that must be active before.
#[derive(Debug, Clone, Copy)]
struct Wish {
    release: Digest,
    base: Base,
    intent: Intent,
}

/// A release that was offered to a server, with the lock asked for.
#[derive(Debug)]
pub struct Offered {
    /// Plan of the server.
    pub plan: Plan,
    /// How long a word takes there and back.
    pub round_trip: Duration,
    wish: Wish,
    locking: Posted,
}

/// A conversation with the agent of one host.
pub struct Session<'t, T> {
    transport: &'t T,
    options: Options,
    control: Connection,
}

impl<'t, T: Transport> Session<'t, T> {
    /// Opens the control channel.
    ///
    /// # Errors
    /// [`Failure`]: refused, since nothing was asked yet.
    pub async fn open(transport: &'t T, options: Options) -> Result<Self, Failure> {
        let connection = Connection::open(transport, Purpose::Control).await;
        let control = connection.map_err(|error| Failure::in_phase(Phase::Before, error))?;
        Ok(Self { transport, options, control })
    }

    /// Asks for the status of the server; `verify` has every byte compared.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn status(&mut self, verify: bool) -> Result<ServerStatus, Failure> {
        let status = self.control.status(verify).await;
        status.map_err(|error| Failure::in_phase(Phase::Before, error))
    }

    /// Asks what a deploy would send, and why it would be refused.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn plan(&mut self, release: &Release) -> Result<Plan, Failure> {
        let reply = self.control.ask(Request::Plan, release.bytes().to_vec()).await;
        reply.and_then(plan_of).map_err(|error| Failure::in_phase(Phase::Before, error))
    }

    /// Asks for anything that changes nothing: log, scrub, a file; or for pruning.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn request(&mut self, request: Request) -> Result<Frame<Reply>, Failure> {
        let reply = self.control.ask(request, Vec::new()).await;
        reply.map_err(|error| Failure::in_phase(Phase::Before, error))
    }

    /// Offers a release, and asks for the lock in the same breath: the server gives it only where the
    /// release is not active yet and there is no reason to refuse.
    ///
    /// `base` is what must be active for that.
    ///
    /// # Errors
    /// [`Failure`] of the plan; whether there is a lock says [`Session::prepare_offered`].
    pub async fn offer(&mut self, release: &Release, base: Base) -> Result<Offered, Failure> {
        let offer = self.try_offer(release, base).await;
        offer.map_err(|error| Failure::in_phase(Phase::Before, error))
    }

    async fn try_offer(&mut self, release: &Release, base: Base) -> Result<Offered, TalkError> {
        let start = Instant::now();
        let ping = self.control.post(Request::Ping, Vec::new()).await?;
        let planning = self.control.post(Request::Plan, release.bytes().to_vec()).await?;
        let wish = Wish { release: release.id(), base, intent: Intent::Deploy };
        let locking = self.control.post(self.lock_request(wish), Vec::new()).await?;
        self.control.answer(ping).await?;
        let round_trip = start.elapsed();
        let plan = plan_of(self.control.answer(planning).await?)?;
        Ok(Offered { plan, round_trip, wish, locking })
    }

    /// Brings a release onto the server and lets it test itself; what is active stays so.
    ///
    /// `base` is what a plan saw active; the server refuses when that has changed.
    ///
    /// # Errors
    /// [`Failure`]; what is active is untouched.
    pub async fn prepare(
        &mut self,
        package: &Arc<Package>,
        base: Option<Digest>,
    ) -> Result<Prepared, Failure> {
        let offered = self.offer(package.release(), Base::Active(base)).await?;
        self.prepare_offered(package, offered).await
    }

    /// Goes on with a release that was offered.
    ///
    /// # Errors
    /// [`Failure`]; what is active is untouched.
    pub async fn prepare_offered(
        &mut self,
        package: &Arc<Package>,
        offered: Offered,
    ) -> Result<Prepared, Failure> {
        let Offered { plan, round_trip, wish, locking } = offered;
        let (token, missing) = self.lock(wish, Some(locking)).await?;
        let sent = self.send(package, token, round_trip, missing).await?;
        let mut n_sent = sent.n_bytes;
        // From here on the server works, and the login costs nobody any time.
        self.transport.log_in_ahead();
        if let Some(damaged) = self.stage_and_test(token, sent.flushing).await? {
            let resent = self.send(package, token, round_trip, damaged).await?;
            n_sent += resent.n_bytes;
            if self.stage_and_test(token, resent.flushing).await?.is_some() {
                return Err(Failure::new(Ended::Failed, "blobs were damaged on their way twice"));
            }
        }
        let base = match wish.base {
            Base::Planned => plan.active,
            Base::Active(base) => base,
        };
        Ok(Prepared { token, release: wish.release, base, n_sent })
    }

    /// Makes a former release ready to be switched back to.
    ///
    /// # Errors
    /// [`Failure`]; what is active is untouched.
    pub async fn prepare_rollback(
        &mut self,
        to: Digest,
        base: Option<Digest>,
    ) -> Result<Prepared, Failure> {
        let wish = Wish { release: to, base: Base::Active(base), intent: Intent::Rollback };
        let (token, missing) = self.lock(wish, None).await?;
        self.transport.log_in_ahead();
        let is_whole = missing.is_empty() && self.stage_and_test(token, None).await?.is_none();
        if !is_whole {
            let text = format!("release {} is damaged on the server; deploy it again", to.short());
            return Err(Failure::new(Ended::Refused, text));
        }
        Ok(Prepared { token, release: to, base, n_sent: 0 })
    }

    /// Makes a prepared release the active one, until it is confirmed or the window is over.
    ///
    /// # Errors
    /// [`Failure`]: the former release is active, or what is active is not known.
    pub async fn switch(&mut self, prepared: &Prepared) -> Result<(), Failure> {
        (self.options.progress)(Progress::Switching);
        let window_ms = self.options.window.as_millis() as u64;
        let request = Request::Switch { token: prepared.token, window_ms };
        let error = match self.control.ask(request, Vec::new()).await {
            Ok(Frame { header: Reply::Pending { .. }, .. }) => return Ok(()),
            Ok(_) => TalkError::Unexpected,
            Err(error) => error,
        };
        // The answer may be lost and the switch done: the server is asked.
        match settle(self.transport, &self.options, prepared, error).await {
            Ok(Settled::Pending | Settled::Confirmed) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Switches and confirms; the way to the agent that confirms is opened while the server switches.
    ///
    /// # Errors
    /// [`Failure`]: the former release is active, or what is active is not known.
    pub async fn switch_and_confirm(
        &mut self,
        prepared: &Prepared,
    ) -> Result<Vec<String>, Failure> {
        let mut login = std::pin::pin!(Connection::open(self.transport, Purpose::Confirm));
        let mut connection = None;
        {
            let mut switching = std::pin::pin!(self.switch(prepared));
            loop {
                tokio::select! {
                    biased;
                    result = &mut switching => break result?,
                    result = &mut login, if connection.is_none() => connection = Some(result),
                }
            }
        }
        let connection = match connection {
            Some(connection) => connection,
            None => login.await,
        };
        self.retry_confirm(prepared, Some(connection)).await
    }

    /// Confirms over a connection that is new from the ground up, and prunes.
    ///
    /// # Errors
    /// [`Failure`]: the former release is active, or what is active is not known.
    pub async fn confirm(&mut self, prepared: &Prepared) -> Result<Vec<String>, Failure> {
        self.retry_confirm(prepared, None).await
    }

    /// Confirms, at first over a connection that may be there already.
    async fn retry_confirm(
        &mut self,
        prepared: &Prepared,
        mut first: Option<Result<Connection, TalkError>>,
    ) -> Result<Vec<String>, Failure> {
        (self.options.progress)(Progress::Confirming);
        let until = Instant::now() + self.options.window + self.options.grace;
        let mut last;
        loop {
            let connection = match first.take() {
                Some(first) => first,
                None => Connection::open(self.transport, Purpose::Confirm).await,
            };
            match self.confirm_once(prepared.token, connection).await {
                Ok(warnings) => return Ok(warnings),
                Err(error) => last = error,
            }
            if let TalkError::Refused(refusal) = &last
                && matches!(refusal.code, RefusalCode::RolledBack | RefusalCode::Stranded)
            {
                return Err(Failure::in_phase(Phase::After, last));
            }
            if until <= Instant::now() {
                break;
            }
            sleep(PAUSE).await;
            if let TalkError::Refused(refusal) = &last
                && refusal.code == RefusalCode::Fenced
            {
                break;
            }
        }
        match settle(self.transport, &self.options, prepared, last).await? {
            Settled::Confirmed => Ok(Vec::new()),
            Settled::Pending => {
                let text = "the release could not be confirmed and is about to be rolled back";
                Err(Failure::new(Ended::Unknown, text))
            }
        }
    }

    /// Rolls back what was switched to, or gives the lock back.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn abort(&mut self, prepared: &Prepared, reason: &str) -> Result<(), Failure> {
        let request = Request::Abort { token: prepared.token, reason: reason.to_owned() };
        match self.control.ask(request.clone(), Vec::new()).await {
            Ok(_) => Ok(()),
            Err(TalkError::Refused(refusal)) => {
                Err(Failure::in_phase(Phase::After, TalkError::Refused(refusal)))
            }
            Err(_) => {
                let connection = Connection::open(self.transport, Purpose::Confirm).await;
                let result = match connection {
                    Ok(mut connection) => connection.ask(request, Vec::new()).await.map(drop),
                    Err(error) => Err(error),
                };
                result.map_err(|error| Failure::in_phase(Phase::After, error))
            }
        }
    }

    fn lock_request(&self, Wish { release, base, intent }: Wish) -> Request {
        let Options { key, owner, .. } = self.options.clone();
        Request::Lock { key, owner, release, base, intent }
    }

    /// Takes the lock, as long as somebody else has it again and again; `posted` is a first try
    /// that is on its way.
    async fn lock(
        &mut self,
        wish: Wish,
        mut posted: Option<Posted>,
    ) -> Result<(u64, Vec<Missing>), Failure> {
        let until = Instant::now() + self.options.lock_wait;
        loop {
            let reply = match posted.take() {
                Some(posted) => self.control.answer(posted).await,
                None => self.control.ask(self.lock_request(wish), Vec::new()).await,
            };
            let error = match reply {
                Ok(Frame { header: Reply::Locked { token, missing }, .. }) => {
                    return Ok((token, missing));
                }
                Ok(_) => TalkError::Unexpected,
                Err(error) => error,
            };
            let retry = match &error {
                TalkError::Refused(refusal) => refusal.retry_ms.map(Duration::from_millis),
                _ => None,
            };
            let remaining = until.saturating_duration_since(Instant::now());
            let Some(pause) = retry.filter(|_| !remaining.is_zero()) else {
                return Err(Failure::in_phase(Phase::Before, error));
            };
            (self.options.progress)(Progress::Waiting);
            sleep(pause.min(remaining)).await;
        }
    }

    async fn send(
        &mut self,
        package: &Arc<Package>,
        token: u64,
        round_trip: Duration,
        missing: Vec<Missing>,
    ) -> Result<Sent, Failure> {
        let (transport, options, control) = (self.transport, &self.options, &mut self.control);
        let sent = sending::send(transport, options, control, package, token, round_trip, missing);
        sent.await.map_err(|error| Failure::in_phase(Phase::Prepared, error))
    }

    /// Lets the server build the release and the release test itself, both asked at once: what is not
    /// staged is not tested. Gives what was damaged on its way.
    async fn stage_and_test(
        &mut self,
        token: u64,
        flushing: Option<Flushing>,
    ) -> Result<Option<Vec<Missing>>, Failure> {
        let result = self.try_stage_and_test(token, flushing).await;
        result.map_err(|error| Failure::in_phase(Phase::Prepared, error))
    }

    async fn try_stage_and_test(
        &mut self,
        token: u64,
        flushing: Option<Flushing>,
    ) -> Result<Option<Vec<Missing>>, TalkError> {
        let staging = self.control.post(Request::Stage { token }, Vec::new()).await?;
        let testing = self.control.post(Request::SelfTest { token }, Vec::new()).await?;
        if let Some(flushing) = flushing {
            sending::wait_for_flush(&self.control, flushing).await?;
        }
        (self.options.progress)(Progress::Staging);
        match self.control.answer(staging).await?.header {
            Reply::Staged => {}
            Reply::Damaged { missing } => return Ok(Some(missing)),
            _ => return Err(TalkError::Unexpected),
        }
        (self.options.progress)(Progress::Testing);
        match self.control.answer(testing).await?.header {
            Reply::SelfTested { .. } => Ok(None),
            _ => Err(TalkError::Unexpected),
        }
    }

    async fn confirm_once(
        &self,
        token: u64,
        connection: Result<Connection, TalkError>,
    ) -> Result<Vec<String>, TalkError> {
        let mut connection = connection?;
        let confirming = connection.post(Request::Confirm { token }, Vec::new()).await?;
        // What is not confirmed is needed, and is not pruned.
        let keep = self.options.keep;
        let pruning = connection.post(Request::Prune { keep }, Vec::new()).await;
        match connection.answer(confirming).await?.header {
            Reply::Confirmed { .. } => {}
            _ => return Err(TalkError::Unexpected),
        }
        let reply = match pruning {
            Ok(pruning) => connection.answer(pruning).await.map(drop),
            Err(error) => Err(error),
        };
        let warning = reply.err().map(|error| format!("old releases were not removed: {error}"));
        Ok(warning.into_iter().collect())
    }
}

fn plan_of(answer: Frame<Reply>) -> Result<Plan, TalkError> {
    match answer.header {
        Reply::Plan(plan) => Ok(plan),
        _ => Err(TalkError::Unexpected),
    }
}
