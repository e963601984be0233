//! Inputs that are a whole folder: two bytes of choices, then file after file: a byte for its name, two for its length, its bytes.
//!
//! The folder is that of a store with several chunks. Its files may come from different moments of its life, lie under each other's names,
//! be gone or be anything else.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use estore::Event;

use crate::base::{self, Files, History, PATH};
use crate::check::{Case, Choices, Events, Expect, Trust, exercise};
use crate::layout::{self, Identity};
use crate::memory::bounded;
use crate::mutate::{self, Context, Kind, Raw};
use crate::rng::Rng;

/// Names that a store may have besides those of the base store; and some that it doesn't know.
const MORE_NAMES: [&str; 11] = [
    "estore.new",
    "journal.new",
    "2-0.recon",
    "2-0.recon.new",
    "2-0.cut",
    "2-1.estore",
    "2-1.idx",
    "2-1.recon",
    "4-0.estore",
    "18446744073709-0.estore",
    "02-0.estore",
];

struct Store {
    history: History,
    names: Vec<String>,
}

fn store() -> &'static Store {
    static STORE: OnceLock<Store> = OnceLock::new();
    STORE.get_or_init(|| {
        let history = base::store();
        let own: BTreeSet<&String> = history.snapshots().into_iter().flat_map(|snapshot| snapshot.files.keys()).collect();
        let own = own.into_iter().cloned();
        let names = own.chain(MORE_NAMES.into_iter().map(str::to_owned)).collect();
        Store { history, names }
    })
}

/// An input taken apart: files by the place of their name.
type Parts = Vec<(u8, Vec<u8>)>;

fn take_apart(mut input: &[u8]) -> Parts {
    let mut parts = Parts::new();
    while let Some((head, rest)) = input.split_first_chunk::<3>() {
        let len = usize::from(u16::from_le_bytes([head[1], head[2]])).min(rest.len());
        parts.push((head[0], rest[..len].to_vec()));
        input = &rest[len..];
    }
    parts
}

fn put_together(parts: &Parts) -> Vec<u8> {
    let mut input = Vec::new();
    for (name, bytes) in parts {
        let len = bytes.len().min(usize::from(u16::MAX));
        input.push(*name);
        input.extend_from_slice(&(len as u16).to_le_bytes());
        input.extend_from_slice(&bytes[..len]);
    }
    input
}

fn name_of(code: u8) -> &'static str {
    let names = &store().names;
    &names[usize::from(code) % names.len()]
}

fn code_of(name: &str) -> u8 {
    store().names.iter().position(|other| other == name).unwrap_or(0) as u8
}

fn parts_of(files: &Files) -> Parts {
    files.iter().map(|(name, bytes)| (code_of(name), bytes.clone())).collect()
}

/// Runs one input.
pub fn run(input: &[u8]) {
    let Some((choices, rest)) = Choices::of(input) else { return };
    let files: Files = take_apart(rest).into_iter().map(|(code, bytes)| (name_of(code).to_owned(), bytes)).collect();
    let history = &store().history;
    bounded(|| {
        let disk = history.first.disk.fork(1);
        for path in disk.paths() {
            disk.remove(&path);
        }
        for (name, bytes) in &files {
            disk.put(Path::new(PATH).join(name), bytes).expect("the simulated disk takes it");
        }
        let expect = expect(&files, history);
        let untouched = history.snapshots().iter().any(|snapshot| snapshot.files == files);
        exercise(&Case { disk, efile: false, expect, beside: expect, choices, untouched });
    });
}

/// What can be said of a folder with these files.
fn expect<'a>(files: &Files, history: &'a History) -> Expect<'a> {
    let kind = |name: &str| Kind::of_name(name);
    let genuine = |(name, bytes): (&String, &Vec<u8>)| {
        let originals = |ending| history.originals_ending(ending);
        match kind(name) {
            Kind::Log => layout::log_is_genuine(bytes, &originals("-0.estore")),
            Kind::Journal => layout::journal_is_genuine(bytes, &history.originals(name)),
            Kind::Index => layout::index_is_genuine(bytes, &originals(".idx")),
            Kind::Recon => layout::recon_is_genuine(bytes, &originals(".recon")),
            Kind::Settings => layout::settings_are_genuine(bytes, &history.originals(name)),
            Kind::Other => true,
        }
    };
    let is_derived = |name: &str| matches!(kind(name), Kind::Index | Kind::Recon);
    // Only logs hold events; settings tell where they belong.
    let truthful = files.iter().filter(|(name, _)| matches!(kind(name), Kind::Log | Kind::Settings)).all(genuine);
    let trust = match (files.iter().all(genuine), truthful) {
        (true, _) => Trust::All,
        (false, true) => Trust::Nothing,
        (false, false) => Trust::NotEvenOrder,
    };
    let unchanged = |files: &Files, original: &Files| {
        let truth = |files: &Files| -> Files {
            files.iter().filter(|(name, _)| !is_derived(name) && kind(name) != Kind::Other).map(|(k, v)| (k.clone(), v.clone())).collect()
        };
        truth(files) == truth(original)
    };
    // The same truth, and copies of it that were not forged: exactly what there was.
    let same = history.snapshots().into_iter().find(|snapshot| trust == Trust::All && unchanged(files, &snapshot.files));
    let no_runs = files.iter().filter(|(name, _)| kind(name) == Kind::Recon).all(genuine);
    let all: &[Event] = &history.all;
    let events = match same {
        Some(snapshot) => Events::Exactly(&snapshot.events),
        None if truthful && no_runs => Events::Only(all),
        None => Events::Any,
    };
    Expect { events, trust }
}

/// What the file of this name is tied to others by: to the log of its own chunk, or to that of another.
fn identity(name: &str, history: &History, rng: &mut Rng) -> Identity {
    let logs: Vec<&String> = history.closed.files.keys().filter(|name| Kind::of_name(name) == Kind::Log).collect();
    let own = name.split_once('.').and_then(|(stem, _)| logs.iter().find(|log| log.starts_with(stem)));
    let log = own.filter(|_| !rng.one_in(16)).unwrap_or(&logs[rng.index(logs.len())]);
    let header = &history.closed.files[*log];
    let number = |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(0);
    let (chunk, generation) = name.split_once('.').and_then(|(stem, _)| stem.split_once('-')).unzip();
    Identity {
        store: u128::from(layout::u64_at(header, 16)) | u128::from(layout::u64_at(header, 24)) << 64,
        chunk: number(chunk),
        generation: number(generation) as u32,
        log: layout::u64_at(header, 40),
        recon: 0x1234_5678_9abc_def0,
        journal: 0,
    }
}

/// Mutates an input in place; answers its new size.
pub fn mutate(data: &mut [u8], size: usize, most: usize, seed: u32, raw: Raw<'_>) -> usize {
    let mut rng = Rng::new(u64::from(seed));
    let most = most.min(data.len());
    let (choices, rest) = Choices::of(&data[..size]).unwrap_or((Choices(0), &[]));
    let mut parts = take_apart(rest);
    match rng.below(10) {
        0 => {
            let mut bytes = put_together(&parts);
            let size = bytes.len().min(most.saturating_sub(2));
            bytes.resize(most.saturating_sub(2), 0);
            let size = raw(&mut bytes, size);
            parts = take_apart(&bytes[..size]);
        }
        1..=3 => mutate_folder(&mut parts, &mut rng),
        _ => {}
    }
    if !rng.one_in(4) && !parts.is_empty() {
        let place = rng.index(parts.len());
        mutate_file(&mut parts, place, &mut rng, raw);
    }
    choices.mutated(&mut rng).put_before(&put_together(&parts), &mut data[..most])
}

/// Changes which files there are.
fn mutate_folder(parts: &mut Parts, rng: &mut Rng) {
    let snapshots = store().history.snapshots();
    let snapshot = snapshots[rng.index(snapshots.len())];
    let (a, b) = (rng.index(parts.len()), rng.index(parts.len()));
    match rng.below(7) {
        0 if !parts.is_empty() => drop(parts.remove(a)),
        1 if !parts.is_empty() => parts[a].0 = rng.below(store().names.len() as u64) as u8,
        2 if !parts.is_empty() => {
            let copy = (rng.below(store().names.len() as u64) as u8, parts[a].1.clone());
            parts.push(copy);
        }
        3 if a != b => {
            let (one, two) = (parts[a].0, parts[b].0);
            (parts[a].0, parts[b].0) = (two, one);
        }
        4 if rng.one_in(4) => *parts = parts_of(&snapshot.files),
        _ => {
            let originals: Vec<(&String, &Vec<u8>)> = snapshot.files.iter().collect();
            let (name, bytes) = originals[rng.index(originals.len())];
            let code = code_of(name);
            parts.retain(|(other, _)| name_of(*other) != name_of(code));
            parts.push((code, bytes.clone()));
        }
    }
}

/// Changes what is in a file, by what its name says that it is.
fn mutate_file(parts: &mut Parts, place: usize, rng: &mut Rng, raw: Raw<'_>) {
    let history = &store().history;
    let name = name_of(parts[place].0);
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let log = parts.iter().find(|(code, _)| name_of(*code) == format!("{stem}.estore")).map(|(_, bytes)| bytes.clone());
    let log = log.or_else(|| history.closed.files.get("2-0.estore").cloned()).unwrap_or_default();
    let ending = name.rsplit_once('.').map_or(name, |(_, ending)| ending);
    let context = Context { id: identity(name, history, rng), log: &log, donors: history.originals_ending(ending) };
    let bytes = &mut parts[place].1;
    let most = bytes.len() + 512;
    mutate::mutate(Kind::of_name(name), bytes, most, &context, rng, raw);
}

/// Whole folders to start from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for snapshot in store().history.snapshots() {
        for choices in [0x0000, 0x1f88, 0xe078, 0x21a8] {
            seeds.push(Choices(choices).before(&put_together(&parts_of(&snapshot.files))));
        }
    }
    seeds
}
