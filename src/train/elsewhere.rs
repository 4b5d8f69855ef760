//! What a run goes on by when it is resumed, where that is something else than before.

use crate::error::{Error, Result};
use crate::model::device::Device;
use crate::place::Place;
use crate::store::{RunStatus, Store};

/// What a run may go on by in place of what it was begun by: nothing of what it learns depends on that.
#[derive(Debug, Clone, Default)]
pub struct Elsewhere {
    /// Another Python, of a run of torchrun.
    pub python: Option<String>,
    /// Another device, of a run of candle.
    pub device: Option<Place>,
}

impl Elsewhere {
    /// Writes it down, of a run that nobody else goes on with.
    pub(super) fn write_down(&self, store: &Store, run: i64) -> Result<()> {
        let row = store.run(run)?;
        if row.status == RunStatus::Finished || (self.python.is_none() && self.device.is_none()) {
            return Ok(());
        }
        let mut config: serde_json::Value =
            serde_json::from_str(&row.config).map_err(|e| Error::new(format!("run {run}: {e}")))?;
        let plan = &mut config["plan"];
        if let Some(python) = &self.python {
            match plan.get_mut("torchrun").filter(|of| of.is_object()) {
                Some(of) => of["python"] = python.as_str().into(),
                None => {
                    return Err(Error::usage(format!(
                        "--python: run {run} is not one of torchrun"
                    )));
                }
            }
        }
        if let Some(device) = self.device {
            if !plan["device"].is_string() {
                return Err(Error::usage(format!(
                    "--device: run {run} is not one of candle (--engine)"
                )));
            }
            Device::open(device)?;
            plan["device"] = device.to_string().into();
        }
        store.set_run_config(run, &config.to_string())
    }
}
