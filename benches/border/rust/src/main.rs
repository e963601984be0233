//! The cost of the language border, in Rust, where there is none: what the others are compared with. `benches/README.md` says what is
//! measured, `border.c` how a program is asked.

use std::io::{BufRead, stdin};
use std::time::{Duration, Instant};

use estore::{Durability, EventRef, Mode, Options, Result, Store};

const BATCH: usize = 1000;
const LEN: usize = 100;
const READ: usize = 512;

fn make_pool() -> Vec<u8> {
    (0..BATCH * LEN).map(|j| ((j * 31 + j / LEN) % 251) as u8).collect()
}

fn make_events(n: u64, pool: &[u8]) -> Vec<EventRef<'_>> {
    let data = |i: u64| {
        let at = i as usize % BATCH * LEN;
        &pool[at..at + LEN]
    };
    (0..n).map(|i| EventRef::new(1_700_000_000_000_000_000 + i * 100_000 + i * 7_368_787 % 10_000_000, i as u32, data(i))).collect()
}

/// The first batch makes the files of the chunk, and is not timed.
fn append(path: &str, events: &[EventRef]) -> Result<Duration> {
    let store = Store::open(path, Options::new().mode(Mode::CreateNew).durability(Durability::Process))?;
    let (first, rest) = events.split_at(BATCH);
    store.append(first)?;
    let start = Instant::now();
    for batch in rest.chunks(BATCH) {
        store.append(batch)?;
    }
    let took = start.elapsed();
    store.close()?;
    Ok(took)
}

fn scan(store: &Store, sum_of: impl Fn(EventRef) -> u64) -> Result<()> {
    let (mut count, mut sum) = (0, 0u64);
    let start = Instant::now();
    let mut reader = store.read(..)?;
    loop {
        let batch = reader.next_batch(READ)?;
        if batch.is_empty() {
            break;
        }
        count += batch.len();
        batch.iter().for_each(|event| sum = sum.wrapping_add(sum_of(event)));
    }
    drop(reader);
    println!("{} {count} {sum}", start.elapsed().as_nanos());
    Ok(())
}

fn time_and_length(event: EventRef) -> u64 {
    event.time.wrapping_add(event.data.len() as u64)
}

fn everything(event: EventRef) -> u64 {
    event.data.iter().fold(time_and_length(event).wrapping_add(event.id.into()), |sum, byte| sum.wrapping_add((*byte).into()))
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, argument] = arguments.as_slice() else { return Err("border append EVENTS, or border scan STORE".into()) };
    if work == "append" {
        let pool = make_pool();
        let events = make_events(argument.parse()?, &pool);
        for line in stdin().lock().lines() {
            println!("{}", append(&line?, &events)?.as_nanos());
        }
    } else {
        let store = Store::open(argument, Options::new().mode(Mode::ReadOnly))?;
        for line in stdin().lock().lines() {
            match line?.as_str() {
                "check" => scan(&store, everything)?,
                _ => scan(&store, time_and_length)?,
            }
        }
    }
    Ok(())
}
