//! Reading in order of arrival: the events of any number of logs by seq, a window at a time.
//!
//! ```text
//!   logs as they were written    seqs rise with the offset, batch by batch      walked on from where the last window ended
//!   compacted logs               seqs are anywhere, each frame tells its bounds  frames with seqs of the window are looked at
//!                      └───────────────┬────────────────────────────────────────────┘
//!                                      v
//!   Window   the events with the smallest seqs behind a cursor, no more than fit: complete up to a seq
//! ```
//!
//! Whatever the order of the frames, memory is that of a window and a frame. A compacted chunk that was all disorder is looked at once for
//! each window; where it was mostly in order, as is usual, each window looks at its own frames and a few more.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Access, Handle};
use crate::error::{Error, Result};
use crate::event::EventRef;
use crate::planted::{self, Bug};

use super::frame::{Header, LAST, Slot};
use super::index::Entry;
use super::log::{self, LOG_HEADER_LEN, LogId, Salvage, Stretch, Walk};
use super::read::{self, Block, Class};
use super::{Chunk, Log, LogSummary};

/// Of each of many logs at least so many bytes are looked at, or as many as a window holds.
const LEAST_LEN: usize = 64 << 10;

/// An event of a window, whose data lies at `start..start + len` of its bytes.
#[derive(Clone, Copy, Debug)]
struct Picked {
    seq: u64,
    time: u64,
    start: usize,
    len: u32,
    id: u32,
}

/// Events in order of seq.
#[derive(Debug, Default)]
pub(crate) struct Window {
    picked: Vec<Picked>,
    bytes: Vec<u8>,
    /// There is no other event up to this seq.
    through: u64,
    /// Events of its seqs were left out, being deleted.
    has_deleted: bool,
    /// It holds about so many bytes, and never more than twice as many but for one event.
    room: usize,
}

impl Window {
    pub(crate) fn len(&self) -> usize {
        self.picked.len()
    }

    pub(crate) fn through(&self) -> u64 {
        self.through
    }

    pub(crate) fn has_deleted(&self) -> bool {
        self.has_deleted
    }

    /// The events from the `from`-th to before the `to`-th.
    pub(crate) fn events(&self, from: usize, to: usize) -> impl Iterator<Item = EventRef<'_>> + Clone {
        let picked = self.picked.get(from..to).unwrap_or_default().iter();
        picked.map(|&Picked { seq, time, start, len, id }| EventRef {
            time,
            seq,
            id,
            data: self.bytes.get(start..start + len as usize).unwrap_or_default(),
        })
    }

    fn take(&mut self, slot: &Slot, data: &[u8], after: u64, horizon: u64) {
        if slot.seq <= after || slot.seq > self.through {
            return;
        }
        if slot.time < horizon {
            self.has_deleted = true;
            return;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        self.picked.push(Picked { seq: slot.seq, time: slot.time, start, len: slot.len, id: slot.id });
        if self.size() > 2 * self.room {
            self.shorten();
        }
    }

    fn size(&self) -> usize {
        self.bytes.len() + self.picked.len() * size_of::<Picked>()
    }

    /// Leaves out what does not fit: it is complete up to less then.
    fn shorten(&mut self) {
        self.sort();
        let mut size = 0;
        let fits = self.picked.iter().take_while(|event| {
            let fits = size == 0 || size + event.len as usize <= self.room;
            size += event.len as usize + size_of::<Picked>();
            fits
        });
        let fit = fits.count();
        if fit < self.picked.len() {
            self.picked.truncate(fit);
            if planted::has(Bug::TailSkipsBorder) {
                return;
            }
            self.through = self.picked.last().map_or(self.through, |event| event.seq);
        }
        let before = std::mem::take(&mut self.bytes);
        for event in &mut self.picked {
            let data = before.get(event.start..event.start + event.len as usize).unwrap_or_default();
            event.start = self.bytes.len();
            self.bytes.extend_from_slice(data);
        }
    }

    /// Puts the events up to where it is complete in order, each once: a log that was compacted just now may be met beside the one in its
    /// place.
    fn sort(&mut self) {
        let through = self.through;
        self.picked.retain(|event| event.seq <= through);
        if self.picked.is_sorted_by(|one, next| one.seq < next.seq) {
            return;
        }
        let (low, high) = self.picked.iter().fold((u64::MAX, 0), |(low, high), event| (low.min(event.seq), high.max(event.seq)));
        let places = usize::try_from(high - low).ok().filter(|width| *width < 2 * self.picked.len());
        let Some(width) = places else {
            self.picked.sort_unstable_by_key(|event| event.seq);
            self.picked.dedup_by_key(|event| event.seq);
            return;
        };
        // Hardly a seq is missing, so each event has a place by its seq.
        let mut places = vec![None; width + 1];
        for event in &self.picked {
            if let Some(place) = places.get_mut((event.seq - low) as usize) {
                *place = Some(*event);
            }
        }
        self.picked.clear();
        self.picked.extend(places.into_iter().flatten());
    }
}

/// Where the next window begins in a log.
#[derive(Debug)]
enum Place {
    /// In one as it was written: this offset, which all frames of earlier batches lie before. None of what comes from there on has a seq
    /// before `low`.
    At { offset: u64, low: u64 },
    /// In a compacted one: its frames that have more, by their smallest seq.
    Frames(Vec<Header>),
    /// In a compacted one whose frames are many and not needed for now: none of them has a seq before this.
    Beyond(u64),
}

/// So many frames are kept of a compacted log until they are needed.
const FEW: usize = 64;

impl Place {
    /// No event that is left has a seq before this.
    fn low(&self) -> u64 {
        match self {
            Place::At { low, .. } | Place::Beyond(low) => *low,
            Place::Frames(frames) => frames.first().map_or(0, |frame| frame.seq_low),
        }
    }
}

type LogKey = (LogId, u64);

/// Where reading in order of arrival has come to in each log that has more.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// With each place the round in which the log was last met.
    logs: HashMap<LogKey, (Place, u64)>,
    round: u64,
    /// So many logs that are not compacted had a part in the last window.
    walked: usize,
}

/// A chunk with events behind a cursor, and a seq that none of them lies before.
pub(crate) struct Near<'a> {
    pub(crate) chunk: &'a Arc<Chunk>,
    pub(crate) low: u64,
}

impl Places {
    /// Those of the chunks that have events behind `after`, the nearest first. Forgets all logs that have none.
    pub(crate) fn nearest<'a>(&mut self, chunks: impl Iterator<Item = &'a Arc<Chunk>>, after: u64) -> Vec<Near<'a>> {
        self.round += 1;
        let mut found: Vec<Near<'_>> = chunks.filter_map(|chunk| self.low(chunk, after).map(|low| Near { chunk, low })).collect();
        self.logs.retain(|_, (_, round)| *round == self.round);
        // Of those that nothing is known of, the oldest is most likely the nearest.
        found.sort_by_key(|near| near.low);
        found
    }

    /// A seq that none of a chunk's events behind `after` lies before, if it may have some.
    fn low(&mut self, chunk: &Chunk, after: u64) -> Option<u64> {
        let state = chunk.lock();
        let more = state.logs.iter().map(|log| &log.summary).filter(|log| log.totals.last_seq > after || log.is_unknown());
        let lows = more.map(|log| match self.logs.get_mut(&(log.id, log.instance)) {
            Some((place, round)) => {
                *round = self.round;
                place.low()
            }
            None => 0,
        });
        lows.min()
    }

    fn put(&mut self, key: LogKey, place: Place) {
        self.logs.insert(key, (place, self.round));
    }
}

/// A log with events behind a cursor.
pub(crate) struct Arrivals {
    file: Handle,
    summary: LogSummary,
    /// Pieces of about 64 KiB: where each starts, rising.
    starts: Vec<u64>,
}

impl Chunk {
    /// Its logs that have events with larger seqs.
    pub(crate) fn arrivals(&self, after: u64) -> Result<Vec<Arrivals>> {
        let mut state = self.lock();
        let distrustful = state.distrustful;
        let mut found = Vec::new();
        for log in &state.logs {
            if log.summary.is_unknown() && self.last_seq_by_frames(log)? > after {
                let path = self.shared.folder.file_path(&log.id().log_name());
                return Err(Error::corrupt(&path, 0, "the log header is not what was written"));
            }
        }
        for log in state.logs.iter_mut().filter(|log| log.summary.totals.last_seq > after && log.has_frames()) {
            let starts = if log.summary.is_compacted() {
                Vec::new()
            } else {
                self.load(log, distrustful)?;
                let index = log.index.iter();
                let mut starts: Vec<u64> =
                    index.flat_map(|index| index.main.iter().chain(index.late.iter()).map(|entry| entry.offset)).collect();
                starts.sort_unstable();
                starts
            };
            found.push(Arrivals { file: self.file_of(log)?, summary: log.summary, starts });
        }
        Ok(found)
    }
}

impl Chunk {
    /// The last seq of a log of which nothing else is known; as large as any if not even its frames tell.
    fn last_seq_by_frames(&self, log: &Log) -> Result<u64> {
        let name = log.id().log_name();
        let Some(file) = self.shared.folder.open_if_there(&name, Access::Read)? else { return Ok(u64::MAX) };
        let Some(instance) = log::find_instance(&file, Salvage::Damage)? else { return Ok(u64::MAX) };
        let mut walk = Walk::new(&file, instance, LOG_HEADER_LEN as u64, file.len()?, false);
        let mut last = 0;
        while let Some(stretch) = walk.next()? {
            match stretch {
                Stretch::Frame(header) | Stretch::DamagedBody(header) => last = last.max(header.seq_high),
                Stretch::Damage { .. } => return Ok(u64::MAX),
                Stretch::Zeros { .. } => {}
            }
        }
        Ok(last)
    }
}

/// The next window behind `after`, while it is being filled: log by log, so that no more than one of them has to be open.
pub(crate) struct Filling<'a> {
    places: &'a mut Places,
    window: Window,
    after: u64,
    horizon: u64,
    /// So many bytes are looked at in each log.
    share: u64,
    /// For each log as it was written: where it was walked from, and the batches that were met.
    walked: Vec<(LogKey, u64, Vec<Met>)>,
    compacted: Vec<LogKey>,
    block: Block,
}

/// A frame behind the cursor that was met, or where the next one starts. From there on none has a seq before `low`.
struct Met {
    offset: u64,
    batch: u64,
    low: u64,
}

impl<'a> Filling<'a> {
    /// A window of about `room` bytes, which is to hold nothing beyond `visible`, nor events with times before `horizon`. Takes the memory
    /// of the one before it.
    pub(crate) fn new(places: &'a mut Places, before: Window, after: u64, visible: u64, horizon: u64, room: usize) -> Filling<'a> {
        let Window { mut picked, mut bytes, .. } = before;
        picked.clear();
        bytes.clear();
        let window = Window { picked, bytes, through: visible, has_deleted: false, room };
        // About as many logs will have a part in this one.
        let share = (room / places.walked.max(1)).max(LEAST_LEN.min(room)) as u64;
        Filling { places, window, after, horizon, share, walked: Vec::new(), compacted: Vec::new(), block: Block::default() }
    }

    /// Whether what has no seq before this has nothing for it.
    pub(crate) fn is_before(&self, low: u64) -> bool {
        self.window.through < low
    }

    /// Takes in what a log has for it.
    pub(crate) fn take(&mut self, log: &Arrivals) -> Result<()> {
        // Others of its chunk may be nearer.
        if let Some((Place::At { low, .. } | Place::Beyond(low), _)) = self.places.logs.get(&log.key())
            && self.is_before(*low)
        {
            return Ok(());
        }
        if log.summary.is_compacted() { self.take_compacted(log) } else { self.take_written(log) }
    }

    fn take_written(&mut self, log: &Arrivals) -> Result<()> {
        let key = log.key();
        let from = match self.places.logs.get(&key) {
            Some((Place::At { offset, .. }, _)) => *offset,
            _ => log.start_behind(self.after)?,
        };
        let met = log.walk(from, self.share, self.after, self.horizon, &mut self.window)?;
        self.walked.push((key, from, met));
        Ok(())
    }

    fn take_compacted(&mut self, log: &Arrivals) -> Result<()> {
        let key = log.key();
        let after = self.after;
        let place = match self.places.logs.remove(&key) {
            Some((Place::Frames(frames), _)) => frames,
            _ => log.frames()?,
        };
        let is_ahead =
            |frame: &Header| if planted::has(Bug::TailForgetsCompacted) { frame.seq_low > after } else { frame.seq_high > after };
        let frames: Vec<Header> = place.into_iter().filter(is_ahead).collect();
        let (window, horizon) = (&mut self.window, self.horizon);
        for frame in &frames {
            if frame.seq_low > window.through {
                break;
            }
            let mut visit = |event: EventRef<'_>| {
                let slot = Slot { time: event.time, seq: event.seq, start: 0, len: event.data.len() as u32, id: event.id };
                window.take(&slot, event.data, after, horizon);
            };
            match read::visit_entry(&log.file, log.summary.instance, Class::Main, &Entry::of(frame), &mut self.block, &mut visit) {
                // What came before its first event comes first.
                Err(Error::Corrupt { .. }) if frame.seq_low > after + 1 => {
                    window.through = window.through.min(frame.seq_low - 1);
                    break;
                }
                other => other?,
            }
        }
        self.places.put(key, Place::Frames(frames));
        self.compacted.push(key);
        Ok(())
    }

    /// The window, after all logs that have something for it.
    pub(crate) fn finish(self) -> Window {
        let Filling { places, mut window, walked, compacted, .. } = self;
        window.sort();
        places.walked = 0;
        for (key, from, met) in walked {
            let next = met.iter().find(|met| met.batch > window.through).or(met.last());
            let at = next.map_or((from, 0), |met| (met.offset, met.low));
            places.walked += usize::from(at.0 > from);
            places.put(key, Place::At { offset: at.0, low: at.1 });
        }
        for key in compacted {
            let Some((place, _)) = places.logs.get_mut(&key) else { continue };
            let low = place.low();
            if low > window.through && matches!(place, Place::Frames(frames) if frames.len() > FEW) {
                *place = Place::Beyond(low);
            }
        }
        window
    }
}

impl Arrivals {
    fn key(&self) -> LogKey {
        (self.summary.id, self.summary.instance)
    }

    /// An offset that all frames of batches up to `after` may lie around, but none of a later one lies before.
    fn start_behind(&self, after: u64) -> Result<u64> {
        let (mut low, mut high) = (0, self.starts.len());
        while low < high {
            let middle = (low + high) / 2;
            let Some(&offset) = self.starts.get(middle) else { break };
            if self.header_at(offset)?.batch <= after { low = middle + 1 } else { high = middle }
        }
        Ok(low.checked_sub(1).and_then(|at| self.starts.get(at)).copied().unwrap_or(LOG_HEADER_LEN as u64))
    }

    fn header_at(&self, offset: u64) -> Result<Header> {
        let mut walk = Walk::new(&self.file, self.summary.instance, offset, self.summary.len, false);
        match walk.next()? {
            Some(Stretch::Frame(header)) => Ok(header),
            _ => Err(damaged(self.file.path(), offset)),
        }
    }

    /// Takes the events behind `after` of about `share` bytes, whole batches, into a window, which is complete up to no more than that then.
    /// Answers its frames; behind them where the next one starts.
    fn walk(&self, from: u64, share: u64, after: u64, horizon: u64, window: &mut Window) -> Result<Vec<Met>> {
        let LogSummary { instance, len, .. } = self.summary;
        let mut walk = Walk::new(&self.file, instance, from, len, false);
        let mut met: Vec<Met> = Vec::new();
        let mut slots = Vec::new();
        let mut end = from;
        // The last batch behind `after` that was met as a whole, and the first damage behind it.
        let (mut whole, mut damage) = (None, None);
        while let Some(stretch) = walk.next()? {
            let header = match stretch {
                Stretch::Frame(header) => header,
                Stretch::DamagedBody(Header { offset, .. }) | Stretch::Damage { offset, .. } | Stretch::Zeros { offset, .. } => {
                    damage.get_or_insert(offset);
                    continue;
                }
            };
            // What lies before frames that are gone by is gone by, too.
            damage = damage.filter(|_| header.batch > after);
            if damage.is_some() {
                break;
            }
            if header.batch > after {
                met.push(Met { offset: header.offset, batch: header.batch, low: header.seq_low });
            }
            end = header.end();
            if header.seq_high > after && header.seq_low <= window.through {
                let Ok(bytes) = walk.decode(&header, &mut slots)? else {
                    damage = Some(header.offset);
                    break;
                };
                for slot in &slots {
                    let data = bytes.get(slot.start as usize..slot.start as usize + slot.len as usize).unwrap_or_default();
                    window.take(slot, data, after, horizon);
                }
            }
            // Within a batch seqs are in any order. Those up to `after` are gone by, however many they are.
            let is_enough = (header.batch > after || planted::has(Bug::TailStepsBack)) && end - from >= share && end < len;
            if header.has(LAST) && (header.batch >= window.through || is_enough) {
                window.through = window.through.min(header.batch);
                break;
            }
            if header.has(LAST) && header.batch > after {
                whole = Some(header.batch);
            }
        }
        if let Some(offset) = damage {
            // The whole batches before it come first.
            window.through = window.through.min(whole.ok_or_else(|| damaged(self.file.path(), offset))?);
        }
        // Within a batch seqs are in any order, and the next one has larger ones. The last one is whole unless there is damage.
        let mut behind = met.last().filter(|_| damage.is_some()).map(|met| (met.batch, 0));
        for met in met.iter_mut().rev() {
            met.low = behind.filter(|(batch, _)| *batch == met.batch).map_or(met.low, |(_, low)| low.min(met.low));
            behind = Some((met.batch, met.low));
        }
        met.push(Met { offset: end, batch: u64::MAX, low: 0 });
        Ok(met)
    }

    /// The frames of a compacted log, by their smallest seq.
    fn frames(&self) -> Result<Vec<Header>> {
        let LogSummary { instance, len, .. } = self.summary;
        let mut walk = Walk::new(&self.file, instance, LOG_HEADER_LEN as u64, len, false);
        let mut frames = Vec::new();
        while let Some(stretch) = walk.next()? {
            match stretch {
                Stretch::Frame(header) => frames.push(header),
                Stretch::DamagedBody(Header { offset, .. }) | Stretch::Damage { offset, .. } | Stretch::Zeros { offset, .. } => {
                    return Err(damaged(self.file.path(), offset));
                }
            }
        }
        frames.sort_by_key(|frame| frame.seq_low);
        Ok(frames)
    }
}

fn damaged(path: &Path, offset: u64) -> Error {
    Error::corrupt(path, offset, "a frame is not what was written")
}
