//! Repair over a distance: two stores that can only send each other bytes find out where they differ, and exchange what they lack.
//!
//! ```text
//!   who repairs                                   the other, which remembers nothing
//!   ask    these ranges, with their sums   ──>    equal? done. Few events? their identities. Else parts of the range, with their sums
//!      parts that differ are asked for  <── tell
//!   want   these identities                ──>
//!                                       <── have  their events, as a parcel
//!   give   a parcel of what the other lacks ──>   (both ways only)
//!                                       <── taken
//! ```
//!
//! Ranges are cut so that each part has about as many events, so each message tells which of 64 parts differ, and one event that lacks among
//! 100 million is found in three or four. Sums are those of digests. This is range-based set reconciliation (A. Meyer, 2023), with time in the
//! place of the key.
//!
//! Nothing of this is a snapshot: each message is about the store as it then is. An event that comes meanwhile may look like a difference,
//! and is then exchanged like any other.
//!
//! Of both stores, damage is left out: sums, identities and parcels are those of events that can be read. So a store is given what its
//! damage took, and each answer to *ask* tells what is damaged of the ranges asked about, equal or not.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::efile::read::{Gap, Gaps};
use crate::error::Result;
use crate::event::EventRef;
use crate::planted::{self, Bug};
use crate::store::{Appended, Reader};

use super::digest::{Bucket, each_identity};
use super::identity::{Hasher, Identity};
use super::message::{Asked, Message, Part, Told, nonsense};
use super::parcel::{self, Packing};
use super::union::{RepairOptions, Repaired};

/// A range is cut into so many parts at most, and not into parts with fewer events than about a *leaf*, whose identities are told instead.
const FAN: u64 = 64;

/// One message tells of so many damaged places at most.
const MOST_GAPS: usize = 64;

/// After so many events were looked at for one message, the ranges that are left are to be asked for again.
const MOST_EVENTS_LOOKED_AT: u64 = 1 << 24;

/// A store, as this needs it.
pub(crate) trait Replica {
    /// An error if it can't be used any more.
    fn check(&self) -> Result<()>;

    /// Reads what is whole of a range.
    fn read(&self, first: u64, last: u64) -> Result<Reader>;

    /// About how many events there are in a range: how much work it is, and not more than that where something is damaged.
    fn count_about(&self, first: u64, last: u64) -> Result<u64>;

    /// Appends events that can't be read in here.
    fn append_absent(&self, events: &[EventRef<'_>]) -> Result<Appended>;

    /// How many events make a leaf. All else that limits messages follows from it.
    fn leaf(&self) -> u64;

    /// How many parts a range of so many events is cut into.
    fn fan(&self, count: u64) -> u64 {
        count.div_ceil(self.leaf()).clamp(1, FAN)
    }

    /// So many identities of a range are told at a time, and so many events wanted or given.
    fn most_events(&self) -> usize {
        self.leaf() as usize * 8
    }

    /// So many ranges are asked about at a time.
    fn most_ranges(&self) -> usize {
        self.leaf() as usize * 2
    }

    /// A message has about so many bytes at most, not counting a single event that has more.
    fn message_len(&self) -> usize {
        self.leaf() as usize * (2 << 10)
    }
}

/// Gives each identity of a range once, in order of time. What is damaged there goes to `gaps`.
fn each_of(replica: &dyn Replica, first: u64, last: u64, gaps: &mut Gaps, receiver: impl FnMut(Identity) -> ControlFlow<()>) -> Result<()> {
    let mut reader = replica.read(first, last)?;
    each_identity(&mut reader, receiver, |_| ())?;
    reader.gaps().iter().for_each(|gap| gaps.note(gap.clone()));
    Ok(())
}

/// The parts of a range that has about `count` events, with what they hold. They follow on each other and cover the range.
fn parts_of(replica: &dyn Replica, first: u64, last: u64, count: u64, gaps: &mut Gaps) -> Result<Vec<Part>> {
    let fan = replica.fan(count);
    let enough = count.div_ceil(fan).max(1);
    let mut parts = Vec::new();
    let mut part = Part { first, last, bucket: Bucket::default() };
    let mut time = first;
    each_of(replica, first, last, gaps, |identity| {
        // There may be more than were counted.
        if identity.time != time && part.bucket.count >= enough && (parts.len() as u64) + 1 < fan {
            let next = Part { first: time + 1, last, bucket: Bucket::default() };
            let last = if planted::has(Bug::PartWithoutBorder) { time.saturating_sub(1).max(part.first) } else { time };
            parts.push(Part { last, ..std::mem::replace(&mut part, next) });
        }
        time = identity.time;
        part.bucket.add(identity.hash);
        ControlFlow::Continue(())
    })?;
    parts.push(part);
    Ok(parts)
}

/// What ranges hold that follow on each other, in order.
fn buckets_of(replica: &dyn Replica, parts: &[Part], gaps: &mut Gaps) -> Result<Vec<Bucket>> {
    let mut buckets = vec![Bucket::default(); parts.len()];
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return Ok(buckets) };
    let mut at = 0;
    each_of(replica, first.first, last.last, gaps, |identity| {
        while parts.get(at).is_some_and(|part| part.last < identity.time) {
            at += 1;
        }
        if let (Some(part), Some(bucket)) = (parts.get(at), buckets.get_mut(at))
            && part.first <= identity.time
        {
            bucket.add(identity.hash);
        }
        ControlFlow::Continue(())
    })?;
    Ok(buckets)
}

/// The identities of a range behind one, in order, and whether there are more of them.
fn identities_of(replica: &dyn Replica, first: u64, last: u64, after: Identity, gaps: &mut Gaps) -> Result<(Vec<Identity>, bool)> {
    let most = replica.most_events();
    let mut found: Vec<Identity> = Vec::new();
    let mut more = false;
    let from = first.max(after.time);
    if from > last {
        return Ok((found, false));
    }
    each_of(replica, from, last, gaps, |identity| {
        if identity > after {
            found.push(identity);
        }
        if found.len() >= 2 * most {
            found.sort_unstable();
            found.truncate(most);
            more = true;
        }
        // Later times have none of the first ones.
        let is_enough = found.get(most).is_some_and(|one| one.time < identity.time);
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    found.sort_unstable();
    more |= found.len() > most;
    found.truncate(most);
    Ok((found, more))
}

/// A parcel with the events of the first of these identities, as many as fit, and how many were looked for. Those that are not there any more are
/// left out.
fn parcel_of(replica: &dyn Replica, identities: &[Identity]) -> Result<(Vec<u8>, usize)> {
    let mut hasher = Hasher::new()?;
    let mut packing = Packing::new(replica.message_len());
    let mut looked_for = 0;
    let mut rest = identities;
    while let (Some(first), false) = (rest.first(), packing.is_full()) {
        // As many at once as lie so close together that reading all between them is not much more than reading them.
        let mut count = rest.len();
        while count > 1 {
            let last = rest.get(count - 1).map_or(first.time, |last| last.time);
            if replica.count_about(first.time, last)? <= 64 * count as u64 {
                break;
            }
            count = count.div_ceil(2);
        }
        let before = packing.mark();
        let done = loop {
            let close = rest.get(..count).unwrap_or_default();
            let last = close.last().map_or(first.time, |last| last.time);
            match pack(replica.read(first.time, last)?, close, &mut hasher, &mut packing)? {
                None => break count,
                // Those of earlier times are in there.
                Some(full) => match close.partition_point(|identity| identity.time < full) {
                    0 if count > 1 => {
                        packing.back_to(before);
                        count = count.div_ceil(2);
                    }
                    done => break done,
                },
            }
        };
        looked_for += done;
        rest = rest.get(done..).unwrap_or_default();
        if done < count {
            break;
        }
    }
    Ok((packing.finish_if_any(), looked_for))
}

/// Packs the events of a reader that are among these identities, each once. Answers the time of the first for which there is no room.
fn pack(mut reader: Reader, identities: &[Identity], hasher: &mut Hasher, packing: &mut Packing) -> Result<Option<u64>> {
    let mut found = vec![false; identities.len()];
    loop {
        let batch = reader.next_batch(512)?;
        if batch.is_empty() {
            return Ok(None);
        }
        for event in batch.iter() {
            let Ok(place) = identities.binary_search(&hasher.identity(&event)) else { continue };
            let Some(found) = found.get_mut(place).filter(|found| !**found) else { continue };
            if !packing.add(&event) {
                return Ok(Some(event.time));
            }
            *found = true;
        }
    }
}

/// What a replica answers to a message of one that repairs itself.
pub(crate) fn answer(replica: &dyn Replica, horizon: u64, request: &[u8]) -> Result<Vec<u8>> {
    let reply = match Message::decode(request)? {
        Message::Ask { horizon: theirs, ranges } => {
            let horizon = if planted::has(Bug::TellDeleted) { horizon } else { horizon.max(theirs) };
            let mut told = Vec::new();
            let mut gaps = Gaps::default();
            let (mut answered, mut len, mut looked_at) = (0, 0, 0u64);
            for (place, Asked { part, after }) in (0..).zip(ranges) {
                let count = replica.count_about(part.first, part.last)?;
                let one = tell(replica, horizon, place, Asked { part, after }, count, &mut gaps)?;
                len += one.as_ref().map_or(0, |one| 16 + 40 * one.parts.len() + 24 * one.identities.len());
                told.extend(one);
                answered += 1;
                // The same events may be asked for again and again.
                looked_at = looked_at.saturating_add(count);
                if len >= replica.message_len() || looked_at >= MOST_EVENTS_LOOKED_AT {
                    break;
                }
            }
            Message::Tell { horizon, answered, gaps: in_few_words(gaps.list()), told }.encode()
        }
        Message::Want { identities } => {
            if !identities.is_sorted() {
                return Err(nonsense(0, "identities that are out of order"));
            }
            let (parcel, looked_for) = parcel_of(replica, &identities)?;
            Message::Have { looked_for: looked_for as u64, parcel: &parcel }.encode()
        }
        Message::Give { parcel } => {
            let Appended { stored, present, expired, .. } = replica.append_absent(&parcel::unpack(parcel)?)?;
            Message::Taken { stored, present, expired }.encode()
        }
        _ => return Err(nonsense(12, "a message that is an answer itself")),
    };
    Ok(reply)
}

/// At most so many gaps as a message tells: if there are more, the last one stands for the rest.
fn in_few_words(gaps: &[Gap]) -> Vec<Gap> {
    if planted::has(Bug::HideDamage) {
        return Vec::new();
    }
    let most = if gaps.len() > MOST_GAPS { MOST_GAPS - 1 } else { gaps.len() };
    let (told, rest) = gaps.split_at_checked(most).unwrap_or((gaps, &[]));
    let mut told = told.to_vec();
    let sum = |sum: Gap, gap: &Gap| Gap {
        len: sum.len.saturating_add(gap.len),
        first_time: sum.first_time.min(gap.first_time),
        last_time: sum.last_time.max(gap.last_time),
        ..sum
    };
    if let Some((first, others)) = rest.split_first() {
        let first = Gap { path: PathBuf::new(), offset: 0, what: "damage in more places".to_owned(), ..first.clone() };
        told.push(others.iter().fold(first, sum));
    }
    told
}

/// What is to be told of a range, in which there are about `count` events here; nothing if it holds the same.
fn tell(replica: &dyn Replica, horizon: u64, place: u32, asked: Asked, count: u64, gaps: &mut Gaps) -> Result<Option<Told>> {
    let Asked { part, after } = asked;
    let first = part.first.max(horizon);
    if first > part.last {
        return Ok(None);
    }
    if let Some(after) = after {
        let (identities, more) = identities_of(replica, first, part.last, after, gaps)?;
        return Ok(Some(Told { place, more, parts: Vec::new(), identities }));
    }
    let parts = parts_of(replica, first, part.last, count, gaps)?;
    let mut all = Bucket::default();
    parts.iter().for_each(|part| all.add_all(part.bucket));
    if all == part.bucket {
        return Ok(None);
    }
    if parts.len() > 1 {
        return Ok(Some(Told { place, more: false, parts, identities: Vec::new() }));
    }
    let (identities, more) = identities_of(replica, first, part.last, Identity::default(), gaps)?;
    Ok(Some(Told { place, more, parts: Vec::new(), identities }))
}

/// What was sent, and waits for its reply.
enum Sent {
    Ask(Vec<Asked>),
    Want(Vec<Identity>),
    Give(usize),
}

/// Repairs a store by exchanging messages with another one, which may be anywhere: made by [`Store::exchange`](crate::Store::exchange).
///
/// [`request`](Exchange::request) gives a message; whoever has the other store answers it by [`Store::answer`](crate::Store::answer); the
/// answer goes to [`reply`](Exchange::reply); and so on until there is no request any more. It can be given up at any point, and begun anew:
/// what was copied stays.
pub struct Exchange {
    replica: Box<dyn Replica + Send>,
    both_ways: bool,
    horizon: u64,
    to_ask: VecDeque<Asked>,
    wanted: VecDeque<Identity>,
    to_give: VecDeque<Identity>,
    sent: Option<(Sent, Vec<u8>)>,
    own_gaps: Gaps,
    done: Repaired,
}

impl Exchange {
    pub(crate) fn new(replica: Box<dyn Replica + Send>, range: Option<(u64, u64)>, options: RepairOptions) -> Result<Exchange> {
        Hasher::new()?;
        let mut exchange = Exchange {
            both_ways: options.is_both_ways(),
            horizon: 0,
            to_ask: VecDeque::new(),
            wanted: VecDeque::new(),
            to_give: VecDeque::new(),
            sent: None,
            own_gaps: Gaps::default(),
            done: Repaired::default(),
            replica,
        };
        if let Some((first, last)) = range {
            exchange.horizon = exchange.replica.read(first, last)?.horizon();
            let mut bucket = Bucket::default();
            each_of(&*exchange.replica, first, last, &mut exchange.own_gaps, |identity| {
                bucket.add(identity.hash);
                ControlFlow::Continue(())
            })?;
            exchange.done.own_gaps = exchange.own_gaps.list().to_vec();
            exchange.to_ask.push_back(Asked { part: Part { first, last, bucket }, after: None });
        }
        Ok(exchange)
    }

    /// The next message for the other store; `None` once all is done. The same again until there was a reply to it.
    pub fn request(&mut self) -> Result<Option<Vec<u8>>> {
        self.replica.check()?;
        if let Some((_, message)) = &self.sent {
            return Ok(Some(message.clone()));
        }
        let asks = !self.to_ask.is_empty();
        let most = self.replica.most_events();
        let (sent, message) = if self.wanted.len() >= most || !self.wanted.is_empty() && !asks {
            let count = self.wanted.len().min(most);
            let mut identities: Vec<Identity> = self.wanted.iter().take(count).copied().collect();
            identities.sort_unstable();
            self.wanted.drain(..count);
            let message = Message::Want { identities: identities.clone() }.encode();
            (Sent::Want(identities), message)
        } else if self.to_give.len() >= most || !self.to_give.is_empty() && !asks {
            let identities = self.to_give.make_contiguous();
            let count = identities.len().min(most);
            let identities = identities.get_mut(..count).unwrap_or_default();
            identities.sort_unstable();
            let (parcel, looked_for) = parcel_of(&*self.replica, identities)?;
            if parcel.is_empty() {
                // They were deleted meanwhile.
                self.to_give.drain(..looked_for);
                return self.request();
            }
            (Sent::Give(looked_for), Message::Give { parcel: &parcel }.encode())
        } else if asks {
            let ranges: Vec<Asked> = self.to_ask.drain(..self.to_ask.len().min(self.replica.most_ranges())).collect();
            let message = Message::Ask { horizon: self.horizon, ranges: ranges.clone() }.encode();
            (Sent::Ask(ranges), message)
        } else {
            return Ok(None);
        };
        self.sent = Some((sent, message.clone()));
        Ok(Some(message))
    }

    /// Takes the answer to the last request.
    ///
    /// Errors: [`Error::Corrupt`](crate::Error::Corrupt) for bytes that are no answer to it, or were cut or changed: nothing of them counts,
    /// and another reply may be taken. [`Error::Closed`](crate::Error::Closed). Otherwise those of reading and of
    /// [`Store::append_absent`](crate::Store::append_absent).
    pub fn reply(&mut self, reply: &[u8]) -> Result<()> {
        self.replica.check()?;
        let message = Message::decode(reply)?;
        let Some((sent, request)) = self.sent.take() else { return Err(nonsense(0, "a reply to no request")) };
        let taken = match (&sent, message) {
            (Sent::Ask(ranges), Message::Tell { horizon, answered, gaps, told }) => {
                self.told(ranges, horizon, answered, &told).inspect(|()| self.note(gaps))
            }
            (Sent::Want(identities), Message::Have { looked_for, parcel }) => self.had(identities, looked_for, parcel),
            (Sent::Give(count), Message::Taken { stored, present, expired }) => {
                self.to_give.drain(..*count);
                let from = &mut self.done.from;
                from.copied = from.copied.saturating_add(stored);
                from.skipped = from.skipped.saturating_add(present);
                from.expired = from.expired.saturating_add(expired);
                Ok(())
            }
            _ => Err(nonsense(12, "a reply of another kind than the request")),
        };
        if taken.is_err() {
            self.sent = Some((sent, request));
        }
        taken
    }

    /// What was done so far. What is compared are identities: ranges that hold the same are not looked into.
    pub fn repaired(&self) -> &Repaired {
        &self.done
    }

    /// Takes note of what is damaged of the other, and of what was met here meanwhile.
    fn note(&mut self, told: Vec<Gap>) {
        for gap in told {
            let known = self.done.gaps.iter_mut().find(|known| known.path == gap.path && known.offset == gap.offset);
            match known {
                Some(known) => {
                    known.len = known.len.max(gap.len);
                    known.first_time = known.first_time.min(gap.first_time);
                    known.last_time = known.last_time.max(gap.last_time);
                }
                None => self.done.gaps.push(gap),
            }
        }
        let news = self.own_gaps.list().get(self.done.own_gaps.len()..).unwrap_or_default();
        self.done.own_gaps.extend_from_slice(news);
    }

    fn told(&mut self, ranges: &[Asked], horizon: u64, answered: u64, told: &[Told]) -> Result<()> {
        let answered = usize::try_from(answered).unwrap_or(usize::MAX);
        let unanswered = ranges.get(answered..).filter(|_| answered > 0);
        let unanswered = unanswered.ok_or_else(|| nonsense(32, "a reply to another number of ranges than were asked about"))?;
        let rising = told.is_sorted_by(|one, next| one.place < next.place);
        if !rising || told.last().is_some_and(|last| last.place as usize >= answered) {
            return Err(nonsense(40, "a reply to ranges that were not asked about"));
        }
        // Only once all of it is understood does any of it count.
        let mut news = News { horizon: self.horizon.max(horizon), ..News::default() };
        for one in told {
            let Some(Asked { part, after }) = ranges.get(one.place as usize) else { continue };
            if one.parts.is_empty() || after.is_some() {
                news.compare(&*self.replica, *part, after.unwrap_or_default(), one, &mut self.own_gaps)?;
            } else {
                news.narrow(&*self.replica, *part, &one.parts, &mut self.own_gaps)?;
            }
        }
        unanswered.iter().rev().for_each(|asked| self.to_ask.push_front(*asked));
        news.to_ask.iter().rev().for_each(|asked| self.to_ask.push_front(*asked));
        self.done.to.compared += news.compared;
        self.done.to.skipped += news.compared - news.wanted.len() as u64;
        self.wanted.extend(news.wanted);
        if self.both_ways {
            self.done.from.compared += news.lacking.len() as u64;
            self.to_give.extend(news.lacking);
        }
        Ok(())
    }

    fn had(&mut self, identities: &[Identity], looked_for: u64, parcel: &[u8]) -> Result<()> {
        let looked_for = usize::try_from(looked_for).unwrap_or(usize::MAX);
        let rest = identities.get(looked_for..).filter(|_| looked_for > 0);
        let rest = rest.ok_or_else(|| nonsense(24, "a reply to another number of identities than were wanted"))?;
        let events = if parcel.is_empty() { Vec::new() } else { parcel::unpack(parcel)? };
        let mut hasher = Hasher::new()?;
        if !events.iter().all(|event| identities.binary_search(&hasher.identity(event)).is_ok()) {
            return Err(nonsense(32, "events that were not asked for"));
        }
        let appended = if events.is_empty() { Appended::default() } else { self.replica.append_absent(&events)? };
        rest.iter().rev().for_each(|identity| self.wanted.push_front(*identity));
        self.done.to.copied += appended.stored;
        self.done.to.expired += appended.expired;
        self.done.to.skipped += appended.present;
        Ok(())
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("done", &self.done).field("ranges_to_ask", &self.to_ask.len()).finish_non_exhaustive()
    }
}

/// What a reply has told.
#[derive(Default)]
struct News {
    /// What either has deleted is not compared.
    horizon: u64,
    to_ask: Vec<Asked>,
    wanted: Vec<Identity>,
    /// What the other lacks.
    lacking: Vec<Identity>,
    compared: u64,
}

impl News {
    /// The other has told what parts of a range hold: asks about those that differ.
    fn narrow(&mut self, replica: &dyn Replica, range: Part, parts: &[Part], gaps: &mut Gaps) -> Result<()> {
        let smaller =
            |part: &Part| part.first >= range.first && part.last <= range.last && (part.first, part.last) != (range.first, range.last);
        if !parts.iter().all(smaller) || !parts.is_sorted_by(|one, next| one.last < next.first) {
            return Err(nonsense(40, "parts that are not those of the range"));
        }
        for (part, here) in parts.iter().zip(buckets_of(replica, parts, gaps)?) {
            let Part { first, last, bucket: there } = *part;
            let first = first.max(self.horizon);
            if here == there || first > last {
                continue;
            }
            if here.count.saturating_add(there.count) <= 2 * replica.leaf() || first == last {
                let part = Part { first, last, bucket: Bucket::default() };
                self.to_ask.push(Asked { part, after: Some(Identity::default()) });
            } else {
                let parts = parts_of(replica, first, last, here.count, gaps)?;
                self.to_ask.extend(parts.into_iter().map(|part| Asked { part, after: None }));
            }
        }
        Ok(())
    }

    /// The other has told identities of a range: finds out which are here, and which others.
    fn compare(&mut self, replica: &dyn Replica, range: Part, after: Identity, told: &Told, gaps: &mut Gaps) -> Result<()> {
        let there = &told.identities;
        let fits = |identity: &Identity| {
            (range.first..=range.last).contains(&identity.time) && (*identity > after || after == Identity::default())
        };
        if !there.is_sorted_by(|one, next| one < next) || !there.iter().all(fits) || told.more && there.is_empty() || !told.parts.is_empty()
        {
            return Err(nonsense(40, "identities that are not those of the range"));
        }
        let end = Identity { time: range.last, hash: u128::MAX };
        let (here, more_here) = identities_of(replica, range.first.max(self.horizon), range.last, after, gaps)?;
        // As far as both are known.
        let known_there = there.last().filter(|_| told.more);
        let known_here = here.last().filter(|_| more_here);
        let through = known_there.into_iter().chain(known_here).min().copied().unwrap_or(end);
        let within = |list: &[Identity]| list.partition_point(|identity| *identity <= through);
        let (there, here) = (there.get(..within(there)).unwrap_or_default(), here.get(..within(&here)).unwrap_or_default());
        let lacks = |list: &[Identity], identity: &Identity| list.binary_search(identity).is_err() && identity.time >= self.horizon;
        let wanted: Vec<Identity> = there.iter().filter(|identity| lacks(here, identity)).copied().collect();
        let lacking: Vec<Identity> = here.iter().filter(|identity| lacks(there, identity)).copied().collect();
        self.compared += there.len() as u64;
        self.wanted.extend(wanted);
        self.lacking.extend(lacking);
        if through < end && !planted::has(Bug::TakePageForAll) {
            let part = Part { first: through.time.max(range.first), last: range.last, bucket: Bucket::default() };
            self.to_ask.push(Asked { part, after: Some(through) });
        }
        Ok(())
    }
}
