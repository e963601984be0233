//! Replicas drift and come together: each is given some of the events, in any order, some of them twice; they are compacted, deleted from
//! and repaired in pairs, lose power, and are damaged on the way. Whatever happens, in the end each holds exactly the events that any of
//! them was given, but for what it has deleted and what was damaged in all that had it, and none of them twice that was not appended twice.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::common::place::Place;
use crate::common::rng::Rng;
use crate::common::{assert_ordered, drain, drain_batches, event, exchange, frames, identities};
use estore::disk::{Call, Crash, Fault, FaultEffect};
use estore::{Digest, Durability, Error, Event, Finding, FindingKind, Options, ReadOptions, RepairOptions, Sizes, Store};

type Identity = (u64, u32, Vec<u8>);

struct Replica {
    place: Place,
    file_size: u64,
    grace: u64,
    leaf_events: u64,
    store: Option<Store>,
    /// How often each identity is there.
    holds: BTreeMap<Identity, u64>,
    /// What else may be there: a repair that failed may have copied it.
    may_hold: BTreeSet<Identity>,
    horizon: u64,
    /// Frames of it were damaged.
    damaged: bool,
    /// In which log, at which byte, which bit.
    flipped: BTreeSet<(String, usize, u8)>,
}

impl Replica {
    fn new(rng: &mut Rng) -> Replica {
        let place = Place::simulated(rng.next());
        let (file_size, grace) = (20 + rng.below(200), rng.below(30));
        let leaf_events = [1, 2, 5, 512][rng.index(4)];
        let (holds, may_hold) = (BTreeMap::new(), BTreeSet::new());
        let flipped = BTreeSet::new();
        let mut replica =
            Replica { place, file_size, grace, leaf_events, store: None, holds, may_hold, horizon: 0, damaged: false, flipped };
        replica.open();
        replica
    }

    fn options(&self) -> Options {
        let sizes = Sizes { pending_bytes: 300, run_frame_bytes: 100, index_entries: 4, leaf_events: self.leaf_events, ..Sizes::default() };
        self.place.options().file_size(self.file_size).grace(self.grace).durability(Durability::Process).sizes(sizes)
    }

    fn open(&mut self) {
        self.store = Some(Store::open(&self.place.path, self.options()).unwrap());
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn give(&mut self, events: &[Event]) {
        self.store().append(events).unwrap();
        for identity in identities(events).into_iter().filter(|(time, ..)| *time >= self.horizon) {
            *self.holds.entry(identity).or_default() += 1;
        }
    }

    /// Which identities there are, without how often.
    fn set(&self) -> BTreeSet<Identity> {
        self.holds.keys().cloned().collect()
    }

    /// What it would be given of a set.
    fn lacks(&self, set: &BTreeSet<Identity>) -> BTreeSet<Identity> {
        set.iter().filter(|identity| identity.0 >= self.horizon && !self.holds.contains_key(*identity)).cloned().collect()
    }

    fn take(&mut self, set: BTreeSet<Identity>) {
        self.holds.extend(set.into_iter().map(|identity| (identity, 1)));
    }

    /// The power goes: what was copied since the last sync may be gone, what was synced may not.
    fn lose_power(&mut self, rng: &mut Rng) {
        let how = [Crash::LoseAll, Crash::KeepAll, Crash::Random][rng.index(3)];
        self.place.crash(how);
        self.store = None;
        self.open();
    }

    /// A byte of a frame is not what was written. What derived files have of it is gone too.
    fn lose_a_frame(&mut self, rng: &mut Rng) {
        self.store().close().unwrap();
        self.store = None;
        let logs = self.place.names(".estore");
        if !logs.is_empty() {
            let name = &logs[rng.index(logs.len())];
            let mut bytes = self.place.file(name);
            let frames = frames(&bytes);
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if !frames.is_empty() {
                let place = rng.index(frames.len());
                let next = frames.get(place + 1).copied().unwrap_or(end);
                let (at, bit) = (frames[place] + rng.index(next - frames[place]), rng.below(8) as u8);
                // The same bit a second time would bring back what a repair has brought back meanwhile.
                if self.flipped.insert((name.clone(), at, bit)) {
                    bytes[at] ^= 1 << bit;
                }
                self.place.put_file(name, &bytes);
                let derived = [".idx", ".recon"].map(|ending| self.place.names(ending)).concat();
                derived.iter().for_each(|name| assert!(self.place.sim().remove(self.place.path.join(name))));
                self.damaged = true;
            }
        }
        self.open();
        let found = self.found();
        assert!(found.iter().all(|(identity, count)| self.holds.get(identity).is_some_and(|held| count <= held)));
        self.holds = found;
    }

    /// Whether something of it is known to be damaged, from a time on.
    fn has_gaps(&self, since: u64) -> bool {
        let mut reader = self.store().read_with(since.., ReadOptions::new().salvage()).unwrap();
        drain_batches(&mut reader, 100);
        !reader.gaps().is_empty()
    }

    /// Looks what there is, which may be some of what a repair has begun to copy.
    fn settle(&mut self) {
        let found = self.found();
        let begun = std::mem::take(&mut self.may_hold);
        for (identity, count) in found {
            match self.holds.get(&identity) {
                Some(known) => assert_eq!(*known, count, "{identity:?} is there {count} times"),
                None => {
                    assert!(begun.contains(&identity) && count == 1, "{identity:?} came from nowhere, {count} times");
                    self.holds.insert(identity, count);
                }
            }
        }
        self.check();
    }

    fn found(&self) -> BTreeMap<Identity, u64> {
        let options = if self.damaged { ReadOptions::new().salvage() } else { ReadOptions::new() };
        let events = drain(self.store().read_with(.., options).unwrap());
        assert_ordered(&events);
        let mut found = BTreeMap::new();
        identities(&events).into_iter().for_each(|identity| *found.entry(identity).or_default() += 1);
        found
    }

    /// A digest of all of it.
    fn digest(&self) -> Digest {
        const WIDTH: u64 = 90;
        let digest = self.store().digest(0..2_000, WIDTH).unwrap();
        let mut buckets = vec![(0, 0); digest.buckets.len()];
        for (time, id, data) in self.holds.keys() {
            let (count, sum) = &mut buckets[(time / WIDTH) as usize];
            let hash = xxhash_rust::xxh3::xxh3_128(&[&time.to_le_bytes()[..], &id.to_le_bytes(), data].concat());
            (*count, *sum) = (*count + 1, u128::wrapping_add(*sum, hash));
        }
        let there: Vec<(u64, u128)> = digest.buckets.iter().map(|bucket| (bucket.count, bucket.sum)).collect();
        assert!(there == buckets, "the digest of {:?} is {there:?}, not {buckets:?}", self.holds);
        digest
    }

    fn check(&self) {
        assert!(self.found() == self.holds, "it holds {:?}, not {:?}", self.found(), self.holds);
    }
}

/// Two of a list, to be changed both.
fn pair(replicas: &mut [Replica], one: usize, other: usize) -> (&mut Replica, &mut Replica) {
    let (low, high) = replicas.split_at_mut(one.max(other));
    let (low, high) = (&mut low[one.min(other)], &mut high[0]);
    if one < other { (low, high) } else { (high, low) }
}

/// How events get from one store to another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Call,
    Messages,
    Parcels,
}

/// A parcel that was changed on its way, or was made wrongly.
fn spoiled(rng: &mut Rng, parcel: &[u8]) -> Vec<u8> {
    let mut bytes = parcel.to_vec();
    if rng.one_in(2) {
        let at = rng.index(bytes.len());
        bytes[at] ^= 1 << rng.below(8);
        return bytes;
    }
    // It ends within its last event, with a length and a checksum that fit. Whoever makes such a one does so on purpose.
    bytes.truncate(bytes.len() - 5);
    let len = bytes.len() as u64 + 4;
    bytes[16..24].copy_from_slice(&len.to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Brings what `to` lacks.
fn repair(rng: &mut Rng, to: &mut Replica, from: &mut Replica, both_ways: bool, way: Way) {
    let (lacks_to, lacks_from) = (to.lacks(&from.set()), from.lacks(&to.set()));
    if !to.damaged && !from.damaged {
        let differ = !to.digest().differences(&from.digest()).unwrap().is_empty();
        assert!(differ || lacks_to.is_empty() && lacks_from.is_empty(), "digests are equal, and {lacks_to:?} or {lacks_from:?} is lacking");
    }
    if way == Way::Parcels {
        let mut stored = 0;
        let options = if from.damaged { ReadOptions::new().salvage() } else { ReadOptions::new() };
        let mut export = from.store().export(.., options).unwrap();
        while let Some(parcel) = export.next_parcel(100).unwrap() {
            let error = to.store().import(&spoiled(rng, &parcel)).expect_err("a parcel that is not whole is refused");
            assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
            stored += to.store().import(&parcel).unwrap().stored;
        }
        assert_eq!(stored, lacks_to.len() as u64);
        to.take(lacks_to);
        return;
    }
    let options = if both_ways { RepairOptions::new().both_ways() } else { RepairOptions::new() };
    let go_on = |_| ControlFlow::Continue(());
    let repaired = if way == Way::Call {
        let repaired = to.store().repair(from.store(), .., options, go_on).unwrap();
        assert_eq!(repaired.to.compared, from.holds.values().sum::<u64>());
        repaired
    } else {
        exchange(to.store(), from.store(), options).0
    };
    assert_eq!(repaired.to.copied, lacks_to.len() as u64);
    let since = if way == Way::Call { 0 } else { to.horizon.max(from.horizon) };
    assert_eq!((!repaired.own_gaps.is_empty(), !repaired.gaps.is_empty()), (to.has_gaps(0), from.has_gaps(since)));
    assert_eq!(repaired.to.compared, repaired.to.copied + repaired.to.skipped + repaired.to.expired);
    assert_eq!(repaired.from.copied, if both_ways { lacks_from.len() as u64 } else { 0 });
    to.take(lacks_to);
    if both_ways {
        from.take(lacks_from);
    }
    // Equal stores find that they are with the first message; where the other has deleted more, what is here may not be compared with it.
    if way == Way::Messages && both_ways && to.horizon >= from.horizon {
        assert_eq!(exchange(to.store(), from.store(), options).1, 2, "an exchange between equal stores");
    }
    let again = to.store().repair(from.store(), .., options, go_on).unwrap();
    assert_eq!((again.to.copied, again.from.copied), (0, 0), "a second repair copies something");
}

/// A repair in whose midst the disk fails, or the power goes.
fn repair_that_fails(rng: &mut Rng, to: &mut Replica, from: &mut Replica) {
    to.store().sync().unwrap();
    to.may_hold = to.lacks(&from.set());
    let (calls, effect) = if rng.one_in(2) { (None, libc::EIO) } else { (Some(Call::Write), libc::ENOSPC) };
    let fault = Fault { at: rng.below(12), calls, name: None, effect: FaultEffect::Errno(effect), forever: rng.one_in(2) };
    to.place.sim().inject(fault);
    let _ = to.store().repair(from.store(), .., RepairOptions::new(), |_| ControlFlow::Continue(()));
    to.place.sim().clear_faults();
    to.lose_power(rng);
    to.settle();
}

/// One case: what happens in it depends on its seed alone.
pub(crate) fn case(seed: u64) {
    let mut rng = Rng::new(seed);
    let rng = &mut rng;
    let count = 2 + rng.index(3);
    let mut replicas: Vec<Replica> = (0..count).map(|_| Replica::new(rng)).collect();
    // Times are few, so that many events share theirs; two may differ in their id alone, or in their data alone.
    let times = if rng.one_in(5) { 3 } else { 40 };
    let events: Vec<Event> = (0..10 + rng.index(60))
        .map(|_| {
            let len = rng.index(20);
            event(rng.below(times) * 40, rng.below(3) as u32, vec![rng.below(2) as u8; len])
        })
        .collect();
    for replica in &mut replicas {
        let mut some: Vec<Event> = events.iter().filter(|_| !rng.one_in(3)).cloned().collect();
        let repeats: Vec<Event> = some.iter().filter(|_| rng.one_in(5)).cloned().collect();
        some.extend(repeats);
        rng.shuffle(&mut some);
        while !some.is_empty() {
            let rest = some.split_off(some.len().min(1 + rng.index(20)));
            replica.give(&some);
            some = rest;
        }
    }
    for _ in 0..2 + rng.index(8) {
        let one = rng.index(count);
        let other = (one + 1 + rng.index(count - 1)) % count;
        match rng.below(10) {
            0 => match replicas[one].store().compact(.., |_| ControlFlow::Continue(())) {
                Err(Error::Corrupt { .. }) if replicas[one].damaged => {}
                compacted => drop(compacted.unwrap()),
            },
            1 if rng.one_in(2) => {
                let horizon = rng.below(600);
                let replica = &mut replicas[one];
                replica.store().delete_before(horizon).unwrap();
                replica.horizon = replica.horizon.max(horizon);
                let horizon = replica.horizon;
                replica.holds.retain(|identity, _| identity.0 >= horizon);
            }
            1 => replicas[one].lose_a_frame(rng),
            2 | 3 => {
                let (to, from) = pair(&mut replicas, one, other);
                repair_that_fails(rng, to, from);
            }
            4 => {
                replicas[one].store().sync().unwrap();
                replicas[one].lose_power(rng);
                replicas[one].settle();
            }
            _ => {
                let (to, from) = pair(&mut replicas, one, other);
                let way = [Way::Call, Way::Call, Way::Messages, Way::Messages, Way::Parcels][rng.index(5)];
                let both_ways = rng.one_in(2);
                repair(rng, to, from, both_ways, way);
            }
        }
    }
    let all: BTreeSet<Identity> = replicas.iter().flat_map(Replica::set).collect();
    for round in 0..2 {
        for one in 0..count {
            for other in (0..count).filter(|other| *other != one) {
                let (to, from) = pair(&mut replicas, one, other);
                let way = if rng.one_in(2) { Way::Call } else { Way::Messages };
                repair(rng, to, from, round == 0, way);
            }
        }
    }
    for replica in &replicas {
        replica.check();
        let wanted: BTreeSet<Identity> = all.iter().filter(|identity| identity.0 >= replica.horizon).cloned().collect();
        assert!(replica.set() == wanted, "a replica lacks {:?}", &wanted - &replica.set());
        let aside = |finding: Finding| {
            assert!(finding.kind == FindingKind::Aside || replica.damaged, "{finding:?}");
            ControlFlow::Continue(())
        };
        replica.store().verify(aside).unwrap();
    }
}
