//! Readings of a thermometer: appended out of order, sent twice, read in order.
//!
//! Run it: `cargo run --example quickstart [folder]`. The folder must not exist yet; it is `thermometer` unless you say otherwise.

use estore::{Event, Mode, Options, ReadOptions, Store, duration};

fn main() -> estore::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or("thermometer".into());

    // One file set for each hour of time. Both settings are optional.
    let options = Options::new().mode(Mode::CreateNew).file_size(duration::parse("1h")?);
    let store = Store::open(&folder, options)?;

    // A batch is in any order of times. Times are nanoseconds; the id tells apart events of equal time and data.
    let second = duration::parse("1s")?;
    let noon = 1_700_049_600 * second;
    let batch = [
        Event { time: noon + 2 * second, seq: 0, id: 7, data: b"21.5".to_vec() },
        Event { time: noon, seq: 0, id: 7, data: b"21.3".to_vec() },
        Event { time: noon + second, seq: 0, id: 7, data: b"21.4".to_vec() },
    ];
    store.append(&batch)?;

    // This one comes an hour late. Readers find it in its place, like any other.
    store.append(&[Event { time: noon - 3600 * second, seq: 0, id: 7, data: b"19.0".to_vec() }])?;

    // The sender is not sure that the batch arrived and sends it again.
    let again = store.append_absent(&batch)?;
    println!("sent again: {} stored, {} there already", again.stored, again.present);

    println!("from noon on:");
    for event in store.read(noon..)? {
        let event = event?;
        println!("  {} s: {}", event.time / second, String::from_utf8_lossy(&event.data));
    }

    println!("the last two, newest first:");
    for event in store.read_with(.., ReadOptions::new().reverse().limit(2))? {
        let event = event?;
        println!("  {} s: {}", event.time / second, String::from_utf8_lossy(&event.data));
    }

    println!("{} events in all", store.count(..)?);

    // Dropping the store closes it too, but only `close` can tell that something went wrong.
    store.close()
}
