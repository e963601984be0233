//! Recovery: what of a log counts, after its writer did not close it.
//!
//! ```text
//!   log   ═══ frames below D ═══│── frames above D, ≤ S ──│ parts of a batch without END, torn bytes, zeros
//!         never cut: a bad one  │ kept                    │ cut, and kept aside in N-G.cut
//!         is damage             │                         │
//! ```
//!
//! `D` is the largest seq that is known to survive loss of power, as any frame of any active log or the journal tells. `S` is the end of the
//! last batch that is whole. A bad stretch before something that is at or below `D` is damage: it stays where it is and is reported.
//! A bad stretch with nothing durable behind it can't be told from a torn tail: the log is cut there, and since it may be damage all
//! the same the cut bytes are kept. Where the journal is lost, which knows most of `D`, only that is cut which nothing whole comes after.
//!
//! This runs in two passes, since `S` and `D` are known only after all active logs were looked at: [`survey`] each, then [`Survey::settle`].

use crate::disk::Handle;
use crate::error::Result;
use crate::event::Key;
use crate::planted::{self, Bug};

use super::frame::{END, Header, LAST, LATE};
use super::index::Damage;
use super::log::{LOG_HEADER_LEN, Stretch, Walk};

/// What the walk over the part of a log that may have changed found.
#[derive(Debug)]
pub(crate) struct Survey {
    from: u64,
    /// The stretches that are not whole frames, in order.
    bad: Vec<Bad>,
    /// Ends of batches in this log: where, and the batch.
    lasts: Vec<(u64, u64)>,
    /// Ends of whole batches.
    ends: Vec<(u64, u64)>,
    /// Zeros at the very end start here.
    zeros: u64,
    /// There is no such file, or nothing in it.
    gone: bool,
    /// The largest durable seq that any header names.
    pub(crate) durable: u64,
    /// The largest seq that any header names.
    pub(crate) seq_high: u64,
}

#[derive(Debug)]
struct Bad {
    offset: u64,
    len: u64,
    what: &'static str,
    /// The batch of the frame whose body is bad, or else of the next whole frame; no larger than any batch after it.
    batch: Option<u64>,
}

/// What counts of a log.
#[derive(Debug)]
pub(crate) struct Settled {
    /// Up to here.
    pub(crate) len: u64,
    /// Damage before that.
    pub(crate) damage: Vec<Damage>,
    /// Bytes behind it that are not just room set aside.
    pub(crate) cut: u64,
    /// Why bytes were cut, if not only for belonging to a batch that was not finished.
    pub(crate) torn: Option<&'static str>,
    /// There is no such file, or nothing in it.
    pub(crate) gone: bool,
}

/// Walks over a log from `from`, up to where it is known to be whole and durable, to its end.
///
/// Since the log was that long nothing was written to it with a seq up to `known`. So an older frame behind `from` is one that an earlier
/// recovery has cut off, and that loss of power brought back.
///
/// `beside`: its writer may be at work, and what is zeros is room of its.
pub(crate) fn survey(file: &Handle, instance: u64, from: u64, known: u64, beside: bool) -> Result<Survey> {
    let file_len = file.len()?;
    let mut survey = Survey {
        from,
        bad: Vec::new(),
        lasts: Vec::new(),
        ends: Vec::new(),
        zeros: file_len.max(from),
        gone: false,
        durable: 0,
        seq_high: 0,
    };
    if file_len < from {
        let what = "the file is shorter than the journal says";
        survey.bad.push(Bad { offset: file_len, len: from - file_len, what, batch: Some(0) });
        return Ok(survey);
    }
    let mut walk = Walk::new(file, instance, from, file_len, true).room_ends_it(beside);
    while let Some(stretch) = walk.next()? {
        match stretch {
            Stretch::Frame(header) | Stretch::DamagedBody(header) if header.batch <= known && !planted::has(Bug::BringBackCutFrames) => {
                let what = "frames that were cut off before";
                survey.bad.push(Bad { offset: header.offset, len: header.frame_len(), what, batch: None });
                survey.zeros = file_len;
                break;
            }
            Stretch::Frame(header) => survey.see(&header, true),
            Stretch::DamagedBody(header) => {
                survey.see(&header, false);
                let len = header.frame_len().min(file_len - header.offset);
                let what =
                    if header.end() > file_len { "the file ends within a frame" } else { "the checksum of a frame's body does not fit" };
                survey.bad.push(Bad { offset: header.offset, len, what, batch: Some(header.batch) });
            }
            Stretch::Damage { offset, len, what } => survey.bad.push(Bad { offset, len, what, batch: None }),
            Stretch::Zeros { offset, .. } => survey.zeros = offset,
        }
    }
    Ok(survey)
}

/// The length of a file without the zeros at its end: room set aside.
pub(crate) fn content_len(file: &Handle) -> Result<u64> {
    const PIECE_LEN: u64 = 64 << 10;
    let mut piece = Vec::new();
    let mut end = file.len()?;
    while end > 0 {
        let start = end.saturating_sub(PIECE_LEN);
        piece.resize((end - start) as usize, 0);
        let n = file.read_up_to(&mut piece, start)?;
        if let Some(last) = piece.get(..n).and_then(|piece| piece.iter().rposition(|&byte| byte != 0)) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

impl Survey {
    /// Of a log without anything in it.
    pub(crate) fn nothing() -> Survey {
        Survey { from: 0, bad: Vec::new(), lasts: Vec::new(), ends: Vec::new(), zeros: 0, gone: false, durable: 0, seq_high: 0 }
    }

    /// Of a log that is gone: nothing, unless what came after `committed` was durable, since that was in this log too.
    pub(crate) fn missing_if_durable(committed: u64) -> Survey {
        let batch = Some(committed.saturating_add(1));
        let bad = vec![Bad { offset: 0, len: LOG_HEADER_LEN as u64, what: "the log is missing", batch }];
        Survey { bad, zeros: LOG_HEADER_LEN as u64, gone: true, ..Survey::nothing() }
    }

    /// Of a log that is gone though it had events.
    pub(crate) fn missing(len: u64) -> Survey {
        let bad = Bad { offset: 0, len, what: "the log is missing", batch: Some(0) };
        Survey { from: len, bad: vec![bad], zeros: len, ..Survey::nothing() }
    }

    /// Adds that the log header is not what it should be; `known` if it is known to have been.
    pub(crate) fn header_is_damaged(&mut self, known: bool) {
        let batch = if known { Some(0) } else { self.lasts.first().map(|(_, batch)| *batch) };
        let what = "the log header is not what was written";
        self.bad.insert(0, Bad { offset: 0, len: LOG_HEADER_LEN as u64, what, batch });
    }

    fn see(&mut self, header: &Header, whole: bool) {
        self.durable = self.durable.max(header.durable);
        self.seq_high = self.seq_high.max(header.batch);
        for bad in self.bad.iter_mut().rev().take_while(|bad| bad.batch.is_none()) {
            bad.batch = Some(header.batch);
        }
        if whole && header.has(LAST) {
            self.lasts.push((header.end(), header.batch));
        }
        if whole && header.has(END) {
            self.ends.push((header.end(), header.batch));
        }
    }

    /// Where damage that is none ends and what may be a torn tail starts.
    fn limit(&self, durable: u64) -> u64 {
        let torn = self.bad.iter().find(|bad| bad.batch.is_none_or(|batch| batch > durable || planted::has(Bug::CutBelowDurable)));
        torn.map_or(self.zeros, |bad| bad.offset)
    }

    /// The last batch whose part in this log is whole, whatever stands before it.
    pub(crate) fn last_whole(&self) -> u64 {
        self.lasts.iter().map(|(_, batch)| *batch).max().unwrap_or(0)
    }

    /// The largest batch that is whole, going by this log.
    pub(crate) fn committed(&self, durable: u64) -> u64 {
        self.largest_before_limit(&self.ends, durable)
    }

    /// The largest batch of which at least the part in this log is whole.
    pub(crate) fn committed_here(&self, durable: u64) -> u64 {
        self.largest_before_limit(&self.lasts, durable)
    }

    fn largest_before_limit(&self, batches: &[(u64, u64)], durable: u64) -> u64 {
        let limit = self.limit(durable);
        batches.iter().filter(|(end, _)| *end <= limit).map(|(_, batch)| *batch).max().unwrap_or(0)
    }

    /// Decides what counts, given what all logs and the journal say.
    pub(crate) fn settle(&self, committed: u64, durable: u64) -> Settled {
        let limit = self.limit(durable);
        let whole = self.lasts.iter().filter(|(end, batch)| *end <= limit && *batch <= committed).map(|(end, _)| *end);
        let damage: Vec<Damage> = self
            .bad
            .iter()
            .take_while(|bad| bad.offset < limit)
            .map(|bad| Damage { offset: bad.offset, len: bad.len, what: bad.what })
            .collect();
        let damage_end = damage.iter().map(|damage| damage.offset + damage.len);
        // What was there before is known to have been whole and durable: damage in it never shortens the log to less.
        let len = whole.chain(damage_end).max().unwrap_or(0).max(self.from);
        let torn = self.bad.iter().find(|bad| bad.offset >= limit).map(|bad| bad.what);
        let cut = if self.gone { 0 } else { self.zeros.saturating_sub(len) };
        Settled { len, damage, cut, torn, gone: self.gone }
    }
}

/// What the frames of a stretch of a log add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Events.
    pub(crate) count: u64,
    /// Events that were late by the definition.
    pub(crate) late: u64,
    /// Events in late frames: those that go through recon.
    pub(crate) recon: u64,
    /// Smallest and largest time; the other way round if there are no events.
    pub(crate) oldest: u64,
    pub(crate) newest: u64,
    /// The largest seq.
    pub(crate) last_seq: u64,
    /// Frames. No more than a hint: journals of the first builds do not tell it, and then only what was added since is counted.
    pub(crate) frames: u64,
}

impl Default for Totals {
    fn default() -> Totals {
        Totals { count: 0, late: 0, recon: 0, oldest: u64::MAX, newest: 0, last_seq: 0, frames: 0 }
    }
}

impl Totals {
    /// Adds a frame.
    pub(crate) fn add(&mut self, header: &Header) {
        let count = u64::from(header.count);
        self.add_all(&Totals {
            count,
            late: u64::from(header.late),
            recon: if header.has(LATE) { count } else { 0 },
            oldest: header.first.time,
            newest: header.last.time,
            last_seq: header.seq_high,
            frames: 1,
        });
    }

    /// Adds what another stretch adds up to. The numbers may be a journal's, which can say anything.
    pub(crate) fn add_all(&mut self, other: &Totals) {
        self.count = self.count.saturating_add(other.count);
        self.late = self.late.saturating_add(other.late);
        self.recon = self.recon.saturating_add(other.recon);
        self.oldest = self.oldest.min(other.oldest);
        self.newest = self.newest.max(other.newest);
        self.last_seq = self.last_seq.max(other.last_seq);
        self.frames = self.frames.saturating_add(other.frames);
    }

    /// The bounds of all keys.
    pub(crate) fn bounds(&self) -> (Key, Key) {
        (Key::new(self.oldest, 0), Key::new(self.newest, u64::MAX))
    }
}
