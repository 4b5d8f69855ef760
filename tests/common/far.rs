//! A shop that is far away: one customer at a time, every step takes a while and fails now and
//! then, nothing can be copied, and what takes long can be called off.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use foretaste::budget;
use foretaste::env::{Environment, Forks, Opened, Suite, TaskRef, Turn};
use foretaste::error::{Error, Result};

use crate::shop::{Shop, Shops};

/// The suite of such shops.
#[derive(Clone, Default)]
pub struct FarShops {
    /// Whether somebody is in.
    busy: Arc<AtomicBool>,
    /// How long a step takes, in microseconds.
    pub delay: Arc<AtomicU64>,
    /// Every which step fails; 0 for none.
    pub fails: Arc<AtomicU64>,
    /// Shops opened and steps taken so far.
    pub opened: Arc<AtomicU64>,
    pub steps: Arc<AtomicU64>,
}

/// A customer in a far shop.
struct Customer {
    shop: Shop,
    suite: FarShops,
}

impl Drop for Customer {
    fn drop(&mut self) {
        self.suite.busy.store(false, Ordering::SeqCst);
    }
}

impl FarShops {
    /// The other end takes its time.
    fn wait(&self) -> Result<()> {
        let until = Instant::now() + Duration::from_micros(self.delay.load(Ordering::SeqCst));
        while Instant::now() < until {
            if budget::is_cancelled() {
                return Err(Error::cancelled());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }
}

impl Environment for Customer {
    fn task(&self) -> &str {
        self.shop.task()
    }

    fn turn(&self) -> &Turn {
        self.shop.turn()
    }

    fn step(&mut self, action: &str) -> Result<()> {
        self.suite.wait()?;
        let step = self.suite.steps.fetch_add(1, Ordering::SeqCst) + 1;
        let fails = self.suite.fails.load(Ordering::SeqCst);
        if fails > 0 && step.is_multiple_of(fails) {
            return Err(Error::new("the line to the shop broke off").hint("try again"));
        }
        self.shop.step(action)
    }

    fn fork(&self) -> Result<Box<dyn Environment>> {
        Err(Error::new("the shop takes one customer at a time"))
    }

    fn forks(&self) -> Forks {
        Forks::Replay
    }

    fn fingerprint(&self) -> u64 {
        self.shop.fingerprint()
    }

    /// What a clerk looks at.
    fn as_any(&self) -> &dyn Any {
        self.shop.as_any()
    }
}

impl Suite for FarShops {
    fn name(&self) -> &'static str {
        "far-shops"
    }

    fn splits(&self) -> Vec<String> {
        Shops.splits()
    }

    fn tasks(&self, split: &str) -> Result<Vec<TaskRef>> {
        Shops.tasks(split)
    }

    fn instances(&self) -> Option<usize> {
        Some(1)
    }

    fn open(&self, id: &str) -> Result<Opened> {
        self.wait()?;
        if self.busy.swap(true, Ordering::SeqCst) {
            return Err(Error::new("somebody is in the shop already"));
        }
        self.opened.fetch_add(1, Ordering::SeqCst);
        let number = id.strip_prefix("train/").and_then(|n| n.parse().ok()).unwrap_or_default();
        let opened = Shops.open(id).inspect_err(|_| self.busy.store(false, Ordering::SeqCst))?;
        let env = Box::new(Customer { shop: Shop::new(number), suite: self.clone() });
        Ok(Opened { env, suite: "far-shops".into(), ..opened })
    }
}
