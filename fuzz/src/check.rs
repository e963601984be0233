//! What is done with a store whose files may be anything, and what must hold of it.
//!
//! Read-only and as a writer: read all in both directions and a window, count, ask for numbers. Then append, sync, and end by closing or by
//! loss of power; what was appended must be there afterwards. [`Expect`] says what the input allows to claim of the events.

use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;

use estore::disk::{Crash, SimDisk};
use estore::{Error, Event, Mode, ReadOptions, Verified};

use crate::base::{self, PATH};
use crate::handle::Handle;
use crate::rng::Rng;

/// What can be claimed of a store whose files were changed.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    pub events: Events<'a>,
    pub trust: Trust,
}

/// What is known of the events that a store can show.
#[derive(Clone, Copy, Debug)]
pub enum Events<'a> {
    /// Exactly these, and no error: only copies may be damaged.
    Exactly(&'a [Event]),
    /// All of these, or an error and those before it.
    AllOrError(&'a [Event]),
    /// Of `all` those up to one of the seqs `ends`, which is no smaller than `durable`; or an error.
    StartOrError { all: &'a [Event], ends: &'a [u64], durable: u64 },
    /// None but these.
    Only(&'a [Event]),
    /// Nothing is known.
    Any,
}

/// How far the files can be believed not to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// As below, and events may lie in the log of another chunk than theirs: not even their order is certain.
    NotEvenOrder,
    /// Bounds, lengths and copies were made to say anything, with checksums that fit: what the engine believes of them may hide events, or
    /// show them twice.
    Nothing,
    /// Numbers were forged, but not what tells where events are: reading all gives the same in both directions, now and later.
    Logs,
    /// Nothing was forged. All ways to ask give the same answer.
    All,
}

impl<'a> Expect<'a> {
    fn is_forged(&self) -> bool {
        self.trust < Trust::All
    }

    fn possible(&self) -> Option<&'a [Event]> {
        match self.events {
            Events::Exactly(events) | Events::AllOrError(events) | Events::Only(events) => Some(events),
            Events::StartOrError { all, .. } => Some(all),
            Events::Any => None,
        }
    }
}

/// One input: a disk with a store on it, what is expected of it, and what is left to the input to choose.
pub struct Case<'a> {
    pub disk: SimDisk,
    pub efile: bool,
    pub expect: Expect<'a>,
    /// What a reader beside a writer can be shown, which does not look at every log.
    pub beside: Expect<'a>,
    pub choices: Choices,
    /// The files are as a writer left them.
    pub untouched: bool,
}

/// What is left to an input to choose, in its first two bytes: more than a few calls for each would make too few inputs a second.
#[derive(Clone, Copy, Debug)]
pub struct Choices(pub u16);

impl Choices {
    /// Takes the choices off an input.
    pub fn of(input: &[u8]) -> Option<(Choices, &[u8])> {
        let (choices, rest) = input.split_first_chunk()?;
        Some((Choices(u16::from_le_bytes(*choices)), rest))
    }

    /// An input: these choices and what follows them.
    pub fn before(self, rest: &[u8]) -> Vec<u8> {
        [&self.0.to_le_bytes(), rest].concat()
    }

    /// Writes an input to `data` as far as it fits; answers its length.
    pub(crate) fn put_before(self, rest: &[u8], data: &mut [u8]) -> usize {
        let input = self.before(rest);
        let len = input.len().min(data.len());
        data[..len].copy_from_slice(&input[..len]);
        len
    }

    /// Now and then one bit is another.
    pub(crate) fn mutated(self, rng: &mut Rng) -> Choices {
        // What takes ten times as long is seldom done.
        if self.appends_much() && !rng.one_in(8) {
            return Choices(self.0 ^ (0x200 << rng.below(3)));
        }
        if rng.one_in(4) { Choices(self.0 ^ (1 << rng.below(16))) } else { self }
    }

    /// Three bits belong to the target.
    pub fn target(self) -> u16 {
        self.0 & 7
    }

    /// The power goes at the end, instead of a close.
    fn power_goes(self) -> bool {
        self.0 & 8 != 0
    }

    /// How many events are read at once.
    fn batch(self) -> usize {
        if self.0 & 16 != 0 { 3 } else { 1000 }
    }

    /// A reader beside the writer looks first.
    fn looks_beside(self) -> bool {
        self.0 & 32 != 0
    }

    /// Reads and counts windows.
    fn looks_at_windows(self) -> bool {
        self.0 & 64 != 0
    }

    /// Reads past damage.
    fn salvages(self) -> bool {
        self.0 & 128 != 0
    }

    /// Looks at every byte.
    fn verifies(self) -> bool {
        self.0 & 256 != 0
    }

    /// Late events that are more than stays in the log for long, so that the recon file goes on.
    fn appends_much(self) -> bool {
        self.0 & 0xe00 == 0xe00
    }

    /// Times of the base stores.
    fn window(self) -> RangeInclusive<u64> {
        const TIMES: [u64; 4] = [2_000_016, 2_000_110, 2_000_207, 2_900_000];
        let time = |place: u16| TIMES[usize::from(place & 3)];
        let (a, b) = (time(self.0 >> 12), time(self.0 >> 14));
        a.min(b)..=a.max(b)
    }
}

/// What reading gave: events, and the error after them.
struct Reading {
    events: Vec<Event>,
    error: Option<Error>,
}

impl Reading {
    fn whole(&self) -> Option<&[Event]> {
        self.error.is_none().then_some(&self.events)
    }
}

/// Fails unless the error is one that damaged files explain.
fn must_be_named(error: &Error, expect: &Expect<'_>, doing: &str) {
    let explained = match error {
        Error::Corrupt { .. } | Error::NewerFormat { .. } | Error::NotAStore { .. } | Error::Gone { .. } => true,
        // Seqs that are used up, as a forged file may say.
        Error::Invalid { .. } => expect.is_forged(),
        _ => false,
    };
    assert!(explained, "{doing}: {error:?}");
    assert!(!matches!(expect.events, Events::Exactly(_)), "{doing}: only copies are damaged, but {error:?}");
}

fn key(event: &Event) -> (u64, u64) {
    (event.time, event.seq)
}

fn read(store: &Handle, range: RangeInclusive<u64>, options: ReadOptions, batch: usize) -> Reading {
    let mut events = Vec::new();
    let mut reader = match store.read_with(range, options) {
        Ok(reader) => reader,
        Err(error) => return Reading { events, error: Some(error) },
    };
    loop {
        match reader.next_batch(batch) {
            Ok(events) if events.is_empty() => break,
            Ok(batch) => events.extend(batch.iter().map(|event| event.to_event())),
            Err(error) => {
                assert!(reader.next_batch(batch).is_err(), "an error that goes away: {error}");
                return Reading { events, error: Some(error) };
            }
        }
    }
    Reading { events, error: None }
}

/// Fails unless the events are in order.
fn must_be_ordered(events: &[Event], expect: &Expect<'_>, doing: &str) {
    if expect.trust == Trust::NotEvenOrder {
        return;
    }
    for pair in events.windows(2) {
        let (before, after) = (key(&pair[0]), key(&pair[1]));
        // Only forged frames can give two events the same seq.
        assert!(before < after || expect.is_forged() && before == after, "{doing}: {before:?} comes before {after:?}");
    }
}

/// Fails if reading gave what can't be. What was read backward has been turned round.
fn must_be_possible(reading: &Reading, reverse: bool, expect: &Expect<'_>, doing: &str) {
    must_be_ordered(&reading.events, expect, doing);
    if let Some(possible) = expect.possible() {
        let mut rest = possible.iter();
        for event in &reading.events {
            let is_one = if expect.is_forged() { possible.contains(event) } else { rest.any(|other| other == event) };
            assert!(is_one, "{doing}: an event that nobody has stored, or is there twice: {event:?}");
        }
    }
    let count = reading.events.len();
    match expect.events {
        Events::Exactly(events) => assert!(reading.events == events, "{doing}: {count} of {} events", events.len()),
        Events::AllOrError(events) => match reading.error {
            None => assert!(reading.events == events, "{doing}: {count} of {} events in silence", events.len()),
            Some(_) => {
                let come_first = if reverse { events.ends_with(&reading.events) } else { events.starts_with(&reading.events) };
                assert!(come_first, "{doing}: events before the damage are left out");
            }
        },
        Events::StartOrError { all, ends, durable } if reading.error.is_none() => {
            let last = reading.events.iter().map(|event| event.seq).max().unwrap_or(0);
            assert!(last >= durable, "{doing}: durable events are gone in silence: {last} is the last, {durable} was durable");
            assert!(last == 0 || ends.contains(&last), "{doing}: a part of a batch is shown: {last} is the last seq");
            assert!(reading.events.iter().eq(all.iter().filter(|event| event.seq <= last)), "{doing}: a hole before seq {last}");
        }
        _ => {}
    }
}

/// Looks at all that a store shows; answers what reading forward gave.
fn look(store: &Handle, expect: &Expect<'_>, choices: Choices, doing: &str) -> Reading {
    let all = 0..=u64::MAX;
    let batch = choices.batch();
    let forward = read(store, all.clone(), ReadOptions::new(), batch);
    must_be_possible(&forward, false, expect, doing);

    let mut backward = read(store, all.clone(), ReadOptions::new().reverse(), batch);
    backward.events.reverse();
    must_be_possible(&backward, true, expect, doing);
    if let (Some(there), Some(back)) = (forward.whole(), backward.whole()) {
        // Where keys are equal, being forged, their order is not told by them.
        let same = match expect.trust {
            Trust::All => there == back,
            Trust::Logs => sorted(there) == sorted(back),
            Trust::Nothing | Trust::NotEvenOrder => true,
        };
        assert!(same, "{doing}: backward is not forward reversed: {} and {} events", there.len(), back.len());
    }

    let counts = [("all", store.count(all)), ("the numbers", store.stats().map(|stats| stats.events))];
    let count_errors = counts.iter().filter_map(|(_, count)| count.as_ref().err());
    for error in [&forward.error, &backward.error].into_iter().flatten().chain(count_errors) {
        must_be_named(error, expect, doing);
    }
    if expect.trust < Trust::All {
        return forward;
    }
    if let Some(events) = forward.whole() {
        for (what, count) in counts {
            assert!(count.is_err() || count.is_ok_and(|count| count == events.len() as u64), "{doing}: a wrong count of {what}");
        }
    }
    if choices.verifies() {
        let verified = verify(store, doing);
        let whole = verified.damaged == 0;
        assert!(whole || !matches!(expect.events, Events::Exactly(_)), "{doing}: damage is found where only copies are damaged");
        if let (true, Some(error)) = (whole, forward.error.as_ref().or(backward.error.as_ref())) {
            panic!("{doing}: verifying finds no damage, but {error:?}");
        }
    }
    if choices.looks_at_windows() {
        look_at_window(store, expect, choices, &forward, doing);
    }
    if choices.salvages() {
        salvage(store, expect, &forward, doing);
    }
    forward
}

fn verify(store: &Handle, doing: &str) -> Verified {
    match store.verify(|_| ControlFlow::Continue(())) {
        Ok(verified) => verified,
        Err(error) => panic!("{doing}: a store that is open can't be verified: {error:?}"),
    }
}

/// Looks at what a range shows, given all that there is.
fn look_at_window(store: &Handle, expect: &Expect<'_>, choices: Choices, all: &Reading, doing: &str) {
    let window = choices.window();
    let wanted: Option<Vec<&Event>> = all.whole().map(|events| events.iter().filter(|event| window.contains(&event.time)).collect());
    let inside = read(store, window.clone(), ReadOptions::new(), choices.batch());
    let last = read(store, window.clone(), ReadOptions::new().last(4), choices.batch());
    let count = store.count(window.clone());
    for error in [&inside.error, &last.error].into_iter().flatten().chain(count.as_ref().err()) {
        must_be_named(error, expect, doing);
    }
    let Some(wanted) = wanted else { return };
    if let Some(inside) = inside.whole() {
        assert!(inside.iter().eq(wanted.iter().copied()), "{doing}: {window:?} shows something else than all does");
    }
    if let Some(last) = last.whole() {
        assert!(last.iter().eq(wanted[wanted.len().saturating_sub(4)..].iter().copied()), "{doing}: the last 4 of {window:?} are others");
    }
    assert!(count.is_err() || count.is_ok_and(|count| count == wanted.len() as u64), "{doing}: a wrong count of {window:?}");
}

/// Reads past damage: all that can be had comes, and what is missing lies in gaps that are told.
fn salvage(store: &Handle, expect: &Expect<'_>, forward: &Reading, doing: &str) {
    let mut reader = match store.read_with(.., ReadOptions::new().salvage()) {
        Ok(reader) => reader,
        Err(error) => return must_be_named(&error, expect, doing),
    };
    let mut saved = Reading { events: Vec::new(), error: None };
    loop {
        match reader.next_batch(1000) {
            Ok(batch) if batch.is_empty() => break,
            Ok(batch) => saved.events.extend(batch.iter().map(|event| event.to_event())),
            Err(error) => {
                assert!(matches!(error, Error::NewerFormat { .. } | Error::Gone { .. }), "{doing}: salvaging ends with {error:?}");
                return;
            }
        }
    }
    must_be_ordered(&saved.events, expect, doing);
    if let Some(events) = forward.whole() {
        assert!(saved.events == events, "{doing}: salvaging gives other events, though there is no damage");
        assert!(reader.gaps().is_empty(), "{doing}: gaps without damage: {:?}", reader.gaps());
        return;
    }
    let possible = expect.possible().unwrap_or_default();
    let known = |event: &Event| possible.binary_search_by_key(&key(event), key).is_ok_and(|place| possible[place] == *event);
    assert!(saved.events.iter().all(known), "{doing}: salvaging gives an event that nobody has stored");
    // What an ordinary reader shows before the damage may come from a copy of what is damaged.
    let wanted = if let Events::AllOrError(events) = expect.events { events } else { &forward.events };
    for event in wanted.iter().filter(|event| saved.events.binary_search_by_key(&key(event), key).is_err()) {
        let told = reader.gaps().iter().any(|gap| (gap.first_time..=gap.last_time).contains(&event.time));
        assert!(told, "{doing}: {event:?} is missing, and no gap tells: {:?}", reader.gaps());
    }
}

fn sorted(events: &[Event]) -> Vec<(u64, u64, u32, &[u8])> {
    let mut events: Vec<_> = events.iter().map(|event| (event.time, event.seq, event.id, event.data.as_slice())).collect();
    events.sort_unstable();
    events
}

/// Everything that is done with one input.
pub fn exercise(case: &Case<'_>) {
    let Case { disk, efile, expect, beside, choices, untouched } = case;
    let path = Path::new(PATH);
    let open = |mode| Handle::open(*efile, path, base::options(disk, mode));

    let read_only = choices.looks_beside().then(|| open(Mode::ReadOnly));
    let read_only = match read_only {
        Some(Ok(store)) => {
            if *untouched {
                let Verified { damaged, derived, aside, .. } = verify(&store, "read-only");
                assert_eq!((damaged, derived, aside), (0, 0, 0), "findings in files that nobody has touched");
            }
            Some(look(&store, beside, *choices, "read-only"))
        }
        Some(Err(error)) => {
            must_be_named(&error, beside, "opening read-only");
            None
        }
        None => None,
    };
    let store = match open(Mode::Existing) {
        Ok(store) => store,
        Err(error) => return must_be_named(&error, expect, "opening"),
    };
    let before = look(&store, expect, *choices, "opened to write");
    if let (Trust::All, Events::StartOrError { .. }, Some(one), Some(two)) =
        (expect.trust, expect.events, read_only.as_ref().and_then(Reading::whole), before.whole())
    {
        assert!(one == two, "a reader was shown {} events, a writer {}", one.len(), two.len());
    }
    write(case, store, before);
}

/// Appends to a store and looks whether that is there later.
fn write(case: &Case<'_>, store: Handle, before: Reading) {
    let Case { disk, efile, expect, choices, .. } = case;
    if let Some(present) = before.whole().and_then(|events| events.get(events.len() / 2)).filter(|_| !expect.is_forged()) {
        match store.append_absent(std::slice::from_ref(present)) {
            Ok(appended) => assert_eq!((appended.present, appended.stored), (1, 0), "an event that is there was taken for absent"),
            Err(error) => must_be_named(&error, expect, "appending what is there"),
        }
    }
    // Where even that can't be told, the last time of all lies before no horizon.
    let horizon = store.stats().map_or(u64::MAX, |stats| stats.horizon);
    let data = |text: &str| if choices.appends_much() { vec![b'x'; 300 << 10] } else { text.as_bytes().to_vec() };
    // One is late in most stores, and one the newest.
    let new = [(2_000_017_u64, data("late")), (4_000_000, b"new".to_vec())];
    let new: Vec<Event> = new.into_iter().map(|(time, data)| Event { time: time.max(horizon), seq: 0, id: 0xffff, data }).collect();
    let last_seq = match store.append(&new) {
        Ok(last_seq) => last_seq,
        Err(error) => return must_be_named(&error, expect, "appending"),
    };
    let highest = before.events.iter().map(|event| event.seq).max().unwrap_or(0);
    let seqs_rise = last_seq >= highest.saturating_add(2);
    assert!(seqs_rise || expect.is_forged(), "seqs were given out again: {last_seq} after {highest}");
    // What all shows from here on, if that is known.
    let after = before.whole().filter(|_| expect.trust >= Trust::Logs && seqs_rise).map(|events| {
        let new = new.iter().zip([last_seq - 1, last_seq]).map(|(event, seq)| Event { seq, ..event.clone() });
        let mut after: Vec<Event> = events.iter().cloned().chain(new).collect();
        after.sort_by_key(key);
        after
    });
    let must_show = |reading: Reading, doing: &str| {
        if let Some(error) = &reading.error {
            // Damage in a log may have been hidden by a copy that is gone by now; but with copies damaged only, all can be read.
            return must_be_named(error, expect, doing);
        }
        if let Some(after) = &after {
            must_be_ordered(&reading.events, expect, doing);
            let (there, wanted) = (sorted(&reading.events), sorted(after));
            // Forged frames may have been out of sight, for their seqs; and what a newer copy of a log has, until recovery finds it.
            let more_may_come = expect.is_forged() || matches!(expect.events, Events::Only(_));
            let mut rest = there.iter();
            let all = wanted.iter().all(|event| rest.any(|other| other == event));
            assert!(all && (there.len() == wanted.len() || more_may_come), "{doing}: {} events, not {}", there.len(), wanted.len());
        }
    };
    must_show(read(&store, 0..=u64::MAX, ReadOptions::new(), choices.batch()), "after appending");
    if let Err(error) = store.sync() {
        panic!("what was appended can't be synced: {error:?}");
    }
    if choices.power_goes() {
        disk.power_off();
        disk.power_on(Crash::LoseAll);
        drop(store);
        if expect.is_forged() {
            // Records that contradict each other may make the engine believe that a batch was not finished.
            let _ = Handle::open(*efile, Path::new(PATH), base::options(disk, Mode::Existing));
            return;
        }
    } else if let Err(error) = store.close() {
        panic!("a store that was written to can't be closed: {error:?}");
    }
    match Handle::open(*efile, Path::new(PATH), base::options(disk, Mode::Existing)) {
        Ok(store) => must_show(read(&store, 0..=u64::MAX, ReadOptions::new(), choices.batch()), "opened again"),
        Err(error) => panic!("a store that was open can't be opened again: {error:?}"),
    }
}
