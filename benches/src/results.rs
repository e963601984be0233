//! What was measured, as it is kept in `results.json`, and the medians that reports are made of.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::engine::EngineSpec;

/// Nanoseconds for each call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Latency {
    pub p50: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

/// One run of one workload with one engine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measurement {
    pub events: u64,
    /// Of payload.
    pub bytes: u64,
    pub seconds: f64,
    pub latency: Option<Latency>,
    /// How far the memory of the process grew at its peak.
    pub peak_memory: u64,
    /// What all files of the store take, after it was closed. 0 where the workload does not write.
    pub disk_bytes: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    pub workload: String,
    pub engine: String,
    pub round: usize,
    pub measurement: Measurement,
}

/// A shared library under test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LibraryFacts {
    pub engine: String,
    pub version: String,
    /// None where the tools to find out are missing.
    pub stripped_bytes: Option<u64>,
    pub needed: Option<Vec<String>>,
}

/// A figure means little without these.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Conditions {
    pub date: String,
    pub cpu: String,
    pub cores: usize,
    pub memory_bytes: u64,
    pub filesystem: String,
    pub kernel: String,
    pub rustc: String,
    pub rounds: usize,
    pub scale: f64,
    pub libraries: Vec<LibraryFacts>,
    /// Name and version of each peer.
    pub peers: Vec<(String, String)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    pub conditions: Conditions,
    pub engines: Vec<EngineSpec>,
    pub samples: Vec<Sample>,
}

/// The middle of the rounds, and how far they lie apart.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Results {
    pub fn load(path: &Path) -> Result<Results> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} holds no results", path.display()))
    }

    /// Where libraries lay on the machine is left out.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut json = serde_json::to_value(self)?;
        for (engine, saved) in self.engines.iter().zip(json["engines"].as_array_mut().into_iter().flatten()) {
            saved["library"] = engine.library.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy()).into();
        }
        std::fs::write(path, serde_json::to_string_pretty(&json)? + "\n").with_context(|| format!("cannot write {}", path.display()))
    }

    /// The spread of some value over the rounds of a workload; None if it was not measured.
    pub fn spread(&self, workload: &str, engine: &str, value: impl Fn(&Measurement) -> Option<f64>) -> Option<Spread> {
        let of_both = self.samples.iter().filter(|sample| sample.workload == workload && sample.engine == engine);
        let mut values: Vec<f64> = of_both.filter_map(|sample| value(&sample.measurement)).collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 };
        Some(Spread { median, min, max })
    }
}
