//! What reports have in common: medians, and under which conditions figures were measured.

use std::path::Path;

use anyhow::Result;

use crate::machine;

/// Of an even number of values the mean of the two in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// "Measured ... on ...", for stores in this folder, up to a point or semicolon.
pub fn conditions(dir: &Path) -> Result<String> {
    let date = machine::output_of("date", &["-u".as_ref(), "+%F %R UTC".as_ref()]).unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    Ok(format!("Measured {date} on {} ({cores} cores), {}, Linux {}", machine::cpu(), machine::filesystem(dir), machine::kernel()))
}
