//! What the test files share: the naive model of a store ([`model`]), a handle that is either kind of store ([`handle`]), and the two
//! disks that stores are tested on ([`place`]).
//!
//! Every test file compiles this module for itself and uses a part of it, hence the `dead_code`.

#![allow(dead_code)]

pub(crate) mod data;
pub(crate) mod handle;
pub(crate) mod model;
pub(crate) mod mounts;
pub(crate) mod place;
pub(crate) mod rng;

use estore::{AsEvent, Error, Event, EventRef, Reader, RepairOptions, Repaired, Store};

/// An event to append.
pub(crate) fn event(time: u64, id: u32, data: impl Into<Vec<u8>>) -> Event {
    Event { time, seq: 0, id, data: data.into() }
}

/// Events at `times`, whose data is the number of each in the batch.
pub(crate) fn events_at(times: impl IntoIterator<Item = u64>) -> Vec<Event> {
    times.into_iter().zip(0_u32..).map(|(time, i)| event(time, i, i.to_string())).collect()
}

/// All that a reader still has; the first error fails the test.
pub(crate) fn drain(reader: Reader) -> Vec<Event> {
    reader.map(|event| event.expect("reading goes on to the end")).collect()
}

/// As [`drain`], by batches of up to `max`.
pub(crate) fn drain_batches(reader: &mut Reader, max: usize) -> Vec<Event> {
    let mut all = Vec::new();
    loop {
        let batch = reader.next_batch(max).expect("reading goes on to the end");
        assert!(batch.len() <= max, "a batch of {} where at most {max} were asked for", batch.len());
        if batch.is_empty() {
            return all;
        }
        let before = all.len();
        all.extend(batch.iter().map(EventRef::to_event));
        assert_eq!(all.len() - before, batch.len(), "a batch has as many events as it says");
    }
}

/// Where the frames of a file start.
pub(crate) fn frames(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len().saturating_sub(4)).filter(|&at| bytes.get(at..at + 4) == Some(b"eFrm")).collect()
}

/// Only the times.
pub(crate) fn times(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.time).collect()
}

/// What makes up an event, without its seq.
pub(crate) fn identities<E: AsEvent>(events: &[E]) -> Vec<(u64, u32, Vec<u8>)> {
    events
        .iter()
        .map(|event| {
            let event = event.as_event();
            (event.time, event.id, event.data.to_vec())
        })
        .collect()
}

/// The identities of `events` sorted by time, equal times as they stand: what a store that got them in this order reads as.
pub(crate) fn stable_sorted<E: AsEvent>(events: &[E]) -> Vec<(u64, u32, Vec<u8>)> {
    let mut sorted = identities(events);
    sorted.sort_by_key(|(time, _, _)| *time);
    sorted
}

/// Fails unless the events are in order of (time, seq) and no seq is there twice.
pub(crate) fn assert_ordered(events: &[Event]) {
    for pair in events.windows(2) {
        if let [a, b] = pair {
            assert!((a.time, a.seq) < (b.time, b.seq), "{:?} comes before {:?}", (a.time, a.seq), (b.time, b.seq));
        }
    }
    let mut seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), events.len(), "each seq is there once");
}

/// Repairs a store by messages to another; answers what was done, and how many messages with how many bytes it took.
pub(crate) fn exchange(to: &Store, from: &Store, options: RepairOptions) -> (Repaired, usize, usize) {
    let mut exchange = to.exchange(.., options).expect("it begins");
    let (mut messages, mut bytes) = (0, 0);
    while let Some(request) = exchange.request().expect("there is a request") {
        let reply = from.answer(&request).expect("the other answers");
        exchange.reply(&reply).expect("the answer is taken");
        messages += 2;
        assert!(messages < 1_000_000, "an exchange comes to an end");
        bytes += request.len() + reply.len();
    }
    (exchange.repaired().clone(), messages, bytes)
}

/// The error, or a failed test that says what came instead.
pub(crate) fn error_of<T>(result: estore::Result<T>) -> Error {
    match result {
        Ok(_) => panic!("an error was expected, but the call worked"),
        Err(error) => error,
    }
}

/// `assert_error!(call, Error::TooLarge { .. })`: the call fails with this error, whose text is printed if it doesn't.
#[macro_export]
macro_rules! assert_error {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {{
        let error = $crate::common::error_of($result);
        assert!(matches!(&error, $pattern $(if $guard)?), "the wrong error: {error:?}");
        assert!(!error.to_string().is_empty());
        error
    }};
}
