//! Where lines come from: files and standard input, read ahead on a thread of their own, so that a signal is noticed while nothing comes.
//!
//! A block is what one read gave. All lines that are whole in it become one batch: so a slow pipe stores each line as it comes, and a file
//! goes in large batches.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::signals::Interrupt;

/// So much is read at once.
const BLOCK: usize = 256 << 10;
/// So many blocks are read ahead.
const AHEAD: usize = 4;

/// A file, or standard input.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Standard,
    File(PathBuf),
}

impl Input {
    /// The inputs that are named; standard input if none is, and where `-` is.
    pub(crate) fn all(paths: &[PathBuf]) -> Vec<Input> {
        if paths.is_empty() {
            return vec![Input::Standard];
        }
        let of = |path: &PathBuf| if path == Path::new("-") { Input::Standard } else { Input::File(path.clone()) };
        paths.iter().map(of).collect()
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Input::Standard => "standard input".to_owned(),
            Input::File(path) => path.display().to_string(),
        }
    }

    pub(crate) fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Input::Standard => Box::new(io::stdin()),
            Input::File(path) => Box::new(File::open(path)?),
        })
    }

    /// How long it is, where that is known beforehand. Fails for what can't be read, so that nothing is stored of the others either.
    pub(crate) fn length(&self) -> Result<Option<u64>> {
        let Input::File(path) = self else {
            let stdin = rustix::fs::fstat(io::stdin()).context("standard input cannot be read")?;
            let is_file = rustix::fs::FileType::from_raw_mode(stdin.st_mode) == rustix::fs::FileType::RegularFile;
            return Ok(u64::try_from(stdin.st_size).ok().filter(|_| is_file));
        };
        // Opening a pipe would wait for its other end.
        let meta = path.metadata().with_context(|| format!("{}: cannot be read", path.display()))?;
        if meta.is_dir() {
            bail!("{}: a folder; name the files in it", path.display());
        }
        if !meta.is_file() {
            return Ok(None);
        }
        File::open(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        Ok(Some(meta.len()))
    }

    /// When it was written last, in nanoseconds since 1970.
    pub(crate) fn written(&self) -> u64 {
        let Input::File(path) = self else { return estore::now() };
        let modified = path.metadata().and_then(|meta| meta.modified()).ok();
        let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or_else(estore::now)
    }

    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Input::Standard) && io::stdin().is_terminal()
    }
}

/// The length of all inputs together, where it is known.
pub(crate) fn total_length(inputs: &[Input]) -> Result<Option<u64>> {
    let lengths = inputs.iter().map(Input::length).collect::<Result<Vec<_>>>()?;
    Ok(lengths.into_iter().sum())
}

/// What the reading thread tells.
pub(crate) enum Block {
    /// Bytes of the input with this number.
    Bytes(usize, Vec<u8>),
    /// That is all of it.
    End(usize),
    Failed(usize, io::Error),
    /// A signal came.
    Interrupted,
}

/// Begins to read all inputs, one after the other. Signals are told among what comes.
pub(crate) fn start(inputs: &[Input]) -> Result<(Receiver<Block>, Interrupt)> {
    let (sender, receiver) = mpsc::sync_channel(AHEAD);
    let wake = sender.clone();
    // If there is no room, something is there to be handled, and the signal is seen before that.
    let interrupt = Interrupt::install(move || drop(wake.try_send(Block::Interrupted)))?;
    let inputs = inputs.to_vec();
    thread::Builder::new().name("input".into()).spawn(move || {
        for (at, input) in inputs.iter().enumerate() {
            let end = match read_all(at, input, &sender) {
                Ok(true) => Block::End(at),
                Ok(false) => return,
                Err(e) => Block::Failed(at, e),
            };
            if sender.send(end).is_err() {
                return;
            }
        }
    })?;
    Ok((receiver, interrupt))
}

/// Answers `false` if nobody wants more.
fn read_all(at: usize, input: &Input, sender: &SyncSender<Block>) -> io::Result<bool> {
    let mut file = input.open()?;
    loop {
        let mut block = vec![0; BLOCK];
        let len = match file.read(&mut block) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if len == 0 {
            return Ok(true);
        }
        block.truncate(len);
        if sender.send(Block::Bytes(at, block)).is_err() {
            return Ok(false);
        }
    }
}

/// The bytes of one input after the other, for those who need no lines.
pub(crate) struct Feed<'a> {
    blocks: &'a Receiver<Block>,
    interrupt: &'a Interrupt,
    block: Vec<u8>,
    given: usize,
    /// A signal ended it, with an error that says nothing.
    pub(crate) interrupted: bool,
}

impl<'a> Feed<'a> {
    pub(crate) fn new(blocks: &'a Receiver<Block>, interrupt: &'a Interrupt) -> Feed<'a> {
        Feed { blocks, interrupt, block: Vec::new(), given: 0, interrupted: false }
    }
}

impl Read for Feed<'_> {
    /// Nothing is the end of an input; after that come those of the next one.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.block.len() {
            match self.blocks.recv() {
                Ok(Block::Bytes(_, block)) if self.interrupt.signal().is_none() => (self.block, self.given) = (block, 0),
                Ok(Block::End(_)) => return Ok(0),
                Ok(Block::Failed(_, e)) => return Err(e),
                Ok(Block::Interrupted | Block::Bytes(..)) | Err(_) => {
                    self.interrupted = true;
                    return Err(io::Error::other("a signal came"));
                }
            }
        }
        let len = buffer.len().min(self.block.len() - self.given);
        buffer[..len].copy_from_slice(&self.block[self.given..self.given + len]);
        self.given += len;
        Ok(len)
    }
}

/// Cuts blocks into lines.
pub(crate) struct Splitter {
    end: u8,
    /// A longer line is left out.
    longest: usize,
    /// What is not handed out yet: the beginning of a line, then the newest block.
    bytes: Vec<u8>,
    /// The line in work is too long, and what is left of it is passed over.
    skipping: bool,
    /// The number of the last line that was handed out.
    line: u64,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Bytes(u64, &'a [u8]),
    TooLong(u64),
}

impl Splitter {
    pub(crate) fn new(end: u8, longest: usize) -> Splitter {
        Splitter { end, longest, bytes: Vec::new(), skipping: false, line: 0 }
    }

    /// Takes a block and hands out the lines that are whole by now; at the end of the input also one without an end.
    pub(crate) fn take(&mut self, block: &[u8], at_end: bool) -> Lines<'_> {
        // What is left of earlier blocks has no end of a line.
        let mut from = self.bytes.len();
        self.bytes.extend_from_slice(block);
        let Splitter { end, longest, bytes, skipping, line } = self;
        let mut found = Lines { lines: Vec::new(), rest: 0, bytes };
        while let Some(length) = memchr::memchr(*end, &found.bytes[from..]) {
            *line += 1;
            let until = from + length;
            let too_long = std::mem::take(skipping) || until - found.rest > *longest;
            found.lines.push((*line, if too_long { None } else { Some((found.rest, until)) }));
            (found.rest, from) = (until + 1, until + 1);
        }
        let until = found.bytes.len();
        if until - found.rest > *longest {
            *skipping = true;
            found.rest = until;
        }
        if at_end && (until > found.rest || *skipping) {
            *line += 1;
            found.lines.push((*line, if std::mem::take(skipping) { None } else { Some((found.rest, until)) }));
            found.rest = until;
        }
        found
    }
}

/// The lines of a block; what is left of it is kept for the next one.
pub(crate) struct Lines<'a> {
    bytes: &'a mut Vec<u8>,
    /// The number of each line, and its place if it is not too long.
    lines: Vec<(u64, Option<(usize, usize)>)>,
    rest: usize,
}

impl Lines<'_> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        self.lines.iter().map(|(number, place)| match place {
            Some((from, until)) => Line::Bytes(*number, &self.bytes[*from..*until]),
            None => Line::TooLong(*number),
        })
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        self.bytes.drain(..self.rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a text that comes in blocks of this length.
    fn split(text: &[u8], length: usize, longest: usize) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut splitter = Splitter::new(b'\n', longest);
        let mut found = Vec::new();
        let blocks = text.chunks(length).map(|block| (block, false)).chain([(&[][..], true)]);
        for (block, at_end) in blocks {
            let lines = splitter.take(block, at_end);
            found.extend(lines.iter().map(|line| match line {
                Line::Bytes(number, bytes) => (number, Some(bytes.to_vec())),
                Line::TooLong(number) => (number, None),
            }));
        }
        found
    }

    #[test]
    fn lines_are_the_same_whatever_the_blocks() {
        let text = b"one\n\ntwo\r\n\xff\x00three\nlast";
        let lines: [&[u8]; 5] = [b"one", b"", b"two\r", b"\xff\x00three", b"last"];
        let expected: Vec<_> = (1..).zip(lines.map(|line| Some(line.to_vec()))).collect();
        for length in 1..=text.len() {
            assert_eq!(split(text, length, 100), expected, "blocks of {length}");
        }
        assert_eq!(split(b"", 1, 100), []);
        assert_eq!(split(b"\n", 1, 100), [(1, Some(vec![]))]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let text = b"12345\n123456\n12345678901234567890\nab\n1234567";
        let expected = [(1, Some(b"12345".to_vec())), (2, None), (3, None), (4, Some(b"ab".to_vec())), (5, None)];
        for length in 1..=text.len() {
            assert_eq!(split(text, length, 5), expected, "blocks of {length}");
        }
    }
}
