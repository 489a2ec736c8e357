//! Conversation: requests of one connection, answered in their order.
//!
//! A thread reads frames, so that the end of the other side is noticed while something long is done.
//! When the other side is gone, what was not switched is given up; what was switched is watched until
//! it is confirmed over another connection or rolled back.

use super::disk::manifest;
use super::intake::Intake;
use super::journal;
use super::prune;
use super::receive::Chunk;
use super::record::Change;
use super::refuse::{Refused, io_refusal, protocol_refusal, refusal};
use super::sign::Sign;
use super::state::Event;
use super::status;
use super::work::{self, Held, Planned, Working};
use super::world::World;
use crate::wire::{
    Envelope, Frame, MAX_RAW_BYTES, RefusalCode, Reply, Request, WireError, read_frame, write_frame,
};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Between two looks at locks and deadlines.
const TICK: Duration = Duration::from_millis(100);
/// Frames that are read ahead.
const N_AHEAD: usize = 4;

type Incoming = Frame<Envelope<Request>>;

/// Answers requests until the other side is gone.
///
/// # Errors
/// [`WireError`] when the other side cannot be understood; its end is no error.
pub(super) fn converse<R, W>(world: &World, reader: R, writer: W) -> Result<Option<u64>, WireError>
where
    R: Read + Send + 'static,
    W: Write,
{
    let is_gone = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = sync_channel(N_AHEAD);
    let flag = is_gone.clone();
    // Ends with its stream or with the process; nobody waits for it.
    std::thread::spawn(move || listen(reader, &sender, &flag));
    let mut conversation = Conversation {
        world,
        writer,
        is_gone,
        held: None,
        working: None,
        switched: None,
        intake: Intake::default(),
        planned: None,
    };
    let result = conversation.answer_all(&receiver);
    conversation.give_up("the connection to the deploying side ended");
    result.map(|()| conversation.switched)
}

fn listen<R: Read>(
    mut reader: R,
    sender: &SyncSender<Result<Incoming, WireError>>,
    is_gone: &AtomicBool,
) {
    loop {
        let frame = read_frame(&mut reader);
        let is_last = frame.is_err();
        if is_last {
            is_gone.store(true, Ordering::Relaxed);
        }
        if sender.send(frame).is_err() || is_last {
            return;
        }
    }
}

struct Conversation<'w, W> {
    world: &'w World,
    writer: W,
    is_gone: Arc<AtomicBool>,
    held: Option<Held>,
    working: Option<Working>,
    /// Token of what was switched to on this connection.
    switched: Option<u64>,
    /// Chunks that arrive here.
    intake: Intake,
    /// Latest plan on this connection, and its release.
    planned: Option<Planned>,
}

impl<W: Write> Conversation<'_, W> {
    fn answer_all(
        &mut self,
        receiver: &Receiver<Result<Incoming, WireError>>,
    ) -> Result<(), WireError> {
        let mut last_frame = Instant::now();
        loop {
            match receiver.recv_timeout(TICK) {
                Ok(Ok(frame)) => {
                    self.answer(frame)?;
                    last_frame = Instant::now();
                }
                Ok(Err(WireError::Ended | WireError::Torn | WireError::Io(_)))
                | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Err(error)) => {
                    let help = "use the same version on both sides, and try again";
                    let refusal = refusal(RefusalCode::Protocol, error.to_string(), help);
                    // The other side may be gone already; the error is reported in either case.
                    let _ = self.send_reply(0, Reply::Refused(refusal), &[]);
                    return Err(error);
                }
                Err(RecvTimeoutError::Timeout) if self.world.silence < last_frame.elapsed() => {
                    return Ok(());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.tick();
        }
    }

    /// Renews the lock; a deadline that is over is noticed here, too.
    fn tick(&mut self) {
        if let Some(held) = &mut self.held
            && held.lock.renew_if_due(self.world).is_err()
        {
            self.give_up("the lock could not be renewed");
        }
        if self.switched.is_some_and(|token| is_expired(self.world, token)) {
            // The first agent does it; the others find it done.
            let _ = Held::take_briefly(self.world, "the agent that switched");
        }
    }

    fn answer(&mut self, frame: Incoming) -> Result<(), WireError> {
        let Envelope { id, body } = frame.header;
        if let Request::Chunk { token, sha256, size, offset } = body {
            let chunk = Chunk { sha256, size, offset, bytes: &frame.raw };
            return match self.intake.store_chunk(self.world, token, &chunk) {
                Ok(()) => Ok(()),
                Err(refused) => self.send_reply(id, Reply::Refused(*refused), &[]),
            };
        }
        let (reply, raw) = match self.reply(id, body, &frame.raw) {
            Ok(answer) => answer,
            Err(refused) => {
                self.handle_refusal(&refused);
                (Reply::Refused(*refused), Vec::new())
            }
        };
        self.send_reply(id, reply, &raw)
    }

    fn send_reply(&mut self, id: u64, body: Reply, raw: &[u8]) -> Result<(), WireError> {
        if let Reply::Confirmed { release } = &body {
            // From here on nothing may take it back, the loss of power included.
            let change = || Change::Told(release.to_string());
            self.world.root.faults().recorder.record(change);
        }
        write_frame(&mut self.writer, &Envelope { id, body }, raw)
    }

    /// Answers what changes nothing; what does is done by [`Conversation::act`].
    fn reply(
        &mut self,
        id: u64,
        request: Request,
        raw: &[u8],
    ) -> Result<(Reply, Vec<u8>), Refused> {
        let world = self.world;
        let mut sign = Sign::new(&mut self.writer, &self.is_gone, id);
        let reply = match request {
            Request::Ping => Reply::Pong,
            Request::Status { verify } => {
                Reply::Status(Box::new(status::status(world, verify, &mut |n| sign.advance(n))?))
            }
            Request::Plan => {
                self.planned = None;
                let planned = work::plan(world, raw, &mut |n| sign.advance(n))?;
                let plan = planned.plan.clone();
                self.planned = Some(planned);
                Reply::Plan(plan)
            }
            Request::Flush => self.intake.flush()?,
            Request::Scrub => {
                let state = journal::peek(world)?.state;
                prune::scrub(world, &state, &mut |n| sign.advance(n))?
            }
            Request::Log { max } => status::log(world, max)?,
            Request::Read { path } => return Ok((Reply::Content, read(world, &path)?)),
            act @ (Request::Lock { .. }
            | Request::Chunk { .. }
            | Request::Stage { .. }
            | Request::SelfTest { .. }
            | Request::Switch { .. }
            | Request::Confirm { .. }
            | Request::Abort { .. }
            | Request::Prune { .. }) => self.act(id, act)?,
        };
        Ok((reply, Vec::new()))
    }

    fn act(&mut self, id: u64, request: Request) -> Result<Reply, Refused> {
        let world = self.world;
        let mut sign = Sign::new(&mut self.writer, &self.is_gone, id);
        Ok(match request {
            Request::Lock { key, owner, release, base, intent } => {
                if self.held.is_some() || self.switched.is_some() {
                    return Err(protocol_refusal("this connection has a deploy already"));
                }
                let planned = self.planned.as_ref();
                let (release, base) =
                    work::release_and_base(world, planned, release, base, intent)?;
                let deploy = work::begin(world, release, &key, &owner, base, intent)?;
                let (held, working, missing) = deploy;
                let token = working.token;
                (self.held, self.working) = (Some(held), Some(working));
                Reply::Locked { token, missing }
            }
            Request::Stage { token } => {
                let (held, working) = current_deploy(&mut self.held, &self.working, token)?;
                let Held { lock, journal } = held;
                let mut pulse = |n| lock.renew_if_due(world).and_then(|()| sign.advance(n));
                work::stage(world, journal, working, &mut pulse)?
            }
            Request::SelfTest { token } => {
                sign.step = "testing";
                let (held, working) = current_deploy(&mut self.held, &self.working, token)?;
                let Held { lock, journal } = held;
                let mut pulse = || lock.renew_if_due(world).and_then(|()| sign.advance(0));
                work::test(world, journal, working, &mut pulse)?
            }
            Request::Switch { token, window_ms } => self.switch(token, window_ms)?,
            Request::Confirm { token } => {
                if self.switched == Some(token) {
                    return Err(protocol_refusal("a confirmation comes over another connection"));
                }
                Reply::Confirmed { release: work::confirm(world, token)? }
            }
            Request::Abort { token, reason } => self.abort(token, &reason)?,
            Request::Prune { keep } => {
                let mut held = Held::take_briefly(world, "pruning")?;
                prune::prune(world, &mut held.journal, keep)?
            }
            Request::Ping
            | Request::Status { .. }
            | Request::Plan
            | Request::Chunk { .. }
            | Request::Flush
            | Request::Scrub
            | Request::Log { .. }
            | Request::Read { .. } => return Err(protocol_refusal("this request changes nothing")),
        })
    }

    fn switch(&mut self, token: u64, window_ms: u64) -> Result<Reply, Refused> {
        if self.switched == Some(token) {
            let pending = journal::peek(self.world)?.state.pending;
            let pending = pending.filter(|pending| pending.token == token);
            let left_ms = pending.map(|pending| work::left_ms(self.world, &pending));
            return left_ms
                .map(|left_ms| Reply::Pending { left_ms })
                .ok_or_else(|| protocol_refusal("what was switched to is not pending any more"));
        }
        let (held, working) = current_deploy(&mut self.held, &self.working, token)?;
        let pending = work::switch(self.world, &mut held.journal, working, window_ms)?;
        // From here on any holder of the lock may confirm or roll back.
        self.switched = Some(token);
        (self.held, self.working) = (None, None);
        Ok(Reply::Pending { left_ms: work::left_ms(self.world, &pending) })
    }

    fn abort(&mut self, token: u64, reason: &str) -> Result<Reply, Refused> {
        if let (Some(_), Some(working)) = (&self.held, &self.working)
            && working.token == token
        {
            self.give_up(reason);
        } else {
            work::revoke(self.world, token, reason)?;
        }
        let active = journal::peek(self.world)?.state.active;
        Ok(Reply::Aborted { active })
    }

    /// A refusal may be the end of a deploy.
    fn handle_refusal(&mut self, refused: &Refused) {
        match refused.code {
            RefusalCode::SelfTest | RefusalCode::NotApproved | RefusalCode::Cancelled => {
                self.give_up(&refused.message);
            }
            // What the journal has on disk is to be read again before anything else is done.
            RefusalCode::Failed | RefusalCode::RolledBack | RefusalCode::Stranded => {
                (self.held, self.working) = (None, None);
            }
            _ => {}
        }
    }

    /// Gives the lock back; what was switched to stays pending.
    fn give_up(&mut self, reason: &str) {
        if let (Some(mut held), Some(working)) = (self.held.take(), self.working.take()) {
            let reason = reason.chars().filter(|c| !c.is_control()).take(300).collect();
            // Where it cannot be written, the next deploy finds a begun one, which means the same.
            let _ =
                held.journal.append(self.world, Event::Aborted { token: working.token, reason });
        }
    }
}

/// The deploy that this connection has the lock for.
fn current_deploy<'a>(
    held: &'a mut Option<Held>,
    working: &'a Option<Working>,
    token: u64,
) -> Result<(&'a mut Held, &'a Working), Refused> {
    match (held, working) {
        (Some(held), Some(working)) if working.token == token => Ok((held, working)),
        _ => {
            let help = "the deploy is over; begin it again";
            Err(refusal(RefusalCode::Fenced, "this connection does not have the lock", help).into())
        }
    }
}

/// Whether what was switched to with a token waits beyond its time.
fn is_expired(world: &World, token: u64) -> bool {
    let pending = journal::peek(world).ok().and_then(|journal| journal.state.pending);
    pending.is_some_and(|pending| pending.token == token && work::left_ms(world, &pending) == 0)
}

/// A small file of the active release.
fn read(world: &World, path: &str) -> Result<Vec<u8>, Refused> {
    let state = journal::peek(world)?.state;
    let active = state.active.ok_or_else(|| protocol_refusal("nothing is active"))?;
    let release = manifest(world, active)?;
    let file = release.file(path).filter(|file| file.size <= MAX_RAW_BYTES as u64);
    let file = file.ok_or_else(|| {
        let message = format!(
            "`{}` is no small file of the release",
            crate::release::path::escape_for_display(path)
        );
        Box::new(refusal(RefusalCode::Unknown, message, "look at its manifest"))
    })?;
    let id = active.to_string();
    let mut names: Vec<&str> = ["releases", &id].into_iter().chain(file.path.split('/')).collect();
    let name = names.pop().unwrap_or_default();
    let folder = world.root.walk(names).map_err(io_refusal("the release"))?;
    let bytes = folder.read(name, MAX_RAW_BYTES as u64).map_err(io_refusal("the release"))?;
    bytes.ok_or_else(|| io_refusal("the release")(std::io::ErrorKind::NotFound.into()))
}
