//! Inputs that are one file of the efile: two bytes of choices, then the file.

use std::path::Path;
use std::sync::OnceLock;

use crate::base::{self, Base, INDEX, JOURNAL, LOG, PATH, RECON, Snapshot};
use crate::check::{Case, Choices, Events, Expect, Trust, exercise};
use crate::layout;
use crate::memory::bounded;
use crate::mutate::{self, Context, Kind, Raw};
use crate::rng::Rng;

fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(base::efile)
}

fn kind(name: &str) -> Kind {
    Kind::of_name(name)
}

/// Which snapshot the file goes into, and whether derived files are left out, all but the one that is fuzzed.
fn place(choices: Choices) -> (&'static Snapshot, bool) {
    let history = &base().history;
    match choices.target() {
        0 => (&history.closed, false),
        1 => (&history.closed, true),
        2 => (&history.died, false),
        3 => (&history.died, true),
        4 => (&history.other, false),
        _ => (&history.first, false),
    }
}

/// Runs one input for the file `name`.
pub fn run(name: &str, input: &[u8]) {
    let Some((choices, bytes)) = Choices::of(input) else { return };
    let (snapshot, without_derived) = place(choices);
    bounded(|| {
        let disk = snapshot.disk.fork(1);
        let put = |name: &str, bytes: &[u8]| disk.put(Path::new(PATH).join(name), bytes).expect("the simulated disk takes it");
        put(name, bytes);
        if without_derived {
            for other in [INDEX, RECON].into_iter().filter(|other| *other != name) {
                disk.remove(Path::new(PATH).join(other));
            }
        }
        let expect = expect(name, bytes, snapshot, without_derived);
        // A log that the journal calls idle is not looked at by those who only read.
        let beside = match (name, expect) {
            (JOURNAL, Expect { events: Events::AllOrError(all), trust: Trust::All }) if !snapshot.closed => {
                Expect { events: Events::StartOrError { all, ends: &snapshot.ends, durable: snapshot.durable }, trust: Trust::All }
            }
            _ => expect,
        };
        let untouched = snapshot.files.get(name).is_some_and(|original| original == bytes);
        exercise(&Case { disk, efile: true, expect, beside, choices, untouched });
    });
}

/// What can be said of a store with these bytes in the place of its file `name`.
fn expect(name: &str, bytes: &[u8], snapshot: &'static Snapshot, without_derived: bool) -> Expect<'static> {
    // A copy that was made at another moment is damage like any other.
    let own = || snapshot.files.get(name).map(Vec::as_slice).into_iter().collect();
    let originals: Vec<&[u8]> = if matches!(name, INDEX | RECON) { base().history.originals(name) } else { own() };
    let all = snapshot.events.as_slice();
    let genuine = |events| Expect { events, trust: Trust::All };
    match name {
        // Without derived files only the frames say where events are, and they are checked when they are read.
        LOG if !layout::log_is_genuine(bytes, &originals) => {
            Expect { events: Events::Any, trust: if without_derived { Trust::Logs } else { Trust::Nothing } }
        }
        LOG if snapshot.closed => genuine(Events::AllOrError(all)),
        LOG => genuine(Events::StartOrError { all, ends: &snapshot.ends, durable: snapshot.durable }),
        // A journal names no events, so it can't make any.
        JOURNAL if !layout::journal_is_genuine(bytes, &originals) => Expect { events: Events::Only(all), trust: Trust::Logs },
        JOURNAL => genuine(Events::AllOrError(all)),
        // Nor does an index.
        INDEX if !layout::index_is_genuine(bytes, &originals) => Expect { events: Events::Only(all), trust: Trust::Nothing },
        RECON if !layout::recon_is_genuine(bytes, &originals) => Expect { events: Events::Any, trust: Trust::Nothing },
        _ => genuine(Events::Exactly(all)),
    }
}

/// Mutates an input for the file `name` in place; answers its new size.
pub fn mutate(name: &str, data: &mut [u8], size: usize, most: usize, seed: u32, raw: Raw<'_>) -> usize {
    let mut rng = Rng::new(u64::from(seed));
    let most = most.min(data.len());
    let (choices, bytes) = Choices::of(&data[..size]).unwrap_or((Choices(0), &[]));
    let mut bytes = bytes.to_vec();
    let history = &base().history;
    let context = Context { id: base().id, log: &history.closed.files[LOG], donors: history.originals(name) };
    mutate::mutate(kind(name), &mut bytes, most.saturating_sub(2), &context, &mut rng, raw);
    choices.mutated(&mut rng).put_before(&bytes, &mut data[..most])
}

/// Whole files to start from.
pub fn seeds(name: &str) -> Vec<Vec<u8>> {
    let history = &base().history;
    let mut seeds = Vec::new();
    for (snapshot, target) in [(&history.closed, 0), (&history.died, 2), (&history.other, 4)] {
        for choices in [0x0000, 0x1f88, 0xe078, 0x21a8] {
            let Some(file) = snapshot.files.get(name) else { continue };
            seeds.push(Choices(target | choices).before(file));
        }
    }
    if name == LOG {
        // Last, so that those before keep their numbers. The log is shorter then than its journal says, which hides none of its frames.
        for (snapshot, target) in [(&history.closed, 1), (&history.died, 3), (&history.other, 4)] {
            seeds.push(Choices(target).before(&layout::pack_log(&snapshot.files[LOG])));
        }
    }
    seeds
}
