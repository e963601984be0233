//! What compression saves and costs. First the codecs alone, frame by frame, without a store; then whole stores, plain and compressed, in
//! turns: how long compaction takes, a scan, and windows at random places. Everything but compaction is in memory and is timed by what the
//! processor worked for this thread, so that others on the machine count for little.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use estore::{Compression, Durability, EventRef, Options, Store};

use crate::figures::conditions;
use crate::machine;
use estore_benches::data::mixed;

pub struct Plan {
    /// A folder with text files, whose lines are the events.
    pub data: PathBuf,
    pub rounds: usize,
    pub scale: f64,
    pub dir: PathBuf,
}

/// So much of a body is in a frame.
const FRAME_LEN: usize = 64 << 10;
/// The data of a store, at most: a smaller file is repeated. That tells nothing to a codec, since no frame reaches from one copy into the next.
const STORE_LEN: f64 = 64e6;
/// One event each millisecond.
const SPACING_NS: u64 = 1_000_000;
const WINDOWS: u64 = 300;
const WINDOW_EVENTS: u64 = 1_000;

struct Data {
    name: String,
    bytes: Vec<u8>,
}

impl Data {
    /// The events: lines, or pieces of 100 bytes where there are none.
    fn events(&self) -> Vec<&[u8]> {
        if self.name == "random" { self.bytes.chunks(100).collect() } else { self.bytes.split(|&byte| byte == b'\n').collect() }
    }
}

/// The larger files of the folder, and random bytes.
fn all_data(folder: &Path) -> Result<Vec<Data>> {
    let mut paths: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(e) => {
            eprintln!("left out: what would be in {} ({e})", folder.display());
            Vec::new()
        }
    };
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if bytes.len() > 4 * FRAME_LEN {
            all.push(Data { name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes });
        }
    }
    all.push(Data { name: "random".into(), bytes: (0..1 << 17).flat_map(|n| mixed(n).to_le_bytes()).collect() });
    Ok(all)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds that the processor has worked for this thread.
fn worked() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the time is a variable of ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// How long a call takes: the median of many.
fn time_of(rounds: usize, mut call: impl FnMut()) -> f64 {
    call();
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = worked();
            call();
            worked() - start
        })
        .collect();
    median(&mut times)
}

/// A codec at work on the frames of one data set: ratio, and MB/s in each direction.
fn codec(
    data: &Data,
    rounds: usize,
    mut compress: impl FnMut(&[u8], &mut Vec<u8>) -> Result<()>,
    mut decompress: impl FnMut(&[u8], &mut [u8]) -> Result<usize>,
) -> Result<[f64; 3]> {
    let frames: Vec<&[u8]> = data.bytes.chunks(FRAME_LEN).collect();
    let mut packed: Vec<Vec<u8>> = vec![Vec::new(); frames.len()];
    let mut failure = None;
    let compressing = time_of(rounds, || {
        for (frame, packed) in frames.iter().zip(&mut packed) {
            failure = failure.take().or(compress(frame, packed).err());
        }
    });
    let mut body = vec![0; FRAME_LEN];
    for (frame, packed) in frames.iter().zip(&packed) {
        let len = decompress(packed, &mut body[..frame.len()])?;
        ensure!(&body[..len] == *frame, "a codec gives back something else");
    }
    let decompressing = time_of(rounds, || {
        for (frame, packed) in frames.iter().zip(&packed) {
            failure = failure.take().or(decompress(black_box(packed), &mut body[..frame.len()]).err());
        }
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let megabytes = data.bytes.len() as f64 / 1e6;
    let stored: usize = packed.iter().map(Vec::len).sum();
    Ok([data.bytes.len() as f64 / stored as f64, megabytes / compressing, megabytes / decompressing])
}

fn lz4(data: &Data, rounds: usize) -> Result<[f64; 3]> {
    let compress = |frame: &[u8], packed: &mut Vec<u8>| {
        packed.resize(lz4_flex::block::get_maximum_output_size(frame.len()), 0);
        let len = lz4_flex::block::compress_into(frame, packed)?;
        packed.truncate(len);
        Ok(())
    };
    codec(data, rounds, compress, |packed, body| Ok(lz4_flex::block::decompress_into(packed, body)?))
}

fn zstd(data: &Data, rounds: usize, level: i32) -> Result<[f64; 3]> {
    let (mut compressor, mut decompressor) = (zstd::bulk::Compressor::new(level)?, zstd::bulk::Decompressor::new()?);
    let compress = |frame: &[u8], packed: &mut Vec<u8>| {
        *packed = compressor.compress(frame)?;
        Ok(())
    };
    codec(data, rounds, compress, |packed, body| Ok(decompressor.decompress_to_buffer(packed, body)?))
}

/// One store of one round.
#[derive(Clone, Copy)]
struct Turn {
    before: f64,
    after: f64,
    compaction: f64,
    scan: f64,
    window: f64,
}

fn turn(plan: &Plan, events: &[&[u8]], n: u64, compression: Compression, round: u64) -> Result<Turn> {
    let folder = tempfile::Builder::new().prefix("estore-compress-").tempdir_in(&plan.dir)?;
    let path = folder.path().join("store");
    let options = Options::new().durability(Durability::Process).file_size(u64::MAX).compaction(false).compression(compression);
    let store = Store::open(&path, options)?;
    let mut batch = Vec::new();
    for i in 0..n {
        batch.push(EventRef { time: i * SPACING_NS, seq: 0, id: i as u32, data: events[i as usize % events.len()] });
        if batch.len() == 1_000 || i + 1 == n {
            store.append(&batch)?;
            batch.clear();
        }
    }
    machine::sync_filesystem(&path)?;
    let start = Instant::now();
    let done = store.compact(.., |_| ControlFlow::Continue(()))?;
    let compaction = start.elapsed().as_secs_f64();
    let scan = || -> Result<f64> {
        let start = worked();
        let (mut count, mut sum) = (0, 0u64);
        let mut reader = store.read(..)?;
        loop {
            let batch = reader.next_batch(512)?;
            if batch.is_empty() {
                break;
            }
            count += batch.len() as u64;
            sum = batch.iter().fold(sum, |sum, event| sum.wrapping_add(event.time + event.data.len() as u64));
        }
        black_box(sum);
        ensure!(count == n, "{count} events of {n} came out");
        Ok(worked() - start)
    };
    scan()?;
    let scan = scan()?;
    let start = worked();
    for i in 0..WINDOWS {
        let first = mixed(round << 32 | i) % (n - WINDOW_EVENTS);
        let mut reader = store.read(first * SPACING_NS..=(first + WINDOW_EVENTS - 1) * SPACING_NS)?;
        let mut count = 0;
        loop {
            let batch = reader.next_batch(512)?;
            if batch.is_empty() {
                break;
            }
            count += batch.len() as u64;
        }
        ensure!(count == WINDOW_EVENTS, "a window of {count} events");
    }
    let window = (worked() - start) / WINDOWS as f64;
    store.close()?;
    Ok(Turn { before: done.bytes_before as f64, after: done.bytes_after as f64, compaction, scan, window })
}

/// Measures, and answers with COMPRESS.md.
pub fn measure(plan: &Plan) -> Result<String> {
    ensure!(plan.rounds > 0, "there are no rounds");
    fs::create_dir_all(&plan.dir).with_context(|| format!("cannot create {}", plan.dir.display()))?;
    let all = all_data(&plan.data)?;
    let mut text = String::from("# What compression saves and costs\n\n");
    writeln!(
        text,
        "{}. Medians of {} rounds. What is done is said in [benches/README.md](../README.md#compression).\n",
        conditions(&plan.dir)?,
        plan.rounds
    )?;
    if plan.scale != 1.0 {
        writeln!(text, "**A quick look: stores are {} of their usual size.**\n", plan.scale)?;
    }
    text.push_str("## Codecs alone, on frames of 64 KiB\n\n| data | codec | ratio | compress, MB/s | decompress, MB/s |\n| --- | --- | --- | --- | --- |\n");
    for data in &all {
        let rounds = 4 * plan.rounds + 1;
        for (name, [ratio, compress, decompress]) in
            [("LZ4", lz4(data, rounds)?), ("zstd, level 1", zstd(data, rounds, 1)?), ("zstd, level 3", zstd(data, rounds, 3)?)]
        {
            writeln!(text, "| {} | {name} | {ratio:.2} | {compress:.0} | {decompress:.0} |", data.name)?;
            eprintln!("{:20} {name:14} {ratio:.2} {compress:.0} {decompress:.0}", data.name);
        }
    }
    text.push_str(
        "\n## Stores\n\nEach cell: plain, then LZ4.\n\n| data | events | bytes of the log | ratio | compaction, MB/s | scan, million events/s | window of 1,000 events, µs |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for data in &all {
        let events = data.events();
        let average = data.bytes.len() as f64 / events.len() as f64;
        let n = ((STORE_LEN * plan.scale / average) as u64).max(2 * WINDOW_EVENTS);
        let mut turns = [Vec::new(), Vec::new()];
        for round in 0..plan.rounds as u64 {
            let mut order = [0, 1];
            order.rotate_left(round as usize % 2);
            for which in order {
                let turn = turn(plan, &events, n, [Compression::None, Compression::Lz4][which], round)?;
                eprintln!("{:20} {which} {:.3} s, {:.3} s, {:.1} µs", data.name, turn.compaction, turn.scan, turn.window * 1e6);
                turns[which].push(turn);
            }
        }
        let both = |value: &dyn Fn(&Turn) -> f64| [0, 1].map(|which| median(&mut turns[which].iter().map(value).collect::<Vec<f64>>()));
        let bytes = both(&|turn| turn.after);
        let compaction = both(&|turn| turn.before / 1e6 / turn.compaction);
        let scan = both(&|turn| n as f64 / 1e6 / turn.scan);
        let window = both(&|turn| turn.window * 1e6);
        writeln!(
            text,
            "| {} | {n} | {:.0}, {:.0} | {:.2} | {:.0}, {:.0} | {:.1}, {:.1} | {:.0}, {:.0} |",
            data.name,
            bytes[0],
            bytes[1],
            bytes[0] / bytes[1],
            compaction[0],
            compaction[1],
            scan[0],
            scan[1],
            window[0],
            window[1]
        )?;
    }
    Ok(text)
}
