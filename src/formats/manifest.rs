//! What stands beside an export: where it comes from, by which rules, and what it has to be.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Extent, Order};
use crate::error::{Error, Result};
use crate::paths::write_whole;
use crate::store::{Store, now_ms};

/// Sums up what is written.
#[derive(Debug, Default)]
pub(super) struct Sum(Sha256);

impl Sum {
    pub fn line(&mut self, line: &str) {
        self.0.update(line.as_bytes());
        self.0.update(b"\n");
    }

    /// Of a file as it stands.
    pub fn of(path: &Path) -> Result<Self> {
        let mut sum = Self::default();
        let mut file = File::open(path).map_err(|e| Error::io("reading", path, &e))?;
        std::io::copy(&mut file, &mut sum.0).map_err(|e| Error::io("reading", path, &e))?;
        Ok(sum)
    }

    pub fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The manifest's file of an export's.
pub fn manifest_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".manifest.json");
    path.with_file_name(name)
}

/// Writes it.
pub(super) fn write(
    store: &Store,
    order: &Order,
    path: &Path,
    (extent, sum): (&Extent, String),
) -> Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let questions = &order.questions;
    let said = json!({
        "file": name,
        "sha256": sum,
        "lines": extent.lines,
        "bytes": extent.bytes,
        "trajectories": extent.trajectories,
        "held_out": extent.held_out,
        "set": order.set,
        "format": order.layout,
        "criteria": order.criteria,
        "only_held_out": order.held_out,
        "alternatives_only": order.alternatives_only,
        "observations": order.observations,
        "model": order.model,
        "questions": {"act": questions.act, "think": questions.think, "predict": questions.predict},
        "store": store.identity()?,
        "program": concat!("foretaste ", env!("CARGO_PKG_VERSION")),
        "written_ms": now_ms(),
    });
    let path = manifest_of(path);
    write_whole(&path, true, |file| {
        serde_json::to_writer_pretty(file, &said)
            .map_err(|e| Error::new(format!("writing {}: {e}", path.display())))
    })
}
