//! What recovery cuts off a log: kept aside in `N-G.cut`, for a person to look at.
//!
//! ```text
//!   log      ═══ frames that count ═══│ torn bytes        1. copied, synced    2. only then is the log ended before them
//!   N-G.cut  │ header │ bytes │ header │ torn bytes │
//!            └──── a piece ───┘
//! ```
//!
//! A piece that is not whole comes of a crash between 1 and 2, so its bytes are still in the log: the next recovery takes them again, in the
//! place of that piece. Any other bytes that are no piece are left alone, and looked behind.

use crate::bytes::{crc32, put, u32_at, u64_at};
use crate::disk::{Access, Folder, Handle};
use crate::error::{Error, Result};
use crate::planted::{self, Bug};

use super::log::LogId;

const MAGIC: u32 = u32::from_le_bytes(*b"eCut");
const HEADER_LEN: usize = 32;
/// So much is copied at once. What is zero throughout is not written: a hole stays a hole.
const COPY_LEN: usize = 256 << 10;

/// Copies `len` bytes of a log from `from` on into its cut file, makes that durable, and only then ends the log at `from`.
pub(crate) fn cut(folder: &Folder, id: LogId, log: &Handle, from: u64, len: u64) -> Result<()> {
    if len == 0 {
        // A log that is shorter than it ought to be is damaged; zeros at its end would only hide how.
        return if log.len()? > from { log.truncate(from) } else { Ok(()) };
    }
    let name = id.cut_name();
    let file = match folder.open_if_there(&name, Access::Write)? {
        Some(file) => file,
        None => folder.open(&name, Access::CreateNew)?,
    };
    let before = end_of_pieces(&file)?;
    if planted::has(Bug::ForgetCutBytes) {
        return log.truncate(from);
    }
    if let Err(e) = keep_aside(&file, before, log, from, len) {
        // A part of it is of no use.
        let _ = if before == 0 { folder.remove_if_there(&name).map(drop) } else { file.truncate(before) };
        return Err(e);
    }
    // Names of files may be lost by a failure of that, so it must not be taken for a mere lack of space.
    folder.sync().map_err(Error::past_undoing)?;
    log.truncate(from)
}

/// Writes `len` bytes of a log from `from` on to a cut file at `at`, and nothing behind them, durably.
fn keep_aside(file: &Handle, at: u64, log: &Handle, from: u64, len: u64) -> Result<()> {
    let start = at.saturating_add(HEADER_LEN as u64);
    // What was there of an unfinished piece goes, and what is not written below is a hole.
    file.truncate(at)?;
    file.truncate(start.saturating_add(len))?;
    let mut buffer = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(COPY_LEN)];
    let mut done = 0;
    while done < len {
        let most = buffer.len().min(usize::try_from(len - done).unwrap_or(usize::MAX));
        let n = log.read_up_to(buffer.get_mut(..most).unwrap_or_default(), from + done)?;
        let bytes = buffer.get(..n).unwrap_or_default();
        if n == 0 {
            break;
        }
        if bytes.iter().any(|&byte| byte != 0) {
            file.write_all(bytes, start + done)?;
        }
        done += n as u64;
    }
    let mut header = [0; HEADER_LEN];
    put(&mut header, 0, &MAGIC.to_le_bytes());
    put(&mut header, 8, &from.to_le_bytes());
    put(&mut header, 16, &len.to_le_bytes());
    let crc = crc32(&header[8..]);
    put(&mut header, 4, &crc.to_le_bytes());
    file.write_all(&header, at)?;
    file.sync()
}

/// A stretch of a cut file.
enum Stretch {
    /// `len` bytes that stood at byte `from` of the log; here from `start` on.
    Piece { start: u64, from: u64, len: u64 },
    /// A piece that was not finished, up to the end of the file.
    Torn { offset: u64 },
    /// What is no piece.
    Other { offset: u64, len: u64 },
}

/// The stretches of a cut file, in order.
fn stretches(file: &Handle) -> Result<Vec<Stretch>> {
    let file_len = file.len()?;
    let mut all = Vec::new();
    let mut at = 0;
    while at < file_len {
        let mut header = [0; HEADER_LEN];
        // Where the file ends sooner, the rest is zeros.
        file.read_up_to(&mut header, at)?;
        let start = at + HEADER_LEN as u64;
        match piece_of(&header) {
            Some((from, len)) if start.checked_add(len).is_some_and(|end| end <= file_len) => {
                all.push(Stretch::Piece { start, from, len });
                at = start + len;
            }
            Some(_) => {
                all.push(Stretch::Torn { offset: at });
                at = file_len;
            }
            None => {
                let next = next_piece(file, at + 1, file_len)?;
                let end = next.unwrap_or(file_len);
                // The header is written last.
                let has_header = start <= file_len && header != [0; HEADER_LEN];
                let is_torn = next.is_none() && !has_header;
                all.push(if is_torn { Stretch::Torn { offset: at } } else { Stretch::Other { offset: at, len: end - at } });
                at = end;
            }
        }
    }
    Ok(all)
}

/// The header of a piece, if one is there: where in the log its bytes stood, and how many they are.
fn piece_of(header: &[u8]) -> Option<(u64, u64)> {
    let is_one = u32_at(header, 0) == MAGIC && u32_at(header, 4) == crc32(header.get(8..HEADER_LEN)?);
    is_one.then(|| (u64_at(header, 8), u64_at(header, 16)))
}

/// Where the next header of a piece is, from `at` on.
fn next_piece(file: &Handle, mut at: u64, file_len: u64) -> Result<Option<u64>> {
    let mut window = vec![0; usize::try_from(file_len.saturating_sub(at)).unwrap_or(usize::MAX).min(COPY_LEN)];
    while at < file_len {
        let n = file.read_up_to(&mut window, at)?;
        let headers = window.get(..n).unwrap_or_default().windows(HEADER_LEN);
        if let Some(place) = headers.clone().position(|header| piece_of(header).is_some()) {
            return Ok(Some(at + place as u64));
        }
        if headers.len() == 0 {
            break;
        }
        at += headers.len() as u64;
    }
    Ok(None)
}

/// Where the next piece belongs: behind all that is there, but for a piece that was not finished.
fn end_of_pieces(file: &Handle) -> Result<u64> {
    match stretches(file)?.last() {
        Some(Stretch::Torn { offset }) => Ok(*offset),
        _ => file.len(),
    }
}

/// What a cut file holds: where each stretch starts in it, its length, and what it is.
pub(crate) fn cuts(file: &Handle) -> Result<Vec<(u64, u64, String)>> {
    let file_len = file.len()?;
    let tell = |stretch| match stretch {
        Stretch::Piece { start, from, len } => (start, len, format!("cut off the log at byte {from} and kept aside")),
        Stretch::Torn { offset } => {
            (offset, file_len.saturating_sub(offset), "not finished: what was to be kept aside is still in the log".to_owned())
        }
        Stretch::Other { offset, len } => (offset, len, "kept aside, but not readable".to_owned()),
    };
    Ok(stretches(file)?.into_iter().map(tell).collect())
}
