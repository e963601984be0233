//! The process that is killed: does the operations of its life, and tells through a pipe what it begins and what was promised to it.
//!
//! The pipe is its standard output. Before it the test harness writes some text, so the records begin behind a mark.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Mutex;

use estore::{Durability, Level, ReadOptions, Reader};

use crate::common::handle::Handle;
use crate::workload::{BatchId, Life, MAIN, MOST_OPS, Op, Setup};

/// Where the records begin.
pub(crate) const MARK: [u8; 16] = *b"\0records follow\0";

/// What happens in a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Step {
    /// Begins to open the store.
    Opening,
    Opened,
    /// Begins an operation.
    Begun,
    Done,
    Closing,
    Closed,
}

/// One step, and for those that end something what the store answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) step: Step,
    pub(crate) thread: u16,
    pub(crate) op: u32,
    /// What the call answered: the last seq of the store.
    pub(crate) last_seq: u64,
    /// Events up to this seq, and those of this call, survive the death of the process at every level.
    pub(crate) promised: u64,
    pub(crate) durable: u64,
    /// What an append-if-absent answered.
    pub(crate) stored: u32,
    pub(crate) present: u32,
    pub(crate) expired: u32,
}

impl Record {
    /// Less than what a pipe takes in one piece.
    pub(crate) const LEN: usize = 44;

    fn of(step: Step, thread: u16, op: u32) -> Record {
        Record { step, thread, op, last_seq: 0, promised: 0, durable: 0, stored: 0, present: 0, expired: 0 }
    }

    fn encode(&self) -> [u8; Record::LEN] {
        let mut bytes = [0; Record::LEN];
        bytes[0] = self.step as u8;
        bytes[2..4].copy_from_slice(&self.thread.to_le_bytes());
        for (place, number) in bytes[8..32].as_chunks_mut().0.iter_mut().zip([self.last_seq, self.promised, self.durable]) {
            *place = number.to_le_bytes();
        }
        bytes[4..8].copy_from_slice(&self.op.to_le_bytes());
        for (place, number) in bytes[32..].as_chunks_mut().0.iter_mut().zip([self.stored, self.present, self.expired]) {
            *place = number.to_le_bytes();
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; Record::LEN]) -> Option<Record> {
        let steps = [Step::Opening, Step::Opened, Step::Begun, Step::Done, Step::Closing, Step::Closed];
        let mut wide = bytes[8..32].as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        let mut narrow = bytes[32..].as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        Some(Record {
            step: steps.into_iter().find(|step| *step as u8 == bytes[0])?,
            thread: u16::from_le_bytes([bytes[2], bytes[3]]),
            op: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            last_seq: wide.next()?,
            promised: wide.next()?,
            durable: wide.next()?,
            stored: narrow.next()?,
            present: narrow.next()?,
            expired: narrow.next()?,
        })
    }
}

/// What one writer is told.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) life: Life,
    /// Before it does anything else with the store, it waits until its parent says so.
    pub(crate) wait: bool,
    /// Batches of earlier lives, to be appended if they are absent.
    pub(crate) again: Vec<BatchId>,
}

impl Plan {
    /// As text, for the environment.
    pub(crate) fn encode(&self) -> String {
        let mut words = vec![self.seed, u64::from(self.life.number), self.life.start, u64::from(self.wait)];
        for id in &self.again {
            words.extend([u64::from(id.life.number), id.life.start, u64::from(id.thread), u64::from(id.op)]);
        }
        words.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn decode(text: &str) -> Option<Plan> {
        let words: Vec<u64> = text.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let (&[seed, number, start, wait], again) = words.split_first_chunk()?;
        let life = |number: u64, start| Life { number: number as u32, start };
        let batch = |&[number, start, thread, op]: &[u64; 4]| BatchId { life: life(number, start), thread: thread as u16, op: op as u32 };
        Some(Plan { seed, life: life(number, start), wait: wait != 0, again: again.as_chunks().0.iter().map(batch).collect() })
    }
}

/// The pipe to the parent. Each record is one write, so those of several threads don't mix.
struct Teller(File);

impl Teller {
    fn tell(&self, record: &Record) {
        // A parent that is gone has no use for this process.
        (&self.0).write_all(&record.encode()).expect("the parent listens");
    }
}

/// Lives until it is killed.
pub(crate) fn run(path: &Path, plan: &Plan) {
    let output = std::io::stdout().as_fd().try_clone_to_owned().expect("the standard output");
    let teller = Teller(File::from(output));
    (&teller.0).write_all(&MARK).expect("the parent listens");
    let setup = Setup::of(plan.seed);
    let options = setup.options().log(|level, message| {
        if level == Level::Error {
            eprintln!("the writer says: {message}");
            std::process::abort();
        }
    });
    let mut begin = 0;
    for round in 0.. {
        teller.tell(&Record::of(Step::Opening, MAIN, round));
        let store = setup.open(path, options.clone()).expect("the store opens");
        teller.tell(&Record { last_seq: store.last_seq(), durable: store.durable_seq(), ..Record::of(Step::Opened, MAIN, round) });
        if round == 0 {
            if plan.wait {
                wait_for_parent();
            }
            for (op, id) in (0..).zip(&plan.again) {
                teller.tell(&Record::of(Step::Begun, MAIN, op));
                let events = setup.batch(*id);
                teller.tell(&append_absent(&store, &events, MAIN, op));
            }
        }
        let end = (begin + setup.round_len(plan.life, round)).min(MOST_OPS);
        let work = |thread| work(&store, &setup, plan.life, thread, begin..end, &teller);
        if setup.threads == 1 {
            work(0);
        } else {
            std::thread::scope(|scope| (0..setup.threads).for_each(|thread| drop(scope.spawn(move || work(thread)))));
        }
        if end == MOST_OPS {
            wait_for_parent(); // which will kill it, or is gone itself
            return;
        }
        begin = end;
        let last_seq = store.last_seq();
        teller.tell(&Record::of(Step::Closing, MAIN, round));
        store.close().expect("the store closes");
        teller.tell(&Record { last_seq, promised: last_seq, durable: last_seq, ..Record::of(Step::Closed, MAIN, round) });
    }
}

/// Returns when the parent says something, or is gone.
fn wait_for_parent() {
    let _ = std::io::stdin().read(&mut [0]);
}

fn work(store: &Handle, setup: &Setup, life: Life, thread: u16, ops: std::ops::Range<u32>, teller: &Teller) {
    let readers: Mutex<Vec<Reader>> = Mutex::default();
    for op in ops {
        let id = BatchId { life, thread, op };
        let what = setup.op(id);
        let (events, _) = setup.events(id, what);
        teller.tell(&Record::of(Step::Begun, thread, op));
        let done = Record::of(Step::Done, thread, op);
        // What a call makes safe for other events is at least what there was before it.
        let before = store.last_seq();
        let record = match what {
            Op::Append => {
                let last_seq = store.append(&events).expect("an append works");
                Record { last_seq, promised: if matches!(setup.level, Durability::Buffered) { 0 } else { last_seq }, ..done }
            }
            Op::Absent { .. } => append_absent(store, &events, thread, op),
            Op::Sync => {
                let durable = store.sync().expect("a sync works");
                assert!(durable >= before, "a sync made {durable} durable, after {before} was appended");
                Record { promised: durable, durable, ..done }
            }
            Op::Count => {
                store.count(..).expect("a count works");
                Record { promised: before, ..done }
            }
            Op::Hold => {
                let mut reader = store.read_with(.., ReadOptions::new()).expect("a reader opens");
                reader.next_batch(1).expect("it reads");
                let mut readers = readers.lock().expect("no thread panicked");
                readers.push(reader);
                if readers.len() > 2 {
                    readers.remove(0);
                }
                Record { promised: before, ..done }
            }
            Op::DeleteBefore(time) => {
                let Handle::Store(store) = store else { panic!("an efile deletes nothing") };
                store.delete_before(time).expect("deleting works");
                done
            }
        };
        let durable = record.durable.max(store.durable_seq());
        let last = store.last_seq();
        assert!(durable <= last, "durable up to {durable}, given up to {last}");
        if matches!(setup.level, Durability::Power) && what == Op::Append {
            assert!(durable >= record.last_seq, "durable up to {durable}, after an append up to {}", record.last_seq);
        }
        teller.tell(&Record { durable, ..record });
    }
}

fn append_absent(store: &Handle, events: &[estore::Event], thread: u16, op: u32) -> Record {
    let answer = store.append_absent(events).expect("an append works");
    let numbers = [answer.stored, answer.present, answer.expired].map(|number| u32::try_from(number).expect("a batch is small"));
    Record {
        last_seq: answer.last_seq,
        promised: answer.last_seq,
        stored: numbers[0],
        present: numbers[1],
        expired: numbers[2],
        ..Record::of(Step::Done, thread, op)
    }
}
