//! Those who follow the store beside all that other threads do to it.

#![allow(unsafe_code)] // polls descriptors

use std::collections::VecDeque;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use estore::disk::{Clock, SimClock};
use estore::{Error, EventRef, Mode, Tail, Tailed};

use crate::common::handle::Handle;
use crate::common::rng::Rng;
use crate::ledger::{Followed, Ledger};
use crate::life::{Cast, Complaints};
use crate::plan::{From, Opening, Tailing};
use crate::story::tell;

/// A clock that goes on whenever somebody looks at it: shuttle has no time, and without any no waiting would ever end.
#[derive(Debug)]
pub(crate) struct Restless(pub(crate) SimClock);

impl Clock for Restless {
    fn wall_ns(&self) -> u64 {
        self.0.wall_ns()
    }

    fn monotonic_ns(&self) -> u64 {
        self.0.advance(1);
        self.0.monotonic_ns()
    }
}

/// A tail, with what it gave so far.
pub(crate) struct Following {
    tail: Tail,
    pub(crate) followed: Followed,
    /// Its descriptor was asked for.
    polled: bool,
    /// Its own, if it follows from beside.
    handle: Option<Handle>,
}

/// Whether there is something to take, as event loops ask.
fn is_readable(tail: &Tail) -> estore::Result<bool> {
    let mut poll = libc::pollfd { fd: tail.fd()?.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: `poll` is valid for reads and writes, and the descriptor is open.
    Ok(unsafe { libc::poll(&mut poll, 1, 0) == 1 })
}

impl Following {
    pub(crate) fn begin(cast: &Cast, thread: usize, tailing: Tailing) -> Option<Following> {
        let ledger = &cast.scene.ledger;
        let began = ledger.now();
        let is_beside = tailing.beside.is_some();
        let opened = tailing.beside.map(|background| {
            let opening = Opening { background, ..cast.opening };
            let options = cast.scene.options(Arc::new(cast.stage.clone()), &opening, &Complaints::default());
            Handle::open(cast.scene.is_efile(), &cast.scene.path(), options.mode(Mode::ReadOnly))
        });
        let made = opened.transpose().and_then(|handle| {
            let by = handle.as_ref().unwrap_or(&cast.handle);
            let after = match tailing.from {
                From::Start => 0,
                From::Present => by.last_seq(),
                From::Cursor(nth) => ledger.cursor(nth),
            };
            Ok((by.tail(after)?, after, handle))
        });
        match made {
            Ok((tail, after, handle)) => {
                if tailing.polled
                    && let Err(e) = tail.fd()
                {
                    cast.check_error("asking for a descriptor", &e, false);
                }
                let followed = Followed {
                    thread,
                    beside: is_beside,
                    buffered: cast.is_buffered(),
                    after,
                    opening: (began, ledger.now()),
                    until: began,
                    given: Vec::new(),
                    gaps: Vec::new(),
                    empty: Vec::new(),
                };
                Some(Following { tail, followed, polled: tailing.polled, handle })
            }
            Err(e) => {
                // A handle for reading only that is being opened may find logs gone, as readers do.
                cast.check_error("beginning to follow", &e, is_beside);
                None
            }
        }
    }

    /// Takes up to `n` events. Whether it may have more, now or later.
    pub(crate) fn pull(&mut self, cast: &Cast, n: usize, wait: Option<u64>, rng: &mut Rng) -> bool {
        let ledger = &cast.scene.ledger;
        let mut left = n;
        let mut waited = None;
        if let Some(looks) = wait {
            match self.tail.wait(Some(Duration::from_nanos(looks))) {
                Ok(something) => waited = Some(something),
                Err(e) => return self.fails(cast, ledger.now(), &e),
            }
        }
        while left > 0 {
            let asked = ledger.now();
            let max = (1 + rng.index(20)).min(left);
            let answer = self.tail.next_batch(max);
            let now = ledger.now();
            self.followed.until = now;
            match answer {
                Ok(Tailed::Events(batch)) => {
                    left -= batch.len();
                    self.followed.given.extend(batch.iter().map(|event: EventRef<'_>| event.to_event()));
                }
                Ok(Tailed::Gap) => self.followed.gaps.push((self.followed.given.len(), now)),
                Ok(Tailed::Nothing) => {
                    if waited == Some(true) {
                        ledger.fail("waiting for a tail ended, and there was nothing".to_owned());
                    }
                    self.followed.empty.push((self.followed.given.len(), asked));
                    break;
                }
                Err(e) => return self.fails(cast, asked, &e),
            }
            waited = None;
        }
        if self.handle.is_some()
            && let Some(event) = self.followed.given.last()
        {
            // What another process has seen, the death of the writer does not take back.
            ledger.flushed(event.seq);
        }
        ledger.has_come_to(self.tail.last_seq());
        true
    }

    /// Whether it may have more in spite of an error.
    fn fails(&mut self, cast: &Cast, asked: u64, e: &Error) -> bool {
        tell!(cast.scene.story, "    a tail of thread {}: {e}", self.followed.thread);
        cast.check_error("following", e, false);
        let is_over = matches!(e, Error::Closed { .. });
        if is_over {
            // Nothing more was there when it was asked.
            self.followed.empty.push((self.followed.given.len(), asked));
        }
        self.followed.until = cast.scene.ledger.now();
        !is_over
    }

    /// When nobody appends any more: whether its descriptor has told of what there is.
    pub(crate) fn check_bell(&mut self, cast: &Cast) {
        // Somebody may be about to hand a buffer over, or to tell of that.
        if !self.polled || self.handle.is_some() || cast.is_buffered() && cast.opening.background {
            return;
        }
        let before = is_readable(&self.tail);
        let something = self.tail.wait(Some(Duration::ZERO));
        if let (Ok(false), Ok(true)) = (before, something) {
            cast.scene.ledger.fail("there is something for a tail, and its descriptor is silent".to_owned());
        }
    }
}

/// The tails of a thread, the one that is open longest first.
#[derive(Default)]
pub(crate) struct Followings(pub(crate) VecDeque<Following>);

impl Followings {
    pub(crate) fn pull_oldest(&mut self, cast: &Cast, n: usize, wait: Option<u64>, rng: &mut Rng) {
        let Some(mut oldest) = self.0.pop_front() else { return };
        if oldest.pull(cast, n, wait, rng) {
            self.0.push_back(oldest);
        } else {
            cast.scene.ledger.followed(oldest.followed);
        }
    }

    /// Lets go of all; what they gave is to be checked.
    pub(crate) fn end(&mut self, ledger: &Ledger) {
        self.0.drain(..).for_each(|following| ledger.followed(following.followed));
    }
}
