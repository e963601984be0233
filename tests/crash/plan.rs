//! What one case does, drawn from its seed alone: the store, and its lives. A life is one opening of the store with what its threads do and
//! which faults they meet, up to a close or a crash.
//!
//! Operations are described without knowing the store; times and events are drawn when they run, from numbers of the plan.

use estore::disk::{After, Call, Crash, Fault, FaultEffect};
use estore::{Compression, Sizes};

use crate::common::rng::Rng;

/// One store and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// `None`: an efile.
    pub(crate) file_size: Option<u64>,
    pub(crate) grace: u64,
    /// Where the writers' time starts.
    pub(crate) start: u64,
    /// How threads take turns.
    pub(crate) turns: Turns,
    pub(crate) lives: Vec<Life>,
}

/// How threads take turns.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Turns {
    /// At every chance any of them.
    Any,
    /// The one that runs goes on, but for one chance in so many.
    Sticky(u64),
    /// The one of the highest priority goes on, until it waits; one chance in so many takes the highest down to the lowest.
    Priorities(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) opening: Opening,
    /// Old chunks go by themselves: by an age of so many chunks and a size of so many bytes, 0 for none.
    pub(crate) limits: Option<(u64, u64)>,
    pub(crate) threads: Vec<Vec<Op>>,
    pub(crate) faults: Vec<Fault>,
    /// The faults count from the opening on; else from after it.
    pub(crate) faults_in_opening: bool,
    /// The disk is full once so many bytes more are used, from after the opening on.
    pub(crate) room: Option<u64>,
    /// Between crash images lie up to so many calls of the disk, ...
    pub(crate) image_gap: u64,
    /// ... and there are no more of them than this.
    pub(crate) image_moments: usize,
    pub(crate) ending: Ending,
}

/// How a life ends, if the power doesn't go before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Close,
    /// The handle is dropped, which closes it.
    Drop,
    /// In the midst of it all.
    Crash,
}

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub(crate) level: Level,
    pub(crate) max_open_logs: usize,
    pub(crate) max_new_chunks: usize,
    pub(crate) no_index: bool,
    pub(crate) sizes: Sizes,
    pub(crate) compression: Option<Compression>,
    /// With a thread for what is due by time.
    pub(crate) background: bool,
}

/// The four durabilities, with numbers that matter on the scale of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Buffered { bytes: usize, nanoseconds: u64 },
    Process,
    Interval(u64),
    Power,
}

/// What a sync that loses pages fails with, and nothing else does.
pub(crate) const PAGES_LOST: i32 = libc::EREMOTEIO;
/// No larger event is taken.
pub(crate) const MAX_EVENT_LEN: u32 = 1_300_000;

/// What a thread does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Append(Batch),
    /// Part of the events were appended before, or are by another thread at the same time.
    AppendAbsent(Batch),
    Sync,
    /// Everything before so many thousandths of a chunk behind the writers' time; so often, one nanosecond further each time.
    DeleteBefore {
        behind: u64,
        times: u64,
    },
    /// By an age of so many chunks and a size of so many bytes; 0 for none.
    Retain {
        chunks: u64,
        bytes: u64,
    },
    /// All chunks, or those of a range around the writers' time; ended after so many calls of its receiver.
    Compact {
        around: Option<(u64, u64)>,
        most: u64,
    },
    /// Into one folder, all of them; ended after so many calls of its receiver.
    Snapshot {
        most: u64,
    },
    /// The clock goes on, and what is due is done.
    Tick(u64),
    /// Somebody sets the clock on the wall, back mostly.
    SetWall(u64),
    OpenReader(Reading),
    /// Up to so many events more from the reader that is open longest.
    Pull(usize),
    /// A handle of its own for reading only, as another process would have.
    ReadBeside(Reading),
    /// Begins to follow the store.
    OpenTail(Tailing),
    /// Up to so many events more from the tail that is open longest; having waited for them, if that is asked for, for so many looks at
    /// the clock.
    PullTail(usize, Option<u64>),
    Count,
    Stats,
    /// Other programs take all space but so many bytes, ...
    Fill(u64),
    /// ... or give it back.
    Free,
    Close,
}

/// Which events a reader is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Everything, or a range around the writers' time of so many thousandths of a chunk before and behind.
    pub(crate) around: Option<(u64, u64)>,
    pub(crate) reverse: bool,
    pub(crate) limit: Option<u64>,
    /// Read so many of them at once.
    pub(crate) pull: usize,
}

/// How a tail begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tailing {
    /// By a handle of its own for reading only, as another process would have; with a thread that looks for news, or without.
    pub(crate) beside: Option<bool>,
    pub(crate) from: From,
    /// Its descriptor is asked for.
    pub(crate) polled: bool,
    /// Take so many events at once.
    pub(crate) pull: usize,
}

/// Behind which seq a tail begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    Start,
    /// What comes next.
    Present,
    /// Where an earlier one had come to, be it in an earlier life: by a number among them.
    Cursor(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    pub(crate) shape: Shape,
    pub(crate) len: usize,
    pub(crate) payload: Payload,
}

/// How the times of a batch lie; lengths of time are in thousandths of a chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Each some time after the one before.
    InOrder(u64),
    Equal,
    /// All behind the writers' time by up to this.
    Late(u64),
    /// In order, each behind by up to the second.
    Disordered(u64, u64),
    /// One event so many chunks ahead, which doesn't move the writers' time.
    FarAhead(u64),
    /// In so many chunks, in no order.
    ManyChunks(u64),
    /// At the ends of time and of chunks.
    Edges,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Payload {
    Empty,
    Short,
    Medium,
    /// One event of more than a megabyte, which takes several writes.
    Large,
    /// One event that is larger than allowed.
    TooLarge,
    /// Identities that this thread has appended before, among new ones.
    Repeats,
}

fn pick<T: Copy>(rng: &mut Rng, list: &[T]) -> T {
    *list.get(rng.index(list.len())).expect("there is something to choose from")
}

/// A number below 2, 4, 8 ... `1 << most`, each as often.
fn scattered(rng: &mut Rng, most: u64) -> u64 {
    let bits = 1 + rng.below(most);
    rng.below(1 << bits)
}

impl Plan {
    pub(crate) fn draw(rng: &mut Rng) -> Plan {
        let file_size = if rng.one_in(6) { None } else { Some(pick(rng, &[100, 1_000, 1_000_000])) };
        let chunk: u64 = file_size.unwrap_or(1_000);
        let grace = match rng.below(4) {
            0 => 0,
            1 => chunk / 10,
            2 => chunk,
            _ => chunk.saturating_mul(100),
        };
        let start = match rng.below(8) {
            0 => 0,
            1 => u64::MAX - chunk.saturating_mul(20),
            _ => chunk.saturating_mul(1_000),
        };
        let turns = match rng.below(4) {
            0 => Turns::Any,
            1 | 2 => Turns::Sticky(2 + scattered(rng, 5)),
            _ => Turns::Priorities(8 + scattered(rng, 8)),
        };
        let lives = 1 + rng.index(4);
        Plan { file_size, grace, start, turns, lives: (0..lives).map(|_| Life::draw(rng)).collect() }
    }
}

impl Life {
    fn draw(rng: &mut Rng) -> Life {
        let mut threads = pick(rng, &[1, 1, 2, 2, 2, 3, 4]);
        let mut flavour = Flavour::draw(rng);
        let mut opening = Opening::draw(rng);
        let mut faults = draw_faults(rng);
        if rng.one_in(2) && faults.iter().any(|fault| matches!(fault.effect, FaultEffect::SyncLosesPages(..))) {
            // A sync that fails while others need it: appends that close logs for others sync too.
            threads = 2 + rng.index(3);
            flavour = Flavour::Writing;
            opening.level = Level::Power;
            opening.max_open_logs = 1 + rng.index(2);
        }
        let ops = 2 + rng.index(40 / threads);
        if rng.one_in(3) {
            faults.push(fault(scattered(rng, 9), None, FaultEffect::Crash, false));
        }
        Life {
            opening,
            limits: rng.one_in(5).then(|| limits(rng)),
            threads: (0..threads).map(|_| (0..ops).map(|_| Op::draw(rng, flavour)).collect()).collect(),
            faults,
            faults_in_opening: rng.one_in(3),
            room: rng.one_in(8).then(|| scattered(rng, 19)),
            image_gap: 2 + scattered(rng, 6),
            image_moments: rng.index(9),
            ending: pick(rng, &[Ending::Close, Ending::Drop, Ending::Crash, Ending::Crash]),
        }
    }
}

impl Opening {
    pub(crate) fn draw(rng: &mut Rng) -> Opening {
        let level = match rng.below(4) {
            0 => Level::Buffered { bytes: 1 + scattered(rng, 12) as usize, nanoseconds: 1_000 },
            1 => Level::Process,
            2 => Level::Interval(1_000),
            _ => Level::Power,
        };
        Opening {
            level,
            max_open_logs: pick(rng, &[1, 2, 3, 64]),
            max_new_chunks: pick(rng, &[1, 3, 100]),
            no_index: rng.one_in(5),
            sizes: if rng.one_in(3) {
                Sizes::default()
            } else {
                Sizes {
                    pending_bytes: scattered(rng, 12),
                    run_frame_bytes: scattered(rng, 10),
                    index_entries: 1 + rng.index(4),
                    journal_slack: scattered(rng, 5),
                    seq_reserve: 1 + scattered(rng, 8),
                    compact_bytes: scattered(rng, 10),
                    compact_newest_bytes: scattered(rng, 12),
                    retain_bytes: scattered(rng, 10),
                    window_bytes: scattered(rng, 14) as usize,
                    ..Sizes::default()
                }
            },
            compression: pick(rng, &[None, Some(Compression::None), Some(Compression::Lz4)]),
            background: rng.one_in(2),
        }
    }
}

fn fault(at: u64, calls: Option<Call>, effect: FaultEffect, forever: bool) -> Fault {
    Fault { at, calls, name: None, effect, forever }
}

/// Faults other than a crash.
pub(crate) fn draw_faults(rng: &mut Rng) -> Vec<Fault> {
    let changing = [
        Call::Write,
        Call::Write,
        Call::Reserve,
        Call::Sync,
        Call::SyncFolder,
        Call::Truncate,
        Call::Open,
        Call::Rename,
        Call::RemoveFile,
        Call::Read,
        Call::Len,
        Call::List,
        Call::Random,
        Call::Forget,
    ];
    let mut faults = Vec::new();
    let kinds = if rng.one_in(3) { 0 } else { 1 + rng.below(2) };
    for _ in 0..kinds {
        let call = if rng.one_in(4) { None } else { Some(pick(rng, &changing)) };
        let at = scattered(rng, if call.is_none() { 8 } else { 5 });
        faults.push(match rng.below(8) {
            0 | 1 => fault(at, call, FaultEffect::Errno(pick(rng, &[libc::EIO, libc::ENOSPC, libc::EDQUOT, libc::EMFILE])), rng.one_in(3)),
            // For good it would be a machine that does nothing else.
            2 => fault(at, call, FaultEffect::Errno(libc::EINTR), false),
            3 => fault(at, Some(pick(rng, &[Call::Read, Call::Write])), FaultEffect::Short, rng.one_in(2)),
            4 | 5 => fault(at, Some(Call::Write), FaultEffect::WriteThenErrno(pick(rng, &[libc::EIO, libc::ENOSPC])), rng.one_in(3)),
            _ => {
                let effect = FaultEffect::SyncLosesPages(PAGES_LOST, pick(rng, &[After::New, After::Old, After::Zero]));
                fault(at, Some(Call::Sync), effect, rng.one_in(8))
            }
        });
    }
    faults
}

/// What most operations of a life are about, so that lives differ.
#[derive(Clone, Copy)]
enum Flavour {
    Mixed,
    /// Many small batches behind the writers' time.
    Late,
    Writing,
    Reading,
    Deleting,
    Compacting,
    /// Tails beside everything else.
    Following,
}

impl Flavour {
    fn draw(rng: &mut Rng) -> Flavour {
        match rng.below(14) {
            0..4 => Flavour::Mixed,
            12 | 13 => Flavour::Following,
            4 => Flavour::Late,
            5..7 => Flavour::Writing,
            7 | 8 => Flavour::Reading,
            9 => Flavour::Deleting,
            _ => Flavour::Compacting,
        }
    }
}

impl Op {
    fn draw(rng: &mut Rng, flavour: Flavour) -> Op {
        match flavour {
            Flavour::Late if rng.below(4) > 0 => {
                Op::Append(Batch { shape: Shape::Late(500), len: 1 + rng.index(3), payload: Payload::Short })
            }
            Flavour::Writing if rng.one_in(2) => Op::Append(Batch::draw(rng)),
            Flavour::Reading if rng.one_in(2) => match rng.below(4) {
                0 => Op::OpenReader(Reading::draw(rng)),
                1 => Op::ReadBeside(Reading::draw(rng)),
                _ => Op::Pull(1 + rng.index(10)),
            },
            Flavour::Deleting if rng.one_in(3) => Op::delete(rng),
            Flavour::Deleting if rng.one_in(4) => Op::retain(rng),
            Flavour::Following if rng.one_in(2) => match rng.below(8) {
                0 => Op::delete(rng),
                1 => Op::compact(rng),
                2 | 3 => Op::OpenTail(Tailing::draw(rng)),
                _ => Op::pull_tail(rng),
            },
            Flavour::Compacting if rng.one_in(4) => Op::compact(rng),
            Flavour::Deleting | Flavour::Compacting if rng.one_in(8) => Op::snapshot(rng),
            _ => match rng.below(47) {
                0..15 => Op::Append(Batch::draw(rng)),
                15..18 => Op::AppendAbsent(Batch::draw(rng)),
                18..21 => Op::Sync,
                21 => Op::delete(rng),
                22 => Op::retain(rng),
                23..26 => Op::Tick(pick(rng, &[0, 500, 1_000, 2_000])),
                26 => Op::SetWall(rng.next() >> rng.below(64)),
                27..30 => Op::OpenReader(Reading::draw(rng)),
                30..33 => Op::Pull(1 + rng.index(20)),
                33 | 34 => Op::ReadBeside(Reading::draw(rng)),
                35 => Op::Count,
                36 => Op::Stats,
                40 | 41 => Op::compact(rng),
                42 | 43 => Op::OpenTail(Tailing::draw(rng)),
                44 | 45 => Op::pull_tail(rng),
                46 => Op::snapshot(rng),
                37 if rng.one_in(2) => Op::Fill(scattered(rng, 17)),
                37 | 38 => Op::Free,
                _ if rng.one_in(4) => Op::Close,
                _ => Op::Sync,
            },
        }
    }

    fn compact(rng: &mut Rng) -> Op {
        Op::Compact {
            around: rng.one_in(3).then(|| (scattered(rng, 12), scattered(rng, 12))),
            most: if rng.one_in(4) { rng.below(6) } else { u64::MAX },
        }
    }

    fn retain(rng: &mut Rng) -> Op {
        let (chunks, bytes) = limits(rng);
        Op::Retain { chunks, bytes }
    }

    fn snapshot(rng: &mut Rng) -> Op {
        Op::Snapshot { most: if rng.one_in(4) { 1 + rng.below(6) } else { u64::MAX } }
    }

    fn pull_tail(rng: &mut Rng) -> Op {
        Op::PullTail(if rng.one_in(3) { usize::MAX } else { 1 + rng.index(10) }, rng.one_in(3).then(|| rng.below(20)))
    }

    fn delete(rng: &mut Rng) -> Op {
        // So many that the journal is written anew for its length.
        Op::DeleteBefore { behind: scattered(rng, 13), times: if rng.one_in(40) { 700 } else { 1 } }
    }
}

/// An age of so many chunks and a size of so many bytes.
fn limits(rng: &mut Rng) -> (u64, u64) {
    match rng.below(3) {
        0 => (1 + rng.below(4), 0),
        1 => (0, 1 + scattered(rng, 14)),
        _ => (1 + rng.below(4), 1 + scattered(rng, 14)),
    }
}

impl Tailing {
    fn draw(rng: &mut Rng) -> Tailing {
        Tailing {
            beside: rng.one_in(2).then(|| rng.one_in(2)),
            from: match rng.below(4) {
                0 | 1 => From::Start,
                2 => From::Present,
                _ => From::Cursor(rng.next()),
            },
            polled: rng.one_in(3),
            pull: if rng.one_in(2) { 0 } else { scattered(rng, 6) as usize },
        }
    }
}

impl Reading {
    fn draw(rng: &mut Rng) -> Reading {
        Reading {
            around: rng.one_in(2).then(|| (scattered(rng, 12), scattered(rng, 12))),
            reverse: rng.one_in(3),
            limit: rng.one_in(4).then(|| scattered(rng, 5)),
            pull: if rng.one_in(2) { usize::MAX } else { rng.index(8) },
        }
    }
}

impl Batch {
    pub(crate) fn draw(rng: &mut Rng) -> Batch {
        let shape = match rng.below(16) {
            0..6 => Shape::InOrder(scattered(rng, 9)),
            6 => Shape::Equal,
            7 | 8 => Shape::Late(scattered(rng, 12)),
            9 | 10 => Shape::Disordered(scattered(rng, 7), scattered(rng, 10)),
            11 => Shape::FarAhead(1 + rng.below(5)),
            12..15 => Shape::ManyChunks(2 + rng.below(4)),
            _ => Shape::Edges,
        };
        let payload = match rng.below(64) {
            0..10 => Payload::Empty,
            10..20 => Payload::Medium,
            20..26 => Payload::Repeats,
            26 => Payload::TooLarge,
            27 if rng.one_in(4) => Payload::Large,
            _ => Payload::Short,
        };
        let len = match rng.below(10) {
            // A batch over several logs can be torn between any two of them.
            0..6 if matches!(shape, Shape::ManyChunks(_)) => 2 + rng.index(4),
            0 => 0,
            1..6 => 1,
            6..9 => 2 + rng.index(8),
            _ => 10 + rng.index(40),
        };
        Batch { shape, len, payload }
    }
}

/// What the power leaves when it goes at one moment: each kind of loss, the random one several times.
pub(crate) fn losses(rng: &mut Rng, random: usize) -> Vec<Crash> {
    let mut losses = vec![Crash::KeepAll, Crash::LoseAll];
    losses.resize(2 + random, Crash::Random);
    rng.shuffle(&mut losses);
    losses
}
