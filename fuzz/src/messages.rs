//! Inputs that another replica may send: two bytes of choices, then a message or a parcel.
//!
//! ```text
//!   answer    the bytes are a request to a store
//!   reply     so many messages are exchanged as they should be, and then the bytes are the reply
//!   import    the bytes are a parcel
//! ```
//!
//! What is refused has changed nothing, and what is taken brings no event that nobody has sent. Whatever it was, the exchange comes to its
//! end, and another one makes the two stores equal.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;

use estore::disk::SimDisk;
use estore::{Error, Event, Exchange, Mode, ReadOptions, RepairOptions, Repaired, Sizes, Store};

use crate::base::{self, History, PATH, Snapshot};
use crate::check::Choices;
use crate::layout;
use crate::memory::bounded;
use crate::mutate::{LIMITS, Raw};
use crate::rng::Rng;

const HEADER: usize = 24;
const CRC: usize = 4;
const MESSAGE: &[u8] = b"estmessg";
const PARCEL: &[u8] = b"estparcl";
const HAVE: u32 = 4;
const GIVE: u32 = 5;
/// Lengths of what messages are made of: numbers, identities, parts, ranges.
const PIECES: [usize; 4] = [8, 24, 40, 72];
/// No exchange between stores as small as these takes as many messages, nor a reply as many bytes.
const MOST_MESSAGES: usize = 5_000;
const MOST_BYTES: usize = 1 << 16;

/// What is left to an input to choose.
impl Choices {
    fn is_request(self) -> bool {
        self.0 & 3 == 0
    }

    fn is_parcel(self) -> bool {
        self.0 & 3 == 1
    }

    /// So many replies are as they should be.
    fn replies_before(self) -> u16 {
        self.0 >> 2 & 15
    }

    fn leaf_events(self) -> u64 {
        [512, 1, 2, 5][usize::from(self.0 >> 6 & 3)]
    }

    fn is_both_ways(self) -> bool {
        self.0 & 1 << 8 != 0
    }

    fn is_swapped(self) -> bool {
        self.0 & 1 << 9 != 0
    }

    fn damages_to(self) -> bool {
        self.0 & 1 << 10 != 0
    }

    fn damages_from(self) -> bool {
        self.0 & 1 << 11 != 0
    }

    fn only_reads(self) -> bool {
        self.0 & 1 << 12 != 0
    }
}

fn history() -> &'static History {
    static HISTORY: OnceLock<History> = OnceLock::new();
    HISTORY.get_or_init(base::store)
}

type Identity = (u64, u32, Vec<u8>);

fn identity(event: &Event) -> Identity {
    (event.time, event.id, event.data.clone())
}

/// A store that takes part.
struct Side {
    store: Store,
    /// What it held at first.
    first: BTreeSet<Identity>,
    horizon: u64,
}

impl Side {
    fn open(snapshot: &Snapshot, damaged: bool, mode: Mode, leaf_events: u64) -> Side {
        let disk = snapshot.disk.fork(1);
        if damaged {
            damage(&disk, snapshot);
        }
        let options = base::options(&disk, mode).sizes(Sizes { leaf_events, ..Sizes::default() });
        let store = Store::open(PATH, options).expect("the base store opens");
        let horizon = store.digest(0..1, 1).map(|digest| digest.horizon).expect("there is nothing so early");
        let mut side = Side { store, first: BTreeSet::new(), horizon };
        side.first = side.events().iter().map(identity).collect();
        side
    }

    /// What it holds that is whole.
    fn events(&self) -> Vec<Event> {
        let reader = self.store.read_with(.., ReadOptions::new().salvage()).expect("the store can be read");
        reader.collect::<Result<_, _>>().expect("the store can be read past damage")
    }

    fn set(&self) -> BTreeSet<Identity> {
        self.events().iter().map(identity).collect()
    }

    /// What it is to hold once it was given all that the other has.
    fn with(&self, other: &Side) -> BTreeSet<Identity> {
        self.first.iter().chain(&other.first).filter(|identity| identity.0 >= self.horizon).cloned().collect()
    }
}

/// Changes a byte of a frame in the middle of each log.
fn damage(disk: &SimDisk, snapshot: &Snapshot) {
    for (name, bytes) in snapshot.files.iter().filter(|(name, _)| name.ends_with(".estore")) {
        let frames = layout::frames(bytes, layout::HEADER, bytes.len());
        let Some(frame) = frames.get(frames.len() / 2) else { continue };
        let mut bytes = bytes.clone();
        if let Some(last) = bytes.get_mut(frame.end - 1) {
            *last ^= 1;
        }
        disk.put(Path::new(PATH).join(name), &bytes).expect("the simulated disk takes it");
    }
}

/// Who repairs, and the other.
fn sides(choices: Choices) -> (Side, Side) {
    let History { closed, other, .. } = history();
    let (to, from) = if choices.is_swapped() { (other, closed) } else { (closed, other) };
    let mode = if choices.only_reads() { Mode::ReadOnly } else { Mode::Existing };
    let leaf_events = choices.leaf_events();
    (Side::open(to, choices.damages_to(), Mode::Existing, leaf_events), Side::open(from, choices.damages_from(), mode, leaf_events))
}

fn begin(to: &Side, choices: Choices) -> Exchange {
    // A store that only reads can't be given anything.
    let both_ways = choices.is_both_ways() && !choices.only_reads();
    let options = if both_ways { RepairOptions::new().both_ways() } else { RepairOptions::new() };
    to.store.exchange(.., options).expect("an exchange begins")
}

/// One message and its reply, as it should be; whether there was one.
fn exchange_one(exchange: &mut Exchange, from: &Side) -> bool {
    let Some(request) = exchange.request().expect("there is a request") else { return false };
    let reply = from.store.answer(&request).expect("the other answers");
    assert!(request.len().max(reply.len()) < MOST_BYTES, "a message of {} bytes, a reply of {}", request.len(), reply.len());
    exchange.reply(&reply).expect("the reply is taken");
    true
}

fn exchange_all(exchange: &mut Exchange, from: &Side) {
    let count = (0..MOST_MESSAGES).take_while(|_| exchange_one(exchange, from)).count();
    assert!(count < MOST_MESSAGES, "an exchange comes to its end");
}

/// Runs one input.
pub fn run(input: &[u8]) {
    let Some((choices, bytes)) = Choices::of(input) else { return };
    history();
    bounded(|| {
        let (to, from) = sides(choices);
        if choices.is_request() {
            let given = open(bytes, MESSAGE).filter(|(kind, _)| *kind == GIVE).and_then(|(_, contents)| events_of(contents));
            let answered = given_to(&from, given, || from.store.answer(bytes).map(|reply| (reply.len(), numbers_of_taken(&reply))));
            assert!(answered.is_none_or(|len| len < MOST_BYTES), "a reply of {answered:?} bytes");
        } else if choices.is_parcel() {
            given_to(&to, events_of(bytes), || {
                to.store.import(bytes).map(|appended| (0, Some([appended.stored, appended.present, appended.expired])))
            });
        } else {
            reply(&to, &from, choices, bytes);
        }
    });
}

/// A store is given bytes, in which there are these events if they are whole. Answers what came with what it did.
fn given_to<T: Copy>(side: &Side, given: Option<Vec<Identity>>, give: impl FnOnce() -> Result<(T, Option<[u64; 3]>), Error>) -> Option<T> {
    let before = side.events();
    let done = give();
    let after = side.events();
    match (done, given) {
        (Ok((answer, Some([stored, present, expired]))), Some(given)) => {
            assert_eq!(stored + present + expired, given.len() as u64, "each event is one of the three");
            assert_eq!(after.len() as u64, before.len() as u64 + stored, "as many came as it says");
            let live = given.into_iter().filter(|identity| identity.0 >= side.horizon);
            let wanted: BTreeSet<Identity> = before.iter().map(identity).chain(live).collect();
            assert!(side.set() == wanted, "what it was given, and nothing else");
            Some(answer)
        }
        (Ok((answer, None)), None) => {
            assert!(after == before, "a question changes nothing");
            Some(answer)
        }
        (Ok(_), given) => panic!("an answer to something else than was sent: {given:?}"),
        (Err(e), given) => {
            assert!(after == before, "what is refused changes nothing");
            let expected = match e {
                Error::Corrupt { .. } => given.is_none(),
                Error::ReadOnly { .. } | Error::TooManyChunks { .. } => given.is_some(),
                _ => false,
            };
            assert!(expected, "refused for a wrong reason: {e:?}");
            None
        }
    }
}

/// The bytes come as a reply.
fn reply(to: &Side, from: &Side, choices: Choices, bytes: &[u8]) {
    let mut exchange = begin(to, choices);
    let before = (0..choices.replies_before()).take_while(|_| exchange_one(&mut exchange, from)).count();
    let taken = match exchange.request().expect("there is a request") {
        Some(request) if before == usize::from(choices.replies_before()) => {
            let (events, done): (_, Repaired) = (to.events(), exchange.repaired().clone());
            match exchange.reply(bytes) {
                Ok(()) => true,
                Err(e) => {
                    assert!(matches!(e, Error::Corrupt { .. }), "refused for a wrong reason: {e:?}");
                    assert!(to.events() == events && *exchange.repaired() == done, "what is refused changes nothing");
                    assert!(exchange.request().expect("there is a request") == Some(request), "the same is asked again");
                    false
                }
            }
        }
        _ => false,
    };
    exchange_all(&mut exchange, from);
    let equal = || {
        let from_is = if choices.is_both_ways() && !choices.only_reads() { from.with(to) } else { from.first.clone() };
        to.set() == to.with(from) && from.set() == from_is
    };
    let ours = &to.with(from) | &from.with(to);
    assert!(to.set().is_subset(&ours) && from.set().is_subset(&ours), "an event came that neither had");
    assert!(taken || equal(), "the two do not agree after an exchange as it should be");
    exchange_all(&mut begin(to, choices), from);
    assert!(equal(), "the two do not agree in the end");
    assert_eq!((to.events().len(), from.events().len()), (to.set().len(), from.set().len()), "an event is there twice");
    let again = begin(to, choices);
    let damaged = !again.repaired().own_gaps.is_empty();
    assert_eq!(damaged, choices.damages_to(), "damage is told");
    let repaired = to.store.repair(&from.store, .., RepairOptions::new(), |_| ControlFlow::Continue(())).expect("the two can be read");
    assert_eq!((repaired.to.copied, !repaired.gaps.is_empty()), (0, choices.damages_from()));
}

/// The number in the head and the contents of something that is whole.
fn open<'a>(bytes: &'a [u8], magic: &[u8]) -> Option<(u32, &'a [u8])> {
    let end = bytes.len().checked_sub(CRC).filter(|end| *end >= HEADER)?;
    let whole = bytes.starts_with(magic)
        && layout::get(bytes, 8, 4) == 1
        && layout::get(bytes, 16, 8) == bytes.len() as u64
        && layout::get(bytes, end, 4) == u64::from(crc32fast::hash(&bytes[..end]));
    whole.then(|| (layout::get(bytes, 12, 4) as u32, &bytes[HEADER..end]))
}

/// The events of a parcel that is whole.
fn events_of(bytes: &[u8]) -> Option<Vec<Identity>> {
    let (count, contents) = open(bytes, PARCEL)?;
    let events = walk(contents)?;
    (events.len() as u64 == u64::from(count)).then_some(events)
}

fn walk(mut rest: &[u8]) -> Option<Vec<Identity>> {
    let mut events = Vec::new();
    while !rest.is_empty() {
        let (head, behind) = rest.split_at_checked(16)?;
        let (data, behind) = behind.split_at_checked(layout::get(head, 12, 4) as usize)?;
        events.push((layout::get(head, 0, 8), layout::get(head, 8, 4) as u32, data.to_vec()));
        rest = behind;
    }
    Some(events)
}

/// What a message says that was stored, there already, expired; if it is one that does.
fn numbers_of_taken(reply: &[u8]) -> Option<[u64; 3]> {
    let (kind, contents) = open(reply, MESSAGE).expect("a reply is whole");
    (kind == 6).then(|| [0, 8, 16].map(|at| layout::get(contents, at, 8)))
}

/// Messages and parcels as they should be, each as an input.
fn real() -> &'static [Vec<u8>] {
    static REAL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    REAL.get_or_init(|| {
        let mut inputs = Vec::new();
        for choices in [0x100, 0x140, 0x240, 0x380, 0xdc0, 0xe80] {
            let (to, from) = sides(Choices(choices));
            let mut exchange = begin(&to, Choices(choices));
            for replies_before in 0..16 {
                let Some(request) = exchange.request().expect("there is a request") else { break };
                let reply = from.store.answer(&request).expect("the other answers");
                exchange.reply(&reply).expect("the reply is taken");
                inputs.push(Choices(choices).before(&request));
                inputs.push(Choices(choices | 2 | replies_before << 2).before(&reply));
            }
            let mut export = from.store.export(.., ReadOptions::new().salvage()).expect("the store can be read");
            while let Some(parcel) = export.next_parcel(400).expect("the store can be read") {
                inputs.push(Choices(choices | 1).before(&parcel));
            }
        }
        inputs
    })
}

/// Inputs to start from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = real().to_vec();
    seeds.sort();
    seeds.dedup();
    seeds
}

/// Mutates an input in place; answers its new size.
pub fn mutate(data: &mut [u8], size: usize, most: usize, seed: u32, raw: Raw<'_>) -> usize {
    let mut rng = Rng::new(u64::from(seed));
    let rng = &mut rng;
    let most = most.min(data.len());
    let (mut choices, bytes) = Choices::of(&data[..size]).unwrap_or((Choices(0), &[]));
    let mut bytes = bytes.to_vec();
    if rng.one_in(4) {
        choices = Choices(choices.0 ^ 1 << rng.below(16));
    }
    for _ in 0..=rng.below(3) {
        let donor = real().get(rng.index(real().len())).map_or(&[][..], Vec::as_slice);
        let (donor_choices, donor) = Choices::of(donor).unwrap_or((Choices(0), &[]));
        match rng.below(12) {
            0 | 1 => raw_change(&mut bytes, most - 2, raw),
            2..=6 => set_number(&mut bytes, donor, rng),
            7 => insert_piece(&mut bytes, donor, rng),
            8 => remove_piece(&mut bytes, rng),
            9 => wrap(&mut bytes, rng),
            10 if bytes.len() > 16 => layout::put(&mut bytes, 12, 4, rng.below(9)),
            _ => (choices, bytes) = (donor_choices, donor.to_vec()),
        }
        bytes.truncate(most - 2);
    }
    if !rng.one_in(8) {
        seal(&mut bytes, rng);
    }
    choices.put_before(&bytes, &mut data[..most])
}

fn raw_change(bytes: &mut Vec<u8>, most: usize, raw: Raw<'_>) {
    let size = bytes.len().min(most);
    bytes.resize(most, 0);
    let size = raw(bytes, size);
    bytes.truncate(size);
}

/// A place in the contents where a number may be.
fn place(bytes: &[u8], rng: &mut Rng) -> usize {
    // Behind names and data they stand anywhere, in multiples of four otherwise.
    let unit = if rng.one_in(8) { 1 } else { 4 };
    HEADER + rng.index(bytes.len().saturating_sub(HEADER) / unit) * unit
}

fn set_number(bytes: &mut [u8], donor: &[u8], rng: &mut Rng) {
    let (at, width) = (place(bytes, rng), if rng.one_in(2) { 8 } else { 4 });
    let was = layout::get(bytes, at, width);
    let value = match rng.below(7) {
        0 => LIMITS[rng.index(LIMITS.len())],
        1 => was.wrapping_add(1),
        2 => was.wrapping_sub(1),
        3 => was ^ 1 << rng.below(64),
        4 => layout::get(bytes, place(bytes, rng), width),
        5 => layout::get(donor, place(donor, rng), width),
        _ => was.wrapping_add(rng.below(512)).wrapping_sub(256),
    };
    layout::put(bytes, at, width, value);
}

fn insert_piece(bytes: &mut Vec<u8>, donor: &[u8], rng: &mut Rng) {
    let len = PIECES[rng.index(PIECES.len())] * (1 + rng.index(4));
    let from = if rng.one_in(2) { bytes.as_slice() } else { donor };
    let start = place(from, rng);
    let piece = from.get(start..(start + len).min(from.len())).unwrap_or_default().to_vec();
    let at = place(bytes, rng).min(bytes.len());
    bytes.splice(at..at, piece);
}

fn remove_piece(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = place(bytes, rng).min(bytes.len());
    let end = (at + PIECES[rng.index(PIECES.len())]).min(bytes.len());
    bytes.drain(at..end);
}

/// Makes a parcel a message that carries one, or takes it out of that.
fn wrap(bytes: &mut Vec<u8>, rng: &mut Rng) {
    if bytes.starts_with(PARCEL) {
        let (kind, before): (u32, &[u8]) = if rng.one_in(2) { (GIVE, &[]) } else { (HAVE, &[1, 0, 0, 0, 0, 0, 0, 0]) };
        *bytes = [MESSAGE, &1_u32.to_le_bytes(), &kind.to_le_bytes(), &[0; 8], before, bytes, &[0; CRC]].concat();
    } else if let Some(at) = inner(bytes) {
        *bytes = bytes[at..bytes.len() - CRC].to_vec();
    }
}

/// Where the parcel in a message starts.
fn inner(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(PARCEL.len()).position(|window| window == PARCEL)?;
    (at >= HEADER && at + CRC <= bytes.len()).then_some(at)
}

/// Makes lengths, counts and checksums fit, or mostly.
fn seal(bytes: &mut [u8], rng: &mut Rng) {
    if let Some(at) = inner(bytes)
        && !rng.one_in(10)
    {
        let end = bytes.len() - CRC;
        seal(&mut bytes[at..end], rng);
    }
    let Some(end) = bytes.len().checked_sub(CRC).filter(|end| *end >= HEADER) else { return };
    if bytes.starts_with(PARCEL)
        && !rng.one_in(10)
        && let Some(events) = walk(&bytes[HEADER..end])
    {
        layout::put(bytes, 12, 4, events.len() as u64);
    }
    if !rng.one_in(10) {
        layout::put(bytes, 16, 8, bytes.len() as u64);
    }
    let crc = crc32fast::hash(&bytes[..end]);
    layout::put(bytes, end, 4, u64::from(crc));
}
